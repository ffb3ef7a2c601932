//! A round of questions about accounts: one after the other, with pauses, until enough of them come to nothing.

use std::time::Duration;

use grok2api_config::Settings;
use grok2api_entity::clock;
use grok2api_entity::connect::begin_write;
use grok2api_gateway::Probed;
use grok2api_pool::{AccountId, BudgetIx, Clock, persist};
use grok2api_queue::Claimed;
use rand::Rng;
use sea_orm::DbErr;

use crate::Workshop;

/// Questions in a row that say nothing of the account before the round ends: the fault is at the exit.
const TROUBLES: u32 = 3;
/// Pause between two questions, at random, in milliseconds.
const PAUSE_MS: std::ops::Range<u64> = 50..350;

/// How far a round has come.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Round {
    /// Accounts asked about.
    pub(crate) asked: u32,
    /// Whether something was learnt that others must hear of: an account was condemned or came back.
    pub(crate) changed: bool,
    troubles: u32,
}

impl Round {
    /// Takes down what a question found.
    pub(crate) fn note(&mut self, found: Probed) {
        metrics::counter!("grok2api_account_tests_total", "outcome" => outcome(found)).increment(1);
        self.changed |= matches!(found, Probed::Answered { revived: true } | Probed::Refused { .. });
        match found {
            Probed::Answered { .. } | Probed::Refused { .. } | Probed::Limited => self.troubles = 0,
            Probed::Inconclusive(_) => self.troubles += 1,
            Probed::Unknown => {}
        }
    }

    /// Whether to ask no more: it is not the accounts that are at fault.
    pub(crate) fn is_in_vain(&self) -> bool {
        self.troubles >= TROUBLES
    }
}

fn outcome(found: Probed) -> &'static str {
    match found {
        Probed::Answered { revived: true } => "revived",
        Probed::Answered { revived: false } => "valid",
        Probed::Refused { expired: true } => "expired",
        Probed::Refused { expired: false } => "suspect",
        Probed::Limited => "limited",
        Probed::Inconclusive(_) => "inconclusive",
        Probed::Unknown => "unknown",
    }
}

impl Workshop {
    /// Waits a moment between two questions; `false` when this process goes down.
    pub(crate) async fn pause(&self, job: &Claimed) -> bool {
        if matches!(self.clock, Clock::Manual(_)) {
            return true;
        }
        let pause = Duration::from_millis(rand::rng().random_range(PAUSE_MS));
        tokio::select! {
            () = tokio::time::sleep(pause) => true,
            () = job.draining().cancelled() => false,
        }
    }

    /// Asks about one budget of an account; `None` when this process goes down meanwhile.
    pub(crate) async fn ask(&self, job: &Claimed, account: AccountId, budget: &(BudgetIx, String)) -> Option<Probed> {
        let found = tokio::select! {
            found = self.gateway.probe(account, budget) => found,
            () = job.draining().cancelled() => return None,
        };
        if let Probed::Inconclusive(kind) = found {
            tracing::debug!(account_id = %account, kind = kind.as_str(), "the account could not be tested");
        }
        Some(found)
    }

    /// Writes down what was learnt and, where other processes answer clients, lets them know.
    ///
    /// # Errors
    /// The database refuses: the pool writes it down later.
    pub(crate) async fn conclude(&self, job: &Claimed, round: Round) -> Result<(), DbErr> {
        let db = job.jobs().db();
        persist::flush(db, &**self.gateway.pool().state(), &self.clock).await?;
        if round.changed && self.tells_others {
            let tx = begin_write(db).await?;
            persist::announce_change(&*tx).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// The settings of the moment and what time it is, in Unix milliseconds.
    ///
    /// # Errors
    /// The database does not answer.
    pub(crate) async fn terms(&self, job: &Claimed) -> Result<(std::sync::Arc<Settings>, i64), DbErr> {
        let now = match &self.clock {
            Clock::System => clock::read(job.jobs().db()).await?,
            Clock::Manual(_) => self.clock.now_ms(),
        };
        Ok((self.gateway.settings().snapshot(), now))
    }
}
