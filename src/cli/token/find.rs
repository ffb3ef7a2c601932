//! Which account is meant: by its id, by its handle, or by its token.

use anyhow::bail;
use grok2api_entity::account::{self, Model};
use grok2api_pool::handle::account_of;
use grok2api_upstream::credential::normalize_token;
use secrecy::ExposeSecret;
use uuid::Uuid;

use crate::store::Store;

/// The account that an id, a handle or a token names.
pub(super) async fn find(store: &Store, name: &str) -> anyhow::Result<Model> {
    let id = Uuid::parse_str(name.trim()).ok().or_else(|| account_of(name));
    let found = if let Some(id) = id {
        account::find(&store.db, id).await?
    } else {
        let token = normalize_token(name)?;
        let fingerprints = store.vault.fingerprints(token.expose_secret().as_bytes());
        account::find_by_fingerprints(&store.db, &fingerprints).await?
    };
    match found {
        Some(account) => Ok(account),
        // A name that is no id may be a token: it is not repeated.
        None => bail!("there is no such account in the pool; `grok2api token list` shows the ids"),
    }
}
