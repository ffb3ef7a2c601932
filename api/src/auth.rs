//! Who may use the client API.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use grok2api_config::{Settings, Vault};
use poem::http::header;
use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use sea_orm::{DatabaseConnection, DbErr};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::error::ApiError;
use crate::keys::ring::{ListedKey, Ring, Shut};
use crate::state::AppState;

/// Longest key that is looked at, in bytes (K6).
const MAX_KEY_BYTES: usize = 256;

/// Hexadecimal digits of an owner's id.
const OWNER_DIGITS: usize = 24;

/// A client that presented a valid key.
#[derive(Debug, Clone)]
pub(crate) struct ClientKey {
    /// What this client's work is filed under (K7): the same for the same key on every replica and after every start,
    /// another one for another key. Tells nothing about the key.
    pub(crate) owner: Arc<str>,
    /// Its terms, if it is on record; the key of the settings has none.
    listed: Option<Arc<ListedKey>>,
}

impl ClientKey {
    /// Whether it may use the model of this id.
    pub(crate) fn may_use(&self, model: &str) -> bool {
        let models = self.listed.as_deref().and_then(|listed| listed.models.as_deref());
        models.is_none_or(|models| models.iter().any(|known| **known == *model))
    }
}

/// The key of the moment as it is compared: worked out once for each change of the settings, not for each request.
struct KnownKey {
    settings: Arc<Settings>,
    digest: [u8; 32],
    owner: Arc<str>,
}

/// Knows clients by their keys.
pub struct ClientKeys {
    vault: Arc<Vault>,
    known: ArcSwapOption<KnownKey>,
    ring: Ring,
}

impl ClientKeys {
    /// Owners' ids come from keyed hashes of this vault.
    pub fn new(vault: Arc<Vault>) -> Self {
        Self { vault, known: ArcSwapOption::empty(), ring: Ring::default() }
    }

    /// Whether there is any key, in the settings or on record: without one nobody gets in.
    pub fn any(&self, settings: &Settings) -> bool {
        !settings.grok.api_key.expose_secret().is_empty() || !self.ring.is_empty()
    }

    /// Reads the keys on record if they have changed.
    ///
    /// # Errors
    /// The database does not answer; what was known stays known.
    pub async fn refresh(&self, db: &DatabaseConnection) -> Result<(), DbErr> {
        self.ring.refresh(db).await.map(drop)
    }

    /// Follows changes of the keys on record, made by any process, until `stop`.
    pub async fn watch(&self, db: DatabaseConnection, stop: CancellationToken) {
        self.ring.watch(db, stop).await;
    }

    /// The owner that `sent` stands for; `None` when it is not the key of these settings.
    fn owner(&self, settings: &Arc<Settings>, sent: &str) -> Option<Arc<str>> {
        let known = self.known.load();
        let fresh;
        let known = match &*known {
            Some(known) if Arc::ptr_eq(&known.settings, settings) => known,
            Some(_) | None => {
                fresh = Arc::new(self.learn(settings));
                self.known.store(Some(Arc::clone(&fresh)));
                &fresh
            }
        };
        // Digests of equal length are compared, so that timing tells nothing about the key.
        let is_right = sent.len() <= MAX_KEY_BYTES && digest(sent) == known.digest;
        is_right.then(|| Arc::clone(&known.owner))
    }

    fn learn(&self, settings: &Arc<Settings>) -> KnownKey {
        let key = settings.grok.api_key.expose_secret();
        let print = self.vault.lasting_fingerprint(key.as_bytes());
        let digits = print.get(..OWNER_DIGITS).unwrap_or(&print);
        KnownKey { settings: Arc::clone(settings), digest: digest(key), owner: format!("key_{digits}").into() }
    }
}

fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// Checks the key of a request against the settings of the moment.
///
/// # Errors
/// 401 when no key is configured (closed by default), none was sent, two differing ones were sent, or it is wrong.
pub(crate) fn check(request: &Request, state: &AppState) -> Result<ClientKey, ApiError> {
    let settings = state.gateway.settings().load();
    let keys = &state.keys;
    let is_set = !settings.grok.api_key.expose_secret().is_empty();
    if !keys.any(&settings) {
        return Err(ApiError::unauthorized(
            "This gateway has no API key yet, so it lets nobody in. Its operator makes one with `grok2api key create`.",
        ));
    }
    let Some(sent) = presented(request)? else {
        return Err(ApiError::unauthorized(
            "You didn't provide an API key. Send it as `Authorization: Bearer YOUR_KEY`.",
        ));
    };
    if let Some(owner) = keys.owner(&settings, sent).filter(|_| is_set) {
        return Ok(ClientKey { owner, listed: None });
    }
    let listed = if sent.len() <= MAX_KEY_BYTES { keys.ring.find(&keys.vault, sent) } else { None };
    match listed.as_ref().map(|listed| listed.shut()) {
        Some(None) => {}
        Some(Some(Shut::Expired)) => return Err(ApiError::unauthorized("This API key has expired.")),
        Some(Some(Shut::Disabled)) => return Err(ApiError::unauthorized("This API key is switched off.")),
        None => return Err(ApiError::unauthorized("Incorrect API key provided.")),
    }
    let owner = listed.as_ref().map(|listed| Arc::clone(&listed.owner)).unwrap_or_default();
    Ok(ClientKey { owner, listed })
}

