//! The workers of one process: apalis workers, one for each kind, and what keeps them honest.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use apalis::prelude::{Data, ParallelizeExt, WorkerBuilder, WorkerBuilderExt, WorkerError};
use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use grok2api_entity::failure::Code;
use grok2api_entity::job::Kind;
use rand::Rng;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::backend::{Delivery, deliveries};
use crate::change::{End, Failure};
use crate::claim::{Claimed, Lost};
use crate::control::{LOOK_EVERY, MOST_AT_ONCE};
use crate::failpoint;
use crate::hands::Hands;
use crate::jobs::{Jobs, QueueError};
use crate::registry::{BEAT, Registry};
use crate::suspects::{Entry, Suspects};
use crate::sweep::Sweeper;
use crate::ticket::Ticket;
use crate::time::{now_ms, until};

/// Dead workers are looked for this often, and this much later at random: replicas should not all look in one moment.
const JUDGE_EVERY: (Duration, Duration) = (Duration::from_millis(150), Duration::from_millis(200));
/// Lost tickets and late jobs are looked for this often.
const SWEEP_EVERY: (Duration, Duration) = (Duration::from_secs(4), Duration::from_millis(500));
/// What is old is removed this often.
const TIDY_EVERY: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(5));
/// A job whose handler panicked is tried again this many times.
const MAX_PANICS: i32 = 2;
/// Pause before an ended worker is started again, and its limit.
const RESTART: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));
/// A hand whose claim the database did not take rests for this long.
const REST: Duration = Duration::from_secs(1);
/// After the time to end is over, jobs are handed over within this time, one after the other of two steps.
const LAST: Duration = Duration::from_secs(1);

/// Carries out jobs of one kind.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Works on a job. The future is dropped when the job is lost or its deadline passes: everything it holds must end
    /// with it. It should answer [`End::HandOver`] soon after `job.draining()` where it can.
    ///
    /// # Errors
    /// [`Lost`]: a write was refused; nothing more is to be done.
    async fn run(&self, job: &mut Claimed) -> Result<End, Lost>;
}

/// Who carries out jobs of a kind, and how many at once.
#[derive(Clone)]
pub struct Lane {
    /// The kind.
    pub kind: Kind,
    /// Jobs at once in this process, unless the operator says otherwise.
    pub concurrency: usize,
    /// Does the work.
    pub handler: Arc<dyn Handler>,
}

impl Lane {
    /// A lane of one job at a time in this process.
    pub fn alone(kind: Kind, handler: Arc<dyn Handler>) -> Self {
        Self { kind, concurrency: 1, handler }
    }
}

/// How a crew behaves.
#[derive(Debug, Clone, Copy)]
pub struct CrewOptions {
    /// No other process can be working on these records (I9).
    pub alone: bool,
    /// Finished requests are kept this long.
    pub keep: Duration,
}

/// The running workers of this process. Dropped without [`Crew::stop`], they take nothing more, and others find out.
#[must_use = "the workers run for as long as this is there"]
pub struct Crew {
    jobs: Jobs,
    registry: Arc<Registry>,
    draining: CancellationToken,
    ended: CancellationToken,
    workers: TaskTracker,
    keepers: TaskTracker,
}

