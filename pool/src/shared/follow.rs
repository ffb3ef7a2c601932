//! Keeping up with the store: its changes are polled every second, and at once when it rings.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use redis::{RedisError, RedisResult};
use tokio_util::sync::CancellationToken;

use crate::account::AccountId;
use crate::clock::Clock;
use crate::shared::Inner;
use crate::shared::store::{News, is_away};
use crate::shared::wire::Truth;

/// How often changes are looked for without being told of any.
const POLL: Duration = Duration::from_secs(1);
/// How often a store that is away is tried.
const RETRY: Duration = Duration::from_millis(250);
/// Shortest time between two looks.
const BREATH: Duration = Duration::from_millis(20);
/// Accounts told of at once.
const PAGE: usize = 256;
/// Accounts mended at once.
const MENDED: usize = 256;
/// New accounts that are asked about one by one; for more, everything is read again.
const MET: usize = 1024;
/// Longest time for one look.
const LOOK: Duration = Duration::from_secs(2);
/// A freed place interests for so long after somebody found none, in ms.
const HUNGRY_MS: i64 = 10_000;

/// What is known of the store itself.
#[derive(Debug, Default)]
pub(super) struct Bearings {
    /// Number of the last change that was seen.
    seen: u64,
    /// Name of the store's memory.
    memory: String,
}

