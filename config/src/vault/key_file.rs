//! The master key as a file, made at the first start.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::VaultError;

/// Where the key lies.
pub(super) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("secret.key")
}

/// The key in `data_dir`; `None` when there is no such file.
pub(super) fn read(data_dir: &Path) -> Result<Option<SecretString>, VaultError> {
    let path = path(data_dir);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(SecretString::from(Zeroizing::new(text).trim()))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(VaultError::KeyFile { action: "read", path, source }),
    }
}

/// Makes a key of 256 random bits in `data_dir`, which is made too if need be; returns what then lies there.
///
/// Two processes may do this at once: the file appears whole and is never replaced, so both get the same key.
pub(super) fn create(data_dir: &Path) -> Result<SecretString, VaultError> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    getrandom::fill(bytes.as_mut_slice()).map_err(VaultError::NoRandom)?;
    let key = SecretString::from(URL_SAFE_NO_PAD.encode(bytes.as_slice()));
    let path = path(data_dir);
    let failed = |source| VaultError::KeyFile { action: "write", path: path.clone(), source };
    make_private_dir(data_dir).map_err(failed)?;
    let draft = data_dir.join(format!(".secret.key.{}", uuid::Uuid::new_v4().simple()));
    let written = write_private(&draft, key.expose_secret()).and_then(|()| match fs::hard_link(&draft, &path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => File::open(data_dir)?.sync_all(),
    });
    let removed = fs::remove_file(&draft);
    written.and(removed).map_err(failed)?;
    read(data_dir)?.ok_or_else(|| failed(ErrorKind::NotFound.into()))
}

#[cfg(unix)]
fn make_private_dir(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

#[cfg(not(unix))]
fn make_private_dir(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;
    use crate::{StartUp, Vault};

    #[test]
    fn the_first_start_makes_a_private_key_that_later_starts_find() {
        let home = tempfile::tempdir().unwrap();
        let startup = StartUp { data_dir: home.path().join("data"), ..StartUp::default() };
        assert!(Vault::load(&startup).unwrap().is_none());
        let first = Vault::load_or_create(&startup).unwrap();
        let second = Vault::load(&startup).unwrap().unwrap();
        assert_eq!(first.key_id(), second.key_id());
        let names: Vec<_> = fs::read_dir(&startup.data_dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["secret.key"]);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_the_key() {
        use std::os::unix::fs::PermissionsExt;

        let home = tempfile::tempdir().unwrap();
        let data_dir = home.path().join("a/b");
        create(&data_dir).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&data_dir), 0o700);
        assert_eq!(mode(&path(&data_dir)), 0o600);
    }

    #[test]
    fn two_processes_that_start_together_get_the_same_key() {
        let home = tempfile::tempdir().unwrap();
        let keys: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| create(home.path()).unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap().expose_secret().to_owned()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]));
    }

    #[test]
    fn a_cut_off_key_file_is_refused() {
        let home = tempfile::tempdir().unwrap();
        fs::write(path(home.path()), "abc").unwrap();
        let startup = StartUp { data_dir: home.path().to_owned(), ..StartUp::default() };
        assert!(matches!(Vault::load(&startup), Err(VaultError::WeakKey { .. })));
    }
}
