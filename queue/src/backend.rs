//! The queue as apalis sees it: a backend whose tasks are tickets.
//!
//! The backends that come with apalis keep jobs, retries and dead workers in lists of their own, beside the rows that are
//! the truth here. This one only delivers: it never ends a worker, leaves nothing behind, and takes a ticket only when
//! there is a free hand for it (decision 015). A [`Feeder`] looks for tickets and lays them on a shelf; the worker takes
//! them from there.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use apalis::prelude::{Backend, Task, TaskBuilder, TaskId, WorkerContext};
use apalis_core::backend::BackendConfig;
use apalis_core::backend::finalize::Ephemeral;
use apalis_core::layers::Identity;
use futures_util::task::AtomicWaker;
use grok2api_entity::job::Kind;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::hands::{Hand, Hands};
use crate::ticket::Ticket;
use crate::transport::{Taken, Transport, TransportError};

/// Without a sign that there is work, the transport is asked this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Pause after a look that found nothing although something was due: it is somebody else's, or nobody's.
const NOTHING: Duration = Duration::from_millis(10);
/// Pause after a failed look, and its limit.
const FAILED: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// Tickets that one look takes at most.
const MOST: usize = 32;

/// A ticket, with the hand that is free for it until this is dropped.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) ticket: Ticket,
    _hand: Hand,
}

/// Where tickets lie between feeder and worker.
#[derive(Debug, Default)]
struct Shelf {
    ready: Mutex<VecDeque<Delivery>>,
    reader: AtomicWaker,
}

/// Looks for tickets of one kind.
pub(crate) struct Feeder {
    transport: Arc<dyn Transport>,
    kind: Kind,
    hands: Hands,
    shelf: Arc<Shelf>,
}

/// Delivers the tickets of one kind to the worker that polls it.
pub(crate) struct Deliveries {
    kind: Kind,
    shelf: Arc<Shelf>,
}

/// Deliveries of a kind for a worker with these hands, and who feeds them.
pub(crate) fn deliveries(transport: Arc<dyn Transport>, kind: Kind, hands: Hands) -> (Feeder, Deliveries) {
    let shelf = Arc::<Shelf>::default();
    (Feeder { transport, kind, hands, shelf: Arc::clone(&shelf) }, Deliveries { kind, shelf })
}

impl Feeder {
    /// Feeds until `draining` is cancelled; what nobody has begun then is given back.
    pub(crate) async fn run(mut self, draining: CancellationToken) {
        let bell = self.transport.wake(self.kind);
        let mut failures = 0_u32;
        while let Some(hands) = self.free_hands(&draining).await {
            let asked = hands.len();
            // Not ended half way, even when draining begins: what was taken would be lost.
            let found = self.transport.take(self.kind, asked).await;
            let pause = pause(&found, asked, failures);
            match found {
                Ok(taken) => {
                    failures = 0;
                    self.shelf.put(taken.tickets, hands);
                }
                Err(error) => {
                    failures = (failures + 1).min(16);
                    tracing::warn!(kind = self.kind.as_str(), error = %error, "no look for work was possible: trying again");
                }
            }
            let Some(pause) = pause else { continue };
            // A bell that rang during the look rings here at once.
            tokio::select! {
                () = bell.notified(), if failures == 0 => {}
                () = tokio::time::sleep(pause) => {}
                () = draining.cancelled() => {}
            }
        }
        let left: Vec<Ticket> = self.shelf.ready.lock().drain(..).map(|delivery| delivery.ticket).collect();
        if !left.is_empty() && self.transport.give_back(&left).await.is_err() {
            tracing::debug!(jobs = left.len(), "work that was not begun could not be given back: it comes again");
        }
    }

    /// Waits until somebody is free and may begin something, and answers who is; `None` when draining.
    async fn free_hands(&mut self, draining: &CancellationToken) -> Option<Vec<Hand>> {
        tokio::select! {
            biased;
            () = draining.cancelled() => None,
            hands = self.hands.free(MOST) => Some(hands),
        }
    }
}