impl Inner {
    /// Follows the store until `stop` is cancelled.
    pub(super) async fn keep_following(self: Arc<Self>, stop: CancellationToken) {
        let mut bearings = Bearings::default();
        loop {
            if let Err(error) = self.look(&mut bearings).await {
                self.lose_touch(&error);
            }
            let pause = if self.replica.lock().is_alone() { RETRY } else { POLL };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.bell.notified() => tokio::time::sleep(BREATH).await,
                () = stop.cancelled() => return,
            }
        }
    }

    /// Takes over all changes, and tells of what is in doubt.
    async fn look(&self, bearings: &mut Bearings) -> RedisResult<()> {
        self.meet(bearings).await?;
        loop {
            let news = tokio::time::timeout(LOOK, self.store.poll(bearings.seen, PAGE)).await;
            let news = news.unwrap_or_else(|_| Err(late()))?;
            self.heard();
            let is_all = news.changed.len() < PAGE;
            let truths = tokio::time::timeout(LOOK, self.ask_about(&news.changed, bearings.seen == 0));
            let truths = truths.await.unwrap_or_else(|_| Err(late()))?;
            self.take_over(bearings, news, truths);
            if is_all {
                break;
            }
        }
        while self.mend().await? {}
        let was_alone = {
            let mut replica = self.replica.lock();
            let was_alone = replica.is_alone();
            replica.table.rejoin();
            was_alone
        };
        if was_alone {
            tracing::info!("Redis is back: the pool is shared again");
            self.released.notify_waiters();
        }
        self.back.notify_waiters();
        Ok(())
    }

    /// Asks about accounts that are new here.
    async fn meet(&self, bearings: &mut Bearings) -> RedisResult<()> {
        let strangers = std::mem::take(&mut self.replica.lock().strangers);
        if strangers.len() > MET {
            bearings.seen = 0;
            return Ok(());
        }
        for page in strangers.chunks(PAGE) {
            let met = join_all(page.iter().map(|id| self.store.load(*id))).await;
            let now = self.now_ms();
            let mut replica = self.replica.lock();
            for (id, truth) in page.iter().zip(met) {
                match truth {
                    Ok(truth) => replica.learn(*id, &truth, now),
                    Err(error) => {
                        replica.strangers = strangers;
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }

    /// Asks about those of the changed accounts whose latest change is not known here, or about all. Most changes are this
    /// process's own, and it was told what came of them.
    async fn ask_about(&self, changed: &[(AccountId, u64)], all: bool) -> RedisResult<Vec<(AccountId, Truth)>> {
        let asked: Vec<AccountId> = {
            let replica = self.replica.lock();
            let is_news = |(id, number): &&(AccountId, u64)| all || replica.version(*id) < *number;
            changed.iter().filter(is_news).map(|(id, _)| *id).collect()
        };
        let truths = join_all(asked.iter().map(|id| self.store.load(*id))).await;
        asked.into_iter().zip(truths).map(|(id, truth)| truth.map(|truth| (id, truth))).collect()
    }

    fn take_over(&self, bearings: &mut Bearings, news: News, truths: Vec<(AccountId, Truth)>) {
        if matches!(self.clock, Clock::System) {
            self.ahead_ms.store(news.now_ms - self.clock.now_ms(), Ordering::Relaxed);
        }
        let now = self.now_ms();
        self.is_known.store(true, Ordering::Relaxed);
        let ordinal = news.processes.iter().filter(|other| other.as_str() < self.store.process()).count();
        *self.rank.lock() = (ordinal, news.processes.len().max(1));
        let mut replica = self.replica.lock();
        let is_lost = !bearings.memory.is_empty() && bearings.memory != news.memory;
        if is_lost {
            tracing::warn!("Redis has lost its memory: the pool is told to it again");
            bearings.seen = 0;
            replica.start_over();
        } else if !news.held && !bearings.memory.is_empty() {
            replica.doubt_all();
        }
        bearings.memory = news.memory;
        let has_news = !truths.is_empty();
        for (id, truth) in truths {
            replica.learn(id, &truth, now);
        }
        if let Some((_, number)) = news.changed.last()
            && !is_lost
        {
            bearings.seen = bearings.seen.max(*number);
        }
        drop(replica);
        if has_news {
            self.released.notify_waiters();
        }
    }

    /// Tells of some accounts that are in doubt; true when there may be more.
    async fn mend(&self) -> RedisResult<bool> {
        let mendings = self.replica.lock().take_mendings(MENDED);
        if mendings.is_empty() {
            return Ok(false);
        }
        let is_all = mendings.len() < MENDED;
        let told =
            join_all(mendings.iter().map(|one| self.store.mend(one.account, one.running, &one.fields, &one.used)))
                .await;
        let now = self.now_ms();
        let mut lost = Ok(!is_all);
        let mut replica = self.replica.lock();
        for (mending, truth) in mendings.into_iter().zip(told) {
            match truth {
                Ok(truth) => replica.learn(mending.account, &truth, now),
                Err(error) => {
                    replica.keep_mending(mending);
                    lost = Err(error);
                }
            }
        }
        lost
    }

    /// The store is away: from now on this process keeps to its part.
    pub(super) fn lose_touch(&self, error: &RedisError) {
        if !is_away(error) {
            // It answers, so it is there; what it refuses is not about the pool as a whole.
            tracing::warn!(%error, "Redis refuses to share the pool");
        }
        self.is_known.store(false, Ordering::Relaxed);
        let (ordinal, count) = *self.rank.lock();
        let mut replica = self.replica.lock();
        if replica.is_alone() {
            return;
        }
        replica.table.go_alone(ordinal, count);
        drop(replica);
        metrics::counter!("grok2api_pool_alone_total").increment(1);
        tracing::warn!(%error, part = ordinal + 1, of = count, "Redis is away: this process keeps to its part of the pool");
        self.bell.notify_one();
        self.released.notify_waiters();
    }

    /// Rings when somebody changed an account, or freed a place that is waited for here.
    pub(super) async fn keep_listening(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let ended = tokio::select! {
                ended = self.listen() => ended,
                () = stop.cancelled() => return,
            };
            tracing::debug!(error = ended.err().map(tracing::field::display), "the pool's news ended: asking again");
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn listen(&self) -> RedisResult<()> {
        let mut channel = self.store.client.get_async_pubsub().await?;
        channel.subscribe(self.store.channel()).await?;
        let mut messages = channel.on_message();
        while let Some(message) = messages.next().await {
            let is_free = message.get_payload_bytes() == b"free";
            let hungry = self.now_ms() - self.hungry_at_ms.load(Ordering::Relaxed) < HUNGRY_MS;
            if !is_free || hungry {
                self.bell.notify_one();
            }
        }
        Ok(())
    }
}

fn late() -> RedisError {
    RedisError::from((redis::ErrorKind::Io, "it did not answer in time"))
}
