//! A question about one account, asked because somebody wants to know and not because a call failed.

use std::time::Duration;

use grok2api_config::Tier;
use grok2api_pool::{AccountId, BudgetIx, Status};
use grok2api_upstream::error::{AccountEffect, ErrorKind};

use crate::gateway::Gateway;
use crate::verify::reading;

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a question found. What it says about the account is in the pool already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probed {
    /// The upstream answered.
    Answered {
        /// Whether the account came back into service by it.
        revived: bool,
    },
    /// The credential was refused.
    Refused {
        /// Whether that condemned the account: one refusal alone does not.
        expired: bool,
    },
    /// The account asks too much. It lives.
    Limited,
    /// Nothing is known about the account: the network, the egress address or the upstream is at fault.
    Inconclusive(ErrorKind),
    /// The pool does not know the account, or its secret cannot be opened.
    Unknown,
}

impl Gateway {
    /// The budgets that an account's tier may use: by number, and as the upstream calls them. That of the model which
    /// people test with comes first.
    pub fn budgets_of(&self, account: AccountId) -> Vec<(BudgetIx, String)> {
        let Some((seed, _)) = self.pool().state().inspect(account) else { return Vec::new() };
        self.budgets_for(seed.tier)
    }

    fn budgets_for(&self, tier: Tier) -> Vec<(BudgetIx, String)> {
        let usable = |budget: &str| self.models().iter().any(|row| row.rate_limit_model == budget && row.tier <= tier);
        let all = self.models().budgets().into_iter().zip(0_u8..);
        let mut usable: Vec<_> = all
            .filter(|(budget, _)| usable(budget))
            .map(|(budget, number)| (BudgetIx(number), budget.to_owned()))
            .collect();
        // A small answer that every account may ask for.
        usable.sort_by_key(|(number, budget)| (!budget.contains("mini"), number.0));
        usable
    }

    /// Asks the upstream what an account may still do with one of its budgets, which costs nothing, and tells the pool.
    ///
    /// An answer ends a pause and revives a condemned account. A refusal makes a suspect of the account or, if it is one
    /// already, condemns it. Whatever may lie at the egress address or the upstream says nothing about the account.
    pub async fn probe(&self, account: AccountId, budget: &(BudgetIx, String)) -> Probed {
        let state = self.pool().state();
        let Some(before) = state.status(account) else { return Probed::Unknown };
        let Some(credential) = self.pool().credential(account) else { return Probed::Unknown };
        let settings = self.settings().snapshot();
        let asked = self.upstream().rate_limits(&credential, &budget.1, &settings);
        let Ok(answer) = tokio::time::timeout(PATIENCE, asked).await else {
            return Probed::Inconclusive(ErrorKind::Timeout);
        };
        match answer {
            Ok(limits) => {
                state.record_test(account, true, "");
                if let Some(reading) = reading(&limits) {
                    state.record_reading(account, budget.0, reading);
                }
                Probed::Answered { revived: matches!(before, Status::Cooling { .. } | Status::Expired { .. }) }
            }
            Err(error) => match error.account {
                AccountEffect::Count401 | AccountEffect::InvalidNow => {
                    let after = state.record_test(account, false, &format!("refused in a test: {}", error.message));
                    if after.expired {
                        metrics::counter!("grok2api_accounts_expired_total").increment(1);
                    }
                    Probed::Refused { expired: after.expired }
                }
                AccountEffect::CoolForModel => Probed::Limited,
                AccountEffect::None | AccountEffect::Strike | AccountEffect::NoModelAccess => {
                    Probed::Inconclusive(error.kind)
                }
            },
        }
    }
}
