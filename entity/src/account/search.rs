//! Looking for accounts: by what is known of them, page by page, in the order somebody wants.

use sea_orm::sea_query::{Expr, ExprTrait, SimpleExpr};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DbBackend, DbErr, EntityTrait, Order, PaginatorTrait};
use sea_orm::{QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::load::{Loaded, with_budgets_of};
use super::{Column, Entity, Kind, Model, Standing, Status};

/// Which accounts are wanted; what is not set does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// Only this kind.
    pub kind: Option<Kind>,
    /// Only this status.
    pub status: Option<Status>,
    /// Only those that stand so.
    pub standing: Option<Standing>,
    /// Only those with this label.
    pub tag: Option<String>,
    /// Only those whose note, labels or last four characters contain this text, or whose id it is.
    pub text: Option<String>,
}

/// What accounts are sorted by; those that are alike, by their arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// Their arrival.
    Created,
    /// How often they were used.
    UseCount,
    /// Their failures in a row.
    FailedCount,
    /// When the upstream was last asked about them.
    Tested,
}

/// Where a page begins: after the account with this value of what is sorted by, and this id.
pub type After = (i64, Uuid);

/// A page of accounts.
#[derive(Debug, Clone)]
pub struct Found {
    /// The accounts with their budgets, in the order that was asked for.
    pub rows: Vec<Loaded>,
    /// Where to go on; `None` on the last page.
    pub next: Option<After>,
}

/// An account may be used again, or was never to rest: of those that are not out of service.
const SERVES: &str = "account.status IN ('active', 'cooling')";
const KNOWN: &str = "EXISTS (SELECT 1 FROM account_budget b WHERE b.account_id = account.id)";

impl Search {
    fn condition(&self, backend: DbBackend, now: i64) -> Condition {
        // A label is stored as a JSON text: as it is written there, quotes included.
        let label = |tag: &String| contains(backend, "tags", &serde_json::Value::from(tag.as_str()).to_string());
        let text = |text: &String| {
            let text = text.to_lowercase();
            let any = ["note", "tags", "hint"].map(|column| contains(backend, &format!("LOWER({column})"), &text));
            let any = any.into_iter().fold(Condition::any(), Condition::add);
            any.add_option(Uuid::parse_str(&text).ok().map(|id| Column::Id.eq(id)))
        };
        Condition::all()
            .add_option(self.kind.map(|kind| Column::Kind.eq(kind)))
            .add_option(self.status.map(|status| Column::Status.eq(status)))
            .add_option(self.standing.map(|standing| stands(standing, now)))
            .add_option(self.tag.as_ref().map(label))
            .add_option(self.text.as_ref().map(text))
    }
}

/// Whether a text stands in a column, letter by letter: no pattern, in which something might stand for something else (H8).
fn contains(backend: DbBackend, column: &str, text: &str) -> SimpleExpr {
    let text = text.to_owned();
    match backend {
        DbBackend::Postgres => Expr::cust_with_values(format!("STRPOS({column}, $1) > 0"), [text]),
        DbBackend::MySql => Expr::cust_with_values(format!("INSTR(BINARY {column}, BINARY ?) > 0"), [text]),
        _ => Expr::cust_with_values(format!("INSTR({column}, ?) > 0"), [text]),
    }
}

/// The rule of [`Standing::of`] in terms of the database. Numbers of ours, no text from elsewhere.
fn stands(standing: Standing, now: i64) -> SimpleExpr {
    let rests = format!("(account.status = 'cooling' AND account.status_until > {now})");
    let usable = format!(
        "EXISTS (SELECT 1 FROM account_budget b WHERE b.account_id = account.id \
         AND (b.cooling_until IS NULL OR b.cooling_until <= {now}) \
         AND CASE WHEN b.reset_at <= {now} THEN b.total ELSE b.remaining END > 0)"
    );
    // A time that is not set is no later one: NULL must not make the whole unknown.
    let rests = format!("COALESCE({rests}, FALSE)");
    Expr::cust(match standing {
        Standing::Invalid => "account.status IN ('expired', 'disabled')".to_owned(),
        Standing::Unused => format!("{SERVES} AND NOT {rests} AND NOT {KNOWN}"),
        Standing::Active => format!("{SERVES} AND NOT {rests} AND {usable}"),
        Standing::Limited => format!("{SERVES} AND ({rests} OR ({KNOWN} AND NOT {usable}))"),
    })
}

