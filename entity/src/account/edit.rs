//! What an operator changes on accounts that are there: labels, notes, and whether they stay.

use std::collections::BTreeSet;

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::{Column, Entity, Kind, decode_tags, encode_tags};

/// Values of one statement.
const BATCH: usize = 1000;

/// Gives an account other labels; `false` when there is none of that id.
///
/// # Errors
/// When the database refuses.
pub async fn set_tags(db: &impl ConnectionTrait, id: Uuid, tags: &[String], now: i64) -> Result<bool, DbErr> {
    set(db, id, Column::Tags, encode_tags(tags), now).await
}

/// Gives an account another note, without blanks around it; `false` when there is none of that id.
///
/// # Errors
/// When the database refuses.
pub async fn set_note(db: &impl ConnectionTrait, id: Uuid, note: &str, now: i64) -> Result<bool, DbErr> {
    set(db, id, Column::Note, note.trim().to_owned(), now).await
}

async fn set(db: &impl ConnectionTrait, id: Uuid, column: Column, text: String, now: i64) -> Result<bool, DbErr> {
    let update = Entity::update_many()
        .col_expr(column, Expr::value(text))
        .col_expr(Column::UpdatedAt, Expr::value(now))
        .filter(Column::Id.eq(id));
    Ok(update.exec(db).await?.rows_affected == 1)
}

/// All labels that accounts have, sorted, each once.
///
/// # Errors
/// When the database does not answer.
pub async fn all_tags(db: &impl ConnectionTrait) -> Result<BTreeSet<String>, DbErr> {
    let query = Entity::find().select_only().column(Column::Tags).distinct().filter(Column::Tags.ne("[]"));
    let lists: Vec<String> = query.into_tuple().all(db).await?;
    Ok(lists.iter().flat_map(|tags| decode_tags(tags)).collect())
}

/// The ids of the accounts of a kind that have one of these fingerprints.
///
/// # Errors
/// When the database does not answer.
pub async fn ids_by_fingerprints(
    db: &impl ConnectionTrait,
    kind: Kind,
    fingerprints: &[String],
) -> Result<Vec<Uuid>, DbErr> {
    let mut ids = Vec::new();
    for batch in fingerprints.chunks(BATCH) {
        let query = Entity::find().select_only().column(Column::Id).filter(Column::Kind.eq(kind));
        let found: Vec<Uuid> = query.filter(Column::Fingerprint.is_in(batch)).into_tuple().all(db).await?;
        ids.extend(found);
    }
    Ok(ids)
}

/// Takes accounts of a kind and their budgets away; answers which of these ids there were.
///
/// # Errors
/// When the database refuses; give it a transaction, so that then nothing has changed.
pub async fn delete_many(db: &impl ConnectionTrait, kind: Kind, ids: &[Uuid]) -> Result<Vec<Uuid>, DbErr> {
    let mut deleted = Vec::new();
    for batch in ids.chunks(BATCH) {
        let these = || Column::Kind.eq(kind).and(Column::Id.is_in(batch.iter().copied()));
        let query = Entity::find().select_only().column(Column::Id).filter(these());
        let found: Vec<Uuid> = query.into_tuple().all(db).await?;
        Entity::delete_many().filter(these()).exec(db).await?;
        deleted.extend(found);
    }
    Ok(deleted)
}
