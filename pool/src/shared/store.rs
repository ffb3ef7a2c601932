//! The scripts that hold the shared state, and how they are called.

use std::time::Duration;

use grok2api_config::ModelTable;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisError, RedisResult, Script, ScriptInvocation};
use uuid::Uuid;

use super::wire::Truth;
use crate::account::AccountId;
use crate::clock::Clock;

/// Longest wait for a connection, and for an answer that nobody waits for.
const TIMEOUT: Duration = Duration::from_secs(1);

macro_rules! script {
    ($name:literal) => {
        Script::new(concat!(include_str!("lua/common.lua"), "\n", include_str!(concat!("lua/", $name, ".lua"))))
    };
}

/// Connections, key names and scripts.
pub(super) struct Store {
    /// For reservations alone: they do not queue up behind anything.
    asking: ConnectionManager,
    /// For everything else.
    telling: ConnectionManager,
    pub(super) client: Client,
    prefix: String,
    process: String,
    clock: Clock,
    budgets: Vec<String>,
    scripts: Scripts,
}

struct Scripts {
    reserve: Script,
    finish: Script,
    change: Script,
    mend: Script,
    poll: Script,
}

/// What a reservation asks for, apart from the accounts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask {
    /// Last moment at which the answer is of use, Unix milliseconds by the store's clock; 0 for any.
    pub(super) deadline_ms: i64,
    pub(super) max_in_flight: u32,
    pub(super) budget: usize,
    pub(super) cost: u32,
}

/// An account that a reservation asks for.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) account: AccountId,
    /// Number of the latest change known here.
    pub(super) version: u64,
    /// Its fields where the store may not know it; else empty.
    pub(super) fields: String,
}

/// What became of a reservation.
#[derive(Debug)]
pub(super) enum Answer {
    /// The account at this place was taken.
    Taken(usize, Vec<Truth>),
    /// None of them can serve.
    None(Vec<Truth>),
    /// An account is not known there: it must bring its fields.
    Unknown,
    /// The answer came too late for the script.
    Late,
}

/// The end of a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Finish {
    pub(super) account: AccountId,
    pub(super) budget: usize,
    /// Units to give back.
    pub(super) refund: u32,
    pub(super) success: bool,
}

/// How a change was received.
#[derive(Debug)]
pub(super) enum Written {
    /// It is in.
    Yes(Truth),
    /// Somebody else was faster.
    Stale(Truth),
    /// Too many accounts were condemned lately.
    Wave(Truth),
}

/// What a poll brought.
#[derive(Debug)]
pub(super) struct News {
    pub(super) now_ms: i64,
    /// Name of the store's memory: another one means that everything was lost.
    pub(super) memory: String,
    /// Whether this process's calls were still counted.
    pub(super) held: bool,
    /// Living processes, this one included.
    pub(super) processes: Vec<String>,
    /// Changed accounts with the number of their latest change, in its order.
    pub(super) changed: Vec<(AccountId, u64)>,
}

impl Store {
    pub(super) async fn connect(url: &str, prefix: &str, models: &ModelTable, clock: Clock) -> RedisResult<Self> {
        let client = Client::open(url)?;
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_min_delay(Duration::from_millis(50))
            .set_max_delay(Duration::from_millis(200))
            .set_connection_timeout(Some(TIMEOUT))
            .set_response_timeout(Some(TIMEOUT));
        Ok(Self {
            asking: client.get_connection_manager_with_config(config.clone()).await?,
            telling: client.get_connection_manager_with_config(config).await?,
            client,
            prefix: format!("{prefix}:pool"),
            process: Uuid::new_v4().simple().to_string(),
            clock,
            budgets: models.budgets().into_iter().map(str::to_owned).collect(),
            scripts: Scripts {
                reserve: script!("reserve"),
                finish: script!("finish"),
                change: script!("change"),
                mend: script!("mend"),
                poll: script!("poll"),
            },
        })
    }

    /// This process's name among those that share the pool.
    pub(super) fn process(&self) -> &str {
        &self.process
    }

    pub(super) fn channel(&self) -> String {
        self.key("news")
    }

    fn key(&self, name: &str) -> String {
        format!("{}:{name}", self.prefix)
    }

    fn account(&self, id: AccountId) -> String {
        format!("{}:a:{}", self.prefix, id.simple())
    }

    /// The time for a script: its own, unless the hands are turned by a test.
    fn time(&self) -> String {
        match &self.clock {
            Clock::System => String::new(),
            Clock::Manual(_) => self.clock.now_ms().to_string(),
        }
    }

