//! The mirror as it lies in Redis.
//!
//! `PREFIX:mirror:about` says what it is; `PREFIX:mirror:TABLE` has the rows of a table by their names, each as an
//! object in JSON; `PREFIX:mirror:owner` names the data folder that has the mirror, and goes by itself.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::io::tcp::TcpSettings;
use redis::{Client, IntoConnectionInfo, RedisResult, Script, ScriptInvocation};

use super::subject::{self, Copied, Subject};
use super::{BATCH, LEASE};

/// The form of mirrors that this release writes.
pub(super) const FORM: u32 = 1;

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(1);
/// Longest wait for an answer: batches are large.
const ANSWER: Duration = Duration::from_secs(3);
/// What was sent and not received for so long was sent to nobody: the connection is made anew.
#[cfg(target_os = "linux")]
const UNHEARD: Duration = Duration::from_secs(6);
/// A draft that nobody finished goes by itself after so many seconds.
const DRAFT_SECS: i64 = 3600;

/// Connection, key names and scripts.
pub(super) struct Remote {
    connection: ConnectionManager,
    prefix: String,
    claim: Script,
    release: Script,
    push: Script,
    replace: Script,
}

/// What a mirror is a mirror of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct About {
    pub(super) form: u32,
    pub(super) installation: String,
    /// How many writes led to it, and who made the last one.
    pub(super) state: String,
    /// Steps of the schema that the rows belong to.
    pub(super) schema: Vec<String>,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrote {
    /// It is in.
    Done,
    /// The mirror belongs to another folder.
    Owned,
    /// The mirror is not in the state that was expected.
    Other,
    /// The draft is not whole.
    Lost,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl Remote {
    pub(super) async fn connect(url: &str, prefix: &str) -> RedisResult<Self> {
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_min_delay(Duration::from_millis(50))
            .set_max_delay(Duration::from_millis(200))
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(ANSWER));
        let tcp = TcpSettings::default().set_nodelay(true);
        #[cfg(target_os = "linux")]
        let tcp = tcp.set_user_timeout(UNHEARD);
        let server = url.into_connection_info()?.set_tcp_settings(tcp);
        Ok(Self {
            connection: Client::open(server)?.get_connection_manager_with_config(config).await?,
            prefix: prefix.to_owned(),
            claim: Script::new(include_str!("lua/claim.lua")),
            release: Script::new(include_str!("lua/release.lua")),
            push: Script::new(include_str!("lua/push.lua")),
            replace: Script::new(include_str!("lua/replace.lua")),
        })
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    fn key(&self, name: &str) -> String {
        format!("{}:mirror:{name}", self.prefix)
    }

    fn connection(&self) -> ConnectionManager {
        self.connection.clone()
    }

    /// Takes or renews the mirror for an owner; answers how long another one still has it.
    pub(super) async fn claim(&self, owner: &str) -> RedisResult<Option<Duration>> {
        let mut call = self.claim.prepare_invoke();
        call.key(self.key("owner")).arg(owner).arg(lease_ms());
        let left: u64 = call.invoke_async(&mut self.connection()).await?;
        Ok((left > 0).then(|| Duration::from_millis(left)))
    }

    pub(super) async fn release(&self, owner: &str) -> RedisResult<()> {
        let mut call = self.release.prepare_invoke();
        call.key(self.key("owner")).arg(owner);
        call.invoke_async::<i64>(&mut self.connection()).await.map(drop)
    }

    /// What lies there; `None` when there is no mirror.
    pub(super) async fn about(&self) -> RedisResult<Option<About>> {
        let told: BTreeMap<String, String> =
            redis::cmd("HGETALL").arg(self.key("about")).query_async(&mut self.connection()).await?;
        Ok(told.get("form").and_then(|form| form.parse().ok()).map(|form| About {
            form,
            installation: told.get("installation").cloned().unwrap_or_default(),
            state: told.get("state").cloned().unwrap_or_default(),
            schema: list(told.get("schema")),
        }))
    }

    /// One row.
    pub(super) async fn row(&self, subject: Subject, row: &str) -> RedisResult<Option<String>> {
        redis::cmd("HGET").arg(self.key(subject.name())).arg(row).query_async(&mut self.connection()).await
    }

    /// All rows of a table.
    pub(super) fn rows(&self, subject: Subject) -> Rows {
        Rows { connection: self.connection(), key: self.key(subject.name()), cursor: Some(0), seen: HashSet::new() }
    }

    /// Writes changed rows, if the mirror is in the state `before`.
    pub(super) async fn push(&self, owner: &str, before: &str, after: &str, rows: &[Copied]) -> RedisResult<Wrote> {
        let mut call = self.push.prepare_invoke();
        call.key(self.key("owner")).key(self.key("about"));
        for subject in subject::ALL {
            call.key(self.key(subject.name()));
        }
        call.arg(owner).arg(lease_ms()).arg(before).arg(after);
        for copied in rows {
            let number =
                subject::ALL.iter().position(|subject| *subject == copied.subject).map_or(0, |place| place + 1);
            call.arg(number).arg(&copied.row).arg(copied.value.as_deref().unwrap_or_default());
        }
        self.written(&call).await
    }

    /// A place where a whole new mirror is put together.
    pub(super) fn draft(&self, owner: &str) -> Draft<'_> {
        Draft { remote: self, owner: owner.to_owned() }
    }

    /// Puts the draft of an owner, with so many rows of each table, in the place of the mirror whose state is `before`.
    pub(super) async fn replace(&self, owner: &str, before: &str, counts: &[u64], about: &About) -> RedisResult<Wrote> {
        let draft = self.draft(owner);
        let mut call = self.replace.prepare_invoke();
        call.key(self.key("owner")).key(self.key("about"));
        for subject in subject::ALL {
            call.key(draft.key(subject)).key(self.key(subject.name()));
        }
        call.arg(owner).arg(lease_ms()).arg(before).arg(counts.len());
        for count in counts {
            call.arg(*count);
        }
        call.arg("form").arg(about.form).arg("installation").arg(&about.installation).arg("state").arg(&about.state);
        call.arg("schema").arg(serde_json::json!(about.schema).to_string());
        self.written(&call).await
    }

    async fn written(&self, call: &ScriptInvocation<'_>) -> RedisResult<Wrote> {
        let answer: Vec<String> = call.invoke_async(&mut self.connection()).await?;
        Ok(match answer.first().map(String::as_str) {
            Some("done") => Wrote::Done,
            Some("owned") => Wrote::Owned,
            Some("lost") => Wrote::Lost,
            _ => Wrote::Other,
        })
    }
}

