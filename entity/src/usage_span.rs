//! Table `usage_span`: use minute by minute and hour by hour, fit to be drawn: of all, of each model, of each client key.

use std::collections::BTreeMap;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{Condition, DbBackend, QueryOrder, QuerySelect};

use crate::histogram::Histogram;

/// Seconds of a minute and of an hour: the two lengths that are recorded.
pub const STEPS: [i32; 2] = [60, 3_600];
/// Rows named in one statement.
const PIECE: usize = 50;

/// One row. All times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "usage_span")]
pub struct Model {
    /// Its length in seconds, one of [`STEPS`].
    #[sea_orm(primary_key, auto_increment = false)]
    pub step_secs: i32,
    /// The model; empty for all of them.
    #[sea_orm(primary_key, auto_increment = false)]
    pub model: String,
    /// Id of the client key; empty for all of them. A row has a model or a key or neither, never both.
    #[sea_orm(primary_key, auto_increment = false)]
    pub owner: String,
    /// Its begin.
    #[sea_orm(primary_key, auto_increment = false)]
    pub at: i64,
    /// Requests answered, well or not.
    pub requests: i64,
    /// Of these, with an error; clients that went away among them.
    pub errors: i64,
    /// Of these, those whose client did not wait for the end.
    pub gone: i64,
    /// Estimated.
    pub prompt_tokens: i64,
    /// Estimated; reasoning included.
    pub completion_tokens: i64,
    /// Estimated.
    pub reasoning_tokens: i64,
    /// Pictures delivered.
    pub images: i64,
    /// Videos made, in the span in which they were done.
    pub videos: i64,
    /// Whole times of requests; see [`Histogram`].
    #[sea_orm(column_type = "Text")]
    pub total_times: String,
    /// Times to the first event; see [`Histogram`].
    #[sea_orm(column_type = "Text")]
    pub first_times: String,
    /// How often each error code came: `code:count`, separated by blanks.
    #[sea_orm(column_type = "Text")]
    pub error_codes: String,
}

/// What a row is linked with: nothing that the database enforces.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Which row it is: its length, model, key and begin.
type Key = (i32, String, String, i64);

/// What happened in one span.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// See [`Model::requests`].
    pub requests: i64,
    /// See [`Model::errors`].
    pub errors: i64,
    /// See [`Model::gone`].
    pub gone: i64,
    /// See [`Model::prompt_tokens`].
    pub prompt_tokens: i64,
    /// See [`Model::completion_tokens`].
    pub completion_tokens: i64,
    /// See [`Model::reasoning_tokens`].
    pub reasoning_tokens: i64,
    /// See [`Model::images`].
    pub images: i64,
    /// See [`Model::videos`].
    pub videos: i64,
    /// See [`Model::total_times`].
    pub total_times: Histogram,
    /// See [`Model::first_times`].
    pub first_times: Histogram,
    /// See [`Model::error_codes`].
    pub error_codes: BTreeMap<String, u64>,
}

impl Figures {
    /// Adds other figures.
    pub fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.errors += other.errors;
        self.gone += other.gone;
        self.prompt_tokens += other.prompt_tokens;
        self.completion_tokens += other.completion_tokens;
        self.reasoning_tokens += other.reasoning_tokens;
        self.images += other.images;
        self.videos += other.videos;
        self.total_times.add(&other.total_times);
        self.first_times.add(&other.first_times);
        for (code, count) in &other.error_codes {
            *self.error_codes.entry(code.clone()).or_default() += count;
        }
    }

    fn row(&self, (step_secs, model, owner, at): Key) -> Model {
        let codes: Vec<String> = self.error_codes.iter().map(|(code, count)| format!("{code}:{count}")).collect();
        Model {
            step_secs,
            model,
            owner,
            at,
            requests: self.requests,
            errors: self.errors,
            gone: self.gone,
            prompt_tokens: self.prompt_tokens,
            completion_tokens: self.completion_tokens,
            reasoning_tokens: self.reasoning_tokens,
            images: self.images,
            videos: self.videos,
            total_times: self.total_times.to_string(),
            first_times: self.first_times.to_string(),
            error_codes: codes.join(" "),
        }
    }
}

