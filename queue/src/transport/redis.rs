//! Tickets in sorted sets of Redis, news by its publish and subscribe.
//!
//! Score is the time a ticket is due, so one structure serves what is due now and what is due later, repeating a ticket
//! changes nothing, and nothing is left behind by finished work. Time is Redis' own (F27).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use grok2api_entity::job::Kind;
use parking_lot::Mutex;
use redis::aio::{ConnectionManager, ConnectionManagerConfig, PubSubSink, PubSubStream};
use redis::{Client, ErrorKind, RedisError, RedisResult, Script, Value};
use sea_orm::DatabaseConnection;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Bells, RowTransport, Taken, Transport, TransportError};
use crate::news::{Hub, News};
use crate::ticket::{Stub, Ticket};
use crate::time::now_ms;

/// Longest wait for an answer of Redis.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest wait for a connection to Redis.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// After it did not answer, Redis is left alone for this long: whoever needs it does without at once.
const AWAY: Duration = Duration::from_secs(2);
/// After Redis did not take a ticket, rows are read beside it for this long. While it stays so, the sweeper keeps trying.
const REFUSED: Duration = Duration::from_secs(15);
/// Pause before a lost subscription is taken out again.
const RESUBSCRIBE: Duration = Duration::from_millis(500);
/// A subscription without a message for this long is asked whether it still stands.
const SILENCE: Duration = Duration::from_secs(10);
/// Tickets put there by one command, and news told by one.
const BATCH: usize = 500;
/// News that may wait to be told (I7). What does not fit is left out: those who wait look for themselves.
const NEWS_WAITING: usize = 4096;

/// A ticket that was taken comes again after this time, in milliseconds, if nobody says what became of it: whoever took
/// it may have died (F1). A claim takes far less; one that takes longer and is tried twice is refused once, by its row.
const HELD_MS: u64 = 1_000;

/// Takes due tickets. KEYS: the set. ARGV: how many, and for how long they are held. Answers the tickets with their scores,
/// and the time until the next.
const TAKE: &str = r"
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'WITHSCORES', 'LIMIT', 0, ARGV[1])
for i = 1, #due, 2 do redis.call('ZADD', KEYS[1], 'XX', now + ARGV[2], due[i]) end
local next = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
local wait = -1
if next[2] then wait = math.min(math.max(0, tonumber(next[2]) - now), 3600000) end
return {due, wait}";

/// Puts tickets. KEYS: the set. ARGV: channel, kind, the caller's time, `NX` to leave one that lies there as it is or `LT`
/// to make it due earlier, then time and ticket alternately. Answers how many were new. What is due by the caller's clock
/// is due, and what is due later is so by the clock of Redis: a caller whose clock is wrong makes nothing late (F27).
const PUSH: &str = r"
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local theirs = tonumber(ARGV[3])
local new = 0
for i = 5, #ARGV, 2 do
  local at = tonumber(ARGV[i])
  if at > theirs then at = at + now - theirs else at = math.min(at, now) end
  new = new + redis.call('ZADD', KEYS[1], ARGV[4], string.format('%.0f', at), ARGV[i + 1])
end
if new > 0 or ARGV[4] == 'LT' then redis.call('PUBLISH', ARGV[1], ARGV[2]) end
return new";

/// How Redis is reached.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// What all keys and channels of ours begin with.
    pub prefix: String,
}

/// The transport of many processes.
pub struct RedisTransport {
    client: Client,
    commands: ConnectionManager,
    prefix: String,
    bells: Bells,
    rows: RowTransport,
    take: Script,
    push: Script,
    /// Redis is not asked before this time.
    away_until: Mutex<Option<Instant>>,
    /// Kinds whose tickets Redis does not take, and until when their rows are read as well.
    refused: Mutex<HashMap<Kind, Instant>>,
    news: mpsc::Sender<News>,
    tried: mpsc::Sender<Ticket>,
}

