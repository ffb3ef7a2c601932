//! Labels and notes of accounts.

use grok2api_entity::account::{self, Kind};
use grok2api_entity::audit;
use grok2api_entity::connect::begin_write;
use grok2api_gateway::pool::Clock;
use serde_json::{Value, json};

use super::name::find;
use crate::access::Admin;
use crate::error::ApiError;
use crate::management::failure::Operation;
use crate::state::AppState;

/// Most labels, and the longest of them in characters.
const MAX_TAGS: (usize, usize) = (50, 100);
/// Longest note in characters.
const MAX_NOTE: usize = 2_000;

/// What an account is marked with.
#[derive(Debug, Clone, Copy)]
pub(super) enum Label<'a> {
    Tags(&'a [String]),
    Note(&'a str),
}

impl Label<'_> {
    fn operation(self) -> Operation {
        match self {
            Self::Tags(_) => Operation::UPDATE_TAGS,
            Self::Note(_) => Operation::UPDATE_NOTE,
        }
    }

    fn action(self) -> &'static str {
        match self {
            Self::Tags(_) => "account.tags",
            Self::Note(_) => "account.note",
        }
    }

    fn detail(self) -> Value {
        match self {
            Self::Tags(tags) => json!({ "tags": tags }),
            Self::Note(note) => json!({ "note": note }),
        }
    }

    fn check(self) -> Result<(), ApiError> {
        match self {
            Self::Tags(tags) if tags.len() > MAX_TAGS.0 || tags.iter().any(|tag| tag.chars().count() > MAX_TAGS.1) => {
                Err(ApiError::invalid("tags", "invalid_value", "Up to 50 labels of up to 100 characters are taken."))
            }
            Self::Note(note) if note.chars().count() > MAX_NOTE => {
                Err(ApiError::invalid("note", "invalid_value", "A note has up to 2,000 characters."))
            }
            Self::Tags(_) | Self::Note(_) => Ok(()),
        }
    }
}

/// Marks the account that is called `name`. Running processes need not know: they choose nobody by that.
pub(super) async fn set(
    state: &AppState,
    admin: &Admin,
    name: &str,
    kind: Kind,
    label: Label<'_>,
) -> Result<(), ApiError> {
    label.check()?;
    let operation = label.operation();
    let missing = || operation.because("Token不存在");
    let known = find(state, name, kind).await.map_err(|error| operation.failed(error))?;
    let id = known.ok_or_else(missing)?.id;
    let marked = async {
        let work = begin_write(&state.db).await?;
        let now = Clock::System.now_ms();
        let found = match label {
            Label::Tags(tags) => account::set_tags(&*work, id, tags, now).await?,
            Label::Note(note) => account::set_note(&*work, id, note, now).await?,
        };
        audit::insert(&*work, &admin.note(label.action(), id.to_string(), label.detail())).await?;
        work.commit().await?;
        Ok::<_, sea_orm::DbErr>(found)
    };
    if marked.await.map_err(|error| operation.failed(error))? { Ok(()) } else { Err(missing()) }
}
