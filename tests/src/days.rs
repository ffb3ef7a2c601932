//! Simulated hours of a large pool: windows pass, accounts are tested and read, some die, and once the exit is blocked.
//!
//! The clocks of the pool and of the upstream are moved together; jobs run through the real queue, one round of each a
//! step.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result};
use grok2api::accounts::{self, Template};
use grok2api::house::{House, Role};
use grok2api_config::{StartUp, Tier};
use grok2api_entity::job::{Kind, State};
use grok2api_gateway::Gateway;
use grok2api_gateway::pool::{AccountId, BudgetIx, Clock, Outcome, Policy, Status, Want, persist};
use grok2api_queue::{Jobs, NewJob, now_ms};
use grok2api_sim::{Pace, Sim};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use sea_orm::DatabaseConnection;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::app::KEY;
use crate::fleet::wait_for;

/// The budget that is watched, and its number.
const BUDGET: &str = "grok-3";
const WANT: Want<'static> = Want { budget: BudgetIx(0), cost: 1, tier: Tier::Basic, exclude: &[], prefer: None };
/// The window of a plain account.
const WINDOW: Duration = Duration::from_secs(72_000);
/// Longest real time for one round.
const ROUND: Duration = Duration::from_secs(120);
const MINUTE_MS: i64 = 60_000;

/// How long, and with what.
#[derive(Debug, Clone, Copy)]
pub struct Days {
    /// Plain accounts.
    pub accounts: usize,
    /// Simulated hours.
    pub hours: u32,
    /// Simulated minutes between two rounds.
    pub step_minutes: u32,
    /// Accounts that one round asks about.
    pub batch: usize,
    /// Chooses everything.
    pub seed: u64,
}

/// What became of the accounts.
#[derive(Debug, Clone, Default)]
pub struct Fates {
    /// Accounts that had used up their budget at the beginning.
    pub exhausted: usize,
    /// Accounts that serve at the end.
    pub serving: usize,
    /// Accounts that should.
    pub should_serve: usize,
    /// Accounts whose credential was refused for good, and those of them that were found out.
    pub dead: (usize, usize),
    /// Accounts that gave one bad answer and were condemned for it.
    pub wronged: Vec<String>,
    /// Accounts out of service after the exit was blocked that were in service before.
    pub blamed_for_exit: usize,
    /// Most accounts that one bad request took out of service.
    pub most_cooled_by_one: usize,
    /// Budgets whose numbers are the upstream's own at the end.
    pub measured: usize,
}

struct World {
    sim: Sim,
    gateway: Gateway,
    jobs: Jobs,
    db: DatabaseConnection,
    clock: Clock,
    names: HashMap<AccountId, String>,
    url: String,
}

impl Days {
    /// Lives through it.
    ///
    /// # Errors
    /// Something cannot be started, or a round takes too long.
    pub async fn run(self) -> Result<Fates> {
        let mut rng = StdRng::seed_from_u64(self.seed);
        let folder = tempfile::tempdir()?;
        let sim = Sim::builder().pace(Pace::Full).record(false).start("127.0.0.1:0").await?;
        let mut startup = StartUp { data_dir: folder.path().join("data"), ..StartUp::default() };
        startup.upstream.base_url = sim.url().parse()?;
        startup.upstream.assets_base_url = sim.url().parse()?;
        startup.server.drain_delay_secs = 0;
        let clock = Clock::manual(now_ms());
        let house = Box::pin(House::open_by(&startup, Role::All, clock.clone())).await?;
        let tokens: Vec<SecretString> = (0..self.accounts).map(|n| SecretString::from(format!("plain-{n}"))).collect();
        let template = Template { tier: Tier::Basic, tags: Vec::new(), note: String::new(), created_at: 0 };
        accounts::add(&house.store.db, &house.store.vault, &tokens, &template).await?;
        let settings: BTreeMap<String, Value> = BTreeMap::from([
            ("grok.api_key".to_owned(), json!(KEY)),
            ("health.batch".to_owned(), json!(self.batch)),
            ("schedules.token_test".to_owned(), json!("off")),
            ("schedules.quota_reset".to_owned(), json!("off")),
            ("pool.strategy".to_owned(), json!("round_robin")),
        ]);
        house.store.settings.update(&settings).await?;
        house.load_accounts().await?;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let world = World {
            names: names(&house.gateway),
            url: format!("http://{}", listener.local_addr()?),
            sim,
            gateway: house.gateway.clone(),
            jobs: house.jobs.clone(),
            db: house.store.db.clone(),
            clock,
        };
        let stop = CancellationToken::new();
        let serving = tokio::spawn(house.serve(Some(listener), Role::All, stop.clone()));
        let fates = world.live(self, &mut rng).await;
        stop.cancel();
        serving.await??;
        world.sim.shutdown().await;
        fates
    }
}

