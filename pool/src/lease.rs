//! One running call on one account, which gives itself back.

use std::sync::Arc;

use secrecy::SecretString;

use crate::account::AccountId;
use crate::outcome::{Aftermath, Outcome};
use crate::state::PoolState;
use crate::want::{BudgetIx, Grant};

/// A reserved account. Dropping it ends the call as abandoned, so that no path can forget to.
pub struct Lease {
    state: Arc<dyn PoolState>,
    grant: Grant,
    credential: SecretString,
    spent: bool,
    settled: bool,
}

impl Lease {
    pub(crate) fn new(state: Arc<dyn PoolState>, grant: Grant, credential: SecretString) -> Self {
        Self { state, grant, credential, spent: false, settled: false }
    }

    pub(crate) fn with_credential(mut self, credential: SecretString) -> Self {
        self.credential = credential;
        self
    }

    /// The account's secret as it is stored.
    pub(crate) fn sealed(&self) -> &Arc<str> {
        &self.grant.sealed
    }

    /// Row id of the account.
    pub fn account(&self) -> AccountId {
        self.grant.account
    }

    /// Budget that the call draws on.
    pub fn budget(&self) -> BudgetIx {
        self.grant.budget
    }

    /// The account's secret.
    pub fn credential(&self) -> &SecretString {
        &self.credential
    }

    /// Notes that the upstream accepted the call, so that it counts even if it is abandoned now.
    pub fn mark_spent(&mut self) {
        self.spent = true;
    }

    /// Whether the upstream accepted the call.
    pub fn is_spent(&self) -> bool {
        self.spent
    }

    /// Ends the call.
    pub fn settle(mut self, outcome: &Outcome) -> Aftermath {
        self.settled = true;
        self.state.settle(&self.grant, outcome)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.settled {
            self.state.settle(&self.grant, &Outcome::Abandoned { spent: self.spent });
        }
    }
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lease")
            .field("account", &self.grant.account)
            .field("spent", &self.spent)
            .finish_non_exhaustive()
    }
}
