//! A look at Redis, for those who set it up.

use std::time::Duration;

use redis::{AsyncConnectionConfig, Client};

use super::TransportError;
use crate::time::now_ms;

/// Longest wait for a connection and for each answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a Redis server tells of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisFacts {
    /// Its version.
    pub version: String,
    /// What it does when its memory is full; `None` when it does not tell.
    pub eviction_policy: Option<String>,
    /// Whether it writes every change to its disk; `None` when it does not tell.
    pub keeps_a_log: Option<bool>,
    /// This machine's clock less that of Redis, in milliseconds.
    pub clock_ahead_ms: i64,
}

/// Asks a Redis server about itself, and changes nothing.
///
/// # Errors
/// It does not answer, or refuses us.
pub async fn look_at_redis(url: &str) -> Result<RedisFacts, TransportError> {
    let config =
        AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE)).set_response_timeout(Some(PATIENCE));
    let mut server = Client::open(url)?.get_multiplexed_async_connection_with_config(&config).await?;
    let info: String = redis::cmd("INFO").arg("server").query_async(&mut server).await?;
    let version = info.lines().find_map(|line| line.strip_prefix("redis_version:")).unwrap_or("of unknown version");
    let asked = now_ms();
    let (secs, micros): (i64, i64) = redis::cmd("TIME").query_async(&mut server).await?;
    let middle = asked.midpoint(now_ms());
    let mut setting = async |name: &str| -> Option<String> {
        let pair: Result<Vec<String>, _> = redis::cmd("CONFIG").arg("GET").arg(name).query_async(&mut server).await;
        pair.ok()?.into_iter().nth(1)
    };
    Ok(RedisFacts {
        version: version.trim().to_owned(),
        eviction_policy: setting("maxmemory-policy").await,
        keeps_a_log: setting("appendonly").await.map(|answer| answer == "yes"),
        clock_ahead_ms: middle - (secs * 1000 + micros / 1000),
    })
}
