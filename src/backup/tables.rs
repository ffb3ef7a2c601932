//! All tables that a backup holds, those that others refer to first.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use grok2api_entity::{
    account, account_budget, admin, asset, audit, bulk, bulk_item, client_key, gauge_minute, generation, idempotency,
    job, job_attempt, meta, queue_control, request_log, schedule, setting, tick, usage_day, usage_hour, usage_span,
};
use sea_orm::DatabaseTransaction;
use serde_json::Value as Json;

use super::archive::{Line, Reader, Writer};
use super::rows::{self, Inbound};

/// Does the same for each table. Living workers are no part of a backup.
macro_rules! each_table {
    ($do:ident) => {
        $do!(
            account,
            account_budget,
            meta,
            setting,
            generation,
            job,
            job_attempt,
            asset,
            idempotency,
            request_log,
            usage_hour,
            usage_day,
            usage_span,
            gauge_minute,
            schedule,
            tick,
            bulk,
            bulk_item,
            admin,
            audit,
            client_key,
            queue_control
        )
    };
}

/// Writes all tables as one moment saw them; answers the rows of each.
pub(super) async fn write(tx: &DatabaseTransaction, archive: &mut Writer) -> Result<BTreeMap<String, u64>> {
    let mut counts = BTreeMap::new();
    macro_rules! write_each {
        ($($table:ident),*) => {$(
            let name = rows::name::<$table::Entity>();
            let columns = rows::columns::<$table::Entity>().into_iter().map(str::to_owned).collect();
            archive.line(&Line::Table { name: name.clone(), columns })?;
            let mut take = |row: Json| match row {
                Json::Array(values) => archive.line(&Line::Row(values)),
                other => bail!("a row that is no list: {other}"),
            };
            counts.insert(name, rows::read::<$table::Entity>(tx, &mut take).await?);
        )*};
    }
    each_table!(write_each);
    Ok(counts)
}

/// The first table that is not empty.
pub(super) async fn first_used(tx: &DatabaseTransaction) -> Result<Option<String>> {
    macro_rules! look {
        ($($table:ident),*) => {$(
            if !rows::is_empty::<$table::Entity>(tx).await? {
                return Ok(Some(rows::name::<$table::Entity>()));
            }
        )*};
    }
    each_table!(look);
    Ok(None)
}

/// Whether this release has a table of that name.
pub(super) fn is_known(name: &str) -> bool {
    macro_rules! look {
        ($($table:ident),*) => { [$(rows::name::<$table::Entity>()),*].iter().any(|known| known == name) };
    }
    each_table!(look)
}

/// Reads the rows of a table into the database; answers how many there were, and the line behind them.
pub(super) async fn load(
    tx: &DatabaseTransaction,
    archive: &mut Reader,
    name: &str,
    columns: &[String],
) -> Result<(u64, Line)> {
    macro_rules! load_one {
        ($($table:ident),*) => {$(
            if rows::name::<$table::Entity>() == name {
                let mut inbound = Inbound::<$table::Entity>::new(columns)?;
                let mut count = 0;
                loop {
                    match archive.next()? {
                        Line::Row(row) => inbound.take(tx, row).await.with_context(|| format!("table {name}"))?,
                        line => {
                            inbound.flush(tx).await.with_context(|| format!("table {name}"))?;
                            return Ok((count, line));
                        }
                    }
                    count += 1;
                }
            }
        )*};
    }
    ensure!(is_known(name), "the backup has a table that this release does not know: {name}");
    each_table!(load_one);
    bail!("no table {name}")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use grok2api_entity::connect;
    use sea_orm::{ConnectionTrait, DbBackend, Statement};

    use super::is_known;

    /// Not part of a backup: who works now, who is logged in or tries to, and which migrations were run here.
    const LEFT_OUT: [&str; 4] = ["worker", "admin_session", "login_limit", "seaql_migrations"];

    #[tokio::test]
    async fn every_table_is_in_a_backup() {
        let folder = tempfile::tempdir().unwrap();
        let db = connect::file(&folder.path().join("grok2api.db")).await.unwrap();
        grok2api_migration::bring_up(&db).await.unwrap();
        let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
        let rows = db.query_all_raw(Statement::from_string(DbBackend::Sqlite, tables)).await.unwrap();
        let missing: Vec<String> = rows
            .iter()
            .map(|row| row.try_get("", "name").unwrap())
            .filter(|name: &String| !LEFT_OUT.contains(&name.as_str()) && !is_known(name))
            .collect();
        assert!(missing.is_empty(), "add them to the tables of a backup: {missing:?}");
        db.close().await.unwrap();
    }
}
