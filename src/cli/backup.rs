//! `backup`: everything recorded, to an encrypted file and back.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use grok2api_config::StartUp;
use secrecy::SecretString;
use serde_json::json;

use super::output::Output;
use crate::backup::{self, Contents, Extras};

const EXAMPLES: &str = "\
Examples:
  grok2api backup create backup.age --passphrase-file passphrase.txt
  grok2api backup verify backup.age --passphrase-file passphrase.txt
  grok2api backup restore backup.age --data-dir ./new --passphrase-file passphrase.txt
  STORAGE_MODE=postgres DATABASE_URL=postgres://… grok2api backup restore backup.age --passphrase-file passphrase.txt";

/// What to do with a backup.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum BackupCommand {
    /// Write everything recorded to a new encrypted file; servers may go on meanwhile
    Create {
        /// The new file
        file: PathBuf,
        #[command(flatten)]
        lock: Lock,
        /// Also pictures and videos of the folder
        #[arg(long)]
        with_media: bool,
        /// Also the master key: whoever has the file and its passphrase then has the accounts
        #[arg(long)]
        with_key: bool,
        /// One JSON object instead of lines
        #[arg(long)]
        json: bool,
    },
    /// Read a whole backup and compare it with its checksums
    Verify {
        /// The backup
        file: PathBuf,
        #[command(flatten)]
        lock: Lock,
        /// One JSON object instead of lines
        #[arg(long)]
        json: bool,
    },
    /// Check a backup, then put it into the data folder, or into the empty database of the configuration
    Restore {
        /// The backup
        file: PathBuf,
        #[command(flatten)]
        lock: Lock,
        /// Put a database that lies in the data folder aside
        #[arg(long)]
        force: bool,
    },
}

/// What opens a backup.
#[derive(Debug, Args)]
pub(crate) struct Lock {
    /// File whose first line is the passphrase; - is standard input
    #[arg(long, value_name = "FILE", required_unless_present = "passphrase")]
    passphrase_file: Option<PathBuf>,
    /// From the environment alone: a flag would stand in the list of processes.
    #[arg(long, env = "BACKUP_PASSPHRASE", hide = true, hide_env_values = true)]
    passphrase: Option<String>,
}

impl Lock {
    fn passphrase(self) -> anyhow::Result<SecretString> {
        let text = match (self.passphrase_file, self.passphrase) {
            (Some(file), _) => read(&file).with_context(|| format!("cannot read {}", file.display()))?,
            (None, Some(text)) => text,
            (None, None) => String::new(),
        };
        let line = text.lines().next().unwrap_or_default().trim();
        if line.chars().count() < 12 {
            bail!(
                "the passphrase is too short: give at least 12 characters, such as those of `openssl rand -base64 24`"
            );
        }
        Ok(SecretString::from(line))
    }
}

