//! Table `schedule`: what becomes due by itself, and whether it may.

use sea_orm::entity::prelude::*;

use crate::job::Kind;

/// One row, made when the schedule is first looked at. All times are Unix milliseconds of the database's clock.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "schedule")]
pub struct Model {
    /// Which one.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: Name,
    /// Whether the operator has stopped it for a while.
    pub paused: bool,
    /// What was due at this time or before it is done, or is not wanted any more.
    pub after_ms: i64,
    /// When a tick was last looked for in this row's turn.
    pub touched_at: i64,
    /// When its latest tick was made.
    pub last_tick_at: Option<i64>,
    /// The job of that tick.
    pub last_job_id: Option<Uuid>,
}

/// What becomes due by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(32))")]
pub enum Name {
    /// Tests of accounts.
    #[sea_orm(string_value = "token_test")]
    TokenTest,
    /// Readings of budgets.
    #[sea_orm(string_value = "quota_reset")]
    QuotaReset,
    /// Sums of the use by day.
    #[sea_orm(string_value = "stats_rollup")]
    StatsRollup,
    /// Sweeps of the media store.
    #[sea_orm(string_value = "sweep_media")]
    SweepMedia,
}

impl Name {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::TokenTest, Self::QuotaReset, Self::StatsRollup, Self::SweepMedia];

    /// The one of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }

    /// The name as it is stored, shown and set.
    pub const fn as_str(self) -> &'static str {
        self.kind().as_str()
    }

    /// The kind of job that each tick makes.
    pub const fn kind(self) -> Kind {
        match self {
            Self::TokenTest => Kind::TokenTest,
            Self::QuotaReset => Kind::QuotaReset,
            Self::StatsRollup => Kind::StatsRollup,
            Self::SweepMedia => Kind::SweepMedia,
        }
    }
}

/// What a row is linked with: nothing that the database enforces.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
