//! What the operator asks for.

use std::collections::HashSet;

use grok2api_entity::job::Kind;
use grok2api_gateway::pool::handle::account_of;
use grok2api_queue::bulk::{BulkFilter, BulkParams, NewBulk, SEALED, sealed_row};
use poem_openapi::Object;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use uuid::Uuid;

use crate::accounts::query::Asked;
use crate::error::ApiError;
use crate::state::AppState;

/// Most accounts that one request names.
const MAX_NAMED: usize = 100_000;
/// Longest token, in bytes; the upstream's have a few hundred.
const MAX_TOKEN: usize = 8_192;
/// Longest time that work may be put off.
const MAX_DELAY_SECS: u32 = 600;
/// Most labels, and the longest of them in characters.
const MAX_TAGS: (usize, usize) = (50, 100);

/// Which accounts: either those that are named, or those of a filter.
#[derive(Debug, Default, Deserialize, Object)]
#[serde(deny_unknown_fields)]
#[oai(write_only_all)]
pub(crate) struct AccountChoice {
    /// Ids of accounts, up to 100,000.
    #[serde(default)]
    #[oai(nullable)]
    pub ids: Option<Vec<String>>,
    /// All accounts that fit; an empty filter fits all.
    #[serde(default)]
    #[oai(nullable)]
    pub filter: Option<AccountFilter>,
    /// Seconds to wait before anything is done, up to 600.
    #[serde(default)]
    #[oai(nullable)]
    pub delay_secs: Option<u32>,
}

/// Which accounts; what is left out does not matter.
#[derive(Debug, Default, Deserialize, Object)]
#[serde(deny_unknown_fields)]
#[oai(write_only_all)]
pub(crate) struct AccountFilter {
    /// `active`, `cooling`, `expired` or `disabled`.
    #[serde(default)]
    #[oai(nullable)]
    pub status: Option<String>,
    /// `sso` or `ssoSuper`.
    #[serde(default)]
    #[oai(nullable)]
    pub token_type: Option<String>,
    /// `unused`, `active`, `limited` or `invalid`.
    #[serde(default)]
    #[oai(nullable)]
    pub standing: Option<String>,
    /// A label.
    #[serde(default)]
    #[oai(nullable)]
    pub tag: Option<String>,
    /// A text that their note, labels or last four characters contain, or an id.
    #[serde(default)]
    #[oai(nullable)]
    pub search: Option<String>,
}

/// Labels of accounts to be changed.
#[derive(Debug, Default, Deserialize, Object)]
#[oai(write_only_all)]
pub(crate) struct TagAccounts {
    /// Ids of accounts, up to 100,000.
    #[serde(default)]
    #[oai(nullable)]
    pub ids: Option<Vec<String>>,
    /// All accounts that fit; an empty filter fits all.
    #[serde(default)]
    #[oai(nullable)]
    pub filter: Option<AccountFilter>,
    /// Labels that each of them gets.
    #[serde(default)]
    #[oai(nullable)]
    pub add: Option<Vec<String>>,
    /// Labels that each of them loses.
    #[serde(default)]
    #[oai(nullable)]
    pub remove: Option<Vec<String>>,
}

/// Accounts to be added. Their tokens are sealed before anything is stored, and shown by nothing.
#[derive(Deserialize, Object)]
#[oai(write_only_all)]
pub(crate) struct ImportAccounts {
    /// The tokens, up to 100,000; those that are in the pool already stay as they are.
    pub tokens: Vec<String>,
    /// `sso` or `ssoSuper`.
    #[serde(default)]
    #[oai(nullable)]
    pub token_type: Option<String>,
    /// Labels of the new accounts.
    #[serde(default)]
    #[oai(nullable)]
    pub tags: Option<Vec<String>>,
    /// Note of the new accounts.
    #[serde(default)]
    #[oai(nullable)]
    pub note: Option<String>,
}

impl AccountChoice {
    /// The work on these accounts.
    ///
    /// # Errors
    /// 400 when neither or both of the two ways are used, or one is wrong.
    pub(crate) fn work(self, kind: Kind) -> Result<NewBulk, ApiError> {
        let mut new = NewBulk {
            id: Uuid::now_v7(),
            kind,
            params: BulkParams::default(),
            accounts: Vec::new(),
            sealed: Vec::new(),
        };
        let delay_secs = self.delay_secs.unwrap_or(0);
        if delay_secs > MAX_DELAY_SECS {
            return Err(ApiError::invalid("delay_secs", "invalid_value", "It is 0 to 600."));
        }
        new.params.delay_ms = i64::from(delay_secs) * 1_000;
        match (self.ids, self.filter) {
            (Some(ids), None) => new.accounts = named(&ids)?,
            (None, Some(filter)) => {
                new.params.filter = Some(filter.check()?);
            }
            (None, None) | (Some(_), Some(_)) => {
                return Err(ApiError::invalid("ids", "invalid_value", "Send either ids or a filter."));
            }
        }
        Ok(new)
    }
}

