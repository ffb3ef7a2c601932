//! One request served: model, account, upstream, events. The only place that tries again.

use std::sync::Arc;
use std::time::Duration;

use grok2api_config::{ModelSpec, ModelTable, Settings, SettingsHandle};
use grok2api_pool::{BudgetIx, Lease, Pool, PoolError, ReserveError, Want};
use grok2api_upstream::client::GrokWeb;
use grok2api_upstream::codec::{DecoderOptions, HiddenElements};
use grok2api_upstream::error::{Delivery, ErrorKind, UpstreamError};
use grok2api_upstream::event::EventSink;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::attempt::{self, Attempted};
use crate::chain::Chain;
use crate::error::GatewayError;
use crate::prepare::Prepared;
use crate::retry::{Next, Retries, RetryBudget};
use crate::stream::{ChatStream, Facts};
use crate::submission::{Paid, Stopped, Submission};

/// Background questions about accounts that run at the same time.
const PROBES: usize = 2;

/// Serves chat requests from the pool. Clones share everything.
#[derive(Clone)]
pub struct Gateway {
    pub(crate) inner: Arc<Inner>,
}

/// What all requests share.
pub(crate) struct Inner {
    pub(crate) models: Models,
    pub(crate) pool: Arc<Pool>,
    pub(crate) upstream: GrokWeb,
    pub(crate) settings: SettingsHandle,
    pub(crate) probes: Arc<Semaphore>,
    pub(crate) tasks: TaskTracker,
    pub(crate) shutdown: CancellationToken,
    retry_budget: RetryBudget,
    hidden: Mutex<(String, Arc<HiddenElements>)>,
    max_line_bytes: usize,
    asset_hosts: Arc<[Box<str>]>,
}

/// The model table with its budgets numbered as in the pool.
pub(crate) struct Models {
    table: Arc<ModelTable>,
    budgets: Vec<String>,
}

impl Models {
    fn new(table: Arc<ModelTable>) -> Self {
        let budgets = table.budgets().into_iter().map(str::to_owned).collect();
        Self { table, budgets }
    }

    pub(crate) fn budget_name(&self, at: usize) -> Option<&str> {
        self.budgets.get(at).map(String::as_str)
    }

    fn budget_of(&self, model: &ModelSpec) -> BudgetIx {
        let at = self.budgets.iter().position(|name| *name == model.rate_limit_model).unwrap_or(0);
        BudgetIx(u8::try_from(at).unwrap_or(0))
    }
}

/// What a [`Gateway`] is made of.
pub struct Parts {
    /// Models on offer.
    pub models: Arc<ModelTable>,
    /// Accounts.
    pub pool: Arc<Pool>,
    /// The shared upstream client.
    pub upstream: GrokWeb,
    /// Settings of the moment.
    pub settings: SettingsHandle,
    /// Longest upstream line, in bytes.
    pub max_line_bytes: usize,
    /// Hosts whose addresses may name a picture or video of ours.
    pub asset_hosts: Arc<[Box<str>]>,
    /// Cancelled when the process goes down.
    pub shutdown: CancellationToken,
}

