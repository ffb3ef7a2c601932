//! Under which name bytes lie in the store.

use std::fmt;

use uuid::Uuid;

/// Folder of what clients uploaded.
const INPUTS: &str = "in";

/// Name of an object, made by us alone: a folder and a file, hexadecimal (M14).
///
/// Results are named by the SHA-256 of their bytes and shared by all rows with the same bytes. Uploads have a name of
/// their own each: they cannot be fetched again, so nobody else's clean-up may touch them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StorageKey {
    text: String,
}

impl StorageKey {
    /// Name of a result, from the hash of its bytes in lower-case hexadecimal; `None` if it is no such hash.
    pub fn of_content(sha256: &str) -> Option<Self> {
        Self::parse(&format!("{}/{sha256}", sha256.get(..2)?))
    }

    /// Name of an upload.
    pub fn of_input(id: Uuid) -> Self {
        Self { text: format!("{INPUTS}/{}", id.simple()) }
    }

    /// Reads a name as it stands in a row or in a listing; `None` for anything that we did not make.
    pub fn parse(text: &str) -> Option<Self> {
        let (folder, file) = text.split_once('/')?;
        let sound = if folder == INPUTS {
            file.len() == 32 && is_hex(file)
        } else {
            file.len() == 64 && is_hex(file) && file.get(..2) == Some(folder)
        };
        sound.then(|| Self { text: text.to_owned() })
    }

    /// The whole name, as it stands in rows.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What is before the slash.
    pub fn folder(&self) -> &str {
        self.text.split_once('/').map_or("", |(folder, _)| folder)
    }

    /// What is behind the slash.
    pub fn file(&self) -> &str {
        self.text.split_once('/').map_or("", |(_, file)| file)
    }

    /// Hash of the bytes, if the name says it.
    pub fn sha256(&self) -> Option<&str> {
        (self.folder() != INPUTS).then(|| self.file())
    }

    /// Whether a folder of that name holds objects of ours.
    pub(crate) fn is_folder(name: &str) -> bool {
        name == INPUTS || (name.len() == 2 && is_hex(name))
    }
}

impl fmt::Display for StorageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    #[test]
    fn m14_a_key_is_what_we_made_and_nothing_else() {
        let hash = "ab".repeat(32);
        let key = StorageKey::of_content(&hash).unwrap();
        assert_eq!((key.folder(), key.file(), key.sha256()), ("ab", hash.as_str(), Some(hash.as_str())));
        assert_eq!(StorageKey::parse(key.as_str()), Some(key));
        let input = StorageKey::of_input(Uuid::nil());
        assert_eq!((StorageKey::parse(input.as_str()), input.sha256()), (Some(input.clone()), None));
        for bad in [
            "",
            "ab",
            "../../etc/passwd",
            "ab/../../x",
            "in/..",
            "in/",
            "/",
            &format!("cd/{hash}"),
            &format!("AB/{}", hash.to_uppercase()),
            &format!("ab/{hash}/x"),
            &format!("ab/{hash}\0"),
            &format!("/{hash}"),
        ] {
            assert_eq!(StorageKey::parse(bad), None, "{bad:?}");
        }
        assert_eq!(StorageKey::of_content(""), None);
    }
}
