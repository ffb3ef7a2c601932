//! How an account stands, in one word: the rule, once for rows at hand and once for all rows in the database.

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Statement};

use super::{Kind, Status};
use crate::account_budget;

/// How an account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// In service, and nothing of its budgets is known yet.
    Unused,
    /// In service, with something left.
    Active,
    /// It has nothing left, or rests.
    Limited,
    /// The upstream refuses it, or the operator switched it off.
    Invalid,
}

/// How many accounts of a kind stand in which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// See [`Standing::Unused`].
    pub unused: u64,
    /// See [`Standing::Active`].
    pub active: u64,
    /// See [`Standing::Limited`].
    pub limited: u64,
    /// See [`Standing::Invalid`].
    pub invalid: u64,
}

impl Standing {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Unused, Self::Active, Self::Limited, Self::Invalid];

    /// The name as it is asked for and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unused => "unused",
            Self::Active => "active",
            Self::Limited => "limited",
            Self::Invalid => "invalid",
        }
    }

    /// How an account stands at `now` (Unix milliseconds): each in exactly one way.
    pub fn of(status: Status, status_until: Option<i64>, budgets: &[account_budget::Model], now: i64) -> Self {
        match status {
            Status::Expired | Status::Disabled => return Self::Invalid,
            Status::Cooling if status_until.is_some_and(|until| until > now) => return Self::Limited,
            Status::Cooling | Status::Active => {}
        }
        match budgets.iter().map(|budget| budget.usable(now)).max() {
            None => Self::Unused,
            Some(left) if left > 0 => Self::Active,
            Some(_) => Self::Limited,
        }
    }
}

impl account_budget::Model {
    /// Units left at `now` (Unix milliseconds): all of them once the window is over.
    pub fn left(&self, now: i64) -> i64 {
        if self.reset_at.is_some_and(|at| at <= now) { self.total } else { self.remaining }
    }

    /// Units that may be used at `now`: none while the budget rests.
    pub fn usable(&self, now: i64) -> i64 {
        if self.cooling_until.is_some_and(|at| at > now) { 0 } else { self.left(now) }
    }
}

impl Tally {
    /// All accounts.
    pub fn total(&self) -> u64 {
        self.unused + self.active + self.limited + self.invalid
    }
}

/// Counts of the accounts of one kind and status: all of them, those that rest, and of the others those of which
/// something is known, and those that have something left.
///
/// Both indexes it reads hold all it needs, and an account with something left needs one look at its budgets.
const COUNTS: &str = "\
SELECT a.kind AS kind, a.status AS status, COUNT(*) AS accounts, \
  COUNT(CASE WHEN a.status = 'cooling' AND a.status_until > {now} THEN 1 END) AS resting, \
  COUNT(CASE WHEN a.status IN ('expired', 'disabled') THEN NULL \
    WHEN a.status = 'cooling' AND a.status_until > {now} THEN NULL \
    WHEN EXISTS (SELECT 1 FROM account_budget b WHERE b.account_id = a.id) THEN 1 END) AS known, \
  COUNT(CASE WHEN a.status IN ('expired', 'disabled') THEN NULL \
    WHEN a.status = 'cooling' AND a.status_until > {now} THEN NULL \
    WHEN EXISTS (SELECT 1 FROM account_budget b WHERE b.account_id = a.id \
      AND (b.cooling_until IS NULL OR b.cooling_until <= {now}) \
      AND CASE WHEN b.reset_at <= {now} THEN b.total ELSE b.remaining END > 0) THEN 1 END) AS usable \
FROM account a GROUP BY a.kind, a.status";

#[derive(Debug, FromQueryResult)]
struct Counts {
    kind: Kind,
    status: Status,
    accounts: i64,
    resting: i64,
    known: i64,
    usable: i64,
}

/// How many accounts of both kinds stand in which way, those out of service by their reasons.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standings {
    /// See [`Standing::Active`].
    pub active: i64,
    /// See [`Standing::Unused`].
    pub unused: i64,
    /// They have nothing left.
    pub limited: i64,
    /// They rest after a refusal.
    pub cooling: i64,
    /// The upstream refuses them.
    pub expired: i64,
    /// The operator switched them off.
    pub disabled: i64,
}

impl Standings {
    /// Counts all accounts as they stand at `now`, Unix milliseconds.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn count(db: &impl ConnectionTrait, now: i64) -> Result<Self, DbErr> {
        let mut sums = Self::default();
        for counts in counts(db, now).await? {
            match counts.status {
                Status::Expired => sums.expired += counts.accounts,
                Status::Disabled => sums.disabled += counts.accounts,
                Status::Active | Status::Cooling => {
                    sums.unused += counts.accounts - counts.resting - counts.known;
                    sums.cooling += counts.resting;
                    sums.limited += counts.known - counts.usable;
                    sums.active += counts.usable;
                }
            }
        }
        Ok(sums)
    }
}

async fn counts(db: &impl ConnectionTrait, now: i64) -> Result<Vec<Counts>, DbErr> {
    let sql = COUNTS.replace("{now}", &now.to_string());
    Counts::find_by_statement(Statement::from_string(db.get_database_backend(), sql)).all(db).await
}

/// How many accounts stand in which way at `now` (Unix milliseconds): those without a subscription, and those with one.
///
/// # Errors
/// When the database does not answer.
pub async fn tally(db: &impl ConnectionTrait, now: i64) -> Result<(Tally, Tally), DbErr> {
    let (mut basic, mut paying) = (Tally::default(), Tally::default());
    for counts in counts(db, now).await? {
        let tally = match counts.kind {
            Kind::Sso => &mut basic,
            Kind::SsoSuper => &mut paying,
        };
        let number = |count: i64| u64::try_from(count).unwrap_or_default();
        match counts.status {
            Status::Expired | Status::Disabled => tally.invalid += number(counts.accounts),
            Status::Active | Status::Cooling => {
                tally.unused += number(counts.accounts - counts.resting - counts.known);
                tally.limited += number(counts.resting + counts.known - counts.usable);
                tally.active += number(counts.usable);
            }
        }
    }
    Ok((basic, paying))
}
