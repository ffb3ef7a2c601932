//! Adding accounts to the store and telling running processes about it.

use anyhow::Result;
use grok2api_config::Vault;
use grok2api_entity::account::{Inserted, insert_many};
use grok2api_entity::audit::{self, Note};
use grok2api_entity::connect;
use grok2api_pool::persist;
use sea_orm::{ConnectionTrait, DatabaseConnection};
use secrecy::SecretString;
use serde_json::json;

pub use grok2api_pool::enrol::{Template, new_account};

/// Adds accounts in one transaction; known ones stay as they are.
///
/// # Errors
/// The database refuses: nothing was added then.
pub async fn add(
    db: &DatabaseConnection,
    vault: &Vault,
    tokens: &[SecretString],
    template: &Template,
) -> Result<Inserted> {
    let rows = tokens.iter().map(|token| new_account(vault, token, template)).collect::<Result<Vec<_>, _>>()?;
    let work = connect::begin_write(db).await?;
    let inserted = insert_many(&*work, rows).await?;
    announce_change(&*work).await?;
    let detail = json!({ "given": tokens.len(), "added": inserted.added });
    audit::insert(&*work, &Note::by_hand("account.add", "", detail)).await?;
    work.commit().await?;
    Ok(inserted)
}

/// Tells running processes that the set of accounts changed; part of the transaction that changes it.
///
/// # Errors
/// The database refuses.
pub async fn announce_change(db: &impl ConnectionTrait) -> Result<()> {
    Ok(persist::announce_change(db).await?)
}