fn names(gateway: &Gateway) -> HashMap<AccountId, String> {
    let pool = gateway.pool();
    let name = |id| Some((id, pool.credential(id)?.expose_secret().to_owned()));
    pool.state().ids().into_iter().filter_map(name).collect()
}

impl World {
    async fn live(&self, days: Days, rng: &mut StdRng) -> Result<Fates> {
        let mut fates = Fates { exhausted: self.exhaust(days, rng).await?, ..Fates::default() };
        let mut ids: Vec<AccountId> = self.names.keys().copied().collect();
        ids.sort_unstable();
        ids.shuffle(rng);
        let some = (days.accounts / 100).max(2);
        let (dead, rest) = ids.split_at(some);
        let unlucky = &rest[..some];
        self.kill(dead).await;
        self.wrong(unlucky).await;
        fates.most_cooled_by_one = self.one_bad_request().await?;
        let steps = days.hours * 60 / days.step_minutes;
        for step in 0..steps {
            let minutes = u64::from(days.step_minutes);
            self.clock.advance_ms(i64::from(days.step_minutes) * MINUTE_MS);
            self.sim.pass_time(Duration::from_secs(minutes * 60));
            if step == steps / 4 {
                fates.blamed_for_exit = self.blocked_exit().await?;
            }
            self.rounds().await?;
        }
        let state = self.gateway.pool().state();
        let expired = |id: &AccountId| matches!(state.status(*id), Some(Status::Expired { .. }));
        fates.dead = (dead.len(), dead.iter().filter(|id| expired(id)).count());
        let out = |id: &&AccountId| state.status(**id) != Some(Status::Active);
        fates.wronged = unlucky.iter().filter(out).map(|id| self.names[id].clone()).collect();
        fates.should_serve = self.names.len() - dead.len();
        fates.serving = self.serving().await;
        let budgets = self.names.keys().filter_map(|id| state.inspect(*id)).flat_map(|(seed, _)| seed.budgets);
        fates.measured = budgets.filter(|budget| budget.budget == BUDGET && budget.measured).count();
        Ok(fates)
    }

    /// Most accounts have used up their budget; it is full again at some time within the window.
    async fn exhaust(&self, days: Days, rng: &mut StdRng) -> Result<usize> {
        let mut exhausted = 0;
        let most = WINDOW.as_secs().min(u64::from(days.hours) * 3600 - 600);
        for (id, name) in &self.names {
            if !rng.random_bool(0.7) {
                continue;
            }
            let wait = Duration::from_secs(rng.random_range(600..most));
            // Some accounts do not say when.
            self.sim.set_budget(name, BUDGET, 0, 80, wait, rng.random_bool(0.5).then_some(wait));
            self.gateway.probe(*id, &(WANT.budget, BUDGET.to_owned())).await;
            exhausted += 1;
        }
        persist::flush(&self.db, &**self.gateway.pool().state(), &self.clock).await?;
        Ok(exhausted)
    }

    /// These are refused from now on, as the first call of each shows.
    async fn kill(&self, dead: &[AccountId]) {
        for id in dead {
            self.sim.set_faults(&self.names[id], &["401"]);
            self.gateway.probe(*id, &(WANT.budget, BUDGET.to_owned())).await;
        }
    }

