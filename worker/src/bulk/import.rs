//! Adding accounts: what was handed in sealed is sealed anew, for a row of its own.

use grok2api_config::{Vault, secret};
use grok2api_entity::account::{Failures, Kind, NewAccount, Status};
use grok2api_queue::bulk::{BulkParams, SEALED, sealed_row};
use grok2api_queue::now_ms;
use uuid::Uuid;

use super::pieces::{Piece, Report};
use super::{BulkWork, Item};

impl BulkWork {
    /// The accounts of a piece, as rows to be added. Those that are known already stay as they are.
    pub(super) fn import(&self, piece: &Piece, params: &BulkParams) -> Report {
        let vault = self.shop.gateway.pool().vault();
        let (mut accounts, mut failures) = (Vec::new(), Vec::new());
        for (place, item) in piece.items.iter().enumerate() {
            match account(vault, piece.bulk, item, params) {
                Some(account) => accounts.push(account),
                None => failures.push((place, "The token cannot be opened: was the master key changed?".to_owned())),
            }
        }
        Report::inserting(piece, accounts, failures)
    }
}

fn account(vault: &Vault, bulk: Uuid, item: &Item, params: &BulkParams) -> Option<NewAccount> {
    let sealed = item.secret.as_deref()?;
    let token = vault.open(SEALED, &sealed_row(bulk, item.number), "secret", sealed).ok()?;
    let text = std::str::from_utf8(&token).ok()?;
    let id = NewAccount::new_id();
    Some(NewAccount {
        id,
        kind: if params.is_super { Kind::SsoSuper } else { Kind::Sso },
        secret: vault.seal("account", &id.to_string(), "secret", text.as_bytes()).ok()?,
        fingerprint: vault.fingerprint(text.as_bytes()),
        hint: secret::hint(text).to_owned(),
        status: Status::Active,
        status_reason: None,
        failures: Failures::default(),
        tags: params.add.clone(),
        note: params.note.clone(),
        created_at: now_ms(),
    })
}
