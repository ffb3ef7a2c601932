//! `/api/stats`: how many accounts there are, and how they stand.

use std::time::Duration;

use grok2api_entity::account::{self, Tally};
use grok2api_entity::clock;
use grok2api_gateway::pool::persist;
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use sea_orm::{DatabaseConnection, DbErr};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::failure::Operation;
use crate::access::Admin;
use crate::error::ApiError;
use crate::state::AppState;
use crate::tags::Tag;

/// How long counts are good while no account came or went. The pool itself writes down what it learns every two
/// seconds.
const FRESH: Duration = Duration::from_secs(1);

/// How many accounts there are.
pub(crate) struct StatsApi;

/// The counts of a moment ago.
#[derive(Debug, Default)]
pub(crate) struct StatsMemo(Mutex<Option<Counted>>);

#[derive(Debug, Clone)]
struct Counted {
    at: Instant,
    version: Option<String>,
    basic: Tally,
    paying: Tally,
}

/// How many accounts there are, and how they stand.
#[derive(Debug, Default, Object)]
#[oai(read_only_all)]
struct StatsAnswer {
    /// `true`
    success: bool,
    /// The answer.
    data: Stats,
}

/// How many accounts there are, by kind.
#[derive(Debug, Default, Object)]
#[oai(read_only_all)]
struct Stats {
    /// Free accounts, `sso`.
    normal: Counts,
    /// Super accounts, `ssoSuper`.
    #[oai(rename = "super")]
    paying: Counts,
    /// All of them.
    total: u64,
}

/// How the accounts of a kind stand: each is counted once.
#[derive(Debug, Default, Object)]
#[oai(read_only_all)]
struct Counts {
    /// All of them.
    total: u64,
    /// In service, and nothing of their budgets is known yet.
    unused: u64,
    /// They have nothing left, or rest.
    limited: u64,
    /// The upstream refuses them, or the operator switched them off.
    expired: u64,
    /// In service, with something left.
    active: u64,
}

#[OpenApi(prefix_path = "/api", tag = "Tag::Management")]
impl StatsApi {
    /// Count the accounts by kind and state.
    #[oai(path = "/stats", method = "get", operation_id = "get_stats")]
    async fn stats(&self, state: Data<&AppState>, _admin: Admin) -> Result<Json<StatsAnswer>, ApiError> {
        let counted = state.stats.read(&state.db).await.map_err(|error| Operation::STATS.failed(error))?;
        let (normal, paying) = (Counts::from(counted.basic), Counts::from(counted.paying));
        let total = normal.total + paying.total;
        Ok(Json(StatsAnswer { success: true, data: Stats { normal, paying, total } }))
    }
}

impl StatsMemo {
    /// The counts; those who ask at the same time wait for one count.
    async fn read(&self, db: &DatabaseConnection) -> Result<Counted, DbErr> {
        let mut memo = self.0.lock().await;
        let version = persist::version(db).await?;
        if let Some(known) = memo.as_ref().filter(|known| known.at.elapsed() < FRESH && known.version == version) {
            return Ok(known.clone());
        }
        let at = Instant::now();
        let (basic, paying) = account::tally(db, clock::read(db).await?).await?;
        Ok(memo.insert(Counted { at, version, basic, paying }).clone())
    }
}

impl From<Tally> for Counts {
    fn from(tally: Tally) -> Self {
        Self {
            total: tally.total(),
            unused: tally.unused,
            limited: tally.limited,
            expired: tally.invalid,
            active: tally.active,
        }
    }
}
