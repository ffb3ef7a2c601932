//! Where the records of a fleet lie.

use anyhow::{Context, Result};
use grok2api_config::{StartUp, StorageMode};
use grok2api_entity::connect;
use sea_orm::ConnectionTrait;
use secrecy::SecretString;
use uuid::Uuid;

/// The server that the tests expect.
const POSTGRES: &str = "postgres://postgres@127.0.0.1:5432/";

/// The kinds of places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Records {
    /// A file in the data folder.
    Sqlite,
    /// A database of a `PostgreSQL` server.
    Postgres,
}

impl Records {
    /// The name that people read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// A database of this fleet; dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Place {
    name: Option<String>,
}

impl Place {
    /// Makes a new one, where one has to be made.
    pub(crate) async fn make(records: Records) -> Result<Self> {
        if records == Records::Sqlite {
            return Ok(Self { name: None });
        }
        let name = format!("grok2api_chaos_{}", Uuid::new_v4().simple());
        execute(&format!("CREATE DATABASE {name}")).await.context("is PostgreSQL running on 127.0.0.1:5432?")?;
        Ok(Self { name: Some(name) })
    }

    /// Its address.
    pub(crate) fn url(&self) -> Option<String> {
        self.name.as_ref().map(|name| format!("{POSTGRES}{name}"))
    }

    /// Says in the configuration where the records lie.
    pub(crate) fn enter(&self, startup: &mut StartUp) {
        if let Some(url) = self.url() {
            startup.storage_mode = StorageMode::Postgres;
            startup.database_url = Some(SecretString::from(url));
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(name) = self.name.take() else { return };
        // On a thread of its own: nothing can be waited for where this is dropped.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(execute(&format!("DROP DATABASE {name} WITH (FORCE)")))
        });
        let _ = dropped.join();
    }
}

async fn execute(statement: &str) -> Result<()> {
    let admin = connect::server(&format!("{POSTGRES}postgres")).await?;
    let done = admin.execute_unprepared(statement).await;
    admin.close().await?;
    done?;
    Ok(())
}