    /// The keys that every script begins with.
    fn call<'a>(&self, script: &'a Script) -> ScriptInvocation<'a> {
        let mut call = script.prepare_invoke();
        call.key(self.key("changes")).key(self.key("changed")).key(self.key("processes"));
        call
    }

    /// Asks for the first of some accounts. With `introduce`, this process may not be known there yet.
    pub(super) async fn reserve(&self, ask: Ask, accounts: &[Told], introduce: bool) -> RedisResult<Answer> {
        let mut call = self.call(&self.scripts.reserve);
        call.arg(&self.process).arg(self.time()).arg(ask.deadline_ms).arg(ask.max_in_flight);
        call.arg(&self.budgets[ask.budget]).arg(ask.cost).arg(u8::from(introduce));
        for told in accounts {
            call.key(self.account(told.account)).arg(told.account.simple().to_string());
            call.arg(told.version).arg(&told.fields);
        }
        let (place, seen): (i64, Vec<Vec<String>>) = call.invoke_async(&mut self.asking.clone()).await?;
        let seen = seen.into_iter().map(Truth).collect();
        Ok(match place {
            0 => Answer::None(seen),
            -1 => Answer::Late,
            -2 => Answer::Unknown,
            place => Answer::Taken(usize::try_from(place - 1).unwrap_or(0), seen),
        })
    }

    /// Ends calls, each with the number of the latest change that is known of its account.
    pub(super) async fn finish(&self, ends: &[(Finish, u64)], max_in_flight: u32) -> RedisResult<Vec<Truth>> {
        let mut call = self.call(&self.scripts.finish);
        call.key(self.channel()).arg(&self.process).arg(self.time()).arg(max_in_flight);
        for (end, version) in ends {
            call.key(self.account(end.account)).arg(end.account.simple().to_string()).arg(&self.budgets[end.budget]);
            call.arg(end.refund).arg(u8::from(end.success)).arg(version);
        }
        let told: Vec<Vec<String>> = call.invoke_async(&mut self.telling.clone()).await?;
        Ok(told.into_iter().map(Truth).collect())
    }

    pub(super) async fn load(&self, id: AccountId) -> RedisResult<Truth> {
        redis::cmd("HGETALL").arg(self.account(id)).query_async(&mut self.telling.clone()).await.map(Truth)
    }

    /// Writes fields that were made of `version`. `most_condemned` bounds how many accounts may have been condemned
    /// within the last `condemned_ms`, if this condemns one.
    pub(super) async fn change(
        &self,
        id: AccountId,
        version: u64,
        most_condemned: Option<usize>,
        condemned_ms: i64,
        fields: &[String],
    ) -> RedisResult<Written> {
        let mut call = self.call(&self.scripts.change);
        call.key(self.account(id)).key(self.channel()).key(self.key("condemned"));
        call.arg(self.time()).arg(id.simple().to_string());
        call.arg(version)
            .arg(most_condemned.map_or(-1, |most| i64::try_from(most).unwrap_or(i64::MAX)))
            .arg(condemned_ms);
        for field in fields {
            call.arg(field);
        }
        let (written, truth): (i64, Vec<String>) = call.invoke_async(&mut self.telling.clone()).await?;
        Ok(match written {
            1 => Written::Yes(Truth(truth)),
            2 => Written::Wave(Truth(truth)),
            _ => Written::Stale(Truth(truth)),
        })
    }

    /// Sets how many calls of this process run on an account, and books what it used without asking.
    pub(super) async fn mend(
        &self,
        id: AccountId,
        running: u32,
        fields: &str,
        used: &[(usize, i64)],
    ) -> RedisResult<Truth> {
        let mut call = self.call(&self.scripts.mend);
        call.key(self.account(id)).arg(&self.process).arg(self.time()).arg(id.simple().to_string());
        call.arg(running).arg(fields);
        for (budget, units) in used {
            call.arg(&self.budgets[*budget]).arg(units);
        }
        call.invoke_async(&mut self.telling.clone()).await.map(Truth)
    }

    /// Says that this process lives, and asks for the accounts that changed after change number `after`, at most so many.
    pub(super) async fn poll(&self, after: u64, most: usize) -> RedisResult<News> {
        type Answer = (i64, String, i64, Vec<String>, Vec<(String, String)>);
        let mut call = self.call(&self.scripts.poll);
        call.key(self.key("memory")).arg(&self.process).arg(self.time()).arg(Uuid::new_v4().simple().to_string());
        call.arg(after).arg(most);
        let (now_ms, memory, held, processes, changed): Answer = call.invoke_async(&mut self.telling.clone()).await?;
        let changed =
            changed.into_iter().filter_map(|(id, number)| Some((id.parse().ok()?, number.parse().ok()?))).collect();
        Ok(News { now_ms, memory, held: held == 1, processes, changed })
    }

    /// Forgets an account.
    pub(super) async fn forget(&self, id: AccountId) -> RedisResult<()> {
        let mut pipe = redis::pipe();
        pipe.del(self.account(id)).zrem(self.key("changed"), id.simple().to_string());
        pipe.exec_async(&mut self.telling.clone()).await
    }

    /// The account of a conversation.
    pub(super) async fn pinned(&self, conversation: u64) -> RedisResult<Option<AccountId>> {
        let mut asking = self.asking.clone();
        let account: Option<String> =
            redis::cmd("GET").arg(self.conversation(conversation)).query_async(&mut asking).await?;
        Ok(account.and_then(|id| id.parse().ok()))
    }

    /// Remembers the account of a conversation.
    pub(super) async fn pin(&self, conversation: u64, account: AccountId, keep: Duration) -> RedisResult<()> {
        let mut pin = redis::cmd("SET");
        pin.arg(self.conversation(conversation)).arg(account.simple().to_string()).arg("EX").arg(keep.as_secs().max(1));
        pin.exec_async(&mut self.telling.clone()).await
    }

    fn conversation(&self, conversation: u64) -> String {
        format!("{}:c:{conversation:x}", self.prefix)
    }

    /// This process takes no further part: its calls are no longer counted.
    pub(super) async fn leave(&self) -> RedisResult<()> {
        redis::cmd("ZREM").arg(self.key("processes")).arg(&self.process).exec_async(&mut self.telling.clone()).await
    }
}

/// Whether the store did not answer; an error with a code is an answer.
pub(super) fn is_away(error: &RedisError) -> bool {
    error.code().is_none()
}
