//! The database, and what is recorded in it.

use grok2api_config::{Settings, StartUp, StorageMode, Vault};
use grok2api_entity::account::{self, Status};
use grok2api_entity::{client_key, meta};
use grok2api_gateway::settings_store::SettingsStore;
use grok2api_migration::{MigrateError, status};
use grok2api_queue::check_clocks;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, PaginatorTrait, QueryFilter, Statement,
};
use secrecy::ExposeSecret;
use std::sync::Arc;

use super::finding::{Finding, in_words};
use crate::store;

/// Looks at everything that lies in the database; answers the settings in force and the number of
/// client keys with names, as far as they can be known.
pub(super) async fn look(startup: &StartUp, findings: &mut Vec<Finding>) -> (Settings, u64) {
    let base = startup.settings.clone();
    let file = startup.data_dir.join("grok2api.db");
    let is_file = matches!(startup.storage_mode, StorageMode::File | StorageMode::Redis);
    if is_file && !file.exists() {
        let advice = "`grok2api serve` makes it, from the mirror in Redis if there is one.";
        findings.push(Finding::doubtful("database", "there is none yet", advice));
        findings.push(key_alone(startup));
        return (base, 0);
    }
    let db = match store::open_database(startup).await {
        Ok(db) => db,
        Err(error) => {
            let advice = "Start the server of database_url and look at its address, name and password; a file must \
                          belong to the user who runs this program.";
            findings.push(Finding::bad("database", format!("{error:#}"), advice));
            findings.push(key_alone(startup));
            return (base, 0);
        }
    };
    let is_current = schema(&db, findings).await;
    if !is_current {
        findings.push(key_alone(startup));
        return (base, 0);
    }
    let Some(vault) = master_key(startup, &db, findings).await else { return (base, 0) };
    accounts(&db, findings).await;
    let keys = client_key::Entity::find().count(&db).await.unwrap_or_default();
    match SettingsStore::open(db, Arc::new(vault), base.clone()).await {
        Ok(settings) => (Settings::clone(&settings.handle().load()), keys),
        Err(error) => {
            findings.push(Finding::bad("settings", in_words(&error), "`grok2api settings list` says more."));
            (base, keys)
        }
    }
}

/// Version, schema and clock; whether the tables are those of this release.
async fn schema(db: &DatabaseConnection, findings: &mut Vec<Finding>) -> bool {
    const NAME: &str = "database";
    let server = version(db).await;
    match status(db).await {
        Err(error @ MigrateError::Newer { .. }) => {
            let advice = "Run the newer release, or restore a backup of before the upgrade.";
            findings.push(Finding::bad(NAME, format!("{server}: {error}"), advice));
            return false;
        }
        Err(error) => {
            findings.push(Finding::bad(NAME, format!("{server}: {}", in_words(&error)), "Look at the server's log."));
            return false;
        }
        Ok(steps) => {
            let missing = steps.iter().filter(|step| !step.applied).count();
            if missing > 0 {
                let says = format!("{server}: {missing} of {} steps of the schema are missing", steps.len());
                findings.push(Finding::doubtful(
                    NAME,
                    says,
                    "`grok2api migrate up`, or `serve`, which does it by itself.",
                ));
                return false;
            }
        }
    }
    match check_clocks(db).await {
        Ok(apart) => findings
            .push(Finding::good(NAME, format!("{server}, newest schema, clocks {} ms apart", apart.as_millis()))),
        Err(error) => findings.push(Finding::bad(NAME, in_words(&error), "Set the clocks of all machines by NTP.")),
    }
    true
}

async fn version(db: &DatabaseConnection) -> String {
    let backend = db.get_database_backend();
    let (name, sql) = match backend {
        DbBackend::Postgres => ("PostgreSQL", "SELECT current_setting('server_version') AS version"),
        DbBackend::MySql => ("MySQL or MariaDB", "SELECT VERSION() AS version"),
        _ => ("SQLite", "SELECT sqlite_version() AS version"),
    };
    let row = db.query_one_raw(Statement::from_string(backend, sql)).await.ok().flatten();
    let version: Option<String> = row.and_then(|row| row.try_get("", "version").ok());
    version.map_or_else(|| name.to_owned(), |version| format!("{name} {version}"))
}

