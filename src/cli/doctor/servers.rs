//! What is reached over the network.

use std::time::Duration;

use grok2api_config::{Settings, StartUp, StorageMode};
use grok2api_queue::look_at_redis;
use secrecy::ExposeSecret;

use super::finding::{Finding, in_words};

/// Clocks that differ by more, in milliseconds, make work late.
const APART_MS: u64 = 1_000;
/// Longest wait for the upstream.
const PATIENCE: Duration = Duration::from_secs(10);

/// Redis, if it is configured.
pub(super) async fn redis(startup: &StartUp) -> Option<Finding> {
    const NAME: &str = "redis";
    let url = startup.redis_url.as_ref()?;
    let facts = match look_at_redis(url.expose_secret()).await {
        Ok(facts) => facts,
        Err(error) => {
            let advice = "Start the server of redis_url, and look at its address and password.";
            return Some(Finding::bad(NAME, in_words(&error), advice));
        }
    };
    let version = facts.version;
    Some(match facts.eviction_policy.as_deref() {
        Some("noeviction") if facts.clock_ahead_ms.unsigned_abs() > APART_MS => Finding::doubtful(
            NAME,
            format!("{version}; its clock and ours are {} ms apart", facts.clock_ahead_ms.abs()),
            "Set the clocks of all machines by NTP.",
        ),
        Some("noeviction") if facts.keeps_a_log == Some(false) && startup.storage_mode == StorageMode::Redis => {
            Finding::doubtful(
                NAME,
                format!("{version}, keeps no log on disk, and has the mirror"),
                "Set `appendonly yes`: what Redis loses while the data folder is gone is lost.",
            )
        }
        Some("noeviction") if facts.keeps_a_log == Some(false) => Finding::doubtful(
            NAME,
            format!("{version}, keeps no log on disk"),
            "What waits comes back from the database after a restart; `appendonly yes` makes it quicker.",
        ),
        Some("noeviction") => Finding::good(NAME, version),
        Some(policy) => Finding::bad(
            NAME,
            format!("{version} drops what it holds when its memory is full (maxmemory-policy {policy})"),
            "redis-cli CONFIG SET maxmemory-policy noeviction, and the same in its configuration.",
        ),
        None => Finding::doubtful(
            NAME,
            format!("{version} does not tell its maxmemory-policy"),
            "Make sure that it is noeviction.",
        ),
    })
}

/// The upstream, through the proxy if one is set, without any credential.
pub(super) async fn upstream(startup: &StartUp, settings: &Settings) -> Finding {
    const NAME: &str = "upstream";
    let proxy = settings.grok.proxy_url.expose_secret();
    let way = if proxy.is_empty() { "directly" } else { "through the proxy" };
    let host = startup.upstream.base_url.host_str().unwrap_or_default().to_owned();
    match reach(startup, proxy).await {
        Ok(status) => Finding::good(NAME, format!("{host} answers {way} (HTTP {status})")),
        Err(error) => Finding::bad(
            NAME,
            format!(
                "{host} cannot be reached {way}: {}",
                in_words(&error.without_url()).replace(proxy_or_none(proxy), "***")
            ),
            "Look at this machine's network and DNS, and at grok.proxy_url.",
        ),
    }
}

/// What stands for the proxy in a text; something that stands nowhere when there is none.
fn proxy_or_none(proxy: &str) -> &str {
    if proxy.is_empty() { "\0" } else { proxy }
}

async fn reach(startup: &StartUp, proxy: &str) -> reqwest::Result<u16> {
    let mut client =
        reqwest::Client::builder().no_proxy().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none());
    if !proxy.is_empty() {
        client = client.proxy(reqwest::Proxy::all(proxy)?);
    }
    let answer = client.build()?.head(startup.upstream.base_url.clone()).send().await?;
    Ok(answer.status().as_u16())
}
