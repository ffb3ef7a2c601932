//! `[admin]`: the first administrator.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::StartUp;
use crate::spec::{Shape, Spec, accept};

/// `[admin]`: the first administrator. Means nothing once there is one.
#[derive(Debug, Clone)]
pub struct AdminConfig {
    /// The name to log in with. Default `admin`; 1 to 64 letters, digits, dots, dashes, underscores and at signs.
    pub username: String,
    /// The password; `None` makes a random one that is told once and must be changed.
    pub password: Option<SecretString>,
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self { username: "admin".to_owned(), password: None }
    }
}

pub(super) const SPECS: &[Spec<StartUp>] = &[
    Spec {
        key: "admin.username",
        doc: "Name of the first administrator: 1 to 64 letters, digits, dots, dashes, underscores and at signs.",
        shape: Shape::Text,
        secret: false,
        read: |startup| json!(startup.admin.username),
        write: |startup, value| accept::admin_name(value).map(|name| startup.admin.username = name),
    },
    Spec {
        key: "admin.password",
        doc: "Password of the first administrator, at least 12 characters; without it a random one is made and told once.",
        shape: Shape::Text,
        secret: true,
        read: |startup| json!(startup.admin.password.as_ref().map(ExposeSecret::expose_secret)),
        write: |startup, value| {
            accept::admin_password(value).map(|password| startup.admin.password = accept::present(password))
        },
    },
];