impl From<&Model> for Figures {
    fn from(row: &Model) -> Self {
        let pair = |word: &str| {
            let (code, count) = word.rsplit_once(':')?;
            Some((code.to_owned(), count.parse().ok()?))
        };
        Self {
            requests: row.requests,
            errors: row.errors,
            gone: row.gone,
            prompt_tokens: row.prompt_tokens,
            completion_tokens: row.completion_tokens,
            reasoning_tokens: row.reasoning_tokens,
            images: row.images,
            videos: row.videos,
            total_times: Histogram::parse(&row.total_times),
            first_times: Histogram::parse(&row.first_times),
            error_codes: row.error_codes.split(' ').filter_map(pair).collect(),
        }
    }
}

/// What is to be added to the table.
#[derive(Debug, Clone, Default)]
pub struct Spans {
    rows: BTreeMap<Key, Figures>,
}

impl Spans {
    /// Adds what happened at `at` (Unix milliseconds) with a model, asked for by a client key: to all spans it belongs to.
    pub fn add(&mut self, at: i64, model: &str, owner: &str, figures: &Figures) {
        for step in STEPS {
            let begin = begin_of(at, step);
            for (model, owner) in [("", ""), (model, ""), ("", owner)] {
                self.rows.entry((step, model.to_owned(), owner.to_owned(), begin)).or_default().add(figures);
            }
        }
    }

    /// Adds everything to what is stored. Give it a transaction: others that add to the same rows wait for its end.
    ///
    /// # Errors
    /// When the database refuses; nothing is added then.
    pub async fn store(&self, tx: &impl ConnectionTrait) -> Result<(), DbErr> {
        let rows: Vec<(&Key, &Figures)> = self.rows.iter().collect();
        for piece in rows.chunks(PIECE) {
            // The rows must be there to be waited for; keys come in order, so that writers wait for one another in turn.
            let empty = piece.iter().map(|(key, _)| ActiveModel::from(Figures::default().row((*key).clone())));
            let keep = OnConflict::columns(KEYS).do_nothing_on(KEYS).to_owned();
            Entity::insert_many(empty).on_conflict(keep).exec_without_returning(tx).await?;
            let mut sums = stored(tx, piece).await?;
            let summed = piece.iter().map(|(key, figures)| {
                let mut sum = sums.remove(*key).unwrap_or_default();
                sum.add(figures);
                ActiveModel::from(sum.row((*key).clone()))
            });
            let replace = OnConflict::columns(KEYS).update_columns(SUMS).to_owned();
            Entity::insert_many(summed).on_conflict(replace).exec_without_returning(tx).await?;
        }
        Ok(())
    }
}

/// What is stored in some rows, which nobody else can change until the end of the transaction.
async fn stored(tx: &impl ConnectionTrait, piece: &[(&Key, &Figures)]) -> Result<BTreeMap<Key, Figures>, DbErr> {
    let any = piece.iter().fold(Condition::any(), |any, ((step, model, owner, at), _)| {
        any.add(
            Condition::all()
                .add(Column::StepSecs.eq(*step))
                .add(Column::Model.eq(model))
                .add(Column::Owner.eq(owner))
                .add(Column::At.eq(*at)),
        )
    });
    let mut query = Entity::find().filter(any);
    for key in KEYS {
        query = query.order_by_asc(key);
    }
    if tx.get_database_backend() != DbBackend::Sqlite {
        query = query.lock_exclusive();
    }
    let rows = query.all(tx).await?;
    let keyed = rows.into_iter().map(|row| {
        let figures = Figures::from(&row);
        ((row.step_secs, row.model, row.owner, row.at), figures)
    });
    Ok(keyed.collect())
}

const KEYS: [Column; 4] = [Column::StepSecs, Column::Model, Column::Owner, Column::At];
const SUMS: [Column; 11] = [
    Column::Requests,
    Column::Errors,
    Column::Gone,
    Column::PromptTokens,
    Column::CompletionTokens,
    Column::ReasoningTokens,
    Column::Images,
    Column::Videos,
    Column::TotalTimes,
    Column::FirstTimes,
    Column::ErrorCodes,
];

/// The begin of the span of `step` seconds that a time belongs to, both in Unix milliseconds.
pub fn begin_of(at: i64, step: i32) -> i64 {
    at - at.rem_euclid(i64::from(step) * 1_000)
}

