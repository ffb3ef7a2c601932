//! A test of one account that an operator asked for: one question, and what the answer means for its row.
//!
//! A question that the program asks by itself is a [`Probed`](crate::Probed): there, one refusal condemns nobody.

mod judge;

use std::time::Duration;

use grok2api_config::{ModelSpec, Settings, Vault};
use grok2api_entity::account::{self, Model};
use grok2api_entity::account_budget;
use grok2api_pool::pool::open_credential;
use grok2api_pool::{Clock, persist};
use grok2api_upstream::client::GrokWeb;
use grok2api_upstream::error::{ErrorKind, UpstreamError};
use sea_orm::{ConnectionTrait, DbErr};

pub use judge::{Finding, Verdict};

use crate::gateway::Gateway;

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The model whose budget is asked for: a small answer that every account may ask for.
const USUAL_MODEL: &str = "grok-4-fast";

/// The account's secret cannot be opened with the keys at hand; its row is left as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret of account {0} cannot be opened; its row is left as it is")]
pub struct Sealed(pub uuid::Uuid);

/// Asks the upstream what accounts may still do.
#[derive(Clone, Copy)]
pub struct Examiner<'a> {
    /// Opens the accounts' secrets.
    pub vault: &'a Vault,
    /// Is asked.
    pub upstream: &'a GrokWeb,
    /// Settings of the moment.
    pub settings: &'a Settings,
    /// The model whose budget is asked for.
    pub model: &'a ModelSpec,
}

impl Examiner<'_> {
    /// Asks about one account, which costs nothing of it, and judges the answer. Nothing is written down yet.
    ///
    /// # Errors
    /// [`Sealed`]: nobody was asked.
    pub async fn examine(&self, account: &Model) -> Result<Finding, Sealed> {
        let credential = open_credential(self.vault, account.id, &account.secret).ok_or(Sealed(account.id))?;
        let asked = self.upstream.rate_limits(&credential, &self.model.rate_limit_model, self.settings);
        let late = |_| Err(UpstreamError::new(ErrorKind::Timeout, "The upstream did not answer in time."));
        let answer = tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(late);
        Ok(judge::judge(account, self.model, answer, Clock::System.now_ms()))
    }
}

/// Writes down what was found out about an account, and tells running processes if its status changed.
///
/// # Errors
/// When the database refuses; give it a transaction, so that then nothing has changed.
pub async fn write_down(work: &impl ConnectionTrait, account: &Model, finding: &Finding) -> Result<(), DbErr> {
    if finding.verdict != Verdict::Unknown {
        account::mark_tested(work, &[account.id], Clock::System.now_ms()).await?;
    }
    if let Some(state) = &finding.state {
        account::record_states(work, std::slice::from_ref(state)).await?;
        if state.status != account.status {
            persist::announce_change(work).await?;
        }
    }
    if let Some(budget) = &finding.budget {
        account_budget::record(work, std::slice::from_ref(budget)).await?;
    }
    Ok(())
}

impl Gateway {
    /// Asks about one account as [`Examiner::examine`] does, by the model that people test with. At most two such
    /// questions run at once.
    ///
    /// # Errors
    /// [`Sealed`]: nobody was asked.
    pub async fn examine(&self, account: &Model) -> Result<Finding, Sealed> {
        let any = || self.models().iter().find(|model| model.tier == grok2api_config::Tier::Basic);
        let model = self.models().get(USUAL_MODEL).or_else(any).ok_or(Sealed(account.id))?;
        let _permit = self.inner.probes.acquire().await;
        let settings = self.settings().snapshot();
        let (vault, upstream) = (self.pool().vault(), self.upstream());
        Examiner { vault, upstream, settings: &settings, model }.examine(account).await
    }

    /// Lets the pool of this process know at once what was found out and written down about an account.
    pub fn heed(&self, account: &Model, finding: &Finding) {
        let state = self.pool().state();
        persist::take_over(&**state, account.id, finding.state.as_ref(), finding.budget.as_ref());
    }
}