impl Sort {
    fn column(self) -> Option<Column> {
        match self {
            Self::Created => None,
            Self::UseCount => Some(Column::UseCount),
            Self::FailedCount => Some(Column::FailedCount),
            Self::Tested => Some(Column::TestedAt),
        }
    }

    fn value(self, row: &Model) -> i64 {
        match self {
            Self::Created => 0,
            Self::UseCount => row.use_count,
            Self::FailedCount => row.failed_count.into(),
            Self::Tested => row.tested_at,
        }
    }

    /// What comes after an account.
    fn behind(self, (value, id): After, order: &Order) -> Condition {
        let beyond = |column: Column, value: sea_orm::Value| match order {
            Order::Desc => column.lt(value),
            _ => column.gt(value),
        };
        let later = beyond(Column::Id, id.into());
        match self.column() {
            None => Condition::all().add(later),
            Some(column) => {
                let alike = Condition::all().add(column.eq(value)).add(later);
                Condition::any().add(beyond(column, value.into())).add(alike)
            }
        }
    }
}

/// A page of the accounts that fit at `now` (Unix milliseconds), at most `limit`.
///
/// # Errors
/// When the database does not answer.
pub async fn search(
    db: &impl ConnectionTrait,
    search: &Search,
    (sort, order): (Sort, Order),
    after: Option<After>,
    limit: u64,
    now: i64,
) -> Result<Found, DbErr> {
    let mut query = Entity::find().filter(search.condition(db.get_database_backend(), now)).limit(limit + 1);
    if let Some(column) = sort.column() {
        query = query.order_by(column, order.clone());
    }
    query = query.order_by(Column::Id, order.clone());
    if let Some(after) = after {
        query = query.filter(sort.behind(after, &order));
    }
    let mut rows = query.all(db).await?;
    let is_last = rows.len() as u64 <= limit;
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next = rows.last().filter(|_| !is_last).map(|row| (sort.value(row), row.id));
    Ok(Found { rows: with_budgets_of(db, rows).await?, next })
}

/// How many accounts fit at `now`, Unix milliseconds.
///
/// # Errors
/// When the database does not answer.
pub async fn search_count(db: &impl ConnectionTrait, search: &Search, now: i64) -> Result<u64, DbErr> {
    Entity::find().filter(search.condition(db.get_database_backend(), now)).count(db).await
}

/// The ids of the accounts that fit at `now` after the id `after`, oldest first, at most `limit`.
///
/// # Errors
/// When the database does not answer.
pub async fn search_ids(
    db: &impl ConnectionTrait,
    search: &Search,
    after: Option<Uuid>,
    limit: u64,
    now: i64,
) -> Result<Vec<Uuid>, DbErr> {
    let mut query =
        Entity::find().select_only().column(Column::Id).filter(search.condition(db.get_database_backend(), now));
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after));
    }
    query.order_by_asc(Column::Id).limit(limit).into_tuple().all(db).await
}

/// Switches accounts on or off; answers which of these ids were changed. Those that are switched on begin anew: what they
/// were condemned for before is forgotten.
///
/// # Errors
/// When the database refuses; give it a transaction, so that then nothing has changed.
pub async fn set_disabled(
    db: &impl ConnectionTrait,
    ids: &[Uuid],
    disabled: bool,
    now: i64,
) -> Result<Vec<Uuid>, DbErr> {
    let mut changed = Vec::new();
    for batch in ids.chunks(1000) {
        let these = || {
            let of = Column::Id.is_in(batch.iter().copied());
            of.and(if disabled { Column::Status.ne(Status::Disabled) } else { Column::Status.eq(Status::Disabled) })
        };
        let found: Vec<Uuid> =
            Entity::find().select_only().column(Column::Id).filter(these()).into_tuple().all(db).await?;
        let status = if disabled { Status::Disabled } else { Status::Active };
        let update = Entity::update_many()
            .col_expr(Column::Status, Expr::value(status))
            .col_expr(Column::StatusReason, Expr::value(Option::<String>::None))
            .col_expr(Column::StatusUntil, Expr::value(Option::<i64>::None))
            .col_expr(Column::UpdatedAt, Expr::value(now));
        update.filter(these()).exec(db).await?;
        changed.extend(found);
    }
    Ok(changed)
}
