//! `POST /api/login` and `/api/logout`.

use std::time::Duration;

use grok2api_entity::audit::Note;
use grok2api_entity::connect::begin_write;
use grok2api_entity::{admin, admin_session, audit, clock};
use poem::Request;
use poem::http::{StatusCode, header};
use poem::web::Data;
use poem_openapi::payload::{Json, Response};
use poem_openapi::{Object, OpenApi};
use sea_orm::ConnectionTrait;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::limits::{Attempt, Trier};
use super::password::{self, PasswordError};
use super::principal::LoggedIn;
use super::session::{self, Beginning, LONGEST_MS};
use super::{cookies, token, visitor};
use crate::body::JsonBody;
use crate::error::ApiError;
use crate::state::AppState;
use crate::tags::Tag;

/// Longest name that is looked at, in bytes.
const MAX_NAME: usize = 64;

/// Logging in and out.
pub(crate) struct LoginApi;

/// A name with its password, or a code made by `grok2api admin login-code`.
#[derive(Deserialize, Object)]
#[oai(write_only_all)]
pub(crate) struct Login {
    /// The administrator's name.
    #[serde(default)]
    #[oai(nullable)]
    pub username: Option<String>,
    /// The password.
    #[serde(default)]
    #[oai(nullable)]
    pub password: Option<String>,
    /// A code that is good once, instead of name and password.
    #[serde(default)]
    #[oai(nullable)]
    pub code: Option<String>,
    /// Whether the session's token is set as a cookie, out of the reach of scripts, instead of being told.
    #[serde(default)]
    #[oai(nullable)]
    pub cookie: Option<bool>,
}

/// Whether it worked. A wrong password is told with the status 200, as the old gateway did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct LoginResult {
    /// Whether a session began.
    pub success: bool,
    /// The session's token, to be sent as `Authorization: Bearer TOKEN`; null when it was set as a cookie.
    #[oai(nullable)]
    pub token: Option<String>,
    /// `登录成功` or `用户名或密码错误`.
    pub message: String,
    /// What a page must send as `X-CSRF-Token` to change something; only with `cookie`.
    #[oai(skip_serializing_if_is_none)]
    pub csrf_token: Option<String>,
    /// Whether another password must be chosen before anything else, with `change_password`.
    #[oai(skip_serializing_if_is_none)]
    pub must_change_password: Option<bool>,
    /// When the session ends at the latest, in Unix milliseconds.
    #[oai(skip_serializing_if_is_none)]
    pub expires_at_ms: Option<i64>,
}

/// That somebody is logged out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct LogoutResult {
    /// True.
    pub success: bool,
    /// `登出成功`
    pub message: String,
}

#[OpenApi(prefix_path = "/api", tag = "Tag::Access")]
impl LoginApi {
    /// Log in.
    ///
    /// The session ends after half an hour without use, and after twelve hours in any case. Attempts are limited: 429 says
    /// when the next one is taken, whatever the password. Who is kept out by others' attempts gets in with a code.
    #[oai(path = "/login", method = "post", operation_id = "login")]
    async fn login(
        &self,
        state: Data<&AppState>,
        request: &Request,
        body: JsonBody<Login>,
    ) -> Result<Response<Json<LoginResult>>, ApiError> {
        let visit = Visit::of(request, &state, body.0.cookie.unwrap_or(false));
        let (name, password) = match body.0 {
            Login { code: Some(code), username: None, password: None, .. } => {
                return Box::pin(redeem(&state, &visit, &code)).await;
            }
            Login { username: Some(name), password: Some(password), code: None, .. } => {
                (name, SecretString::from(password))
            }
            _ => {
                let message = "Send a username with its password, or a code.";
                return Err(ApiError::invalid("username", "missing_required_parameter", message));
            }
        };
        Box::pin(enter(&state, &visit, request, &name, password)).await
    }