impl Gateway {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        let empty = (String::new(), Arc::new(HiddenElements::parse("")));
        Self {
            inner: Arc::new(Inner {
                models: Models::new(parts.models),
                pool: parts.pool,
                upstream: parts.upstream,
                settings: parts.settings,
                probes: Arc::new(Semaphore::new(PROBES)),
                tasks: TaskTracker::new(),
                shutdown: parts.shutdown,
                retry_budget: RetryBudget::default(),
                hidden: Mutex::new(empty),
                max_line_bytes: parts.max_line_bytes,
                asset_hosts: parts.asset_hosts,
            }),
        }
    }

    /// Models on offer.
    pub fn models(&self) -> &ModelTable {
        &self.inner.models.table
    }

    /// The accounts.
    pub fn pool(&self) -> &Arc<Pool> {
        &self.inner.pool
    }

    /// The shared upstream client.
    pub fn upstream(&self) -> &GrokWeb {
        &self.inner.upstream
    }

    /// Hosts whose addresses may name a picture or video of ours, as `name` or `name:port`.
    pub fn asset_hosts(&self) -> &Arc<[Box<str>]> {
        &self.inner.asset_hosts
    }

    /// Settings of the moment.
    pub fn settings(&self) -> &SettingsHandle {
        &self.inner.settings
    }

    /// Cancelled when the process goes down.
    pub fn shutdown(&self) -> &CancellationToken {
        &self.inner.shutdown
    }

    /// Waits for background questions to end; call after the shutdown token is cancelled.
    pub async fn drain(&self) {
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    /// Begins an answer: returns once the first good event is there, trying up to `pool.max_attempts` accounts.
    ///
    /// # Errors
    /// [`GatewayError`]; the sink was given nothing then.
    pub async fn start<S: EventSink + Send>(
        &self,
        prepared: &Prepared,
        sink: S,
    ) -> Result<ChatStream<S>, GatewayError> {
        self.serve(prepared, sink, None).await
    }

    /// Begins an answer that costs something and must not be asked for twice (I3).
    ///
    /// `submission` is told before each call that leaves and after each attempt that was not taken. Another account is
    /// tried only after a failure which proves that the upstream has taken nothing: no connection, a status of the
    /// 400s, an upload that failed, an answer whose first word is that the account is refused. Returns as soon as the
    /// upstream has said anything, so that [`ChatStream::upstream_id`] can go on record at once.
    ///
    /// # Errors
    /// [`GatewayError`]; the sink was given nothing then. [`GatewayError::nothing_accepted`] says whether the same may
    /// be submitted once more. It may not after [`GatewayError::OutcomeUnknown`] (the call left and no word came back),
    /// nor after a [`GatewayError::Upstream`] that the upstream gave as an answer, such as a status of the 500s.
    /// [`GatewayError::Stopped`] when `submission` said so: no account is blamed.
    pub async fn submit<S: EventSink + Send>(
        &self,
        prepared: &Prepared,
        sink: S,
        submission: &dyn Submission,
    ) -> Result<ChatStream<S>, GatewayError> {
        self.serve(prepared, sink, Some(submission)).await
    }

    async fn serve<S: EventSink + Send>(
        &self,
        prepared: &Prepared,
        sink: S,
        submission: Option<&dyn Submission>,
    ) -> Result<ChatStream<S>, GatewayError> {
        let inner = &self.inner;
        if inner.shutdown.is_cancelled() {
            return Err(GatewayError::ShuttingDown);
        }
        inner.retry_budget.request();
        let mut chain = Chain::new(sink, &prepared.stop, prepared.tools.clone());
        let mut trying = Trying::default();
        let mut facts = Facts { prompt_tokens: prepared.prompt_tokens, ..Facts::default() };
        loop {
            let lease = inner.reserve(prepared, &mut trying).await?;
            facts.attempts += 1;
            let account = lease.account();
            facts.account = Some(account);
            prepared.calls.note(account);
            let options = inner.decoder_options(&prepared.settings);
            let paid = submission.map(|submission| Paid { submission, account, attempt: facts.attempts });
            match attempt::run(inner, prepared, lease, options, paid, &mut chain).await {
                Attempted::Streaming(call) => {
                    facts.first_event = Some(prepared.started.elapsed());
                    return Ok(ChatStream::new(Arc::clone(inner), chain, Some(*call), None, facts));
                }
                Attempted::Finished { upstream_id } => {
                    facts.first_event = Some(prepared.started.elapsed());
                    return Ok(ChatStream::new(Arc::clone(inner), chain, None, None, facts).named(upstream_id));
                }
                Attempted::Broken { error, upstream_id } => {
                    return Ok(ChatStream::new(Arc::clone(inner), chain, None, Some(error), facts).named(upstream_id));
                }
                Attempted::Stopped => return Err(GatewayError::Stopped),
                Attempted::Failed(error) => {
                    trying.tried.push(account);
                    let (kind, attempt) = (error.kind.as_str(), facts.attempts);
                    tracing::warn!(account_id = %account, model = %prepared.model.id, kind, attempt, "an attempt failed");
                    let error = match paid {
                        Some(paid) => settle(paid, error).await?,
                        None => error,
                    };
                    inner.again(prepared, &mut trying, error, facts.attempts).await?;
                }
            }
        }
    }
}

