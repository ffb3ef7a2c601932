//! What an operator does with one account.

use grok2api_entity::account::{self, Model};
use grok2api_entity::audit;
use grok2api_entity::connect::begin_write;
use grok2api_gateway::examine::{Finding, Verdict, write_down};
use grok2api_gateway::pool::{Clock, Status, persist};
use poem_openapi::Object;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::access::Admin;
use crate::error::ApiError;
use crate::state::AppState;

/// Most labels, and the longest of them in characters.
const MAX_TAGS: (usize, usize) = (50, 100);
/// Longest note in characters.
const MAX_NOTE: usize = 2_000;

/// What is to be changed about an account; what is left out stays.
#[derive(Debug, Default, Deserialize, Object)]
#[serde(deny_unknown_fields)]
#[oai(write_only_all)]
pub(crate) struct ChangeAccount {
    /// All labels it is to have: up to 50, of up to 100 characters.
    #[serde(default)]
    #[oai(nullable)]
    pub tags: Option<Vec<String>>,
    /// Free text of up to 2,000 characters.
    #[serde(default)]
    #[oai(nullable)]
    pub note: Option<String>,
    /// Whether it is switched off. Switched on again, it begins anew: what it was condemned for before is forgotten.
    #[serde(default)]
    #[oai(nullable)]
    pub disabled: Option<bool>,
}

impl ChangeAccount {
    fn check(&self) -> Result<(), ApiError> {
        let too_long = |tags: &Vec<String>| {
            tags.len() > MAX_TAGS.0 || tags.iter().any(|tag| tag.chars().count() > MAX_TAGS.1 || tag.contains('\0'))
        };
        if self.tags.as_ref().is_some_and(too_long) {
            let message = "Up to 50 labels of up to 100 characters are taken.";
            return Err(ApiError::invalid("tags", "invalid_value", message));
        }
        let is_long = |note: &String| note.chars().count() > MAX_NOTE || note.contains('\0');
        if self.note.as_ref().is_some_and(is_long) {
            return Err(ApiError::invalid("note", "invalid_value", "A note has up to 2,000 characters."));
        }
        Ok(())
    }

    /// What is noted about it.
    fn detail(&self) -> Value {
        let members = [
            self.tags.as_ref().map(|tags| ("tags", json!(tags))),
            self.note.as_ref().map(|note| ("note", json!(note))),
            self.disabled.map(|disabled| ("disabled", json!(disabled))),
        ];
        let members = members.into_iter().flatten().map(|(name, value)| (name.to_owned(), value));
        Value::Object(members.collect::<Map<_, _>>())
    }
}

/// Changes an account, and notes who did it; 404 when there is none.
///
/// # Errors
/// 400 for the member at fault, 404; the database does not answer.
pub(super) async fn change(state: &AppState, admin: &Admin, id: Uuid, wanted: &ChangeAccount) -> Result<(), ApiError> {
    wanted.check()?;
    let now = Clock::System.now_ms();
    let work = begin_write(&state.db).await?;
    if account::find(&*work, id).await?.is_none() {
        return Err(ApiError::not_found("account", &id.to_string()));
    }
    if let Some(tags) = &wanted.tags {
        account::set_tags(&*work, id, tags, now).await?;
    }
    if let Some(note) = &wanted.note {
        account::set_note(&*work, id, note, now).await?;
    }
    let switched = match wanted.disabled {
        None => None,
        Some(disabled) => {
            let changed = account::set_disabled(&*work, &[id], disabled, now).await?;
            (!changed.is_empty()).then_some(disabled)
        }
    };
    if switched.is_some() {
        persist::announce_change(&*work).await?;
    }
    audit::insert(&*work, &admin.note("account.update", id.to_string(), wanted.detail())).await?;
    work.commit().await?;
    if let Some(disabled) = switched {
        heed(state, id, disabled);
    }
    Ok(())
}

/// Lets the pool of this process know at once; others hear of it within a second.
fn heed(state: &AppState, id: Uuid, disabled: bool) {
    let pool = state.gateway.pool().state();
    let Some((mut live, _)) = pool.inspect(id) else { return };
    (live.status, live.refusals) = (if disabled { Status::Disabled } else { Status::Active }, 0);
    pool.upsert(live);
}

/// Takes an account away for good, and notes who did it.
///
/// # Errors
/// 404; the database does not answer.
pub(super) async fn delete(state: &AppState, admin: &Admin, id: Uuid) -> Result<(), ApiError> {
    let work = begin_write(&state.db).await?;
    if !account::delete(&*work, id).await? {
        return Err(ApiError::not_found("account", &id.to_string()));
    }
    persist::announce_change(&*work).await?;
    audit::insert(&*work, &admin.note("account.remove", id.to_string(), json!({ "ids": [id] }))).await?;
    work.commit().await?;
    state.gateway.pool().state().remove(id);
    Ok(())
}

/// Asks the upstream about an account, writes down what it says, and lets the pool know. Answers in a word what it means,
/// and what the upstream said.
///
/// # Errors
/// The database does not answer.
pub(super) async fn test(
    state: &AppState,
    admin: &Admin,
    account: &Model,
) -> Result<(&'static str, Option<String>), ApiError> {
    let Ok(finding) = state.gateway.examine(account).await else {
        return Ok(("unreadable", Some("Its credential cannot be opened with the master key at hand.".to_owned())));
    };
    let work = begin_write(&state.db).await?;
    write_down(&*work, account, &finding).await?;
    let outcome = word(&finding);
    let note = admin.note("account.test", account.id.to_string(), json!({ "outcome": outcome }));
    audit::insert(&*work, &note).await?;
    work.commit().await?;
    state.gateway.heed(account, &finding);
    Ok((outcome, finding.message))
}

fn word(finding: &Finding) -> &'static str {
    match finding.verdict {
        Verdict::Valid { .. } => "valid",
        Verdict::Expired => "expired",
        Verdict::Limited => "limited",
        Verdict::Unknown => "unknown",
    }
}