impl Crew {
    /// Starts workers.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn start(jobs: Jobs, lanes: Vec<Lane>, options: CrewOptions) -> Result<Self, QueueError> {
        let kinds: Vec<Kind> = lanes.iter().map(|lane| lane.kind).collect();
        if !kinds.is_empty() {
            // Before anything is begun: what was paused stays so.
            jobs.inner.rules.look(jobs.db()).await?;
        }
        let registry = Registry::enter(jobs.db().clone(), jobs.hub().clone(), &kinds, options.alone).await?;
        let crew = Self {
            jobs,
            registry: Arc::new(registry),
            draining: CancellationToken::new(),
            ended: CancellationToken::new(),
            workers: TaskTracker::new(),
            keepers: TaskTracker::new(),
        };
        crew.keep(options);
        if !lanes.is_empty() {
            crew.keep_to_rules();
        }
        let suspects = Suspects::default();
        for lane in lanes {
            let hand = Hand {
                jobs: crew.jobs.clone(),
                registry: Arc::clone(&crew.registry),
                draining: crew.draining.clone(),
                alone: options.alone,
                suspects: suspects.clone(),
                handler: Arc::clone(&lane.handler),
            };
            crew.workers.spawn(supervise(lane, hand));
        }
        Ok(crew)
    }

    /// Signs of life, judging others by theirs, sweeping and tidying: each by itself, so that none waits for another.
    fn keep(&self, options: CrewOptions) {
        let registry = Arc::clone(&self.registry);
        self.keeper(async move {
            let mut beats = tokio::time::interval(BEAT);
            beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                beats.tick().await;
                registry.beat().await;
            }
        });
        let sweeper = || Sweeper::new(self.jobs.clone(), options.keep);
        let (judge, registry) = (sweeper(), Arc::clone(&self.registry));
        // Where nobody else is, nobody dies.
        let every = if options.alone { SWEEP_EVERY } else { JUDGE_EVERY };
        self.keeper(async move {
            loop {
                heard("taking over", judge.take_over(Some(&registry)).await);
                rest(every).await;
            }
        });
        let (mut sweeper, tidier) = (sweeper(), sweeper());
        let registry = Arc::clone(&self.registry);
        self.keeper(async move {
            loop {
                heard("freeing", sweeper.free_unheld(&registry).await);
                heard("stopping", sweeper.stop_lost().await);
                heard("expiring", sweeper.expire().await);
                heard("repeating tickets", sweeper.repeat_tickets().await);
                rest(SWEEP_EVERY).await;
            }
        });
        let registry = Arc::clone(&self.registry);
        self.keeper(async move {
            loop {
                heard("tidying", tidier.tidy().await);
                // Also those who had no jobs.
                heard("burying", registry.bury_the_dead().await);
                rest(TIDY_EVERY).await;
            }
        });
    }

    /// Hears what the operator says about the kinds.
    fn keep_to_rules(&self) {
        let jobs = self.jobs.clone();
        self.keeper(async move {
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                heard("hearing about queues", jobs.inner.rules.look(jobs.db()).await);
            }
        });
    }

    fn keeper(&self, task: impl Future<Output = ()> + Send + 'static) {
        let ended = self.ended.clone();
        self.keepers.spawn(async move {
            tokio::select! {
                () = task => {}
                () = ended.cancelled() => {}
            }
        });
    }

    /// This process's id among the workers, as it is at the moment.
    pub fn id(&self) -> Uuid {
        self.registry.id()
    }

    /// Takes nothing more, lets what runs come to its end or be handed over within `grace`, and leaves. What is left then
    /// is handed over as it is, within a few seconds more where the database is slow.
    pub async fn stop(self, grace: Duration) {
        self.draining.cancel();
        self.workers.close();
        let (all, ()) = tokio::join!(tokio::time::timeout(grace, self.workers.wait()), self.registry.drain());
        if all.is_err() {
            tracing::warn!(jobs = self.jobs.hub().running(), "the time to end is over: jobs are left to others");
            self.jobs.hub().disown();
            // Their handlers are dropped, which takes a moment; one that does not let itself be dropped is left behind.
            let _ = tokio::time::timeout(LAST, self.workers.wait()).await;
        }
        match tokio::time::timeout(LAST, Sweeper::hand_over(&self.jobs, &self.registry)).await {
            Ok(handed) => heard("handing over", handed),
            Err(_) => {
                tracing::warn!("jobs could not be handed over in time: they are free when this worker is found dead");
            }
        }
        self.ended.cancel();
        self.keepers.close();
        self.keepers.wait().await;
        self.registry.leave().await;
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.draining.cancel();
        self.ended.cancel();
    }
}

async fn rest((pause, jitter): (Duration, Duration)) {
    let late = jitter.mul_f64(rand::rng().random());
    tokio::time::sleep(pause + late).await;
}