impl RedisTransport {
    /// Connects. `db` is read for work while Redis is away.
    ///
    /// # Errors
    /// Redis does not answer, or refuses us.
    pub async fn connect(
        url: &str,
        settings: RedisSettings,
        db: DatabaseConnection,
        hub: Hub,
    ) -> Result<Self, TransportError> {
        let client = Client::open(url)?;
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_min_delay(Duration::from_millis(50))
            .set_max_delay(Duration::from_millis(200))
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT));
        let commands = client.get_connection_manager_with_config(config).await?;
        let (tried, taken) = mpsc::channel(NEWS_WAITING);
        tokio::spawn(forget(commands.clone(), settings.prefix.clone(), taken));
        let (news, waiting) = mpsc::channel(NEWS_WAITING);
        tokio::spawn(publish(commands.clone(), format!("{}:news", settings.prefix), waiting));
        Ok(Self {
            client,
            commands,
            prefix: settings.prefix,
            bells: Bells::default(),
            rows: RowTransport::shared(db, hub),
            take: Script::new(TAKE),
            push: Script::new(PUSH),
            away_until: Mutex::default(),
            refused: Mutex::default(),
            news,
            tried,
        })
    }

    /// What Redis does when its memory is full; `None` when it does not tell.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn eviction_policy(&self) -> Result<Option<String>, TransportError> {
        let mut commands = self.commands.clone();
        let told: Result<Vec<String>, redis::RedisError> =
            redis::cmd("CONFIG").arg("GET").arg("maxmemory-policy").query_async(&mut commands).await;
        match told {
            Ok(pair) => Ok(pair.into_iter().nth(1)),
            // Managed services forbid the question.
            Err(error) if error.code().is_some() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn key(&self, kind: Kind) -> String {
        key(&self.prefix, kind)
    }

    fn channel(&self, name: &str) -> String {
        format!("{}:{name}", self.prefix)
    }

    /// Asks Redis, unless it did not answer a moment ago.
    async fn ask<T>(&self, asked: impl Future<Output = RedisResult<T>>) -> Result<T, TransportError> {
        let away = self.away_until.lock().is_some_and(|until| Instant::now() < until);
        if away {
            return Err(RedisError::from((ErrorKind::Io, "it did not answer a moment ago")).into());
        }
        let answered = tokio::time::timeout(RESPONSE_TIMEOUT, asked).await.unwrap_or_else(|_| Err(late()));
        // An error with a code is an answer.
        *self.away_until.lock() = match &answered {
            Err(error) if error.code().is_none() => Some(Instant::now() + AWAY),
            _ => None,
        };
        Ok(answered?)
    }

    /// Whether tickets of a kind may be in the rows alone.
    fn refuses(&self, kind: Kind) -> bool {
        self.refused.lock().get(&kind).is_some_and(|until| Instant::now() < *until)
    }

    /// Puts tickets, each kind by itself.
    async fn put(&self, mode: &str, tickets: &[Ticket]) -> Result<u64, TransportError> {
        let (mut new, mut failed) = (0, None);
        for kind in crate::kinds::ALL {
            let of_kind: Vec<Ticket> = tickets.iter().copied().filter(|ticket| ticket.kind == kind).collect();
            for batch in of_kind.chunks(BATCH) {
                match self.push_batch(kind, mode, batch).await {
                    Ok(count) => new += count,
                    Err(error) => {
                        // The workers of this process find the rows themselves; other kinds still go.
                        self.refused.lock().insert(kind, Instant::now() + REFUSED);
                        self.bells.of(kind).notify_one();
                        failed = Some(error);
                        break;
                    }
                }
            }
        }
        failed.map_or(Ok(new), Err)
    }

    async fn push_batch(&self, kind: Kind, mode: &str, tickets: &[Ticket]) -> Result<u64, TransportError> {
        let mut call = self.push.prepare_invoke();
        call.key(self.key(kind)).arg(self.channel("wake")).arg(kind.as_str()).arg(now_ms()).arg(mode);
        for ticket in tickets {
            call.arg(ticket.run_at).arg(Stub { id: ticket.id, epoch: ticket.epoch }.to_string());
        }
        self.ask(call.invoke_async(&mut self.commands.clone())).await
    }

    async fn take_there(&self, kind: Kind, max: usize) -> Result<Taken, TransportError> {
        let (due, wait): (Vec<(Vec<u8>, f64)>, i64) = self
            .ask(self.take.key(self.key(kind)).arg(max).arg(HELD_MS).invoke_async(&mut self.commands.clone()))
            .await?;
        let tickets = due
            .into_iter()
            .filter_map(|(stub, run_at)| {
                // What is not ours in there helps nobody by staying (F34).
                let Stub { id, epoch } = std::str::from_utf8(&stub).ok()?.parse().ok()?;
                Some(Ticket { kind, id, epoch, run_at: whole(run_at) })
            })
            .collect();
        Ok(Taken { tickets, next_due: u64::try_from(wait).ok().map(Duration::from_millis) })
    }

    async fn subscribe(&self) -> Result<(PubSubSink, PubSubStream), TransportError> {
        let subscribed = tokio::time::timeout(CONNECT_TIMEOUT, async {
            let mut channel = self.client.get_async_pubsub().await?;
            channel.subscribe(&[self.channel("wake"), self.channel("news")]).await?;
            Ok(channel.split())
        });
        subscribed.await.unwrap_or_else(|_| Err(late().into()))
    }

    async fn subscribed(&self, hub: &Hub) -> Result<(), TransportError> {
        let (mut asking, mut messages) = self.subscribe().await?;
        // What came while we were not listening.
        self.bells.ring_all();
        loop {
            match tokio::time::timeout(SILENCE, messages.next()).await {
                Ok(Some(message)) => self.heard(hub, message.get_payload().ok()),
                Ok(None) => return Ok(()),
                Err(_) => {
                    let answered = tokio::time::timeout(RESPONSE_TIMEOUT, asking.ping::<Value>()).await;
                    answered.unwrap_or_else(|_| Err(late()))?;
                }
            }
        }
    }

    fn heard(&self, hub: &Hub, text: Option<String>) {
        let Some(text) = text else { return };
        if let Some(kind) = crate::kinds::parse(&text) {
            self.bells.of(kind).notify_one();
        } else if let Ok(news) = serde_json::from_str::<Vec<News>>(&text) {
            for one in news {
                hub.tell(one);
            }
        }
    }
}

