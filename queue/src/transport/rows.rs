//! No list beside the rows: whoever looks for work reads the queued rows themselves.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use grok2api_entity::job::{Column, Entity, Kind, State};
use parking_lot::Mutex;
use rand::seq::SliceRandom;
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Bells, Taken, Transport, TransportError};
use crate::news::{Hub, News};
use crate::ticket::Ticket;
use crate::time::{in_time, now_ms, until};

/// A ticket that was handed out and whose claim was never tried is handed out again after this time.
const HANDED: Duration = Duration::from_secs(5);
/// Rows that are read at once, at least: reading many costs hardly more than reading one.
const PAGE: usize = 64;

/// The embedded transport: one process, whose workers read the rows.
#[derive(Debug)]
pub struct RowTransport {
    db: DatabaseConnection,
    hub: Hub,
    bells: Bells,
    shared: bool,
    desk: Mutex<Desk>,
}

/// What lies ready, and what was handed out.
#[derive(Debug, Default)]
struct Desk {
    /// Due tickets that were read ahead, by kind, in their order.
    ahead: HashMap<Kind, VecDeque<Ticket>>,
    handed: HashMap<(Uuid, i64), Handed>,
    /// Counts the looks at the rows.
    looks: u64,
}

#[derive(Debug)]
struct Handed {
    at: Instant,
    /// The look that was the newest when the claim had been tried. Those that began later see what became of the row.
    tried_at: Option<u64>,
}

impl RowTransport {
    /// Reads the rows of `db` and tells `hub`.
    pub fn new(db: DatabaseConnection, hub: Hub) -> Self {
        Self { db, hub, bells: Bells::default(), shared: false, desk: Mutex::default() }
    }

    /// Reads rows that other processes read as well: nothing is read ahead, and not all take the first.
    pub(super) fn shared(db: DatabaseConnection, hub: Hub) -> Self {
        Self { shared: true, ..Self::new(db, hub) }
    }

    /// Takes what was read ahead.
    fn take_ahead(&self, kind: Kind, max: usize) -> Vec<Ticket> {
        let mut desk = self.desk.lock();
        let Some(ahead) = desk.ahead.get_mut(&kind) else { return Vec::new() };
        let tickets: Vec<Ticket> = ahead.drain(..max.min(ahead.len())).collect();
        desk.hand_out(&tickets);
        tickets
    }

    /// The first rows of a kind that wait, in the order they are due.
    async fn read(&self, kind: Kind, limit: usize) -> Result<Vec<Ticket>, TransportError> {
        let rows = Entity::find()
            .select_only()
            .columns([Column::Id, Column::Epoch, Column::RunAt])
            .filter(Column::Kind.eq(kind))
            .filter(Column::State.eq(State::Queued))
            .order_by_asc(Column::RunAt)
            .order_by_asc(Column::Id)
            .limit(u64::try_from(limit).unwrap_or(u64::MAX))
            .into_tuple();
        let rows: Vec<(Uuid, i64, i64)> = in_time(rows.all(&self.db)).await?;
        Ok(rows.into_iter().map(|(id, epoch, run_at)| Ticket { kind, id, epoch, run_at }).collect())
    }

    /// Makes a look's rows into tickets: those to take, and those that are kept for the next time.
    fn sort(&self, look: u64, rows: Vec<Ticket>, kind: Kind, max: usize) -> Taken {
        let now = now_ms();
        let later = rows.iter().find(|ticket| ticket.run_at > now).map(|ticket| until(ticket.run_at));
        let mut desk = self.desk.lock();
        desk.forget(look);
        let free = |ticket: &Ticket| ticket.run_at <= now && !desk.handed.contains_key(&(ticket.id, ticket.epoch));
        let mut free: Vec<Ticket> = rows.into_iter().filter(free).collect();
        if self.shared {
            free.shuffle(&mut rand::rng());
        }
        let rest = free.split_off(max.min(free.len()));
        desk.hand_out(&free);
        let next_due = if rest.is_empty() { later } else { Some(Duration::ZERO) };
        desk.ahead.insert(kind, if self.shared { VecDeque::new() } else { rest.into() });
        Taken { tickets: free, next_due }
    }
}

impl Desk {
    fn hand_out(&mut self, tickets: &[Ticket]) {
        let at = Instant::now();
        self.handed.extend(tickets.iter().map(|ticket| ((ticket.id, ticket.epoch), Handed { at, tried_at: None })));
    }

    /// Forgets what a look that begins as number `look` sees for itself, and what took too long.
    fn forget(&mut self, look: u64) {
        self.handed.retain(|_, handed| match handed.tried_at {
            Some(newest) => newest >= look,
            None => handed.at.elapsed() < HANDED,
        });
    }
}

#[async_trait]
impl Transport for RowTransport {
    async fn push(&self, tickets: &[Ticket]) -> Result<u64, TransportError> {
        let mut desk = self.desk.lock();
        for ticket in tickets {
            // One that is due before others that were read ahead must come before them.
            if let Some(ahead) = desk.ahead.get_mut(&ticket.kind)
                && ahead.back().is_some_and(|last| (ticket.run_at, ticket.id) < (last.run_at, last.id))
            {
                ahead.clear();
            }
        }
        drop(desk);
        for ticket in tickets {
            self.bells.of(ticket.kind).notify_one();
        }
        Ok(0)
    }

    async fn take(&self, kind: Kind, max: usize) -> Result<Taken, TransportError> {
        let tickets = self.take_ahead(kind, max);
        if !tickets.is_empty() {
            return Ok(Taken { tickets, next_due: Some(Duration::ZERO) });
        }
        let (look, out) = {
            let mut desk = self.desk.lock();
            desk.looks += 1;
            (desk.looks, desk.handed.len())
        };
        let rows = self.read(kind, PAGE.max(max) + out).await?;
        Ok(self.sort(look, rows, kind, max))
    }

    fn tried(&self, ticket: Ticket) {
        let mut desk = self.desk.lock();
        let newest = desk.looks;
        if let Some(handed) = desk.handed.get_mut(&(ticket.id, ticket.epoch)) {
            handed.tried_at = Some(newest);
        }
    }

    async fn give_back(&self, tickets: &[Ticket]) -> Result<(), TransportError> {
        for ticket in tickets {
            self.tried(*ticket);
        }
        self.push(tickets).await.map(drop)
    }

    async fn remove(&self, ticket: Ticket) -> Result<(), TransportError> {
        if let Some(ahead) = self.desk.lock().ahead.get_mut(&ticket.kind) {
            ahead.retain(|other| other.id != ticket.id);
        }
        Ok(())
    }

    async fn depth(&self, kind: Kind) -> Result<u64, TransportError> {
        let queued = Entity::find().filter(Column::Kind.eq(kind)).filter(Column::State.eq(State::Queued));
        Ok(in_time(queued.count(&self.db)).await?)
    }

    fn wake(&self, kind: Kind) -> Arc<Notify> {
        Arc::clone(self.bells.of(kind))
    }

    async fn announce(&self, news: &[News]) {
        for one in news {
            self.hub.tell(*one);
        }
    }

    async fn listen(&self, _hub: Hub, stop: CancellationToken) {
        stop.cancelled().await;
    }

    fn can_lose(&self) -> bool {
        false
    }
}