fn read(file: &Path) -> std::io::Result<String> {
    if file != Path::new("-") {
        return std::fs::read_to_string(file);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    Ok(text)
}

/// Makes, checks or restores a backup.
pub(super) async fn run(command: BackupCommand, startup: &StartUp, output: &mut Output) -> anyhow::Result<ExitCode> {
    match command {
        BackupCommand::Create { file, lock, with_media, with_key, json } => {
            let extras = Extras { media: with_media, key: with_key };
            let contents = backup::create(startup, &file, lock.passphrase()?, extras).await?;
            tell(&contents, &file, json, output)?;
            if !with_key {
                let key = contents.manifest.key_id.as_deref().unwrap_or("that seals the secrets");
                output.remark(&format!(
                    "the master key {key} is NOT in it: without a copy of secret.key nobody can open the accounts"
                ))?;
            }
        }
        BackupCommand::Verify { file, lock, json } => {
            tell(&backup::verify(&file, lock.passphrase()?)?, &file, json, output)?;
        }
        BackupCommand::Restore { file, lock, force } => {
            let contents = Box::pin(backup::restore(startup, &file, lock.passphrase()?, force)).await?;
            tell(&contents, &file, false, output)?;
            if let (false, Some(key)) = (contents.manifest.with_key, &contents.manifest.key_id) {
                output.remark(&format!(
                    "put the master key {key} in its place (secret.key, or secret_key) before the start"
                ))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(contents: &Contents, file: &Path, json: bool, output: &mut Output) -> std::io::Result<()> {
    let Contents { manifest, rows, files } = contents;
    if json {
        return output
            .json(&json!({"file": file.display().to_string(), "manifest": manifest, "rows": rows, "files": files}));
    }
    let sum: u64 = rows.values().sum();
    let accounts = rows.get("account").copied().unwrap_or_default();
    let key = if manifest.with_key { "with" } else { "without" };
    output.line(&format!(
        "{}: complete, made by {} in mode {}: {sum} rows, {accounts} accounts, {files} pictures and videos, {key} the master key",
        file.display(),
        manifest.version,
        manifest.storage_mode,
    ))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use grok2api_config::{StorageMode, Tier};
    use grok2api_entity::account;
    use grok2api_entity::testing::TestDatabase;
    use sea_orm::{EntityTrait, QueryOrder};

    use super::*;
    use crate::accounts::{self, Template};
    use crate::store::{Store, open_database};

    const PASSPHRASE: &str = "a long canary passphrase";

    fn lock() -> Lock {
        Lock { passphrase_file: None, passphrase: Some(PASSPHRASE.to_owned()) }
    }

    fn passphrase() -> SecretString {
        SecretString::from(PASSPHRASE)
    }

    fn home(folder: &tempfile::TempDir, name: &str) -> StartUp {
        StartUp { data_dir: folder.path().join(name), ..StartUp::default() }
    }

    /// An installation with accounts, a setting, and a picture.
    async fn furnished(startup: &StartUp) -> Vec<account::Model> {
        let store = Store::open(startup).await.unwrap();
        let tokens = ["ann", "bob", "cyd"].map(SecretString::from);
        let template = Template { tier: Tier::Super, tags: vec!["a".into()], note: "ü".into(), created_at: 7 };
        accounts::add(&store.db, &store.vault, &tokens, &template).await.unwrap();
        let change = [("grok.api_key".to_owned(), "g2a_a-key-of-the-clients".into())].into();
        store.settings.update(&change).await.unwrap();
        let shelf = startup.media_folder().join("ab");
        std::fs::create_dir_all(&shelf).unwrap();
        std::fs::write(shelf.join("ab".repeat(32)), vec![7; 100_000]).unwrap();
        account::Entity::find().order_by_asc(account::Column::Id).all(&store.db).await.unwrap()
    }

    async fn accounts_of(startup: &StartUp) -> Vec<account::Model> {
        let db = open_database(startup).await.unwrap();
        let rows = account::Entity::find().order_by_asc(account::Column::Id).all(&db).await.unwrap();
        // A database that is in use cannot be taken away.
        db.close().await.unwrap();
        rows
    }

    #[tokio::test]
    async fn what_was_backed_up_is_back_with_its_key_and_its_pictures() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (home(&folder, "old"), home(&folder, "new"));
        let rows = furnished(&old).await;
        let file = folder.path().join("backup.age");
        let extras = Extras { media: true, key: true };
        let made = backup::create(&old, &file, passphrase(), extras).await.unwrap();
        assert_eq!((made.rows["account"], made.files), (3, 1));
        assert!(backup::create(&old, &file, passphrase(), extras).await.is_err(), "nothing is overwritten");
        assert_eq!(backup::verify(&file, passphrase()).unwrap(), made);
        assert_eq!(backup::restore(&new, &file, passphrase(), false).await.unwrap(), made);
        assert_eq!(accounts_of(&new).await, rows);
        let store = Store::open(&new).await.unwrap();
        assert_eq!(
            secrecy::ExposeSecret::expose_secret(&store.settings.handle().load().grok.api_key),
            "g2a_a-key-of-the-clients"
        );
        assert_eq!(std::fs::read(new.media_folder().join("ab").join("ab".repeat(32))).unwrap(), vec![7; 100_000]);
        let refused = backup::restore(&new, &file, passphrase(), false).await.unwrap_err().to_string();
        assert!(refused.contains("--force"), "{refused}");
        store.db.close().await.unwrap();
        backup::restore(&new, &file, passphrase(), true).await.unwrap();
        assert_eq!(accounts_of(&new).await, rows);
    }

    #[tokio::test]
    async fn c4_a_backup_is_closed_to_others_and_damage_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (home(&folder, "old"), home(&folder, "new"));
        furnished(&old).await;
        let file = folder.path().join("backup.age");
        let (mut output, _, remarks) = Output::captured();
        let command =
            BackupCommand::Create { file: file.clone(), lock: lock(), with_media: false, with_key: false, json: false };
        run(command, &old, &mut output).await.unwrap();
        assert!(remarks.take().contains("is NOT in it"));
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(7).any(|window| window == b"account"));
        assert!(backup::verify(&file, SecretString::from("another passphrase")).is_err());
        for cut in [bytes.len() - 1, bytes.len() / 2, 10] {
            std::fs::write(&file, &bytes[..cut]).unwrap();
            assert!(backup::verify(&file, passphrase()).is_err(), "{cut}");
        }
        assert!(backup::restore(&new, &file, passphrase(), false).await.is_err());
        assert!(!new.data_dir.exists(), "a bad backup changes nothing");
    }

    #[tokio::test]
    async fn a_backup_of_a_file_moves_to_database_servers_and_back() {
        let folder = tempfile::tempdir().unwrap();
        let old = home(&folder, "old");
        let rows = furnished(&old).await;
        let mut from = old;
        let servers = [
            (StorageMode::Postgres, TestDatabase::postgres().await.unwrap(), "postgres://postgres@127.0.0.1:5432/"),
            (StorageMode::Mysql, TestDatabase::mariadb().await.unwrap(), "mysql://root@127.0.0.1:3306/"),
        ];
        for (number, (mode, database, url)) in servers.iter().enumerate() {
            let file = folder.path().join(format!("{number}.age"));
            backup::create(&from, &file, passphrase(), Extras::default()).await.unwrap();
            let mut there = home(&folder, "old");
            there.storage_mode = *mode;
            there.database_url = Some(SecretString::from(format!("{url}{}", database.name())));
            backup::restore(&there, &file, passphrase(), false).await.unwrap();
            assert_eq!(accounts_of(&there).await, rows, "{mode:?}");
            let full = backup::restore(&there, &file, passphrase(), true).await.unwrap_err();
            assert!(format!("{full:#}").contains("not empty"), "{full:#}");
            from = there;
        }
        let (file, back) = (folder.path().join("back.age"), home(&folder, "back"));
        backup::create(&from, &file, passphrase(), Extras::default()).await.unwrap();
        backup::restore(&back, &file, passphrase(), false).await.unwrap();
        assert_eq!(accounts_of(&back).await, rows);
        for (_, database, _) in servers {
            database.remove().await.unwrap();
        }
    }
}
