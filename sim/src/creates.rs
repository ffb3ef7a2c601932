//! Which paid submissions were accepted, and what became of each? The ledger of a kill test asks from another process.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;

use crate::state::State;
use crate::turn::ChatBody;

/// Submissions told apart; more are only counted.
const MAX_KEPT: usize = 500_000;
/// Longest name, in bytes.
const MAX_KEY_BYTES: usize = 512;
/// Accounts listed for one name.
const MAX_ACCOUNTS: usize = 16;

/// What happened to the submissions of one name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CreateStats {
    /// How often it was accepted: chat calls that were not refused and whose answer began.
    pub creates: u64,
    /// How many of these answers were sent to their end.
    pub completions: u64,
    /// How many answers run now.
    pub running: u64,
    /// Most answers that ran at one time.
    pub max_running: u64,
    /// The accounts that it was accepted for, in order; the first sixteen.
    pub accounts: Vec<String>,
}

/// All accepted submissions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CreateLedger {
    /// Accepted chat calls of every kind.
    pub creates: u64,
    /// Answers to them that were sent to their end.
    pub completions: u64,
    /// Answers to them that run now.
    pub running: u64,
    /// Submissions that had a name but no room.
    pub not_kept: u64,
    /// Those with a name: the `ID` of a `[[id=ID]]` in the message, or else the prompt of a picture or a video.
    pub by_name: BTreeMap<String, CreateStats>,
}

/// The ledger as it is kept.
#[derive(Debug, Default)]
pub(crate) struct Creates {
    ledger: Mutex<CreateLedger>,
}

/// One accepted submission, until its answer ends.
#[derive(Debug)]
pub(crate) struct Create {
    state: Arc<State>,
    name: Option<String>,
    complete: bool,
}

/// What an accepted call is called; `None` for a chat without a mark, of which there are too many.
pub(crate) fn name_of(turn: &ChatBody, makes_media: bool) -> Option<String> {
    let name = turn.mark().or_else(|| makes_media.then(|| turn.prompt()))?;
    Some(name[..name.floor_char_boundary(MAX_KEY_BYTES)].to_owned())
}

impl Create {
    /// Enters a submission into the ledger.
    pub(crate) fn begin(state: Arc<State>, name: Option<String>, account: &str) -> Self {
        let name = state.creates.begin(name, account);
        Self { state, name, complete: false }
    }

    /// All of the answer was sent.
    pub(crate) fn complete(&mut self) {
        self.complete = true;
    }
}

impl Drop for Create {
    fn drop(&mut self) {
        self.state.creates.end(self.name.as_deref(), self.complete);
    }
}

impl Creates {
    /// The name back, unless there is no room for it.
    fn begin(&self, name: Option<String>, account: &str) -> Option<String> {
        let mut ledger = self.ledger.lock();
        ledger.creates += 1;
        ledger.running += 1;
        let name = name?;
        if ledger.by_name.len() >= MAX_KEPT && !ledger.by_name.contains_key(&name) {
            ledger.not_kept += 1;
            return None;
        }
        let stats = ledger.by_name.entry(name.clone()).or_default();
        stats.creates += 1;
        stats.running += 1;
        stats.max_running = stats.max_running.max(stats.running);
        if stats.accounts.len() < MAX_ACCOUNTS {
            stats.accounts.push(account.to_owned());
        }
        Some(name)
    }

    fn end(&self, name: Option<&str>, complete: bool) {
        let mut ledger = self.ledger.lock();
        ledger.running = ledger.running.saturating_sub(1);
        ledger.completions += u64::from(complete);
        if let Some(stats) = name.and_then(|name| ledger.by_name.get_mut(name)) {
            stats.running = stats.running.saturating_sub(1);
            stats.completions += u64::from(complete);
        }
    }

    pub(crate) fn all(&self) -> CreateLedger {
        self.ledger.lock().clone()
    }

    /// Forgets what is over; what runs stays in the count of running answers.
    pub(crate) fn forget(&self) {
        let mut ledger = self.ledger.lock();
        let running = |(name, stats): (String, CreateStats)| {
            let left = CreateStats { running: stats.running, max_running: stats.running, ..CreateStats::default() };
            (stats.running > 0).then_some((name, left))
        };
        let by_name = std::mem::take(&mut ledger.by_name).into_iter().filter_map(running).collect();
        *ledger = CreateLedger { running: ledger.running, by_name, ..CreateLedger::default() };
    }
}