/// The master key, where no database can be compared with it.
fn key_alone(startup: &StartUp) -> Finding {
    const NAME: &str = "master key";
    match Vault::load(startup) {
        Ok(Some(vault)) => Finding::good(NAME, format!("key {}", vault.key_id())),
        Ok(None) => {
            Finding::doubtful(NAME, "there is none yet", "`grok2api serve` makes secret.key for a new database.")
        }
        Err(error) => Finding::bad(NAME, in_words(&error), "Mend secret.key or secret_key."),
    }
}

async fn master_key(startup: &StartUp, db: &DatabaseConnection, findings: &mut Vec<Finding>) -> Option<Vault> {
    const NAME: &str = "master key";
    let stored = match meta::get(db, meta::VAULT_CHECK).await {
        Ok(stored) => stored,
        Err(error) => {
            findings.push(Finding::bad(NAME, in_words(&error), "Look at the database first."));
            return None;
        }
    };
    let advice = "Restore the former key as secret.key or GROK2API_SECRET_KEY.";
    match (Vault::load(startup), stored) {
        (Ok(Some(vault)), Some(check)) => match vault.verify(&check) {
            Ok(()) => {
                findings.push(Finding::good(NAME, format!("key {} opens the database", vault.key_id())));
                return Some(vault);
            }
            Err(error) => findings.push(Finding::bad(NAME, in_words(&error), advice)),
        },
        (Ok(None), Some(_)) => {
            findings.push(Finding::bad(NAME, "the database holds sealed secrets, and there is no key", advice));
        }
        (Ok(_) | Err(_), None) | (Err(_), Some(_)) => findings.push(key_alone(startup)),
    }
    None
}

async fn accounts(db: &DatabaseConnection, findings: &mut Vec<Finding>) {
    const NAME: &str = "accounts";
    let all = account::Entity::find().count(db).await;
    let usable = account::Entity::find().filter(account::Column::Status.eq(Status::Active)).count(db).await;
    findings.push(match (all, usable) {
        (Ok(0), _) => Finding::doubtful(NAME, "the pool is empty", "`grok2api token import FILE`"),
        (Ok(all), Ok(0)) => {
            Finding::bad(NAME, format!("none of {all} is in service"), "`grok2api token test --all` looks why.")
        }
        (Ok(all), Ok(usable)) => Finding::good(NAME, format!("{usable} of {all} in service")),
        (Err(error), _) | (_, Err(error)) => Finding::bad(NAME, in_words(&error), "Look at the database first."),
    });
}

/// Whether a mirror in Redis can be opened when the disk is gone.
pub(super) fn mirror_key(startup: &StartUp) -> Option<Finding> {
    const NAME: &str = "mirror";
    if startup.storage_mode != StorageMode::Redis {
        return None;
    }
    Some(match startup.secret_key {
        Some(_) => Finding::good(NAME, "its master key does not lie in the data folder"),
        None => Finding::doubtful(
            NAME,
            "the master key lies in the data folder, which may vanish: nobody can open the mirror without it",
            "Keep a copy, and give it as GROK2API_SECRET_KEY or GROK2API_SECRET_KEY_FILE.",
        ),
    })
}

/// The keys that clients send: that of the settings, and so many with names.
pub(super) fn client_keys(settings: &Settings, named: u64) -> Finding {
    const NAME: &str = "client key";
    match (settings.grok.api_key.expose_secret().is_empty(), named) {
        (true, 0) => Finding::doubtful(NAME, "none is set: nobody gets in", "`grok2api key create`"),
        (false, 0) => Finding::good(NAME, "set"),
        (true, named) => Finding::good(NAME, format!("{named} with names")),
        (false, named) => Finding::good(NAME, format!("set, and {named} with names")),
    }
}
