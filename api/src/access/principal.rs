//! Who may use the operator's paths.

use grok2api_entity::audit::Note;
use poem::http::{HeaderValue, Method, StatusCode};
use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use secrecy::ExposeSecret;
use serde_json::Value;

use super::session::{self, Known, Session};
use super::{cookies, token, visitor};
use crate::error::ApiError;
use crate::state::AppState;

/// Longest token that is looked at, in bytes (K6).
const MAX_BYTES: usize = 256;
/// What a browser says in this header besides its cookie, to change something.
pub(crate) const CSRF_HEADER: &str = "x-csrf-token";

/// How somebody proved to be an administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Proof {
    /// By `server.admin_token`.
    Token,
    /// By a session, whose token came as a bearer or in a cookie.
    Session {
        /// The session.
        session: Session,
        /// What a page must say besides, if the token came in a cookie.
        csrf: Option<String>,
    },
}

/// An administrator. The key of a client is something else and opens nothing here (A10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Admin {
    pub(crate) proof: Proof,
    /// Where the request came from.
    pub(crate) ip: String,
}

/// An administrator whose password may have to be changed before anything else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LoggedIn(pub(crate) Admin);

impl Admin {
    /// Who it is, as it is taken down.
    pub(crate) fn actor(&self) -> String {
        match &self.proof {
            Proof::Token => "token".to_owned(),
            Proof::Session { session, .. } => format!("admin:{}", session.admin),
        }
    }

    /// What is taken down about something that this one does. No secrets in `detail`.
    pub(crate) fn note(&self, action: &'static str, target: impl Into<String>, detail: Value) -> Note {
        Note { actor: self.actor(), ip: self.ip.clone(), action, target: target.into(), detail }
    }

    /// The session.
    ///
    /// # Errors
    /// 403 for who came with the configured token: it stands for no person.
    pub(crate) fn session(&self) -> Result<&Session, ApiError> {
        match &self.proof {
            Proof::Session { session, .. } => Ok(session),
            Proof::Token => Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "permission_error",
                "SESSION_REQUIRED",
                "This needs a session of POST /api/login; the admin token stands for no person.",
            )),
        }
    }

    /// Lets only those pass who gave the password within five minutes (A8). The configured token counts as one.
    ///
    /// # Errors
    /// 403.
    #[expect(dead_code, reason = "the first export that asks for it comes with the console's API")]
    pub(crate) fn confirmed(&self) -> Result<(), ApiError> {
        match &self.proof {
            Proof::Session { session, .. } if !session.is_confirmed() => Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "permission_error",
                "CONFIRMATION_REQUIRED",
                "Give the password again with POST /api/session/confirm; that is good for five minutes.",
            )),
            Proof::Token | Proof::Session { .. } => Ok(()),
        }
    }
}

/// 401, with the words that scripts of the old gateway look for.
fn refused(code: &'static str, message: &str) -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "invalid_request_error", code, message)
}

/// Finds out who asks.
///
/// # Errors
/// 401 for nobody; 403 for a page that is not ours.
async fn check(request: &Request, state: &AppState) -> Result<LoggedIn, ApiError> {
    let (text, by_cookie) = match visitor::bearer(request) {
        Some(text) => (text, false),
        None => match visitor::cookie(request, cookies::session_name(visitor::is_https(request, state))) {
            Some(text) => (text, true),
            None => return Err(refused("UNAUTHORIZED", "未授权访问")),
        },
    };
    let ip = visitor::ip(request);
    if text.len() > MAX_BYTES {
        return Err(refused("SESSION_INVALID", "会话已过期或无效"));
    }
    let configured = state.admin_token.as_deref().filter(|_| !by_cookie);
    if configured.is_some_and(|token| token::is_same(text.as_bytes(), token.expose_secret().as_bytes())) {
        return Ok(LoggedIn(Admin { proof: Proof::Token, ip }));
    }
    let vault = &state.access.vault;
    let session = match session::find(&state.db, vault, text).await? {
        Known::InForce(session) => session,
        Known::Over => return Err(refused("SESSION_EXPIRED", "会话已过期")),
        Known::Unknown => return Err(refused("SESSION_INVALID", "会话已过期或无效")),
    };
    let csrf = by_cookie.then(|| token::csrf(vault, text));
    if let Some(csrf) = &csrf {
        check_page(request, state, csrf)?;
    }
    Ok(LoggedIn(Admin { proof: Proof::Session { session, csrf }, ip }))
}

/// A browser sends its cookie for any page that asks: only ours may change something (B6).
fn check_page(request: &Request, state: &AppState, csrf: &str) -> Result<(), ApiError> {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(());
    }
    let forbidden = |code, message: &str| ApiError::new(StatusCode::FORBIDDEN, "permission_error", code, message);
    if !visitor::is_own_page(request, state) {
        return Err(forbidden("CROSS_SITE", "This request came from a page of another site."));
    }
    let sent = request.headers().get(CSRF_HEADER).map(HeaderValue::as_bytes).unwrap_or_default();
    if token::is_same(sent, csrf.as_bytes()) {
        Ok(())
    } else {
        let message = "Send the csrf_token of GET /api/session in the header X-CSRF-Token.";
        Err(forbidden("CSRF_TOKEN_REQUIRED", message))
    }
}

fn schemes() -> [(&'static str, MetaSecurityScheme); 2] {
    let scheme = |ty, name, key_in, scheme, description| MetaSecurityScheme {
        ty,
        description: Some(description),
        name,
        key_in,
        scheme,
        bearer_format: None,
        flows: None,
        openid_connect_url: None,
    };
    [
        (
            "AdminToken",
            scheme(
                "http",
                None,
                None,
                Some("bearer"),
                "A session's token from `login`, or the operator's `server.admin_token`.",
            ),
        ),
        (
            "AdminSession",
            scheme(
                "apiKey",
                Some("grok2api-session"),
                Some("cookie"),
                None,
                "A session's cookie from `login` with `cookie`; changes need the header `X-CSRF-Token` too. \
                 `__Host-grok2api-session` over https.",
            ),
        ),
    ]
}

macro_rules! extracted {
    ($principal:ty, $take:expr) => {
        impl<'a> ApiExtractor<'a> for $principal {
            const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
            type ParamType = ();
            type ParamRawType = ();

            fn register(registry: &mut Registry) {
                for (name, scheme) in schemes() {
                    registry.create_security_scheme(name, scheme);
                }
            }

            fn security_schemes() -> Vec<&'static str> {
                schemes().map(|(name, _)| name).to_vec()
            }

            async fn from_request(
                request: &'a Request,
                _body: &mut RequestBody,
                _options: ExtractParamOptions<Self::ParamType>,
            ) -> Result<Self> {
                let state = request.data::<AppState>().ok_or_else(ApiError::internal)?;
                let known = check(request, state).await?;
                let take: fn(LoggedIn) -> Result<Self, ApiError> = $take;
                Ok(take(known)?)
            }
        }
    };
}

extracted!(LoggedIn, Ok);
extracted!(Admin, |LoggedIn(admin)| match &admin.proof {
    Proof::Session { session, .. } if session.must_change => Err(ApiError::new(
        StatusCode::FORBIDDEN,
        "permission_error",
        "PASSWORD_CHANGE_REQUIRED",
        "Choose a password of your own first, with POST /api/password.",
    )),
    Proof::Token | Proof::Session { .. } => Ok(admin),
});
