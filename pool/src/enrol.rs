//! Accounts on their way into the pool: each once, and sealed for a row of its own.

use std::collections::HashSet;

use grok2api_config::{Tier, Vault, VaultError, secret};
use grok2api_entity::account::{self, Failures, Kind, NewAccount, Status};
use sea_orm::{ConnectionTrait, DbErr};
use secrecy::{ExposeSecret, SecretString};

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
pub fn new_account(vault: &Vault, token: &SecretString, template: &Template) -> Result<NewAccount, VaultError> {
    let id = NewAccount::new_id();
    let text = token.expose_secret();
    Ok(NewAccount {
        id,
        kind: kind_of(template.tier),
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

/// Those of the candidates whose tokens no account has, under the current or a former master key, each of them once.
///
/// # Errors
/// When the database does not answer.
pub async fn unknown<T>(
    db: &impl ConnectionTrait,
    vault: &Vault,
    candidates: Vec<T>,
    token: impl Fn(&T) -> &SecretString,
) -> Result<Vec<T>, DbErr> {
    let candidates: Vec<(T, Vec<String>)> = candidates
        .into_iter()
        .map(|candidate| {
            let fingerprints = vault.fingerprints(token(&candidate).expose_secret().as_bytes());
            (candidate, fingerprints)
        })
        .collect();
    let all: Vec<String> = candidates.iter().flat_map(|(_, fingerprints)| fingerprints.iter().cloned()).collect();
    let mut known: HashSet<String> = account::known_fingerprints(db, &all).await?;
    let mut unknown = Vec::new();
    for (candidate, fingerprints) in candidates {
        if !fingerprints.iter().any(|fingerprint| known.contains(fingerprint)) {
            known.extend(fingerprints);
            unknown.push(candidate);
        }
    }
    Ok(unknown)
}

/// How rows call the accounts of a tier.
pub fn kind_of(tier: Tier) -> Kind {
    match tier {
        Tier::Basic => Kind::Sso,
        Tier::Super => Kind::SsoSuper,
    }
}

/// The tier of an account's row.
pub fn tier_of(kind: Kind) -> Tier {
    match kind {
        Kind::Sso => Tier::Basic,
        Kind::SsoSuper => Tier::Super,
    }
}
