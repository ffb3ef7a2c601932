//! Table `usage_day`: use of each model by each client key, day by day (UTC).

use sea_orm::Statement;
use sea_orm::entity::prelude::*;

/// Milliseconds of a day.
pub const DAY_MS: i64 = 86_400_000;

/// One row. All times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "usage_day")]
pub struct Model {
    /// Begin of the day.
    #[sea_orm(primary_key, auto_increment = false)]
    pub day: i64,
    /// The model.
    #[sea_orm(primary_key, auto_increment = false)]
    pub model: String,
    /// Id of the client key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub owner: String,
    /// Requests answered, well or not.
    pub requests: i64,
    /// Of these, with an error.
    pub errors: i64,
    /// Estimated.
    pub prompt_tokens: i64,
    /// Estimated; reasoning included.
    pub completion_tokens: i64,
    /// Estimated.
    pub reasoning_tokens: i64,
    /// Pictures delivered.
    pub images: i64,
    /// Videos made.
    pub videos: i64,
    /// Sum of the times to the first event, in milliseconds.
    pub first_ms: i64,
    /// Requests that this sum counts.
    pub firsts: i64,
    /// Sum of the whole times, in milliseconds.
    pub total_ms: i64,
}

/// What a row is linked with: nothing that the database enforces.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The begin of the day that a time belongs to, both in Unix milliseconds.
pub fn day_of(at: i64) -> i64 {
    at - at.rem_euclid(DAY_MS)
}

/// The columns that add up, in one order for both tables.
const SUMS: [&str; 10] = [
    "requests",
    "errors",
    "prompt_tokens",
    "completion_tokens",
    "reasoning_tokens",
    "images",
    "videos",
    "first_ms",
    "firsts",
    "total_ms",
];

/// Replaces the rows of the day that begins at `day` by the sums of its hours. Doing it again changes nothing.
///
/// # Errors
/// When the database refuses; give it a transaction, so that then nothing has changed.
pub async fn sum_up(db: &impl ConnectionTrait, day: i64) -> Result<(), DbErr> {
    Entity::delete_many().filter(Column::Day.eq(day)).exec(db).await?;
    let columns = SUMS.join(", ");
    let sums = SUMS.map(|column| format!("SUM({column})")).join(", ");
    // Numbers of ours, no text from elsewhere.
    let sql = format!(
        "INSERT INTO usage_day (day, model, owner, {columns}) \
         SELECT {day}, model, owner, {sums} FROM usage_hour WHERE hour >= {day} AND hour < {end} GROUP BY model, owner",
        end = day + DAY_MS
    );
    db.execute_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    Ok(())
}
