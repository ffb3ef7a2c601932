//! Who is calling, and what has each account done so far?

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use http::{HeaderMap, header};
use parking_lot::{Mutex, RwLock};
use serde::Serialize;

use crate::budget::Budgets;
use crate::creates::Create;
use crate::faults::{Fault, parse_name};
use crate::state::State;

/// Accounts kept. A caller beyond them is refused: cookies are the client's text, and memory is bounded.
const MAX_ACCOUNTS: usize = 1_000_000;

/// What an account has done since the start (or since [`forget`](crate::Sim::forget)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct AccountStats {
    /// Chat calls that arrived, refused ones included.
    pub calls: u64,
    /// Chat calls that run now.
    pub running: u64,
    /// Most chat calls that ran at one time.
    pub max_running: u64,
    /// Uploads that arrived.
    pub uploads: u64,
    /// Questions about limits that arrived.
    pub rate_limit_calls: u64,
    /// Downloads of generated or uploaded files that arrived.
    pub asset_calls: u64,
}

/// One account: the value of the `sso` cookie.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) counters: Counters,
    pub(crate) budgets: Mutex<Budgets>,
    faults: RwLock<Arc<[Fault]>>,
}

/// The numbers behind [`AccountStats`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) calls: AtomicU64,
    pub(crate) running: AtomicU64,
    pub(crate) max_running: AtomicU64,
    pub(crate) uploads: AtomicU64,
    pub(crate) rate_limit_calls: AtomicU64,
    pub(crate) asset_calls: AtomicU64,
}

/// All accounts seen so far.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    by_name: Mutex<BTreeMap<String, Arc<Account>>>,
}

/// A chat call from its arrival to the end of its answer.
#[derive(Debug)]
pub(crate) struct Running {
    account: Arc<Account>,
    state: Arc<State>,
    began_at: Instant,
    finished: bool,
    /// The paid submission, once it is accepted.
    create: Option<Create>,
}

impl Accounts {
    /// The account of that name, made when it is new. `None` when there are too many.
    pub(crate) fn get_or_add(&self, name: &str) -> Option<Arc<Account>> {
        let mut by_name = self.by_name.lock();
        if let Some(account) = by_name.get(name) {
            return Some(Arc::clone(account));
        }
        if by_name.len() >= MAX_ACCOUNTS {
            return None;
        }
        let account = Arc::new(Account::new(name));
        by_name.insert(name.to_owned(), Arc::clone(&account));
        Some(account)
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<Account>> {
        self.by_name.lock().get(name).cloned()
    }

    /// Every account with its numbers, by name.
    pub(crate) fn stats(&self) -> BTreeMap<String, AccountStats> {
        self.by_name.lock().iter().map(|(name, account)| (name.clone(), account.counters.stats())).collect()
    }

    /// Sets all numbers but the running calls back to zero.
    pub(crate) fn forget(&self) {
        for account in self.by_name.lock().values() {
            account.counters.forget();
        }
    }
}

impl Account {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            counters: Counters::default(),
            budgets: Mutex::new(Budgets::new(name)),
            faults: RwLock::new(parse_name(name).into()),
        }
    }

    pub(crate) fn faults(&self) -> Arc<[Fault]> {
        Arc::clone(&self.faults.read())
    }

    pub(crate) fn set_faults(&self, faults: Vec<Fault>) {
        *self.faults.write() = faults.into();
    }
}

impl Counters {
    pub(crate) fn stats(&self) -> AccountStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        AccountStats {
            calls: get(&self.calls),
            running: get(&self.running),
            max_running: get(&self.max_running),
            uploads: get(&self.uploads),
            rate_limit_calls: get(&self.rate_limit_calls),
            asset_calls: get(&self.asset_calls),
        }
    }

    fn forget(&self) {
        for counter in [&self.calls, &self.uploads, &self.rate_limit_calls, &self.asset_calls] {
            counter.store(0, Ordering::Relaxed);
        }
        self.max_running.store(self.running.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

impl Running {
    /// Counts a chat call in.
    pub(crate) fn begin(account: Arc<Account>, state: Arc<State>) -> Self {
        let running = account.counters.running.fetch_add(1, Ordering::Relaxed) + 1;
        account.counters.max_running.fetch_max(running, Ordering::Relaxed);
        Self { account, state, began_at: Instant::now(), finished: false, create: None }
    }

    /// The call is accepted under this name: from here on it costs.
    pub(crate) fn accept(&mut self, name: Option<String>) {
        self.create = Some(Create::begin(Arc::clone(&self.state), name, &self.account.name));
    }

    /// All of the answer was sent.
    pub(crate) fn complete(&mut self) {
        if let Some(create) = &mut self.create {
            create.complete();
        }
        self.finish();
    }

    /// The answer is complete, or ended by us: whoever leaves now has missed nothing.
    pub(crate) fn finish(&mut self) {
        self.finished = true;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.create = None;
        self.account.counters.running.fetch_sub(1, Ordering::Relaxed);
        if !self.finished {
            self.state.departures.add(&self.account.name, self.began_at);
        }
        self.state.changed();
    }
}

/// The value of the `sso` cookie, if there is one.
pub(crate) fn account_name(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .find_map(|cookie| cookie.trim().strip_prefix("sso="))
        .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_account_is_the_sso_cookie_in_any_spelling() {
        for cookie in ["sso-rw=a.b;sso=a.b", "sso-rw=x; sso=a.b; cf_clearance=c", "sso=a.b"] {
            let headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static(cookie))]);
            assert_eq!(account_name(&headers), Some("a.b"), "{cookie}");
        }
        let headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static("sso-rw=a"))]);
        assert_eq!(account_name(&headers), None);
    }
}