fn heard<T>(what: &'static str, outcome: Result<T, sea_orm::DbErr>) {
    if let Err(error) = outcome {
        tracing::warn!(what, error = %error, "a sweep failed: it will be repeated");
    }
}

/// Runs the worker of a lane until the crew drains; one that ends otherwise is started again under a new name.
async fn supervise(lane: Lane, hand: Hand) {
    let mut pause = RESTART.0;
    while !hand.draining.is_cancelled() {
        let began = Instant::now();
        let run = AssertUnwindSafe(run_worker(&lane, hand.clone())).catch_unwind().await;
        match run {
            Ok(Ok(())) if hand.draining.is_cancelled() => return,
            Ok(Ok(())) => tracing::error!(kind = lane.kind.as_str(), "a worker ended by itself: starting another"),
            Ok(Err(error)) => {
                tracing::error!(kind = lane.kind.as_str(), error = %error, "a worker failed: starting another");
            }
            Err(_) => tracing::error!(kind = lane.kind.as_str(), "a worker panicked: starting another"),
        }
        metrics::counter!("grok2api_worker_restarts_total", "kind" => lane.kind.as_str()).increment(1);
        pause = if began.elapsed() > Duration::from_secs(60) { RESTART.0 } else { (pause * 2).min(RESTART.1) };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = hand.draining.cancelled() => return,
        }
    }
}

/// One apalis worker, with who feeds it.
fn run_worker(lane: &Lane, hand: Hand) -> impl Future<Output = Result<(), WorkerError>> + Send + use<> {
    let draining = hand.draining.clone();
    let hands = Hands::new(lane.concurrency.max(1), hand.jobs.inner.rules.of(lane.kind));
    // No more is delivered than there are hands, whose number may change.
    let most = usize::from(MOST_AT_ONCE).max(lane.concurrency);
    let (feeder, deliveries) = deliveries(Arc::clone(hand.jobs.transport()), lane.kind, hands);
    let worker = WorkerBuilder::new(format!("{}-{}", lane.kind.as_str(), Uuid::now_v7().simple()))
        .backend(deliveries)
        .data(hand)
        .concurrency(most)
        .parallelize(tokio::spawn)
        .build(work);
    let (mut feeding, drained) = (Box::pin(feeder.run(draining.clone())), draining.clone());
    // Boxed by itself: the compiler cannot see otherwise that it may move between threads.
    let mut working: BoxFuture<'static, Result<(), WorkerError>> = Box::pin(worker.run_until(async move {
        draining.cancelled().await;
        Ok::<(), std::io::Error>(())
    }));
    async move {
        tokio::select! {
            ended = &mut working => {
                if drained.is_cancelled() {
                    // What it may just be taking has to be given back.
                    feeding.await;
                }
                ended
            }
            () = &mut feeding => working.await,
        }
    }
}

/// What a worker needs for every job.
#[derive(Clone)]
struct Hand {
    jobs: Jobs,
    registry: Arc<Registry>,
    draining: CancellationToken,
    alone: bool,
    suspects: Suspects,
    handler: Arc<dyn Handler>,
}

/// Carries out the job of a ticket; whatever happens, the worker goes on.
async fn work(delivery: Delivery, hand: Data<Hand>) {
    let ticket = delivery.ticket;
    failpoint::hit("before_claim").await;
    if hand.draining.is_cancelled() {
        // Taken a moment too late: others are told.
        return give_back(&hand, &[ticket]).await;
    }
    if !hand.registry.is_seen() {
        return rest_and_give_back(&hand, ticket).await;
    }
    match hand.suspects.enter(&hand.jobs, ticket).await {
        Ok(Entry::Free) => claim_and_carry_out(ticket, &hand).await,
        Ok(Entry::Alone(alone)) => {
            claim_and_carry_out(ticket, &hand).await;
            give_back(&hand, &alone.end()).await;
        }
        Ok(Entry::Taken) => {
            tracing::debug!(job = %ticket.id, "it waits: workers died over it, and over one that runs here");
        }
        Err(error) => refused(&hand, ticket, &error.into()).await,
    }
}

