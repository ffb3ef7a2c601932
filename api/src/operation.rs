//! Health, readiness and metrics: for those who run the gateway.

use std::time::Duration;

use poem::Request;
use poem::http::header;
use poem::web::Data;
use poem_openapi::payload::{Json, PlainText};
use poem_openapi::{ApiResponse, Object, OpenApi};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::client_address;
use crate::error::ApiError;
use crate::state::AppState;
use crate::tags::Tag;

/// How long the readiness check waits for the database.
const DB_TIMEOUT: Duration = Duration::from_secs(1);

/// Health, readiness, metrics.
pub(crate) struct OperationApi;

/// `/`
#[derive(Debug, Default, Object)]
#[oai(read_only_all)]
pub(crate) struct Welcome {
    /// `Grok2API`
    pub service: String,
    /// Where OpenAI clients find the API, relative to this address.
    pub openai_base_url: String,
    /// Where this API is documented.
    pub documentation: String,
}

/// Who asks `/`.
#[derive(ApiResponse)]
pub(crate) enum WelcomeAnswer {
    /// A program: it is told what lives here.
    #[oai(status = 200)]
    Greeting(Json<Welcome>),
    /// A browser, which accepts `text/html`: the console is at another address.
    #[oai(status = 307)]
    Console(#[oai(header = "Location")] String),
}

/// `/health`, as the gateway's old clients know it.
#[derive(Debug, Default, Object)]
#[oai(read_only_all)]
pub(crate) struct Health {
    /// `healthy`
    pub status: String,
    /// `Grok2API`
    pub service: String,
    /// Version of the program.
    pub version: String,
}

/// `/healthz`
#[derive(Debug, Default, Object)]
#[oai(read_only_all)]
pub(crate) struct Alive {
    /// `ok`
    pub status: String,
}

/// `/readyz`
#[derive(Debug, Default, Object)]
#[oai(read_only_all)]
pub struct Readiness {
    /// `ready`, `degraded` (it runs, but something needs the operator), or `unready`.
    pub status: String,
    /// What was looked at.
    pub checks: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Debug, Default, Object)]
#[oai(read_only_all)]
pub struct Check {
    /// `database`, `accounts`, `client_key` or `serving`.
    pub name: String,
    /// `ok`, `degraded` or `failed`.
    pub status: String,
    /// What to do, if something is to be done.
    pub hint: String,
    /// How long the look took.
    pub latency_ms: f64,
}

/// Whether this process should get traffic.
#[derive(ApiResponse)]
pub enum ReadinessAnswer {
    /// It should.
    #[oai(status = 200)]
    Ready(Json<Readiness>),
    /// It should not: it is going down or cannot reach its database.
    #[oai(status = 503)]
    Unready(Json<Readiness>),
}

#[OpenApi(tag = "Tag::Operation")]
impl OperationApi {
    /// Say what lives here; a browser is sent to the console.
    #[oai(path = "/", method = "get", operation_id = "welcome")]
    async fn welcome(&self, state: Data<&AppState>, request: &Request) -> WelcomeAnswer {
        let wanted = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if state.serves && wanted.contains("text/html") {
            return WelcomeAnswer::Console("/login".to_owned());
        }
        WelcomeAnswer::Greeting(Json(Welcome {
            service: "Grok2API".to_owned(),
            openai_base_url: "/v1".to_owned(),
            documentation: "/docs".to_owned(),
        }))
    }

    /// Say that something lives here: some clients look before they speak.
    #[oai(path = "/", method = "head", operation_id = "welcome_head")]
    async fn welcome_head(&self) {}

    /// Tell that the service is there.
    #[oai(path = "/health", method = "get", operation_id = "health")]
    async fn health(&self) -> Json<Health> {
        Json(Health {
            status: "healthy".to_owned(),
            service: "Grok2API".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }

    /// Tell that the process is alive.
    #[oai(path = "/healthz", method = "get", operation_id = "healthz")]
    async fn healthz(&self) -> Json<Alive> {
        Json(Alive { status: "ok".to_owned() })
    }

    /// Tell whether this process should get traffic.
    #[oai(path = "/readyz", method = "get", operation_id = "readyz")]
    async fn readyz(&self, state: Data<&AppState>) -> ReadinessAnswer {
        let mut checks = vec![serving(&state), database(&state).await];
        if state.serves {
            checks.extend([accounts(&state), client_key(&state)]);
        }
        let has = |status: &str| checks.iter().any(|check| check.status == status);
        if has("failed") {
            return ReadinessAnswer::Unready(Json(Readiness { status: "unready".to_owned(), checks }));
        }
        let status = if has("degraded") { "degraded" } else { "ready" };
        ReadinessAnswer::Ready(Json(Readiness { status: status.to_owned(), checks }))
    }

    /// Read the metrics, in Prometheus' text format.
    ///
    /// From this machine, or with the metrics token as bearer.
    #[oai(path = "/metrics", method = "get", operation_id = "metrics")]
    async fn metrics(&self, state: Data<&AppState>, request: &Request) -> Result<PlainText<String>, ApiError> {
        if !may_read_metrics(&state, request) {
            return Err(ApiError::unauthorized("Metrics are for this machine, or for bearers of the metrics token."));
        }
        let Some(metrics) = &state.metrics else { return Ok(PlainText(String::new())) };
        crate::gauges::update(&state).await;
        Ok(PlainText(metrics.render()))
    }
}

fn may_read_metrics(state: &AppState, request: &Request) -> bool {
    if let Some(token) = &state.metrics_token {
        let sent = request
            .headers()
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .unwrap_or("");
        return Sha256::digest(sent.as_bytes()) == Sha256::digest(token.expose_secret().as_bytes());
    }
    // A proxy on this machine passes on requests of others and says so.
    let is_passed_on = request.headers().contains_key("x-forwarded-for") || request.headers().contains_key("forwarded");
    !is_passed_on && client_address::of(request).is_loopback()
}

fn check(name: &str, status: &str, hint: &str, latency: Duration) -> Check {
    Check {
        name: name.to_owned(),
        status: status.to_owned(),
        hint: hint.to_owned(),
        latency_ms: (latency.as_secs_f64() * 10_000.0).round() / 10.0,
    }
}

fn serving(state: &AppState) -> Check {
    if state.is_draining() {
        check("serving", "failed", "The process is going down.", Duration::ZERO)
    } else {
        check("serving", "ok", "", Duration::ZERO)
    }
}

async fn database(state: &AppState) -> Check {
    let began = Instant::now();
    let answer = tokio::time::timeout(DB_TIMEOUT, state.db.ping()).await;
    match answer {
        Ok(Ok(())) => check("database", "ok", "", began.elapsed()),
        Ok(Err(_)) | Err(_) => check("database", "failed", "The database does not answer.", began.elapsed()),
    }
}

fn accounts(state: &AppState) -> Check {
    let census = state.gateway.pool().state().census();
    let (status, hint) = match (census.total(), census.active) {
        (0, _) => ("degraded", "The pool is empty: `grok2api token add`."),
        (_, 0) => ("degraded", "No account is in service: `grok2api token list`."),
        _ => ("ok", ""),
    };
    check("accounts", status, hint, Duration::ZERO)
}

fn client_key(state: &AppState) -> Check {
    if state.keys.any(&state.gateway.settings().load()) {
        check("client_key", "ok", "", Duration::ZERO)
    } else {
        check("client_key", "degraded", "Nobody can get in: `grok2api key create`.", Duration::ZERO)
    }
}
