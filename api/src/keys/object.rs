//! Keys as the operator sees them.

use grok2api_config::ModelTable;
use grok2api_entity::client_key::Model;
use poem_openapi::Object;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::manage::Terms;
use super::ring::{self, now_ms};
use crate::error::ApiError;

/// What a key may do, and for how long. What is left out is as if it were null.
#[derive(Debug, Deserialize, Object)]
#[serde(deny_unknown_fields)]
#[oai(write_only_all)]
pub(crate) struct KeyTerms {
    /// What the operator calls it: 1 to 100 characters, another one than all other keys have.
    pub name: String,
    /// Ids of the models it may use; null means all. Others do not exist for it.
    #[serde(default)]
    #[oai(nullable)]
    pub models: Option<Vec<String>>,
    /// When it ends to be good, in Unix milliseconds; null means never.
    #[serde(default)]
    #[oai(nullable)]
    pub expires_at_ms: Option<i64>,
    /// Whether it is switched off.
    #[serde(default)]
    #[oai(nullable)]
    pub disabled: Option<bool>,
}

/// A key of clients.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct KeyObject {
    /// Its id.
    pub id: String,
    /// `key`
    pub object: &'static str,
    /// What the operator calls it.
    pub name: String,
    /// Its beginning and its last four characters.
    pub hint: String,
    /// `active`, `expired` or `disabled`.
    pub status: &'static str,
    /// What its clients' requests and jobs are filed under.
    pub owner: String,
    /// Ids of the models it may use; null means all.
    #[oai(nullable)]
    pub models: Option<Vec<String>>,
    /// When it ends to be good, in Unix milliseconds; null means never.
    #[oai(nullable)]
    pub expires_at_ms: Option<i64>,
    /// When it was made, in Unix milliseconds.
    pub created_at_ms: i64,
    /// When its terms were last changed, in Unix milliseconds.
    pub changed_at_ms: i64,
}

/// A key that was just made.
#[derive(Clone, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct NewKey {
    /// The key itself. It is not shown again.
    pub key: String,
    /// Its terms.
    pub terms: KeyObject,
}

/// Keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct KeyList {
    /// `list`
    pub object: &'static str,
    /// All of them.
    pub data: Vec<KeyObject>,
}

/// A key that is no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct DeletedKey {
    /// Its id.
    pub id: String,
    /// `key`
    pub object: &'static str,
    /// True.
    pub deleted: bool,
}

impl KeyTerms {
    /// The terms, if they make sense.
    ///
    /// # Errors
    /// 400 for the member at fault.
    pub(super) fn check(self, models: &ModelTable) -> Result<Terms, ApiError> {
        let terms = Terms::new(&self.name, self.models, self.expires_at_ms, models);
        let terms = terms.map_err(|fault| ApiError::invalid(fault.param, "invalid_value", fault.message))?;
        Ok(Terms { disabled: self.disabled.unwrap_or(false), ..terms })
    }
}

impl KeyObject {
    pub(super) fn of(row: &Model) -> Self {
        let is_over = row.expires_at.is_some_and(|end| end <= now_ms());
        let status = match (row.disabled, is_over) {
            (true, _) => "disabled",
            (false, true) => "expired",
            (false, false) => "active",
        };
        Self {
            id: row.id.to_string(),
            object: "key",
            name: row.name.clone(),
            hint: format!("g2a_…{}", row.hint),
            status,
            owner: ring::owner(row).to_string(),
            models: ring::models(row).map(|models| models.iter().map(ToString::to_string).collect()),
            expires_at_ms: row.expires_at,
            created_at_ms: row.created_at,
            changed_at_ms: row.changed_at,
        }
    }
}

impl NewKey {
    pub(super) fn of(row: &Model, key: &SecretString) -> Self {
        Self { key: key.expose_secret().to_owned(), terms: KeyObject::of(row) }
    }
}