fn late() -> RedisError {
    RedisError::from((ErrorKind::Io, "it did not answer in time"))
}

/// A score that somebody else wrote may be anything.
fn whole(score: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "what does not fit becomes the nearest that does")]
    let whole = score as i64;
    whole
}

fn key(prefix: &str, kind: Kind) -> String {
    format!("{prefix}:due:{}", kind.as_str())
}

/// Removes tickets that were tried, many at once when many wait.
async fn forget(mut commands: ConnectionManager, prefix: String, mut waiting: mpsc::Receiver<Ticket>) {
    let mut tickets = Vec::new();
    while waiting.recv_many(&mut tickets, BATCH).await > 0 {
        for kind in crate::kinds::ALL {
            let of_kind = tickets.iter().filter(|ticket| ticket.kind == kind);
            let stubs: Vec<String> =
                of_kind.map(|ticket| Stub { id: ticket.id, epoch: ticket.epoch }.to_string()).collect();
            if stubs.is_empty() {
                continue;
            }
            let removed: RedisResult<u64> =
                redis::cmd("ZREM").arg(key(&prefix, kind)).arg(stubs).query_async(&mut commands).await;
            if let Err(error) = removed {
                tracing::debug!(error = %error, "tickets that were tried come again: their rows refuse them");
            }
        }
        tickets.clear();
    }
}

/// Tells news, many at once when many wait.
async fn publish(mut commands: ConnectionManager, channel: String, mut waiting: mpsc::Receiver<News>) {
    let mut news = Vec::new();
    while waiting.recv_many(&mut news, BATCH).await > 0 {
        if let Ok(text) = serde_json::to_string(&news) {
            let told: RedisResult<u64> = redis::cmd("PUBLISH").arg(&channel).arg(text).query_async(&mut commands).await;
            if let Err(error) = told {
                tracing::debug!(error = %error, "news could not be passed on: those who wait will look for themselves");
            }
        }
        news.clear();
    }
}

