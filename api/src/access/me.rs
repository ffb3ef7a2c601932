//! The session of who asks: what it is, the password once more, another password.

use grok2api_entity::connect::begin_write;
use grok2api_entity::{admin, admin_session, audit, clock};
use poem::Request;
use poem::http::StatusCode;
use poem::web::Data;
use poem_openapi::payload::{Json, Response};
use poem_openapi::{Object, OpenApi};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::login::{LoginResult, Visit, attempt, failed, is_right, open};
use super::password::{self, Unfit};
use super::principal::{Admin, LoggedIn, Proof};
use super::session::{CONFIRMED_MS, LONGEST_MS, Session};
use crate::body::JsonBody;
use crate::error::ApiError;
use crate::state::AppState;
use crate::tags::Tag;

/// The session of who asks.
pub(crate) struct MeApi;

/// Who asks, and for how long still.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct CurrentSession {
    /// The administrator's name; null for the configured admin token.
    #[oai(nullable)]
    pub username: Option<String>,
    /// The session's id; null for the configured admin token.
    #[oai(nullable)]
    pub id: Option<String>,
    /// Whether another password must be chosen before anything else.
    pub must_change_password: bool,
    /// What a page must send as `X-CSRF-Token` to change something; null for who sent no cookie.
    #[oai(nullable)]
    pub csrf_token: Option<String>,
    /// When it ends at the latest, in Unix milliseconds; null for the configured admin token.
    #[oai(nullable)]
    pub expires_at_ms: Option<i64>,
    /// Until when the password counts as just given, in Unix milliseconds; null if it does not.
    #[oai(nullable)]
    pub confirmed_until_ms: Option<i64>,
}

/// The password once more.
#[derive(Deserialize, Object)]
#[oai(write_only_all)]
pub(crate) struct Confirmation {
    /// The password.
    pub password: String,
}

/// Another password.
#[derive(Deserialize, Object)]
#[oai(write_only_all)]
pub(crate) struct PasswordChange {
    /// The password as it is.
    pub current_password: String,
    /// The password as it shall be: 12 characters or more, up to 256 bytes.
    pub new_password: String,
}

#[OpenApi(prefix_path = "/api", tag = "Tag::Access")]
impl MeApi {
    /// Retrieve the session of who asks.
    #[oai(path = "/session", method = "get", operation_id = "retrieve_session")]
    async fn session(&self, admin: LoggedIn) -> Json<CurrentSession> {
        Json(CurrentSession::of(&admin.0))
    }

    /// Give the password again: what only its owner may do is open for five minutes.
    #[oai(path = "/session/confirm", method = "post", operation_id = "confirm_session")]
    async fn confirm(
        &self,
        state: Data<&AppState>,
        request: &Request,
        admin: LoggedIn,
        body: JsonBody<Confirmation>,
    ) -> Result<Json<CurrentSession>, ApiError> {
        let session = admin.0.session()?.clone();
        let password = SecretString::from(body.0.password);
        Box::pin(prove(&state, request, &session, password)).await?;
        let tx = begin_write(&state.db).await?;
        let now = clock::read(&*tx).await?;
        admin_session::touch(&*tx, session.id, now, true).await?;
        audit::insert(&*tx, &admin.0.note("session.confirm", session.id.to_string(), json!({}))).await?;
        tx.commit().await?;
        let mut shown = CurrentSession::of(&admin.0);
        shown.confirmed_until_ms = Some(now + CONFIRMED_MS);
        Ok(Json(shown))
    }

    /// Choose another password. All sessions end; a new one begins, whose token is in the answer or in its cookie.
    #[oai(path = "/password", method = "post", operation_id = "change_password")]
    async fn change_password(
        &self,
        state: Data<&AppState>,
        request: &Request,
        admin: LoggedIn,
        body: JsonBody<PasswordChange>,
    ) -> Result<Response<Json<LoginResult>>, ApiError> {
        let session = admin.0.session()?.clone();
        let new = SecretString::from(body.0.new_password);
        password::check(&new, &session.admin).map_err(unfit)?;
        let current = SecretString::from(body.0.current_password);
        let who = Box::pin(prove(&state, request, &session, current)).await?;
        let hash = password::hash(new).await?;
        let wants_cookie = matches!(&admin.0.proof, Proof::Session { csrf: Some(_), .. });
        let visit = Visit::of(request, &state, wants_cookie);
        let tx = begin_write(&state.db).await?;
        let now = clock::read(&*tx).await?;
        if !admin::set_password(&*tx, &who.name, &who.password_hash, (hash, false), now).await? {
            return Err(changed_meanwhile());
        }
        admin_session::delete_others(&*tx, &who.name, None).await?;
        audit::insert(&*tx, &admin.0.note("password.change", who.name.clone(), json!({}))).await?;
        let who = admin::Model { must_change: false, ..who };
        let answer = Box::pin(open(&*tx, &state, &visit, &who, "login.again")).await?;
        tx.commit().await?;
        state.kept().await?;
        Ok(answer)
    }
}

/// Lets only those pass who know the password.
///
/// # Errors
/// 400 `WRONG_PASSWORD`, 429.
async fn prove(
    state: &AppState,
    request: &Request,
    session: &Session,
    password: SecretString,
) -> Result<admin::Model, ApiError> {
    let visit = Visit::of(request, state, false);
    let attempt = attempt(state, &visit, &session.admin).await?;
    let who = admin::find(&state.db, &session.admin).await?;
    if !is_right(password, who.as_ref()).await? {
        failed(state, request, &session.admin).await?;
        return Err(ApiError::invalid("current_password", "WRONG_PASSWORD", "The password is wrong."));
    }
    let tx = begin_write(&state.db).await?;
    attempt.give_back(&*tx).await?;
    tx.commit().await?;
    state.access.limits.forget(&attempt);
    who.ok_or_else(ApiError::internal)
}

fn unfit(fault: Unfit) -> ApiError {
    ApiError::invalid("new_password", "PASSWORD_UNFIT", format!("{fault}."))
}

fn changed_meanwhile() -> ApiError {
    let message = "The password was changed by somebody else at the same time; log in again.";
    ApiError::new(StatusCode::CONFLICT, "invalid_request_error", "PASSWORD_CHANGED", message)
}

impl CurrentSession {
    fn of(admin: &Admin) -> Self {
        match &admin.proof {
            Proof::Token => Self {
                username: None,
                id: None,
                must_change_password: false,
                csrf_token: None,
                expires_at_ms: None,
                confirmed_until_ms: None,
            },
            Proof::Session { session, csrf } => Self {
                username: Some(session.admin.clone()),
                id: Some(session.id.to_string()),
                must_change_password: session.must_change,
                csrf_token: csrf.clone(),
                expires_at_ms: Some(session.created_at + LONGEST_MS),
                confirmed_until_ms: session.confirmed_at.filter(|_| session.is_confirmed()).map(|at| at + CONFIRMED_MS),
            },
        }
    }
}
