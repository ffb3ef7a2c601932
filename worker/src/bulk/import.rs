//! Adding accounts: what was handed in sealed is sealed anew, for a row of its own.

use grok2api_config::{Tier, Vault};
use grok2api_entity::account::NewAccount;
use grok2api_pool::enrol::{Template, new_account};
use grok2api_queue::bulk::{BulkParams, SEALED, sealed_row};
use grok2api_queue::now_ms;
use secrecy::SecretString;
use uuid::Uuid;

use super::pieces::{Piece, Report};
use super::{BulkWork, Item};

impl BulkWork {
    /// The accounts of a piece, as rows to be added. Those that are known already stay as they are.
    pub(super) fn import(&self, piece: &Piece, params: &BulkParams) -> Report {
        let vault = self.shop.gateway.pool().vault();
        let template = Template {
            tier: if params.is_super { Tier::Super } else { Tier::Basic },
            tags: params.add.clone(),
            note: params.note.clone(),
            created_at: now_ms(),
        };
        let (mut accounts, mut failures) = (Vec::new(), Vec::new());
        for (place, item) in piece.items.iter().enumerate() {
            match account(vault, piece.bulk, item, &template) {
                Some(account) => accounts.push(account),
                None => failures.push((place, "The token cannot be opened: was the master key changed?".to_owned())),
            }
        }
        Report::inserting(piece, accounts, failures)
    }
}

fn account(vault: &Vault, bulk: Uuid, item: &Item, template: &Template) -> Option<NewAccount> {
    let sealed = item.secret.as_deref()?;
    let token = vault.open(SEALED, &sealed_row(bulk, item.number), "secret", sealed).ok()?;
    let token = SecretString::from(std::str::from_utf8(&token).ok()?);
    new_account(vault, &token, template).ok()
}