    /// These are refused once.
    async fn wrong(&self, unlucky: &[AccountId]) {
        for id in unlucky {
            self.sim.set_faults(&self.names[id], &["401"]);
            self.gateway.probe(*id, &(WANT.budget, BUDGET.to_owned())).await;
            self.sim.set_faults(&self.names[id], &[]);
        }
    }

    /// G16: a request for which every account is called limited makes one rest at most.
    async fn one_bad_request(&self) -> Result<usize> {
        let before = self.resting();
        self.sim.set_outage(&["429"]);
        let answer = self.chat().await;
        self.sim.set_outage(&[]);
        answer?;
        Ok(self.resting().difference(&before).count())
    }

    /// Accounts that are not asked for the watched budget for a while.
    fn resting(&self) -> HashSet<AccountId> {
        let state = self.gateway.pool().state();
        let rests = |id: &AccountId| {
            state.inspect(*id).is_some_and(|(seed, _)| {
                seed.budgets.iter().any(|budget| budget.budget == BUDGET && budget.cooling_until_ms.is_some())
            })
        };
        self.names.keys().copied().filter(rests).collect()
    }

    /// F42: while the exit is blocked, rounds and chats blame no account.
    async fn blocked_exit(&self) -> Result<usize> {
        let before = self.active();
        self.sim.set_outage(&["challenge"]);
        for _ in 0..20 {
            self.chat().await?;
        }
        self.rounds().await?;
        self.sim.set_outage(&[]);
        let after = self.active();
        Ok(before.difference(&after).count())
    }

    async fn chat(&self) -> Result<u16> {
        let client = crate::client::Client::new(&self.url, Some(KEY));
        Ok(client.chat("grok-3-fast", "say:yes").await.status.as_u16())
    }

    fn active(&self) -> HashSet<AccountId> {
        let state = self.gateway.pool().state();
        self.names.keys().copied().filter(|id| state.status(*id) == Some(Status::Active)).collect()
    }

    /// One round of tests and one of readings.
    async fn rounds(&self) -> Result<()> {
        persist::flush(&self.db, &**self.gateway.pool().state(), &self.clock).await?;
        for kind in [Kind::TokenTest, Kind::QuotaReset] {
            let id = self.jobs.submit(NewJob::new(kind, 600_000)).await?;
            wait_for("a round is over", ROUND, async || {
                let job = self.jobs.find(id).await?.context("the job is gone")?;
                Ok((job.state == State::Completed).then_some(()))
            })
            .await?;
        }
        Ok(())
    }

    /// How many accounts serve a call now.
    async fn serving(&self) -> usize {
        let state = self.gateway.pool().state();
        let policy = Policy::from(&self.gateway.settings().load().pool);
        let (mut served, mut grants) = (HashSet::new(), Vec::new());
        let policy = Policy { max_in_flight: 1, ..policy };
        while let Ok(grant) = state.reserve(&WANT, policy).await {
            served.insert(grant.account);
            grants.push(grant);
        }
        for grant in grants {
            state.settle(&grant, &Outcome::Abandoned { spent: false });
        }
        served.len()
    }
}

impl Fates {
    /// Whether something happened to an account that should not have.
    pub fn is_red(&self) -> bool {
        let Self { serving, should_serve, dead, wronged, blamed_for_exit, most_cooled_by_one, .. } = self;
        serving != should_serve
            || dead.0 != dead.1
            || !wronged.is_empty()
            || *blamed_for_exit > 0
            || *most_cooled_by_one > 1
    }
}

impl fmt::Display for Fates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { exhausted, serving, should_serve, dead, wronged, .. } = self;
        write!(
            f,
            "{exhausted} were used up; {serving} of {should_serve} serve, {} of {} dead ones were found out, condemned \
             for one bad answer {}, blamed for a blocked exit {}, cooled by one request {}, {} budgets measured",
            dead.1,
            dead.0,
            wronged.len(),
            self.blamed_for_exit,
            self.most_cooled_by_one,
            self.measured
        )
    }
}
