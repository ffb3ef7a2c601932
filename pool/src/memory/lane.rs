//! All accounts of one tier as seen by one budget: who is ready, who is busy, who comes back when.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use crate::memory::index::Index;
use crate::memory::slot::Standing;
use crate::strategy::End;
use crate::want::ReserveError;

const NEVER: i64 = i64::MAX;

#[derive(Debug)]
pub(crate) struct Lane {
    index: Index,
    standings: Vec<Standing>,
    /// Accounts by number of cost steps covered, 0 included.
    ready: Vec<usize>,
    busy: Vec<usize>,
    limited: usize,
    /// When an account's budget is to be looked at again, soonest first. An entry counts only while `due_at` agrees.
    due: BinaryHeap<Reverse<(i64, u32)>>,
    due_at: Vec<i64>,
}

impl Lane {
    pub(crate) fn new(levels: usize) -> Self {
        Self {
            index: Index::new(levels),
            standings: Vec::new(),
            ready: vec![0; levels + 1],
            busy: vec![0; levels + 1],
            limited: 0,
            due: BinaryHeap::new(),
            due_at: Vec::new(),
        }
    }

    /// Records where an account stands. `reset_at` is when its budget is renewed, if that is known.
    pub(crate) fn set(&mut self, slot: u32, standing: Standing, reset_at: Option<i64>, touch: bool) {
        let at = slot as usize;
        if self.standings.len() <= at {
            self.standings.resize(at + 1, Standing::Out);
            self.due_at.resize(at + 1, NEVER);
        }
        self.count(self.standings[at], false);
        self.standings[at] = standing;
        self.count(standing, true);
        let place = match standing {
            Standing::Ready(place) => Some(place),
            Standing::Busy(_) | Standing::Limited(_) | Standing::Out => None,
        };
        self.index.place(slot, place, touch);
        let due = match standing {
            Standing::Limited(until) => until,
            Standing::Ready(_) | Standing::Busy(_) => reset_at.unwrap_or(NEVER),
            Standing::Out => NEVER,
        };
        if self.due_at[at] != due {
            self.due_at[at] = due;
            if due != NEVER {
                self.due.push(Reverse((due, slot)));
            }
        }
    }

    /// Like [`Lane::set`] for an account that enters and was never used: it goes in front of its equals.
    pub(crate) fn set_first(&mut self, slot: u32, standing: Standing, reset_at: Option<i64>) {
        self.set(slot, standing, reset_at, false);
        if let Standing::Ready(place) = standing {
            self.index.place_first(slot, place);
        }
    }

    /// The next account whose time has come.
    pub(crate) fn pop_due(&mut self, now_ms: i64) -> Option<u32> {
        while let Some(&Reverse((due, slot))) = self.due.peek() {
            let stale = self.due_at[slot as usize] != due;
            if !stale && due > now_ms {
                return None;
            }
            self.due.pop();
            if !stale {
                self.due_at[slot as usize] = NEVER;
                return Some(slot);
            }
        }
        None
    }

    pub(crate) fn best(&self, level: u8, end: End, usable: impl Fn(u32) -> bool) -> Option<u32> {
        self.index.best(level, end, usable)
    }

    /// Whether an account can serve a call that needs `level` cost steps.
    pub(crate) fn is_ready(&self, slot: u32, level: u8) -> bool {
        matches!(self.standings.get(slot as usize), Some(Standing::Ready(place)) if place.level >= level)
    }

    /// Why [`Lane::best`] found nothing for a call that needs `level` cost steps.
    pub(crate) fn refusal(&mut self, level: u8, now_ms: i64) -> ReserveError {
        let level = usize::from(level.max(1));
        if self.busy[level..].iter().any(|count| *count > 0) {
            return ReserveError::Busy;
        }
        let short = self.ready[..level].iter().chain(&self.busy[..level]).sum::<usize>();
        if self.limited + short == 0 {
            return ReserveError::Empty;
        }
        while let Some(&Reverse((due, slot))) = self.due.peek() {
            if self.due_at[slot as usize] == due {
                let wait = u64::try_from((due - now_ms).max(1)).unwrap_or(1);
                return ReserveError::Limited { retry_after: Duration::from_millis(wait) };
            }
            self.due.pop();
        }
        ReserveError::Limited { retry_after: Duration::from_secs(60) }
    }

    fn count(&mut self, standing: Standing, up: bool) {
        let counter = match standing {
            Standing::Ready(place) => &mut self.ready[usize::from(place.level)],
            Standing::Busy(level) => &mut self.busy[usize::from(level)],
            Standing::Limited(_) => &mut self.limited,
            Standing::Out => return,
        };
        *counter = if up { *counter + 1 } else { counter.saturating_sub(1) };
    }
}
