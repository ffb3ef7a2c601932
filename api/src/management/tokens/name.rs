//! What an account is called: by its handle, which this API shows, or by its token, which it never shows.

use grok2api_entity::account::{self, Kind, Model};
use grok2api_gateway::pool::handle::account_of;
use grok2api_gateway::upstream::credential::normalize_token;
use sea_orm::DbErr;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::error::ApiError;
use crate::state::AppState;

/// Most accounts that one request names.
const MAX_NAMES: usize = 100_000;

/// What an account was called.
#[derive(Debug)]
pub(super) enum Name {
    /// The account of a handle.
    Account(Uuid),
    /// The account that has this token.
    Token(SecretString),
    /// Nothing: blanks, or no token that could ever be sent.
    None,
}

impl Name {
    /// What `text` stands for; blanks around it and a cookie's name before it do not matter.
    pub(super) fn parse(text: &str) -> Self {
        match account_of(text) {
            Some(id) => Self::Account(id),
            None => normalize_token(text).map_or(Self::None, Self::Token),
        }
    }
}

/// The kind of accounts that a `token_type` means.
pub(super) fn kind(token_type: &str) -> Result<Kind, ApiError> {
    match token_type {
        "sso" => Ok(Kind::Sso),
        "ssoSuper" => Ok(Kind::SsoSuper),
        _ => {
            let message = "无效的Token类型，必须是 'sso' 或 'ssoSuper'";
            Err(ApiError::invalid("token_type", "INVALID_TYPE", message))
        }
    }
}

/// Refuses lists that are too long.
pub(super) fn check_length(names: &[String]) -> Result<(), ApiError> {
    if names.len() <= MAX_NAMES {
        return Ok(());
    }
    Err(ApiError::invalid("tokens", "invalid_value", "At most 100,000 tokens are taken at once."))
}

/// The account of a kind that is called so.
pub(super) async fn find(state: &AppState, name: &str, kind: Kind) -> Result<Option<Model>, DbErr> {
    let found = match Name::parse(name) {
        Name::Account(id) => account::find(&state.db, id).await?,
        Name::Token(token) => {
            let fingerprints = state.gateway.pool().vault().fingerprints(token.expose_secret().as_bytes());
            account::find_by_fingerprints(&state.db, &fingerprints).await?
        }
        Name::None => None,
    };
    Ok(found.filter(|account| account.kind == kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_names_its_account_and_anything_else_is_a_token() {
        let id = Uuid::from_u128(7);
        let handle = grok2api_gateway::pool::handle::handle(id, "abcd");
        assert!(matches!(Name::parse(&handle), Name::Account(found) if found == id));
        for token in ["eyJ0.abc", " sso=eyJ0.abc; path=/ ", "acct-7", "acct-00000000-0000-0000-0000-000000000007x"] {
            assert!(matches!(Name::parse(token), Name::Token(_)), "{token}");
        }
        for nothing in ["", "  ", "two words", "é"] {
            assert!(matches!(Name::parse(nothing), Name::None), "{nothing}");
        }
    }

    #[test]
    fn a_token_type_is_spelled_exactly() {
        assert!(kind("sso").is_ok() && kind("ssoSuper").is_ok());
        for wrong in ["", "SSO", "ssosuper", "basic"] {
            let code = kind(wrong).err().and_then(|error| error.body.code);
            assert_eq!(code.as_deref(), Some("INVALID_TYPE"));
        }
    }
}