/// What is drawn: all, one model, or one client key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of<'a> {
    /// All requests.
    All,
    /// Those for a model.
    Model(&'a str),
    /// Those of a client key, by its id.
    Owner(&'a str),
}

/// The spans of `step` seconds that begin from `from` to before `to`, in order.
///
/// # Errors
/// When the database does not answer.
pub async fn between(
    db: &impl ConnectionTrait,
    step: i32,
    of: Of<'_>,
    from: i64,
    to: i64,
) -> Result<Vec<Model>, DbErr> {
    let (model, owner) = match of {
        Of::All => ("", ""),
        Of::Model(model) => (model, ""),
        Of::Owner(owner) => ("", owner),
    };
    let query = Entity::find().filter(Column::StepSecs.eq(step)).filter(Column::Model.eq(model));
    let query = query.filter(Column::Owner.eq(owner)).filter(Column::At.gte(from)).filter(Column::At.lt(to));
    query.order_by_asc(Column::At).all(db).await
}

/// The sums of one model or key over some time.
#[derive(Debug, Clone, PartialEq, Eq, sea_orm::FromQueryResult)]
pub struct Share {
    /// The model's id, or that of the client key.
    pub name: String,
    /// See [`Model::requests`].
    pub requests: i64,
    /// See [`Model::errors`].
    pub errors: i64,
    /// Prompt and completion together.
    pub tokens: i64,
}

/// The `limit` models, or client keys, with the most requests in spans of `step` seconds from `from` to before `to`.
///
/// # Errors
/// When the database does not answer.
pub async fn most(
    db: &impl ConnectionTrait,
    by: Column,
    step: i32,
    from: i64,
    to: i64,
    limit: u64,
) -> Result<Vec<Share>, DbErr> {
    let sum = |column: Column| db_sum(db.get_database_backend(), column.as_str());
    let other = if matches!(by, Column::Model) { Column::Owner } else { Column::Model };
    let query = Entity::find()
        .select_only()
        .column_as(by, "name")
        .expr_as(sum(Column::Requests), "requests")
        .expr_as(sum(Column::Errors), "errors")
        .expr_as(db_sum(db.get_database_backend(), "prompt_tokens + completion_tokens"), "tokens")
        .filter(Column::StepSecs.eq(step))
        .filter(by.ne(""))
        .filter(other.eq(""))
        .filter(Column::At.gte(from))
        .filter(Column::At.lt(to))
        .group_by(by);
    query.order_by_desc(sum(Column::Requests)).order_by_asc(by).limit(limit).into_model().all(db).await
}

/// A sum as a whole number: PostgreSQL and MySQL make decimals of it.
fn db_sum(backend: DbBackend, of: &str) -> sea_orm::sea_query::SimpleExpr {
    let whole = if backend == DbBackend::MySql { "SIGNED" } else { "BIGINT" };
    Expr::cust(format!("CAST(SUM({of}) AS {whole})"))
}

/// Deletes up to `limit` rows of `step` seconds from before `at`; returns how many.
///
/// # Errors
/// When the database refuses.
pub async fn delete_before(db: &impl ConnectionTrait, step: i32, at: i64, limit: u64) -> Result<u64, DbErr> {
    // By model and key, whose rows are in order: a bounded piece of one at a time.
    let old = Entity::find().filter(Column::StepSecs.eq(step)).filter(Column::At.lt(at));
    let Some(row) = old.limit(1).one(db).await? else { return Ok(0) };
    let rows = Entity::find().select_only().column(Column::At).filter(Column::StepSecs.eq(step));
    let rows = rows.filter(Column::Model.eq(&row.model)).filter(Column::Owner.eq(&row.owner));
    let times: Vec<i64> =
        rows.filter(Column::At.lt(at)).order_by_asc(Column::At).limit(limit).into_tuple().all(db).await?;
    let Some(last) = times.last() else { return Ok(0) };
    let delete = Entity::delete_many().filter(Column::StepSecs.eq(step)).filter(Column::Model.eq(row.model));
    let deleted = delete.filter(Column::Owner.eq(row.owner)).filter(Column::At.lte(*last)).exec(db).await?;
    Ok(deleted.rows_affected)
}
