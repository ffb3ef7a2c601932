//! Readings of budgets that should be full again.

use std::sync::Arc;

use async_trait::async_trait;
use grok2api_entity::account;
use grok2api_entity::failure::Code;
use grok2api_entity::job::Step;
use grok2api_gateway::Probed;
use grok2api_pool::AccountId;
use grok2api_queue::{Claimed, End, Failure, Handler, Lost};
use sea_orm::DbErr;

use crate::Workshop;
use crate::outcome::again;
use crate::round::Round;

/// A budget that is not full when it should be, or of which nobody knows when it will be, is read again after this time,
/// in milliseconds.
const AGAIN_MS: i64 = 30 * 60_000;

/// Reads budgets.
pub(crate) struct QuotaReset {
    shop: Arc<Workshop>,
}

impl QuotaReset {
    pub(crate) fn new(shop: Arc<Workshop>) -> Self {
        Self { shop }
    }

    async fn work(&self, job: &Claimed) -> Result<End, DbErr> {
        let (settings, now) = self.shop.terms(job).await?;
        let db = job.jobs().db();
        let due = account::with_budgets_to_read(db, now, now - AGAIN_MS, settings.health.batch).await?;
        let mut round = Round::default();
        let mut end = End::Completed;
        for account in due {
            if !self.read_all(job, account, &mut round).await {
                end = End::HandOver;
                break;
            }
            account::mark_quota_asked(db, &[account], now).await?;
            if round.is_in_vain() {
                tracing::warn!("budgets cannot be read at the moment: the network or the egress address is at fault");
                break;
            }
        }
        self.shop.conclude(job, round).await?;
        Ok(end)
    }

    /// Reads every budget that the account has; `false` when this process goes down.
    async fn read_all(&self, job: &Claimed, account: AccountId, round: &mut Round) -> bool {
        for budget in self.shop.gateway.budgets_of(account) {
            if job.draining().is_cancelled() || (round.asked > 0 && !self.shop.pause(job).await) {
                return false;
            }
            round.asked += 1;
            let Some(found) = self.shop.ask(job, account, &budget).await else { return false };
            round.note(found);
            if matches!(found, Probed::Refused { .. } | Probed::Unknown) || round.is_in_vain() {
                break;
            }
        }
        true
    }
}

#[async_trait]
impl Handler for QuotaReset {
    async fn run(&self, job: &mut Claimed) -> Result<End, Lost> {
        Ok(self.work(job).await.unwrap_or_else(|error| {
            tracing::warn!(error = %error, "budgets could not be read");
            again(job.row(), Step::Start, Failure::new(Code::InternalError, "The records cannot be reached."))
        }))
    }
}
