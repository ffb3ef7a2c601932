//! Adding accounts to the store and telling running processes about it.

use anyhow::Result;
use grok2api_config::{Tier, Vault, secret};
use grok2api_entity::account::{Failures, Inserted, Kind, NewAccount, Status, insert_many};
use grok2api_entity::audit::{self, Note};
use grok2api_entity::connect;
use grok2api_pool::persist;
use sea_orm::{ConnectionTrait, DatabaseConnection};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

/// What all accounts of one addition have in common.
#[derive(Debug, Clone)]
pub struct Template {
    /// Tier of the subscription.
    pub tier: Tier,
    /// Labels.
    pub tags: Vec<String>,
    /// Free text.
    pub note: String,
    /// Unix milliseconds.
    pub created_at: i64,
}

/// The row of a new account: its secret sealed for this row alone.
///
/// # Errors
/// The system gives no random numbers.
pub fn new_account(vault: &Vault, token: &SecretString, template: &Template) -> Result<NewAccount> {
    let id = NewAccount::new_id();
    let text = token.expose_secret();
    Ok(NewAccount {
        id,
        kind: match template.tier {
            Tier::Basic => Kind::Sso,
            Tier::Super => Kind::SsoSuper,
        },
        secret: vault.seal("account", &id.to_string(), "secret", text.as_bytes())?,
        fingerprint: vault.fingerprint(text.as_bytes()),
        hint: secret::hint(text).to_owned(),
        status: Status::Active,
        status_reason: None,
        failures: Failures::default(),
        tags: template.tags.clone(),
        note: template.note.clone(),
        created_at: template.created_at,
    })
}

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
    let rows = tokens.iter().map(|token| new_account(vault, token, template)).collect::<Result<Vec<_>>>()?;
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
