//! Under which name the world knows an asset.

use grok2api_entity::asset::Kind;

/// Digits and letters without those that are easily taken for another; lower case alone, since some databases compare
/// names without regard to case.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Letters that 128 bits need, five bits each.
const LETTERS: usize = 26;
const ENDINGS: [&str; 6] = ["jpg", "png", "webp", "gif", "mp4", "webm"];

/// A new public name: 128 random bits and an ending that fits (M13).
pub(crate) fn random(kind: Kind, source_path: Option<&str>) -> String {
    let mut bits: u128 = rand::random();
    let mut name = String::with_capacity(LETTERS + 5);
    for _ in 0..LETTERS {
        name.push(char::from(ALPHABET[usize::try_from(bits & 31).unwrap_or_default()]));
        bits >>= 5;
    }
    name.push('.');
    name.push_str(ending(kind, source_path));
    name
}

/// The ending that the source has, if it fits the kind. It is for people and players only: nothing is served by it.
fn ending(kind: Kind, source_path: Option<&str>) -> &'static str {
    let (known, usual) = match kind {
        Kind::Video => (&ENDINGS[4..], "mp4"),
        Kind::Image | Kind::Preview | Kind::Input => (&ENDINGS[..4], "jpg"),
    };
    let given = source_path.and_then(|path| path.rsplit_once('.')).map_or("", |(_, ending)| ending);
    known.iter().find(|ending| ending.eq_ignore_ascii_case(given)).copied().unwrap_or(usual)
}

/// Whether a text has the form of a public name of ours: 22 to 64 url-safe characters, a dot, a known ending (M14).
pub fn is_public_name(text: &str) -> bool {
    let Some((stem, ending)) = text.split_once('.') else { return false };
    (22..=64).contains(&stem.len())
        && stem.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        && ENDINGS.contains(&ending)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn m13_names_are_random_and_end_as_their_kind_does() {
        let names: HashSet<String> = (0..1000).map(|_| random(Kind::Video, Some("users/a/x.MP4"))).collect();
        assert_eq!(names.len(), 1000);
        assert!(names.iter().all(|name| is_public_name(name) && name.len() == 30));
        for (kind, source, expected) in [
            (Kind::Video, "users/a/x.MP4", "mp4"),
            (Kind::Video, "users/a/x.mov", "mp4"),
            (Kind::Image, "users/a/x.png", "png"),
            (Kind::Image, "users/a/content", "jpg"),
            (Kind::Preview, "users/a/x.html", "jpg"),
        ] {
            let name = random(kind, Some(source));
            assert_eq!(name.split_once('.').map(|(_, ending)| ending), Some(expected), "{source}");
        }
    }

    #[test]
    fn m14_other_names_are_told_apart() {
        for other in [
            "",
            "users-a-b-image.jpg.exe",
            "0123456789012345678901",
            "0123456789012345678901.svg",
            "012345678901234567890.jpg",
            "0123456789012345678901.jpg/",
            "01234567890123456789/01.jpg",
            "0123456789012345678901.JPG",
        ] {
            assert!(!is_public_name(other), "{other:?}");
        }
    }
}