/// The key a request carries in `Authorization` or `x-api-key`; never in its query.
fn presented(request: &Request) -> Result<Option<&str>, ApiError> {
    let bearer = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    let api_key = request.headers().get("x-api-key").and_then(|value| value.to_str().ok()).map(str::trim);
    match (bearer.filter(|key| !key.is_empty()), api_key.filter(|key| !key.is_empty())) {
        (Some(one), Some(other)) if one != other => {
            Err(ApiError::unauthorized("Two different API keys were sent, in Authorization and in x-api-key."))
        }
        (one, other) => Ok(one.or(other)),
    }
}

impl<'a> ApiExtractor<'a> for ClientKey {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        let scheme = |ty, name, key_in, scheme, description| MetaSecurityScheme {
            ty,
            description: Some(description),
            name,
            key_in,
            scheme,
            bearer_format: None,
            flows: None,
            openid_connect_url: None,
        };
        registry
            .create_security_scheme("ClientKey", scheme("http", None, None, Some("bearer"), "The gateway's API key."));
        registry.create_security_scheme(
            "ClientKeyHeader",
            scheme("apiKey", Some("x-api-key"), Some("header"), None, "The same key, as some clients send it."),
        );
    }

    fn security_schemes() -> Vec<&'static str> {
        vec!["ClientKey", "ClientKeyHeader"]
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<Self::ParamType>,
    ) -> Result<Self> {
        let state = request.data::<AppState>().ok_or_else(ApiError::internal)?;
        Ok(check(request, state)?)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::collections::BTreeMap;

    use secrecy::SecretString;
    use serde_json::Value;

    use super::*;

    const MASTER: &str = "q8Jf0Zr3pXv7LkTn5WcYb2Hd9MsEa4GuRi6";
    const NEXT_MASTER: &str = "bmV3LWtleS0wOTg3NjU0MzIxLXF1eC1iYXotYmFyIQ";

    fn keys(current: &str, former: &[&str]) -> ClientKeys {
        let former: Vec<SecretString> = former.iter().map(|key| SecretString::from(*key)).collect();
        ClientKeys::new(Arc::new(Vault::new(&SecretString::from(current), &former).unwrap()))
    }

    fn settings(key: &str) -> Arc<Settings> {
        let changes = BTreeMap::from([("grok.api_key".to_owned(), Value::from(key))]);
        Arc::new(Settings::default().apply(&changes).unwrap())
    }

    fn owner(keys: &ClientKeys, key: &str) -> Arc<str> {
        keys.owner(&settings(key), key).unwrap()
    }

    #[test]
    fn k7_an_owner_is_the_same_for_the_same_key_everywhere_and_tells_nothing_about_it() {
        let here = owner(&keys(MASTER, &[]), "canary-12345");
        assert_eq!(here, owner(&keys(MASTER, &[]), "canary-12345"));
        assert_ne!(here, owner(&keys(MASTER, &[]), "canary-12346"));
        assert_ne!(here, owner(&keys(NEXT_MASTER, &[]), "canary-12345"));
        let digits = here.strip_prefix("key_").unwrap();
        assert!(digits.len() == 24 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{here}");
    }

    #[test]
    fn k7_a_change_of_the_master_key_takes_no_work_away_from_its_owner() {
        let before = owner(&keys(MASTER, &[]), "canary-12345");
        assert_eq!(before, owner(&keys(NEXT_MASTER, &[MASTER]), "canary-12345"));
    }

    #[test]
    fn k10_a_changed_key_is_another_owner_at_once_and_the_old_one_nobody() {
        let keys = keys(MASTER, &[]);
        let (old, new) = (settings("canary-12345"), settings("canary-67890"));
        let before = keys.owner(&old, "canary-12345").unwrap();
        assert_eq!(keys.owner(&old, "canary-12345").unwrap(), before);
        assert_eq!(keys.owner(&new, "canary-12345"), None);
        assert_ne!(keys.owner(&new, "canary-67890").unwrap(), before);
        assert_eq!(keys.owner(&old, "canary-12345").unwrap(), before);
    }

    #[test]
    fn k6_a_key_that_is_too_long_is_not_looked_at() {
        let keys = keys(MASTER, &[]);
        assert_eq!(keys.owner(&settings("canary-12345"), &"x".repeat(257)), None);
        assert!(keys.owner(&settings(&"x".repeat(256)), &"x".repeat(256)).is_some());
    }
}
