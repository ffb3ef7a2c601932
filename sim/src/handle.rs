//! What can be asked of a running simulator, and what can it be told?

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::accounts::AccountStats;
use crate::budget::Budget;
use crate::builder::SimBuilder;
use crate::creates::CreateLedger;
use crate::departures::Departure;
use crate::recorder::Recorded;
use crate::route::Route;
use crate::script::Script;
use crate::state::State;

/// A running simulator. Clones are the same one; it stops with the last of them.
#[derive(Debug, Clone)]
pub struct Sim {
    addr: SocketAddr,
    state: Arc<State>,
    tasks: TaskTracker,
    stop: CancellationToken,
    _stop_on_drop: Arc<DropGuard>,
}

impl Sim {
    /// Begins to build one.
    pub fn builder() -> SimBuilder {
        SimBuilder::default()
    }

    pub(crate) fn new(addr: SocketAddr, state: Arc<State>, tasks: TaskTracker, stop: CancellationToken) -> Self {
        let guard = Arc::new(stop.clone().drop_guard());
        Self { addr, state, tasks, stop, _stop_on_drop: guard }
    }

    /// Base address for chat and for files, as in `http://127.0.0.1:40123`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What an account has done; zeros for one that never came.
    pub fn account(&self, name: &str) -> AccountStats {
        self.state.accounts.get(name).map(|account| account.counters.stats()).unwrap_or_default()
    }

    /// What each account has done, by name.
    pub fn accounts(&self) -> BTreeMap<String, AccountStats> {
        self.state.accounts.stats()
    }

    /// Chat calls of all accounts that arrived.
    pub fn total_calls(&self) -> u64 {
        self.state.total_calls.load(Ordering::Relaxed)
    }

    /// Chat calls of all accounts that run now.
    pub fn running(&self) -> u64 {
        self.accounts().values().map(|stats| stats.running).sum()
    }

    /// Accepted submissions and what became of them, as `GET /__sim/creates` tells another process.
    pub fn creates(&self) -> CreateLedger {
        self.state.creates.all()
    }

    /// Credentials that arrived where the redirect of a faulty account leads.
    pub fn leaked_credentials(&self) -> u64 {
        self.state.honeypot.credentials.load(Ordering::Relaxed)
    }

    /// Downloads with the credential of an account that did not make the file.
    pub fn foreign_downloads(&self) -> u64 {
        self.state.honeypot.foreign_downloads.load(Ordering::Relaxed)
    }

    /// How many answers the client left before their end.
    pub fn cancelled(&self) -> u64 {
        self.state.departures.count()
    }

    /// The last 10,000 answers that the client left, with the times.
    pub fn departures(&self) -> Vec<Departure> {
        self.state.departures.list()
    }

    /// The last 10,000 requests, oldest first.
    pub fn requests(&self) -> Vec<Recorded> {
        self.state.recorder.all()
    }

    /// The last chat call.
    pub fn last_chat(&self) -> Option<Recorded> {
        self.last(Route::Chat)
    }

    /// The last request of a route.
    pub fn last(&self, route: Route) -> Option<Recorded> {
        self.state.recorder.last(route)
    }

    /// Forgets requests, scripts, departures and counts; budgets, faults and running calls stay.
    pub fn forget(&self) {
        self.state.forget();
    }

    /// Queues an answer for the next call that it fits.
    pub fn script(&self, script: Script) {
        self.state.scripts.add(script);
    }

    /// How many queued answers no call has taken yet.
    pub fn scripts_waiting(&self) -> usize {
        self.state.scripts.waiting()
    }

    /// Sets one budget of one account.
    ///
    /// `wait`: in how long the budget is full again, which is told as `waitTimeSeconds`; with `None` nothing is told,
    /// and the budget is full again when the window is over.
    pub fn set_budget(
        &self,
        account: &str,
        rate_limit_model: &str,
        remaining: u32,
        total: u32,
        window: Duration,
        wait: Option<Duration>,
    ) {
        let budget = Budget::set_to(remaining, total, window, wait, self.state.clock.now());
        if let Some(account) = self.state.accounts.get_or_add(account) {
            account.budgets.lock().set(rate_limit_model, budget);
        }
    }

    /// Units that are left in one budget of one account.
    pub fn remaining(&self, account: &str, rate_limit_model: &str) -> Option<u32> {
        let account = self.state.accounts.get_or_add(account)?;
        let budget = account.budgets.lock().read(rate_limit_model, self.state.clock.now());
        Some(budget.remaining)
    }

    /// Moves the clock of the budgets forward.
    pub fn pass_time(&self, time: Duration) {
        self.state.clock.add(time);
    }

    /// Gives an account these faults, by their names in [`faults`](crate::faults), instead of those in its own name.
    pub fn set_faults(&self, account: &str, faults: &[&str]) {
        self.state.set_faults(account, faults);
    }

    /// Gives every account these faults on top of its own; an empty list ends the outage.
    pub fn set_outage(&self, faults: &[&str]) {
        self.state.set_outage(faults);
    }

    /// Waits until a condition holds; `false` when it does not within the limit.
    ///
    /// It is looked at whenever a call has arrived or ended.
    pub async fn wait_until(&self, limit: Duration, condition: impl Fn(&Self) -> bool) -> bool {
        let held = async {
            loop {
                let change = self.state.change();
                if condition(self) {
                    return;
                }
                change.await;
            }
        };
        tokio::time::timeout(limit, held).await.is_ok()
    }

    /// Stops listening, drops all connections and waits until they are gone.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
