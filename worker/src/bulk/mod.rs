//! Work on many accounts at once, piece by piece.
//!
//! Each piece is one commit: what became of its accounts, how far the work is, and what of it failed. So whoever goes on
//! after a restart begins with the next account, and nothing is done twice.

mod import;
mod pieces;
mod test;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use grok2api_entity::failure::Code;
use grok2api_entity::job::{Kind, Step};
use grok2api_entity::{bulk, bulk_item};
use grok2api_queue::bulk::BulkParams;
use grok2api_queue::{Claimed, End, Failure, Handler, Lost};
use sea_orm::{DbErr, EntityTrait};
use uuid::Uuid;

use crate::Workshop;
use crate::outcome::{again, failed};
use pieces::{Piece, Report};

/// How often a copy that cannot be made is tried again.
const KEPT_EVERY: Duration = Duration::from_secs(1);

/// Why a piece was not finished.
pub(crate) enum Cut {
    /// The job is another's.
    Lost,
    /// The database does not answer.
    Database(DbErr),
}

impl From<DbErr> for Cut {
    fn from(error: DbErr) -> Self {
        Self::Database(error)
    }
}

impl From<Lost> for Cut {
    fn from(_: Lost) -> Self {
        Self::Lost
    }
}

/// Carries out bulk work of every kind.
pub(crate) struct BulkWork {
    shop: Arc<Workshop>,
}

impl BulkWork {
    pub(crate) fn new(shop: Arc<Workshop>) -> Self {
        Self { shop }
    }

    async fn work(&self, job: &mut Claimed) -> Result<End, Cut> {
        let broken = || failed(Code::InternalError, "The work's records are incomplete.");
        let Some(mut row) = bulk::Entity::find_by_id(job.row().id).one(job.jobs().db()).await? else {
            return Ok(broken());
        };
        let Ok(params) = serde_json::from_str::<BulkParams>(&row.params) else { return Ok(broken()) };
        loop {
            if job.can_be_passed_on() {
                return Ok(End::HandOver);
            }
            let piece = Piece::next(job, &row, &params).await?;
            if piece.is_empty() {
                if !self.kept(job).await {
                    return Ok(End::HandOver);
                }
                pieces::finish(job, row.id, row.kind).await?;
                self.shop.conclude(job, crate::round::Round::default()).await?;
                return Ok(End::Completed);
            }
            let report = match row.kind {
                Kind::BulkTest => match self.test(job, &piece).await {
                    test::Tested::Piece(report) => report,
                    test::Tested::Draining => return Ok(End::HandOver),
                    test::Tested::Trouble => {
                        let failure = Failure::new(Code::UpstreamError, "The upstream cannot be asked about accounts.");
                        return Ok(again(job.row(), Step::Start, failure));
                    }
                },
                Kind::BulkImport => self.import(&piece, &params),
                Kind::BulkDelete => Report::deleting(&piece),
                Kind::BulkEnable => Report::switching(&piece, false),
                Kind::BulkDisable => Report::switching(&piece, true),
                _ => Report::tagging(&piece, &params),
            };
            row = pieces::write(job, row, report).await?;
        }
    }
}

impl BulkWork {
    /// Waits until the accounts are also where they must be: only then is the work done. `false` when this process goes
    /// down meanwhile.
    async fn kept(&self, job: &Claimed) -> bool {
        let Some(keeper) = &self.shop.keeper else { return true };
        let mut told = false;
        while let Err(error) = keeper.caught_up().await {
            if !told {
                told = true;
                let because = error.0.to_string();
                tracing::warn!(job_id = %job.row().id, because, "bulk work is carried out, and waits for its copy in Redis");
            }
            tokio::select! {
                () = tokio::time::sleep(KEPT_EVERY) => {}
                () = job.draining().cancelled() => return false,
            }
        }
        true
    }
}

#[async_trait]
impl Handler for BulkWork {
    async fn run(&self, job: &mut Claimed) -> Result<End, Lost> {
        match self.work(job).await {
            Ok(end) => Ok(end),
            Err(Cut::Lost) => Err(Lost),
            Err(Cut::Database(error)) => {
                tracing::warn!(error = %error, "bulk work could not go on");
                let failure = Failure::new(Code::InternalError, "The records cannot be reached.");
                Ok(again(job.row(), Step::Start, failure))
            }
        }
    }
}

/// One account of a piece.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    /// Its place among those that were named; 0 where accounts are taken by a filter.
    pub(crate) number: i64,
    pub(crate) account: Option<Uuid>,
    pub(crate) secret: Option<String>,
}

impl From<bulk_item::Model> for Item {
    fn from(item: bulk_item::Model) -> Self {
        Self { number: item.number, account: item.account_id, secret: item.secret }
    }
}
