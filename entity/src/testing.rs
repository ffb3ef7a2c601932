//! Fresh databases for tests, on every kind we run on.

use std::path::PathBuf;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr};
use uuid::Uuid;

use crate::connect::{self, ConnectError};

/// A database of its own for one test, without tables.
#[derive(Debug)]
pub struct TestDatabase {
    /// The open database.
    pub db: DatabaseConnection,
    place: Place,
}

/// Where a test database lies, to take it away again.
#[derive(Debug)]
enum Place {
    Dir(PathBuf),
    Server { admin_url: &'static str, name: String },
}

/// Why a test has no database.
#[derive(Debug, thiserror::Error)]
pub enum TestDatabaseError {
    /// The database cannot be opened. The tests expect the servers on their usual ports of 127.0.0.1:
    /// `PostgreSQL` with user `postgres`, `MariaDB` with user `root`, both without password.
    #[error("no test database: are the servers running?")]
    Connect(#[source] ConnectError),
    /// The database refused to be made or dropped.
    #[error("the test database was refused")]
    Refused(#[source] DbErr),
    /// The directory cannot be removed.
    #[error("the test directory cannot be removed")]
    Dir(#[source] std::io::Error),
}

impl TestDatabase {
    /// A database of this kind, `sqlite`, `postgres` or `mariadb`, at the latest after twenty tries: on a busy machine a
    /// server may not answer at once.
    ///
    /// # Panics
    /// When there is none then.
    pub async fn patiently(kind: &str) -> Self {
        for _ in 0..20 {
            let opened = match kind {
                "sqlite" => Self::sqlite().await,
                "postgres" => Self::postgres().await,
                _ => Self::mariadb().await,
            };
            if let Ok(base) = opened {
                return base;
            }
        }
        panic!("there is no {kind}");
    }

    /// A database file in a directory of its own.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn sqlite() -> Result<Self, TestDatabaseError> {
        let dir = std::env::temp_dir().join(name());
        let db = connect::file(&dir.join("grok2api.db")).await.map_err(TestDatabaseError::Connect)?;
        Ok(Self { db, place: Place::Dir(dir) })
    }

    /// A database on the local `PostgreSQL` server.
    ///
    /// # Errors
    /// When there is no such server.
    pub async fn postgres() -> Result<Self, TestDatabaseError> {
        Self::on_server("postgres://postgres@127.0.0.1:5432/postgres", "postgres://postgres@127.0.0.1:5432/").await
    }

    /// A database on the local `MariaDB` server.
    ///
    /// # Errors
    /// When there is no such server.
    pub async fn mariadb() -> Result<Self, TestDatabaseError> {
        Self::on_server("mysql://root@127.0.0.1:3306/mysql", "mysql://root@127.0.0.1:3306/").await
    }

    /// Its name on the server; empty for a file.
    pub fn name(&self) -> &str {
        match &self.place {
            Place::Dir(_) => "",
            Place::Server { name, .. } => name,
        }
    }

    async fn on_server(admin_url: &'static str, base_url: &str) -> Result<Self, TestDatabaseError> {
        let name = name();
        let admin = connect::server(admin_url).await.map_err(TestDatabaseError::Connect)?;
        admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.map_err(TestDatabaseError::Refused)?;
        admin.close().await.map_err(TestDatabaseError::Refused)?;
        let db = connect::server(&format!("{base_url}{name}")).await.map_err(TestDatabaseError::Connect)?;
        Ok(Self { db, place: Place::Server { admin_url, name } })
    }

    /// Closes the database and takes it away.
    ///
    /// # Errors
    /// When that fails; a failed test leaves its database for a look.
    pub async fn remove(self) -> Result<(), TestDatabaseError> {
        self.db.close().await.map_err(TestDatabaseError::Refused)?;
        match self.place {
            Place::Dir(dir) => std::fs::remove_dir_all(dir).map_err(TestDatabaseError::Dir),
            Place::Server { admin_url, name } => {
                let admin = connect::server(admin_url).await.map_err(TestDatabaseError::Connect)?;
                let dropped = admin.execute_unprepared(&format!("DROP DATABASE {name}")).await;
                admin.close().await.and(dropped.map(drop)).map_err(TestDatabaseError::Refused)
            }
        }
    }
}

fn name() -> String {
    format!("grok2api_test_{}", Uuid::new_v4().simple())
}
