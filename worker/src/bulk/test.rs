//! Tests of many accounts, one after the other.

use grok2api_entity::account;
use grok2api_gateway::Probed;
use grok2api_queue::{Claimed, now_ms};

use super::BulkWork;
use super::pieces::{Piece, Report};
use crate::round::Round;

/// What became of a piece.
pub(super) enum Tested {
    /// It was asked about, or the beginning of it.
    Piece(Report),
    /// This process goes down.
    Draining,
    /// It is not the accounts that are at fault.
    Trouble,
}

impl BulkWork {
    /// Asks about the accounts of a piece, and tells others what was learnt.
    pub(super) async fn test(&self, job: &Claimed, piece: &Piece) -> Tested {
        let mut round = Round::default();
        let mut failures = Vec::new();
        let mut done = 0;
        for (place, item) in piece.items.iter().enumerate() {
            if round.asked > 0 && !self.shop.pause(job).await {
                break;
            }
            let budget = item.account.and_then(|id| Some((id, self.shop.gateway.budgets_of(id).into_iter().next()?)));
            let found = match budget {
                None => Probed::Unknown,
                Some((account, budget)) => match self.shop.ask(job, account, &budget).await {
                    Some(found) => found,
                    None => break,
                },
            };
            round.asked += 1;
            round.note(found);
            if let Some(why) = failure(found) {
                failures.push((place, why));
            }
            done = place + 1;
            if round.is_in_vain() {
                return Tested::Trouble;
            }
        }
        if done == 0 {
            return Tested::Draining;
        }
        let asked: Vec<_> = piece.items[..done].iter().filter_map(|item| item.account).collect();
        let told = account::mark_tested(job.jobs().db(), &asked, now_ms()).await;
        if let Err(error) = told.and(self.shop.conclude(job, round).await) {
            tracing::debug!(error = %error, "what was learnt about accounts is written down later");
        }
        Tested::Piece(Report::tested(piece, done, failures))
    }
}

fn failure(found: Probed) -> Option<String> {
    Some(match found {
        Probed::Answered { .. } | Probed::Limited => return None,
        Probed::Refused { expired: true } => "The credential was refused again: the account is expired.".to_owned(),
        Probed::Refused { expired: false } => "The credential was refused.".to_owned(),
        Probed::Inconclusive(kind) => format!("The account could not be asked about: {}.", kind.as_str()),
        Probed::Unknown => "There is no such account, or its secret cannot be opened.".to_owned(),
    })
}