/// How long to wait before the next look; `None` when there may be more to find.
fn pause(found: &Result<Taken, TransportError>, asked: usize, failures: u32) -> Option<Duration> {
    match found {
        Ok(taken) if taken.tickets.len() >= asked => None,
        Ok(taken) if taken.next_due == Some(Duration::ZERO) => taken.tickets.is_empty().then_some(NOTHING),
        Ok(taken) => Some(taken.next_due.unwrap_or(LOOK_EVERY).min(LOOK_EVERY)),
        Err(_) => Some((FAILED.0 * 2_u32.saturating_pow(failures)).min(FAILED.1)),
    }
}

impl Shelf {
    fn put(&self, tickets: Vec<Ticket>, hands: Vec<Hand>) {
        let deliveries = tickets.into_iter().zip(hands);
        self.ready.lock().extend(deliveries.map(|(ticket, hand)| Delivery { ticket, _hand: hand }));
        self.reader.wake();
    }
}

impl Backend for Deliveries {
    type Task = Task<Delivery>;
    type Error = Infallible;

    fn poll_ready(&mut self, _cx: &mut Context<'_>, _worker: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        _worker: &WorkerContext,
    ) -> Poll<Option<Result<Self::Task, Infallible>>> {
        // Registered before the look at the shelf: what is laid there in between wakes.
        self.shelf.reader.register(cx.waker());
        let Some(delivery) = self.shelf.ready.lock().pop_front() else { return Poll::Pending };
        let id = TaskId::from_uuid(delivery.ticket.id);
        Poll::Ready(Some(Ok(TaskBuilder::new(delivery).task_id(id).build())))
    }

