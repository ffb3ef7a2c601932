//! What the operator says about the work of a kind: whether it is paused, and how much of it runs at once.
//!
//! Rows of table `queue_control` say so for all processes (decision 031). Every process with workers reads them once a
//! second; those who look for work are told here, and nothing is asked for any job.

use std::time::Duration;

use grok2api_entity::audit::{self, Note};
use grok2api_entity::connect::begin_write;
use grok2api_entity::job::Kind;
use grok2api_entity::{clock, queue_control};
use sea_orm::{DatabaseConnection, DbErr, EntityTrait};
use tokio::sync::watch;

use crate::jobs::Jobs;
use crate::kinds;
use crate::time::in_time;

/// How often the rows are read.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Most jobs of a kind at once in a process.
pub const MOST_AT_ONCE: u16 = 1000;

/// What holds for a kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rule {
    /// Nothing more is begun.
    pub paused: bool,
    /// Jobs at once in each worker process; `None` as its configuration says.
    pub concurrency: Option<u16>,
}

/// What an operator wants of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// That nothing more is begun.
    Pause,
    /// That it goes on.
    Resume,
    /// That as many run at once in each worker process, 1 to [`MOST_AT_ONCE`]; `None` as its configuration says.
    Concurrency(Option<u16>),
}

/// The rules of all kinds, as this process knows them. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Rules(watch::Sender<[Rule; kinds::ALL.len()]>);

/// Hears the rule of one kind.
#[derive(Debug)]
pub(crate) struct Ruled {
    kind: Kind,
    rules: watch::Receiver<[Rule; kinds::ALL.len()]>,
}

impl Default for Rules {
    fn default() -> Self {
        Self(watch::Sender::new([Rule::default(); kinds::ALL.len()]))
    }
}

impl Rules {
    /// Hears about a kind.
    pub(crate) fn of(&self, kind: Kind) -> Ruled {
        Ruled { kind, rules: self.0.subscribe() }
    }

    /// Takes over what the rows say.
    ///
    /// # Errors
    /// The database does not answer: what was known holds on.
    pub(crate) async fn look(&self, db: &DatabaseConnection) -> Result<(), DbErr> {
        self.set(in_time(read(db)).await?);
        Ok(())
    }

    fn set(&self, rules: [Rule; kinds::ALL.len()]) {
        self.0.send_if_modified(|known| {
            let changed = *known != rules;
            *known = rules;
            changed
        });
    }

    /// Sets the rule of one kind.
    #[cfg(test)]
    pub(crate) fn set_one(&self, kind: Kind, rule: Rule) {
        let mut rules = *self.0.borrow();
        rules[kinds::place(kind)] = rule;
        self.set(rules);
    }
}

impl Ruled {
    /// What holds now.
    pub(crate) fn now(&mut self) -> Rule {
        self.rules.borrow_and_update()[kinds::place(self.kind)]
    }

    /// Waits until something else may hold.
    pub(crate) async fn changed(&mut self) {
        if self.rules.changed().await.is_err() {
            // Nobody is left who could say something else.
            std::future::pending::<()>().await;
        }
    }
}

async fn read(db: &DatabaseConnection) -> Result<[Rule; kinds::ALL.len()], DbErr> {
    let mut rules = [Rule::default(); kinds::ALL.len()];
    for row in queue_control::Entity::find().all(db).await? {
        if let Some(kind) = kinds::parse(&row.kind) {
            rules[kinds::place(kind)] = rule(&row);
        }
    }
    Ok(rules)
}

fn rule(row: &queue_control::Model) -> Rule {
    let most = i32::from(MOST_AT_ONCE);
    let concurrency = row.concurrency.and_then(|jobs| u16::try_from(jobs.clamp(1, most)).ok());
    Rule { paused: row.paused, concurrency }
}

impl Jobs {
    /// What holds for each kind, in the order of [`kinds::ALL`], as the rows say.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn rules(&self) -> Result<Vec<(Kind, Rule)>, DbErr> {
        let rules = in_time(read(self.db())).await?;
        Ok(kinds::ALL.into_iter().zip(rules).collect())
    }

    /// What holds for a kind, as the workers of this process know it.
    pub fn rule(&self, kind: Kind) -> Rule {
        self.inner.rules.of(kind).now()
    }

    /// Writes what an operator wants of a kind, who is noted; answers what holds then. The workers of this process hear it
    /// at once, others within a second.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn wish(&self, kind: Kind, wish: Wish, note: &Note) -> Result<Rule, DbErr> {
        let rule = in_time(async {
            let tx = begin_write(self.db()).await?;
            let mut row = queue_control::take(&*tx, kind.as_str()).await?;
            let before = rule(&row);
            match wish {
                Wish::Pause => row.paused = true,
                Wish::Resume => row.paused = false,
                Wish::Concurrency(jobs) => row.concurrency = jobs.map(i32::from),
            }
            let after = rule(&row);
            if after != before {
                row.changed_at = clock::read(&*tx).await?;
                queue_control::put(&*tx, &row).await?;
                audit::insert(&*tx, note).await?;
            }
            tx.commit().await?;
            Ok(after)
        })
        .await?;
        if let Err(error) = self.inner.rules.look(self.db()).await {
            tracing::debug!(error = %error, "what is said about the queues is heard a little later");
        }
        Ok(rule)
    }
}
