//! What the processes of the demo share: a database, a prefix in Redis, a folder. All of it is taken away at the end.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use grok2api_config::{StartUp, StorageMode, Tier, client_key};
use grok2api_entity::connect;
use grok2api_sim::{Pace, Sim};
use sea_orm::ConnectionTrait;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use super::Servers;
use crate::accounts::{self, Template};
use crate::demo::PACE;
use crate::store::Store;

/// Accounts. Files of theirs come slowly, so that there is time to kill whoever fetches one.
const ACCOUNTS: [(&str, Tier); 4] = [
    ("demo-basic-one.fault-asset-paced:40", Tier::Basic),
    ("demo-basic-two.fault-asset-paced:40", Tier::Basic),
    ("demo-basic-three.fault-asset-paced:40", Tier::Basic),
    ("demo-super-one.fault-asset-paced:40", Tier::Super),
];
/// Everything becomes due this often.
const CADENCE: &str = "every 10s";

/// What all processes share.
pub(super) struct Ground {
    /// The upstream.
    pub(super) sim: Sim,
    /// The records, for looking on.
    pub(super) store: Store,
    /// The key that clients send.
    pub(super) key: SecretString,
    /// The folder of data and logs.
    pub(super) folder: TempDir,
    /// Variables of each process.
    pub(super) variables: Vec<(&'static str, String)>,
    servers: Servers,
    name: String,
}

impl Ground {
    /// Makes everything that the processes need.
    pub(super) async fn make(servers: &Servers) -> Result<Self> {
        let name = format!("grok2api_demo_{}", Uuid::new_v4().simple());
        administrate(servers, &format!("CREATE DATABASE {name}"))
            .await
            .context("no database could be made: is PostgreSQL running there, and may this user make one?")?;
        match Self::furnish(servers.clone(), name.clone()).await {
            Ok(ground) => Ok(ground),
            Err(error) => {
                let _ = drop_database(servers, &name).await;
                Err(error)
            }
        }
    }

    async fn furnish(servers: Servers, name: String) -> Result<Self> {
        let sim = Sim::builder().pace(Pace::Every(PACE)).start("127.0.0.1:0").await?;
        let folder = tempfile::Builder::new().prefix("grok2api-demo-").tempdir().context("no temporary folder")?;
        let data_dir = folder.path().join("data");
        let database = database_url(&servers.postgres, &name)?;
        let startup = StartUp {
            data_dir: data_dir.clone(),
            storage_mode: StorageMode::Postgres,
            database_url: Some(SecretString::from(database.clone())),
            ..StartUp::default()
        };
        let store = Store::open(&startup).await?;
        for (account, tier) in ACCOUNTS {
            let template = Template { tier, tags: vec!["demo".to_owned()], note: String::new(), created_at: 0 };
            accounts::add(&store.db, &store.vault, &[SecretString::from(account)], &template).await?;
        }
        let key = client_key::generate()?;
        store.settings.update(&settings(&key)).await?;
        let variables = vec![
            ("GROK2API_DATA_DIR", data_dir.display().to_string()),
            ("GROK2API_STORAGE_MODE", "postgres".to_owned()),
            ("GROK2API_DATABASE_URL", database),
            ("GROK2API_REDIS_URL", servers.redis.clone()),
            ("GROK2API_REDIS_PREFIX", name.clone()),
            ("GROK2API_UPSTREAM__BASE_URL", sim.url()),
            ("GROK2API_UPSTREAM__ASSETS_BASE_URL", sim.url()),
            ("GROK2API_SERVER__DRAIN_DELAY_SECS", "1".to_owned()),
            ("GROK2API_SERVER__SHUTDOWN_GRACE_SECS", "10".to_owned()),
            ("GROK2API_WORKER__DRAIN_SECS", "5".to_owned()),
        ];
        Ok(Self { sim, store, key, folder, variables, servers, name })
    }

    /// Takes everything away; the processes have ended.
    pub(super) async fn remove(self) -> Result<()> {
        self.store.db.clone().close().await?;
        self.sim.shutdown().await;
        let (database, keys) = (drop_database(&self.servers, &self.name).await, self.remove_keys().await);
        database.context("the demo's database could not be removed")?;
        keys.context("the demo's keys in Redis could not be removed")
    }

    async fn remove_keys(&self) -> Result<()> {
        let mut redis = redis::Client::open(self.servers.redis.as_str())?.get_multiplexed_async_connection().await?;
        let mut cursor = 0_u64;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(format!("{}*", self.name)).arg("COUNT").arg(1_000);
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
}

fn settings(key: &SecretString) -> BTreeMap<String, Value> {
    let schedules = ["token_test", "quota_reset", "stats_rollup", "sweep_media"];
    schedules
        .into_iter()
        .map(|name| (format!("schedules.{name}"), json!(CADENCE)))
        .chain([
            ("schedules.jitter_secs".to_owned(), json!(0)),
            ("grok.api_key".to_owned(), json!(key.expose_secret())),
            ("pool.max_in_flight".to_owned(), json!(20)),
        ])
        .collect()
}

/// The address of another database of the same server.
fn database_url(administrative: &str, name: &str) -> Result<String> {
    let mut url: reqwest::Url = administrative.parse().context("--postgres is no address")?;
    url.set_path(name);
    Ok(url.to_string())
}

async fn administrate(servers: &Servers, statement: &str) -> Result<()> {
    let admin = connect::server(&servers.postgres).await?;
    let done = admin.execute_unprepared(statement).await;
    admin.close().await?;
    done?;
    Ok(())
}

async fn drop_database(servers: &Servers, name: &str) -> Result<()> {
    administrate(servers, &format!("DROP DATABASE {name} WITH (FORCE)")).await
}