async fn claim_and_carry_out(ticket: Ticket, hand: &Hand) {
    let claimed = Claimed::claim(&hand.jobs, ticket, hand.registry.id(), hand.draining.clone()).await;
    let mut job = match claimed {
        Ok(claimed) => {
            hand.jobs.transport().tried(ticket);
            let Some(job) = claimed else { return };
            job
        }
        Err(error) => return refused(hand, ticket, &error).await,
    };
    job.alone = hand.alone;
    failpoint::hit("after_claim").await;
    let (kind, began) = (job.row().kind.as_str(), Instant::now());
    if job.row().epoch == 1 {
        metrics::histogram!("grok2api_job_wait_seconds", "kind" => kind).record(waited(&job));
    }
    let end = carry_out(&*hand.handler, &mut job).await;
    failpoint::hit("before_end").await;
    let outcome = match end {
        Ok(end) => {
            let outcome = name(&end);
            if job.end(end).await.is_ok() { outcome } else { "lost" }
        }
        Err(Lost) => "lost",
    };
    failpoint::hit("after_end").await;
    metrics::counter!("grok2api_jobs_total", "kind" => kind, "outcome" => outcome).increment(1);
    metrics::histogram!("grok2api_job_duration_seconds", "kind" => kind).record(began.elapsed().as_secs_f64());
}

/// The database did not take the claim.
async fn refused(hand: &Hand, ticket: Ticket, error: &QueueError) {
    tracing::warn!(job = %ticket.id, error = %error, "a job could not be claimed: it will be delivered again");
    rest_and_give_back(hand, ticket).await;
}

/// The hand rests, so that a database that reads but does not write is not asked without end, and the ticket goes back.
async fn rest_and_give_back(hand: &Hand, ticket: Ticket) {
    tokio::select! {
        () = tokio::time::sleep(REST) => {}
        () = hand.draining.cancelled() => {}
    }
    give_back(hand, &[ticket]).await;
}

async fn give_back(hand: &Hand, tickets: &[Ticket]) {
    if tickets.is_empty() {
        return;
    }
    if let Err(error) = hand.jobs.transport().give_back(tickets).await {
        tracing::debug!(error = %error, "tickets could not be given back: they come again");
    }
}

/// The handler's answer, or what stands for it when it lost the job, came too late, or panicked.
async fn carry_out(handler: &dyn Handler, job: &mut Claimed) -> Result<End, Lost> {
    let (lost, left) = (job.lost().clone(), until(job.row().deadline_at));
    if left.is_zero() {
        return Ok(End::Failed(Failure::new(Code::Expired, "It waited for longer than it may.")));
    }
    let answered = tokio::select! {
        biased;
        () = lost.cancelled() => return Err(Lost),
        answered = AssertUnwindSafe(handler.run(job)).catch_unwind() => answered,
        () = tokio::time::sleep(left) => {
            return Ok(End::Failed(Failure::new(Code::UpstreamTimeout, "The work took longer than it may.")));
        }
    };
    answered.unwrap_or_else(|_| {
        // From the step it has come to: what was sent must not be sent again by somebody who does not know of it.
        let row = job.row();
        tracing::error!(job = %row.id, kind = row.kind.as_str(), step = row.step.as_str(), tries = row.tries, "a job panicked");
        if row.tries < MAX_PANICS {
            return Ok(End::Again { run_at: now_ms() + 1_000, step: row.step, counted: true });
        }
        Ok(End::Failed(Failure::new(Code::InternalError, "The gateway failed.")))
    })
}

fn waited(job: &Claimed) -> f64 {
    Duration::from_millis(u64::try_from(now_ms() - job.row().run_at).unwrap_or(0)).as_secs_f64()
}

fn name(end: &End) -> &'static str {
    match end {
        End::Completed => "completed",
        End::Failed(_) => "failed",
        End::Again { .. } => "again",
        End::HandOver => "handed_over",
    }
}
