//! The database's own clock, which all processes share.

use sea_orm::sea_query::{Expr, SimpleExpr};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

/// The time at the database, in Unix milliseconds, as an expression.
///
/// It moves on within a transaction.
pub fn now(backend: DbBackend) -> SimpleExpr {
    Expr::cust(expression(backend))
}

/// Asks the database for its time, in Unix milliseconds.
///
/// # Errors
/// When the database does not answer.
pub async fn read(db: &impl ConnectionTrait) -> Result<i64, DbErr> {
    let backend = db.get_database_backend();
    let statement = Statement::from_string(backend, format!("SELECT {} AS now", expression(backend)));
    let row = db.query_one_raw(statement).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("the time".to_owned()))?.try_get("", "now")
}

const fn expression(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::MySql => "CAST(ROUND(UNIX_TIMESTAMP(SYSDATE(3)) * 1000) AS SIGNED)",
        DbBackend::Postgres => "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
        _ => "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
    }
}
