//! Accounts that come and go.

use grok2api_entity::account::{self, Kind, NewAccount};
use grok2api_entity::audit;
use grok2api_entity::connect::begin_write;
use grok2api_gateway::pool::enrol::{self, Template, tier_of};
use grok2api_gateway::pool::{AccountSeed, Clock, persist};
use sea_orm::{ConnectionTrait, DbErr};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use uuid::Uuid;

use super::name::Name;
use crate::access::Admin;
use crate::error::ApiError;
use crate::state::AppState;

/// Most accounts that are named in one note.
const MAX_NOTED: usize = 1000;

/// What became of tokens that were to be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Added {
    /// New in the pool.
    pub(super) added: u64,
    /// Of those that were left out, what can be no token.
    pub(super) unusable: u64,
}

/// Adds the accounts that are new, all of them or none; those that are there stay as they are.
pub(super) async fn add(state: &AppState, admin: &Admin, kind: Kind, names: &[String]) -> Result<Added, ApiError> {
    let mut tokens = Vec::new();
    let mut unusable = 0;
    for name in names {
        match Name::parse(name) {
            Name::Token(token) => tokens.push(token),
            Name::Account(_) => {}
            Name::None => unusable += 1,
        }
    }
    let vault = state.gateway.pool().vault();
    let new = enrol::unknown(&state.db, vault, tokens, |token| token).await?;
    if new.is_empty() {
        return Ok(Added { added: 0, unusable });
    }
    let rows = sealed(state, kind, new).await?;
    let seeds: Vec<AccountSeed> =
        rows.iter().map(|row| AccountSeed::fresh(row.id, tier_of(kind), &row.secret)).collect();
    let work = begin_write(&state.db).await?;
    let added = insert(&*work, rows).await?;
    let detail = json!({ "given": names.len(), "added": added, "token_type": tier_of(kind).token_type() });
    audit::insert(&*work, &admin.note("account.add", format!("{added} accounts"), detail)).await?;
    work.commit().await?;
    // Others hear of it within a second. If somebody else added some of them meanwhile, so does this process.
    if added == seeds.len() as u64 {
        let pool = state.gateway.pool().state();
        for seed in seeds {
            pool.upsert(seed);
        }
    }
    tracing::info!(added, kind = tier_of(kind).token_type(), "the operator added accounts");
    Ok(Added { added, unusable })
}

/// The rows of new accounts. Sealing many takes its time, so it is done beside the requests.
async fn sealed(state: &AppState, kind: Kind, tokens: Vec<SecretString>) -> Result<Vec<NewAccount>, ApiError> {
    let pool = state.gateway.pool().clone();
    let template =
        Template { tier: tier_of(kind), tags: Vec::new(), note: String::new(), created_at: Clock::System.now_ms() };
    let rows = tokio::task::spawn_blocking(move || {
        tokens.iter().map(|token| enrol::new_account(pool.vault(), token, &template)).collect::<Result<Vec<_>, _>>()
    });
    rows.await.map_err(|_| ApiError::internal())?.map_err(|error| {
        tracing::error!(%error, "tokens cannot be sealed");
        ApiError::internal()
    })
}

/// Adds accounts and tells running processes; part of the transaction that does so.
async fn insert(work: &impl ConnectionTrait, rows: Vec<NewAccount>) -> Result<u64, DbErr> {
    let inserted = account::insert_many(work, rows).await?;
    persist::announce_change(work).await?;
    Ok(inserted.added)
}

/// Takes accounts of a kind away, all of them or none; answers how many there were.
pub(super) async fn delete(state: &AppState, admin: &Admin, kind: Kind, names: &[String]) -> Result<u64, ApiError> {
    let (mut ids, mut fingerprints) = (Vec::new(), Vec::new());
    let vault = state.gateway.pool().vault();
    for name in names {
        match Name::parse(name) {
            Name::Account(id) => ids.push(id),
            Name::Token(token) => fingerprints.extend(vault.fingerprints(token.expose_secret().as_bytes())),
            Name::None => {}
        }
    }
    let work = begin_write(&state.db).await?;
    let gone = remove(&*work, kind, ids, &fingerprints).await?;
    if !gone.is_empty() {
        let told: Vec<String> = gone.iter().take(MAX_NOTED).map(Uuid::to_string).collect();
        let note = admin.note("account.remove", format!("{} accounts", gone.len()), json!({ "ids": told }));
        audit::insert(&*work, &note).await?;
    }
    work.commit().await?;
    let pool = state.gateway.pool().state();
    for id in &gone {
        pool.remove(*id);
    }
    tracing::info!(deleted = gone.len(), kind = tier_of(kind).token_type(), "the operator deleted accounts");
    Ok(gone.len() as u64)
}

/// Takes accounts away and tells running processes; part of the transaction that does so. Answers who is gone.
async fn remove(
    work: &impl ConnectionTrait,
    kind: Kind,
    mut ids: Vec<Uuid>,
    fingerprints: &[String],
) -> Result<Vec<Uuid>, DbErr> {
    ids.extend(account::ids_by_fingerprints(work, kind, fingerprints).await?);
    let gone = account::delete_many(work, kind, &ids).await?;
    if !gone.is_empty() {
        persist::announce_change(work).await?;
    }
    Ok(gone)
}
