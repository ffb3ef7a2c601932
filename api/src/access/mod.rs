//! Who may run the gateway: administrators, their passwords and sessions.

mod audit;
mod cookies;
mod limits;
mod login;
mod me;
pub(crate) mod password;
mod principal;
mod session;
mod sessions;
pub mod setup;
mod token;
pub(crate) mod visitor;

use std::sync::Arc;

use grok2api_config::Vault;

pub(crate) use audit::AuditApi;
pub(crate) use login::LoginApi;
pub(crate) use me::MeApi;
pub(crate) use principal::Admin;
pub(crate) use sessions::SessionsApi;

use limits::Limits;

/// What logging in needs to know.
pub struct Access {
    vault: Arc<Vault>,
    limits: Limits,
}

impl Access {
    /// With the vault whose keyed hashes stand for tokens.
    pub(crate) fn new(vault: Arc<Vault>) -> Self {
        Self { vault, limits: Limits::default() }
    }
}