/// The error itself when another account may be tried; who answers for the paid call has been told then.
async fn settle(paid: Paid<'_>, error: UpstreamError) -> Result<UpstreamError, GatewayError> {
    match error.delivery {
        Delivery::Unknown => Err(GatewayError::OutcomeUnknown(error)),
        Delivery::Answered => Err(GatewayError::Upstream(error)),
        Delivery::NotAccepted => {
            paid.settled(error.kind.as_str()).await.map_err(|Stopped| GatewayError::Stopped)?;
            Ok(error)
        }
    }
}

/// What one request has tried so far.
#[derive(Default)]
struct Trying {
    tried: Vec<grok2api_pool::AccountId>,
    retries: Retries,
    last: Option<UpstreamError>,
}

impl Trying {
    /// The pool has nobody (else): tells the client the more useful of the two reasons.
    fn refused(self, refusal: PoolError) -> GatewayError {
        match (self.last, refusal) {
            (Some(mut last), PoolError::Reserve(ReserveError::Limited { retry_after }))
                if last.kind == ErrorKind::RateLimited =>
            {
                last.retry_after = Some(last.retry_after.map_or(retry_after, |asked| asked.min(retry_after)));
                GatewayError::Upstream(last)
            }
            (Some(last), _) => GatewayError::Upstream(last),
            (None, PoolError::Overloaded { retry_after }) => GatewayError::Overloaded { retry_after },
            (None, PoolError::Sealed { .. }) => GatewayError::Sealed,
            (None, PoolError::Reserve(ReserveError::Empty)) => GatewayError::NoAccount,
            (None, PoolError::Reserve(ReserveError::Busy)) => GatewayError::Busy,
            (None, PoolError::Reserve(ReserveError::Limited { retry_after })) => {
                GatewayError::AccountsLimited { retry_after }
            }
        }
    }
}

impl Inner {
    fn want<'a>(&self, prepared: &Prepared, exclude: &'a [grok2api_pool::AccountId]) -> Want<'a> {
        Want {
            budget: self.models.budget_of(&prepared.model),
            cost: prepared.cost,
            tier: prepared.model.tier,
            exclude,
            prefer: None,
        }
    }

    /// The best account that was not tried yet and whose secret can be opened.
    async fn reserve(&self, prepared: &Prepared, trying: &mut Trying) -> Result<Lease, GatewayError> {
        loop {
            match self.pool.reserve(&self.want(prepared, &trying.tried), prepared.caller).await {
                Ok(lease) => return Ok(lease),
                Err(PoolError::Sealed { account }) => trying.tried.push(account),
                Err(refusal) => return Err(std::mem::take(trying).refused(refusal)),
            }
        }
    }

    /// The decoder's options under these settings; the parsed list of hidden elements is kept while it stays the same.
    fn decoder_options(&self, settings: &Settings) -> DecoderOptions {
        let mut cached = self.hidden.lock();
        if cached.0 != settings.grok.filtered_tags {
            *cached =
                (settings.grok.filtered_tags.clone(), Arc::new(HiddenElements::parse(&settings.grok.filtered_tags)));
        }
        DecoderOptions {
            max_line_bytes: self.max_line_bytes,
            hidden: Arc::clone(&cached.1),
            asset_hosts: Arc::clone(&self.asset_hosts),
        }
    }

    /// After a failed attempt of which nothing was passed on: pauses for the next one, or gives up.
    async fn again(
        &self,
        prepared: &Prepared,
        trying: &mut Trying,
        error: UpstreamError,
        attempts: u32,
    ) -> Result<(), GatewayError> {
        // Asked first: a repeat that will not happen is not taken from the budget of all requests.
        if attempts >= prepared.settings.pool.max_attempts {
            return Err(error.into());
        }
        let pause = match trying.retries.next(&error, &self.retry_budget) {
            Next::Again(pause) => pause,
            Next::GiveUp => return Err(error.into()),
        };
        if out_of_time(prepared, pause) {
            return Err(error.into());
        }
        metrics::counter!("grok2api_failovers_total", "reason" => error.kind.as_str()).increment(1);
        trying.last = Some(error);
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        Ok(())
    }
}

fn out_of_time(prepared: &Prepared, pause: Duration) -> bool {
    Instant::now() + pause >= prepared.started + prepared.limits.total
}