    /// Log out: the session is over.
    #[oai(path = "/logout", method = "post", operation_id = "logout")]
    async fn logout(
        &self,
        state: Data<&AppState>,
        request: &Request,
        admin: LoggedIn,
    ) -> Result<Response<Json<LogoutResult>>, ApiError> {
        let admin = admin.0;
        let https = visitor::is_https(request, &state);
        // The configured token is no session: there is nothing to end, and nothing wrong with asking.
        if let Ok(session) = admin.session() {
            let tx = begin_write(&state.db).await?;
            admin_session::delete(&*tx, session.id, None).await?;
            audit::insert(&*tx, &admin.note("session.end", session.id.to_string(), json!({}))).await?;
            tx.commit().await?;
        }
        let done = LogoutResult { success: true, message: "登出成功".to_owned() };
        Ok(Response::new(Json(done)).header(header::SET_COOKIE, cookies::no_session(https)))
    }
}

/// From where somebody comes, and what is wanted.
#[derive(Debug, Clone)]
pub(super) struct Visit {
    pub(super) ip: String,
    near: String,
    agent: String,
    device: Option<String>,
    https: bool,
    wants_cookie: bool,
}

impl Visit {
    pub(super) fn of(request: &Request, state: &AppState, wants_cookie: bool) -> Self {
        let https = visitor::is_https(request, state);
        Self {
            ip: visitor::ip(request),
            near: visitor::neighbourhood(request),
            agent: visitor::agent(request),
            device: visitor::cookie(request, cookies::device_name(https)).map(ToOwned::to_owned),
            https,
            wants_cookie,
        }
    }
}

async fn enter(
    state: &AppState,
    visit: &Visit,
    request: &Request,
    name: &str,
    password: SecretString,
) -> Result<Response<Json<LoginResult>>, ApiError> {
    let attempt = attempt(state, visit, name).await?;
    let known = if name.len() <= MAX_NAME { admin::find(&state.db, name).await? } else { None };
    let fits = is_right(password, known.as_ref()).await?;
    // What was typed as a name may be a password.
    let named = if known.is_some() { name } else { "unknown" };
    let Some(known) = known.filter(|_| fits) else {
        failed(state, request, named).await?;
        return Ok(Response::new(Json(LoginResult {
            success: false,
            token: None,
            message: "用户名或密码错误".to_owned(),
            csrf_token: None,
            must_change_password: None,
            expires_at_ms: None,
        })));
    };
    let tx = begin_write(&state.db).await?;
    attempt.give_back(&*tx).await?;
    let answer = open(&*tx, state, visit, &known, "login").await?;
    tx.commit().await?;
    state.access.limits.forget(&attempt);
    Ok(answer)
}

/// Exchanges a code that somebody at the machine itself made.
async fn redeem(state: &AppState, visit: &Visit, code: &str) -> Result<Response<Json<LoginResult>>, ApiError> {
    let wrong = || {
        ApiError::new(
            StatusCode::UNAUTHORIZED,
            "invalid_request_error",
            "LOGIN_CODE_INVALID",
            "The code is wrong, was used, or is older than ten minutes.",
        )
    };
    let vault = &state.access.vault;
    if !token::is_ours(vault, code) {
        return Err(wrong());
    }
    let tx = begin_write(&state.db).await?;
    let row = admin_session::find_by_token(&*tx, &token::hash(vault, code)).await?;
    let row = row.ok_or_else(wrong)?;
    let now = clock::read(&*tx).await?;
    let is_good = row.redeem_by.is_some_and(|until| now < until);
    let known = admin::find(&*tx, &row.admin).await?.filter(|_| is_good).ok_or_else(wrong)?;
    if !admin_session::delete(&*tx, row.id, None).await? {
        return Err(wrong());
    }
    let answer = open(&*tx, state, visit, &known, "login.code").await?;
    tx.commit().await?;
    Ok(answer)
}