    fn poll_close(&mut self, _cx: &mut Context<'_>, _worker: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for Deliveries {
    type Args = Delivery;
    type Id = uuid::Uuid;
    type Kind = Ephemeral;
    type Config = Kind;
    type Layer = Identity;

    fn config(&self) -> &Kind {
        &self.kind
    }

    fn middleware(&mut self, _worker: &mut WorkerContext) -> Identity {
        Identity::new()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;
    use tokio::sync::{Notify, Semaphore};
    use tokio::time::Instant;
    use uuid::Uuid;

    use super::*;
    use crate::control::{Rule, Rules};
    use crate::news::{Hub, News};

    /// A list in memory. A look takes what is there when it begins, and answers when it may pass.
    struct List {
        tickets: Mutex<Vec<Ticket>>,
        bell: Arc<Notify>,
        looks: AtomicUsize,
        begun: Notify,
        gate: Semaphore,
    }

    impl List {
        fn new(passing: usize) -> Arc<Self> {
            Arc::new(Self {
                tickets: Mutex::default(),
                bell: Arc::default(),
                looks: AtomicUsize::new(0),
                begun: Notify::new(),
                gate: Semaphore::new(passing),
            })
        }
    }

    #[async_trait]
    impl Transport for List {
        async fn push(&self, tickets: &[Ticket]) -> Result<u64, TransportError> {
            self.tickets.lock().extend(tickets);
            self.bell.notify_one();
            Ok(tickets.len() as u64)
        }
        async fn take(&self, _kind: Kind, max: usize) -> Result<Taken, TransportError> {
            self.looks.fetch_add(1, Ordering::SeqCst);
            let tickets = {
                let mut there = self.tickets.lock();
                let count = max.min(there.len());
                there.drain(..count).collect()
            };
            self.begun.notify_one();
            self.gate.acquire().await.unwrap().forget();
            Ok(Taken { tickets, next_due: None })
        }
        fn tried(&self, _ticket: Ticket) {}
        async fn give_back(&self, tickets: &[Ticket]) -> Result<(), TransportError> {
            self.push(tickets).await.map(drop)
        }
        async fn remove(&self, _ticket: Ticket) -> Result<(), TransportError> {
            Ok(())
        }
        async fn depth(&self, _kind: Kind) -> Result<u64, TransportError> {
            Ok(self.tickets.lock().len() as u64)
        }
        fn wake(&self, _kind: Kind) -> Arc<Notify> {
            Arc::clone(&self.bell)
        }
        async fn announce(&self, _news: &[News]) {}
        async fn listen(&self, _hub: Hub, _stop: CancellationToken) {}
        fn can_lose(&self) -> bool {
            false
        }
    }

    fn ticket() -> Ticket {
        Ticket { kind: Kind::CacheMedia, id: Uuid::now_v7(), epoch: 0, run_at: 0 }
    }

    struct Fed {
        shelf: Arc<Shelf>,
        rules: Rules,
        draining: CancellationToken,
        feeding: tokio::task::JoinHandle<()>,
    }

    fn start(list: &Arc<List>, hands: usize) -> Fed {
        let draining = CancellationToken::new();
        let rules = Rules::default();
        let hands = Hands::new(hands, rules.of(Kind::CacheMedia));
        let (feeder, Deliveries { shelf, .. }) = deliveries(Arc::<List>::clone(list), Kind::CacheMedia, hands);
        Fed { shelf, rules, draining: draining.clone(), feeding: tokio::spawn(feeder.run(draining)) }
    }

    /// In time that moves only when nothing else can be done.
    #[tokio::test(start_paused = true)]
    async fn a_bell_that_rings_during_a_look_makes_another_look_at_once() {
        let list = List::new(0);
        let fed = start(&list, 4);
        for round in 1..=100 {
            list.begun.notified().await;
            // This look has found nothing, and has not said so yet.
            list.push(&[ticket()]).await.unwrap();
            let rung = Instant::now();
            list.gate.add_permits(1);
            list.begun.notified().await;
            assert_eq!(rung.elapsed(), Duration::ZERO, "round {round}");
            list.gate.add_permits(1);
            while fed.shelf.ready.lock().pop_front().is_none() {
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_idle_looks_once_a_second_and_who_has_no_hand_free_not_at_all() {
        let list = List::new(10_000);
        let fed = start(&list, 2);
        tokio::time::sleep(Duration::from_millis(60_500)).await;
        assert_eq!(list.looks.load(Ordering::SeqCst), 61);
        list.push(&[ticket(), ticket(), ticket()]).await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(list.looks.load(Ordering::SeqCst), 62);
        assert_eq!((fed.shelf.ready.lock().len(), list.tickets.lock().len()), (2, 1));
        fed.shelf.ready.lock().pop_front();
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!((fed.shelf.ready.lock().len(), list.tickets.lock().len()), (2, 0), "the third follows at once");
    }

    #[tokio::test(start_paused = true)]
    async fn f11_what_is_taken_while_draining_begins_is_given_back() {
        let list = List::new(1);
        let fed = start(&list, 1);
        list.begun.notified().await;
        let (on_the_shelf, on_its_way) = (ticket(), ticket());
        list.push(&[on_the_shelf]).await.unwrap();
        list.begun.notified().await;
        list.gate.add_permits(1);
        while fed.shelf.ready.lock().is_empty() {
            tokio::task::yield_now().await;
        }
        // There is one hand more, and a second look is on its way.
        fed.rules.set_one(Kind::CacheMedia, Rule { paused: false, concurrency: Some(2) });
        list.push(&[on_its_way]).await.unwrap();
        list.begun.notified().await;
        fed.draining.cancel();
        list.gate.add_permits(1);
        fed.feeding.await.unwrap();
        assert_eq!(*list.tickets.lock(), [on_the_shelf, on_its_way]);
        assert!(fed.shelf.ready.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_looks_for_work_that_is_paused_and_all_of_it_comes_when_it_goes_on() {
        let list = List::new(10_000);
        let fed = start(&list, 2);
        list.begun.notified().await;
        fed.rules.set_one(Kind::CacheMedia, Rule { paused: true, concurrency: None });
        tokio::time::sleep(Duration::from_secs(2)).await;
        let looks = list.looks.load(Ordering::SeqCst);
        list.push(&[ticket(), ticket(), ticket()]).await.unwrap();
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert_eq!((list.looks.load(Ordering::SeqCst), list.tickets.lock().len()), (looks, 3));
        let resumed = Instant::now();
        fed.rules.set_one(Kind::CacheMedia, Rule { paused: false, concurrency: Some(3) });
        while fed.shelf.ready.lock().len() < 3 {
            tokio::task::yield_now().await;
        }
        assert_eq!(resumed.elapsed(), Duration::ZERO);
    }

    #[test]
    fn a_look_that_fails_is_repeated_ever_more_slowly() {
        let failed = || Err(TransportError::Database(sea_orm::DbErr::RecordNotUpdated));
        let pauses: Vec<u128> =
            (0..8).filter_map(|failures| pause(&failed(), 1, failures)).map(|pause| pause.as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
    }
}
