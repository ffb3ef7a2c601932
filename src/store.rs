//! Opening what is recorded: the data folder, the database, the master key, the settings.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use grok2api_config::{StartUp, StorageMode, Vault, VaultError};
use grok2api_entity::{connect, meta};
use grok2api_gateway::settings_store::SettingsStore;
use sea_orm::DatabaseConnection;
use secrecy::ExposeSecret;

/// Everything recorded, opened and checked.
pub struct Store {
    /// The records.
    pub db: DatabaseConnection,
    /// Opens and seals secrets.
    pub vault: Arc<Vault>,
    /// Settings of the moment.
    pub settings: Arc<SettingsStore>,
}

impl Store {
    /// Opens the store of a configuration, making what is missing on a first start.
    ///
    /// # Errors
    /// The folder or database cannot be used, the schema is newer than this program, or the master key is missing or
    /// wrong: nothing was changed then.
    pub async fn open(startup: &StartUp) -> Result<Self> {
        private_folder(&startup.data_dir)
            .with_context(|| format!("the data folder {} cannot be used", startup.data_dir.display()))?;
        let db = open_database(startup).await?;
        grok2api_migration::bring_up(&db).await.context("the database's schema cannot be brought up to date")?;
        let vault = Arc::new(open_vault(startup, &db).await?);
        let settings = SettingsStore::open(db.clone(), Arc::clone(&vault), startup.settings.clone()).await?;
        Ok(Self { db, vault, settings: Arc::new(settings) })
    }
}

/// The database file of the data folder, or the database server.
///
/// # Errors
/// The configuration does not fit together, or the database cannot be opened.
pub(crate) async fn open_database(startup: &StartUp) -> Result<DatabaseConnection> {
    match (startup.storage_mode, &startup.database_url) {
        (StorageMode::File, _) => Ok(connect::file(&startup.data_dir.join("grok2api.db")).await?),
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
        (mode, _) => bail!("storage_mode {} is not offered by this release", mode.as_str()),
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