/// Begins a session and tells about it; part of a transaction.
pub(super) async fn open(
    tx: &impl ConnectionTrait,
    state: &AppState,
    visit: &Visit,
    who: &admin::Model,
    action: &'static str,
) -> Result<Response<Json<LoginResult>>, ApiError> {
    let vault = &state.access.vault;
    let now = clock::read(tx).await?;
    let text = token::generate(vault).map_err(|_| ApiError::internal())?;
    let beginning = Beginning { admin: &who.name, ip: &visit.ip, agent: &visit.agent, confirmed_at: Some(now) };
    let id = session::begin(tx, vault, &text, beginning, now).await?;
    let note = Note {
        actor: format!("admin:{}", who.name),
        ip: visit.ip.clone(),
        action,
        target: id.to_string(),
        detail: json!({ "agent": visit.agent }),
    };
    audit::insert(tx, &note).await?;
    metrics::counter!("grok2api_security_events_total", "event" => action).increment(1);
    let device = cookies::new_device(vault, &who.name, now).map_err(|_| ApiError::internal())?;
    let is_cookie = visit.wants_cookie;
    let result = LoginResult {
        success: true,
        token: (!is_cookie).then(|| text.expose_secret().to_owned()),
        message: "登录成功".to_owned(),
        csrf_token: is_cookie.then(|| token::csrf(vault, text.expose_secret())),
        must_change_password: who.must_change.then_some(true),
        expires_at_ms: Some(now + LONGEST_MS),
    };
    let mut answer = Response::new(Json(result)).header(header::SET_COOKIE, cookies::device(&device, visit.https));
    if is_cookie {
        let cookie = cookies::session(text.expose_secret(), LONGEST_MS / 1000, visit.https);
        answer = answer.header(header::SET_COOKIE, cookie);
    }
    Ok(answer)
}

/// Takes an attempt to give a password, before anything is hashed.
///
/// # Errors
/// 429 with the time to wait.
pub(super) async fn attempt(state: &AppState, visit: &Visit, name: &str) -> Result<Attempt, ApiError> {
    let limits = &state.access.limits;
    let stranger = Trier::Stranger(visit.near.clone());
    if visit.device.is_none()
        && let Some(wait) = limits.refused(&stranger)
    {
        return Err(limited(wait));
    }
    let now = clock::read(&state.db).await?;
    let device = visit.device.as_deref().and_then(|mark| cookies::known_device(&state.access.vault, name, mark, now));
    let trier = device.map_or(stranger, Trier::Device);
    if let Some(wait) = limits.refused(&trier) {
        return Err(limited(wait));
    }
    let tx = begin_write(&state.db).await?;
    let taken = limits.take(&*tx, &trier, now).await?;
    tx.commit().await?;
    taken.map_err(limited)
}

fn limited(wait: Duration) -> ApiError {
    metrics::counter!("grok2api_security_events_total", "event" => "login.limited").increment(1);
    ApiError::new(
        StatusCode::TOO_MANY_REQUESTS,
        "rate_limit_error",
        "LOGIN_LIMITED",
        "登录尝试过于频繁，请稍后再试 (too many attempts; `grok2api admin login-code` on the host gets in at once)",
    )
    .after(wait)
}

/// Whether the password is that of somebody; takes as long for nobody.
pub(super) async fn is_right(password: SecretString, who: Option<&admin::Model>) -> Result<bool, ApiError> {
    let hash = who.map(|who| who.password_hash.clone());
    // Cut, not refused: what is too long is wrong, and costs the same.
    let password =
        if password.expose_secret().len() > password::MAX_BYTES { SecretString::default() } else { password };
    Ok(password::verify(password, hash).await?)
}

/// Takes a wrong password down.
pub(super) async fn failed(state: &AppState, request: &Request, name: &str) -> Result<(), ApiError> {
    metrics::counter!("grok2api_security_events_total", "event" => "login.failed").increment(1);
    let note = Note {
        actor: "nobody".to_owned(),
        ip: visitor::ip(request),
        action: "login.failed",
        target: name.to_owned(),
        detail: json!({ "agent": visitor::agent(request) }),
    };
    let tx = begin_write(&state.db).await?;
    audit::insert(&*tx, &note).await?;
    Ok(tx.commit().await?)
}

impl From<PasswordError> for ApiError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "api_error",
                "LOGIN_BUSY",
                "Too many passwords are being checked at this moment.",
            )
            .after(Duration::from_secs(5)),
            PasswordError::Failed => Self::internal(),
        }
    }
}
