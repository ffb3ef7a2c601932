//! Databases and Redis keys for one measurement.

use anyhow::Context as _;
use grok2api_entity::connect;
use sea_orm::{ConnectionTrait as _, DatabaseConnection};
use uuid::Uuid;

/// A name nobody else uses.
pub(crate) fn name() -> String {
    format!("grok2api_bench_{}", Uuid::new_v4().simple())
}

/// A database of its own on a server.
pub(crate) struct Database {
    server: String,
    name: String,
    pub(crate) db: DatabaseConnection,
}

impl Database {
    pub(crate) async fn create(server: &str) -> anyhow::Result<Self> {
        let (server, name) = (server.trim_end_matches('/').to_owned(), name());
        let admin = connect::server(&format!("{server}/postgres")).await.context("is PostgreSQL running?")?;
        admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await?;
        admin.close().await?;
        let db = connect::server(&format!("{server}/{name}")).await?;
        grok2api_migration::bring_up(&db).await?;
        Ok(Self { server, name, db })
    }

    pub(crate) fn url(&self) -> String {
        format!("{}/{}", self.server, self.name)
    }

    pub(crate) async fn remove(self) -> anyhow::Result<()> {
        self.db.close().await?;
        let admin = connect::server(&format!("{}/postgres", self.server)).await?;
        admin.execute_unprepared(&format!("DROP DATABASE {} WITH (FORCE)", self.name)).await?;
        Ok(admin.close().await?)
    }
}

/// Removes all keys that begin so.
pub(crate) async fn remove_keys(url: &str, prefix: &str) -> anyhow::Result<()> {
    let mut redis = redis::Client::open(url)?.get_multiplexed_async_connection().await?;
    let mut cursor = 0_u64;
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(format!("{prefix}*")).arg("COUNT").arg(1_000);
        let (next, keys): (u64, Vec<String>) = scan.query_async(&mut redis).await?;
        if !keys.is_empty() {
            redis::cmd("UNLINK").arg(keys).exec_async(&mut redis).await?;
        }
        cursor = next;
        if cursor == 0 {
            return Ok(());
        }
    }
}
