//! What all connections of one simulator share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;
use tokio::sync::Notify;

use crate::accounts::Accounts;
use crate::answer::Cache;
use crate::answer::bench::AnswerShape;
use crate::assets::Asked;
use crate::clock::Clock;
use crate::creates::Creates;
use crate::departures::Departures;
use crate::faults::Fault;
use crate::honeypot::Honeypot;
use crate::pace::Pace;
use crate::recorder::Recorder;
use crate::script::Scripts;

/// How this simulator was built.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) pace: Pace,
    /// Every answer has this shape, unless the prompt says otherwise.
    pub(crate) shape: Option<AnswerShape>,
    pub(crate) budgets: bool,
    pub(crate) record: bool,
}

/// Everything that lives as long as the simulator.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) options: Options,
    pub(crate) accounts: Accounts,
    pub(crate) recorder: Recorder,
    pub(crate) departures: Departures,
    pub(crate) clock: Clock,
    pub(crate) scripts: Scripts,
    pub(crate) answers: Cache,
    pub(crate) creates: Creates,
    pub(crate) honeypot: Honeypot,
    pub(crate) asked: Asked,
    pub(crate) total_calls: AtomicU64,
    pub(crate) port: u16,
    outage: RwLock<Arc<[Fault]>>,
    changed: Notify,
}

impl State {
    pub(crate) fn new(options: Options, port: u16) -> Self {
        Self {
            recorder: Recorder::new(options.record),
            options,
            port,
            accounts: Accounts::default(),
            departures: Departures::default(),
            clock: Clock::default(),
            scripts: Scripts::default(),
            answers: Cache::default(),
            creates: Creates::default(),
            honeypot: Honeypot::default(),
            asked: Asked::default(),
            total_calls: AtomicU64::new(0),
            outage: RwLock::new(Arc::from([])),
            changed: Notify::new(),
        }
    }

    /// Wakes those who wait for a number to change.
    pub(crate) fn changed(&self) {
        self.changed.notify_waiters();
    }

    /// Comes back when something has changed since this was called.
    pub(crate) fn change(&self) -> tokio::sync::futures::Notified<'_> {
        self.changed.notified()
    }

    /// Faults that all accounts have.
    pub(crate) fn outage(&self) -> Arc<[Fault]> {
        Arc::clone(&self.outage.read())
    }

    /// Gives everybody these faults on top of their own.
    pub(crate) fn set_outage(&self, faults: &[&str]) {
        *self.outage.write() = faults.iter().map(|fault| Fault::parse(fault)).collect();
    }

    /// Gives one account these faults instead of those before.
    pub(crate) fn set_faults(&self, account: &str, faults: &[&str]) {
        if let Some(account) = self.accounts.get_or_add(account) {
            account.set_faults(faults.iter().map(|fault| Fault::parse(fault)).collect());
        }
    }

    /// Forgets what was asked and counted; budgets, faults and running calls stay.
    pub(crate) fn forget(&self) {
        self.recorder.forget();
        self.scripts.forget();
        self.departures.forget();
        self.accounts.forget();
        self.creates.forget();
        self.honeypot.forget();
        self.total_calls.store(0, Ordering::Relaxed);
    }
}
