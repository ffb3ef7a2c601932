//! Opening what is recorded: the data folder, the database, the master key, the settings.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use grok2api_config::{StartUp, StorageMode, Vault, VaultError};
use grok2api_entity::keeper::{Keeper, NotKept};
use grok2api_entity::{connect, meta};
use grok2api_gateway::settings_store::SettingsStore;
use sea_orm::DatabaseConnection;
use secrecy::ExposeSecret;

use crate::mirror::{Mirror, MirrorError};

/// Everything recorded, opened and checked.
pub struct Store {
    /// The records.
    pub db: DatabaseConnection,
    /// Opens and seals secrets.
    pub vault: Arc<Vault>,
    /// Settings of the moment.
    pub settings: Arc<SettingsStore>,
    /// The copy in Redis, in the mode that has one.
    pub mirror: Option<Arc<Mirror>>,
}

impl Store {
    /// Opens the store of a configuration, making what is missing on a first start.
    ///
    /// # Errors
    /// The folder or database cannot be used, the schema is newer than this program, or the master key is missing or
    /// wrong: nothing was changed then. With a mirror also when Redis does not answer or has the mirror of others.
    pub async fn open(startup: &StartUp) -> Result<Self> {
        private_folder(&startup.data_dir)
            .with_context(|| format!("the data folder {} cannot be used", startup.data_dir.display()))?;
        let db = open_database(startup).await?;
        grok2api_migration::bring_up(&db).await.context("the database's schema cannot be brought up to date")?;
        let mirror = Mirror::open(startup, &db).await?;
        let vault = Arc::new(open_vault(startup, &db).await?);
        let keeper = mirror.clone().map(|mirror| mirror as Arc<dyn Keeper>);
        let settings = SettingsStore::open(db.clone(), Arc::clone(&vault), startup.settings.clone()).await?;
        if let Some(mirror) = &mirror {
            mirror.bring_up().await.context("the mirror in Redis cannot be brought up to date")?;
            if startup.secret_key.is_none() {
                tracing::warn!(
                    "the master key lies in the data folder, which may vanish, and nobody can open the mirror without it: \
                     keep a copy, and give it as GROK2API_SECRET_KEY or GROK2API_SECRET_KEY_FILE"
                );
            }
        }
        Ok(Self { db, vault, settings: Arc::new(settings.kept_by(keeper)), mirror })
    }

    /// Waits until the copy in Redis has everything that was committed before; at once in modes without one.
    ///
    /// # Errors
    /// It has not, and is sent it later.
    pub async fn kept(&self) -> Result<(), NotKept> {
        match &self.mirror {
            Some(mirror) => mirror.caught_up().await,
            None => Ok(()),
        }
    }

    /// As [`Store::kept`], and gives the mirror up for others: the last word of a process.
    ///
    /// # Errors
    /// As [`Store::kept`].
    pub async fn finish(&self) -> Result<(), NotKept> {
        match &self.mirror {
            Some(mirror) => mirror.leave().await.map_err(|error: MirrorError| NotKept(Box::new(error))),
            None => Ok(()),
        }
    }
}

/// The database file of the data folder, or the database server.
///
/// # Errors
/// The configuration does not fit together, or the database cannot be opened.
pub(crate) async fn open_database(startup: &StartUp) -> Result<DatabaseConnection> {
    match (startup.storage_mode, &startup.database_url) {
        (StorageMode::File | StorageMode::Redis, _) => Ok(connect::file(&startup.data_dir.join("grok2api.db")).await?),
        (StorageMode::Postgres | StorageMode::Mysql, Some(url)) => {
            let url = url.expose_secret();
            let scheme = if startup.storage_mode == StorageMode::Postgres { "postgres" } else { "mysql" };
            if !url.starts_with(scheme) {
                bail!("storage_mode {scheme} needs a database_url that begins with {scheme}://");
            }
            connect::server(url)
                .await
                .context("is the server of database_url running, and are name and password right?")
        }
        (mode, None) => bail!("storage_mode {} needs a database_url", mode.as_str()),
    }
}

/// The vault whose key made this database's secrets; a new one for a new database.
async fn open_vault(startup: &StartUp, db: &DatabaseConnection) -> Result<Vault> {
    let stored = meta::get(db, meta::VAULT_CHECK).await?;
    let vault = match (Vault::load(startup)?, &stored) {
        (Some(vault), _) => vault,
        (None, None) => Vault::load_or_create(startup)?,
        (None, Some(_)) => return Err(VaultError::MissingKey { path: startup.data_dir.join("secret.key") }.into()),
    };
    let check = match stored {
        Some(check) => check,
        None => meta::get_or_insert(db, meta::VAULT_CHECK, &vault.check_value()?).await?,
    };
    vault.verify(&check)?;
    Ok(vault)
}

/// Makes the folder, for its owner only.
pub(crate) fn private_folder(path: &std::path::Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