#[async_trait]
impl Transport for RedisTransport {
    async fn push(&self, tickets: &[Ticket]) -> Result<u64, TransportError> {
        self.put("NX", tickets).await
    }

    async fn give_back(&self, tickets: &[Ticket]) -> Result<(), TransportError> {
        self.rows.give_back(tickets).await?;
        self.put("LT", tickets).await.map(drop)
    }

    async fn take(&self, kind: Kind, max: usize) -> Result<Taken, TransportError> {
        match self.take_there(kind, max).await {
            Ok(taken) if taken.tickets.is_empty() && self.refuses(kind) => self.rows.take(kind, max).await,
            Ok(taken) => Ok(taken),
            Err(error) => {
                tracing::debug!(error = %error, "Redis is away: looking for work in the database");
                metrics::counter!("grok2api_queue_fallbacks_total").increment(1);
                self.rows.take(kind, max).await
            }
        }
    }

    fn tried(&self, ticket: Ticket) {
        self.rows.tried(ticket);
        // One that cannot be told of comes again, and is refused by its row.
        let _ = self.tried.try_send(ticket);
    }

    async fn remove(&self, ticket: Ticket) -> Result<(), TransportError> {
        let stub = Stub { id: ticket.id, epoch: ticket.epoch }.to_string();
        let mut commands = self.commands.clone();
        let mut remove = redis::cmd("ZREM");
        remove.arg(self.key(ticket.kind)).arg(stub);
        self.ask(remove.query_async::<u64>(&mut commands)).await.map(drop)
    }

    async fn depth(&self, kind: Kind) -> Result<u64, TransportError> {
        let mut commands = self.commands.clone();
        let mut count = redis::cmd("ZCARD");
        count.arg(self.key(kind));
        self.ask(count.query_async(&mut commands)).await
    }

    fn wake(&self, kind: Kind) -> Arc<Notify> {
        Arc::clone(self.bells.of(kind))
    }

    async fn announce(&self, news: &[News]) {
        // Those of this process hear it even when Redis is away.
        self.rows.announce(news).await;
        for one in news {
            if self.news.try_send(*one).is_err() {
                metrics::counter!("grok2api_queue_news_dropped_total").increment(1);
            }
        }
    }

    async fn listen(&self, hub: Hub, stop: CancellationToken) {
        loop {
            let ended = tokio::select! {
                ended = self.subscribed(&hub) => ended,
                () = stop.cancelled() => return,
            };
            tracing::debug!(
                error = ended.err().map(tracing::field::display),
                "the subscription ended: taking a new one"
            );
            tokio::select! {
                () = tokio::time::sleep(RESUBSCRIBE) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    fn can_lose(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    #[tokio::test]
    async fn f27_a_clock_that_is_an_hour_off_makes_nothing_late_or_early() {
        let client = Client::open("redis://127.0.0.1:6379").unwrap();
        let mut redis = client.get_multiplexed_async_connection().await.unwrap();
        for hour_off in [-3_600_000, 3_600_000] {
            let key = format!("test-{}:due", uuid::Uuid::new_v4().simple());
            let now = now_ms() + hour_off;
            let (push, take) = (Script::new(PUSH), Script::new(TAKE));
            let mut call = push.prepare_invoke();
            call.key(&key).arg("test").arg("test").arg(now).arg("NX");
            call.arg(now - 5).arg("due").arg(now + 60_000).arg("later");
            assert_eq!(call.invoke_async::<u64>(&mut redis).await.unwrap(), 2);
            let (due, wait): (Vec<(String, f64)>, i64) =
                take.key(&key).arg(9).arg(90_000).invoke_async(&mut redis).await.unwrap();
            assert_eq!(due.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["due"]);
            assert!((50_000..=60_000).contains(&wait), "{wait}");
            redis::cmd("DEL").arg(&key).exec_async(&mut redis).await.unwrap();
        }
    }
}