impl AccountFilter {
    /// The filter as it is stored, if it makes sense.
    fn check(self) -> Result<BulkFilter, ApiError> {
        let Self { status, token_type, standing, tag, search } = self;
        let filter = BulkFilter { status, token_type, standing, tag, search };
        let asked = filter.clone();
        let asked = Asked {
            status: asked.status,
            standing: asked.standing,
            token_type: asked.token_type,
            tag: asked.tag,
            search: asked.search,
        };
        asked.search().map_err(|error| {
            let member = error.body.param.clone().unwrap_or_default();
            error.about(format!("filter.{member}"))
        })?;
        Ok(filter)
    }
}

impl TagAccounts {
    pub(crate) fn work(self) -> Result<NewBulk, ApiError> {
        let mut new = AccountChoice { ids: self.ids, filter: self.filter, delay_secs: None }.work(Kind::BulkTag)?;
        new.params.add = tags("add", self.add)?;
        new.params.remove = tags("remove", self.remove)?;
        if new.params.add.is_empty() && new.params.remove.is_empty() {
            return Err(ApiError::invalid("add", "invalid_value", "There is no label to add or to remove."));
        }
        Ok(new)
    }
}

impl ImportAccounts {
    pub(crate) fn work(self, state: &AppState) -> Result<NewBulk, ApiError> {
        let is_super = match self.token_type.as_deref() {
            None | Some("sso") => false,
            Some("ssoSuper") => true,
            Some(_) => return Err(ApiError::invalid("token_type", "INVALID_TYPE", "It is sso or ssoSuper.")),
        };
        let tokens: Vec<SecretString> = self.tokens.into_iter().map(SecretString::from).collect();
        if tokens.is_empty() || tokens.len() > MAX_NAMED {
            return Err(ApiError::invalid("tokens", "invalid_value", "1 to 100,000 tokens are taken at once."));
        }
        let fits = |token: &SecretString| {
            let text = token.expose_secret().trim();
            (1..=MAX_TOKEN).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if let Some(place) = tokens.iter().position(|token| !fits(token)) {
            let message = "A token is visible ASCII text without blanks.";
            return Err(ApiError::invalid(format!("tokens[{place}]"), "invalid_value", message));
        }
        if let Some(place) = tokens.iter().position(|token| account_of(token.expose_secret()).is_some()) {
            let message = "This is the handle of an account, not a token.";
            return Err(ApiError::invalid(format!("tokens[{place}]"), "invalid_value", message));
        }
        let id = Uuid::now_v7();
        let vault = state.gateway.pool().vault();
        let seal = |(number, token): (i64, &SecretString)| {
            vault.seal(SEALED, &sealed_row(id, number), "secret", token.expose_secret().trim().as_bytes())
        };
        let sealed = (1..).zip(&tokens).map(seal).collect::<Result<_, _>>().map_err(|_| ApiError::internal())?;
        let note: String = self.note.unwrap_or_default().chars().take(2_000).collect();
        let params = BulkParams { add: tags("tags", self.tags)?, is_super, note, ..BulkParams::default() };
        Ok(NewBulk { id, kind: Kind::BulkImport, params, accounts: Vec::new(), sealed })
    }
}

fn named(ids: &[String]) -> Result<Vec<Uuid>, ApiError> {
    if ids.is_empty() || ids.len() > MAX_NAMED {
        return Err(ApiError::invalid("ids", "invalid_value", "1 to 100,000 accounts are named at once."));
    }
    let mut seen = HashSet::new();
    let mut accounts = Vec::with_capacity(ids.len());
    for (place, id) in ids.iter().enumerate() {
        let wrong = |_| ApiError::invalid(format!("ids[{place}]"), "invalid_value", "This is no id of an account.");
        let id = Uuid::parse_str(id).map_err(wrong)?;
        if seen.insert(id) {
            accounts.push(id);
        }
    }
    Ok(accounts)
}

fn tags(member: &str, tags: Option<Vec<String>>) -> Result<Vec<String>, ApiError> {
    let tags = tags.unwrap_or_default();
    if tags.len() > MAX_TAGS.0 || tags.iter().any(|tag| tag.chars().count() > MAX_TAGS.1) {
        return Err(ApiError::invalid(member, "invalid_value", "Up to 50 labels of up to 100 characters are taken."));
    }
    Ok(tags.iter().map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()).collect())
}