impl About {
    /// Whether a newer release made it.
    pub(super) fn is_newer(&self) -> bool {
        let known = subject::schema();
        self.form > FORM || self.schema.iter().any(|step| !known.contains(step))
    }

    /// Whether an older release made it.
    pub(super) fn is_older(&self) -> bool {
        !self.is_newer() && (self.form < FORM || self.schema != subject::schema())
    }
}

/// A mirror that is being put together, beside the one that is in force.
pub(super) struct Draft<'a> {
    remote: &'a Remote,
    owner: String,
}

impl Draft<'_> {
    fn key(&self, subject: Subject) -> String {
        self.remote.key(&format!("draft:{}:{}", self.owner, subject.name()))
    }

    /// Throws away what an earlier try left.
    pub(super) async fn clear(&self) -> RedisResult<()> {
        let keys: Vec<String> = subject::ALL.into_iter().map(|subject| self.key(subject)).collect();
        redis::cmd("DEL").arg(keys).exec_async(&mut self.remote.connection()).await
    }

    /// Adds rows.
    pub(super) async fn add(&self, subject: Subject, rows: &[(String, String)]) -> RedisResult<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut pipe = redis::pipe();
        pipe.hset_multiple(self.key(subject), rows).ignore().expire(self.key(subject), DRAFT_SECS).ignore();
        pipe.exec_async(&mut self.remote.connection()).await
    }
}

/// The rows of a table, page by page, each once.
pub(super) struct Rows {
    connection: ConnectionManager,
    key: String,
    cursor: Option<u64>,
    /// Redis may give a row twice when its hash is rearranged meanwhile.
    seen: HashSet<String>,
}

impl Rows {
    /// The next rows, which may be none; `None` at the end.
    pub(super) async fn next(&mut self) -> RedisResult<Option<Vec<String>>> {
        let Some(cursor) = self.cursor else { return Ok(None) };
        let mut scan = redis::cmd("HSCAN");
        scan.arg(&self.key).arg(cursor).arg("COUNT").arg(BATCH);
        let (next, page): (u64, Vec<(String, String)>) = scan.query_async(&mut self.connection).await?;
        self.cursor = (next != 0).then_some(next);
        Ok(Some(page.into_iter().filter(|(name, _)| self.seen.insert(name.clone())).map(|(_, value)| value).collect()))
    }
}

fn list(text: Option<&String>) -> Vec<String> {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

fn lease_ms() -> u64 {
    u64::try_from(LEASE.as_millis()).unwrap_or(u64::MAX)
}
