//! Adding accounts; an account that is already there stays as it is.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter};
use uuid::Uuid;

use super::{ActiveModel, Column, Entity, Kind, Status, encode_tags};

/// Rows of one statement: 19 values each stay below the 32 766 that `SQLite` takes.
const BATCH: usize = 1000;

/// An account to add.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// Id, made by [`NewAccount::new_id`]: the credential is sealed for it.
    pub id: Uuid,
    /// What the credential gives access to.
    pub kind: Kind,
    /// The credential, sealed.
    pub secret: String,
    /// Keyed hash of the credential.
    pub fingerprint: String,
    /// Last four characters of the credential, or nothing.
    pub hint: String,
    /// Whether the account may be used.
    pub status: Status,
    /// Why it may not be used.
    pub status_reason: Option<String>,
    /// How it failed so far.
    pub failures: Failures,
    /// Labels.
    pub tags: Vec<String>,
    /// Free text of the operator.
    pub note: String,
    /// When the account was first known, in Unix milliseconds.
    pub created_at: i64,
}

/// What is known of an account's failures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failures {
    /// In a row.
    pub count: i32,
    /// When it failed last, in Unix milliseconds.
    pub at: Option<i64>,
    /// How it failed last, for people.
    pub reason: Option<String>,
}

/// What became of the accounts that were to be added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Inserted {
    /// New rows.
    pub added: u64,
    /// Accounts whose fingerprint was known already, in the table or earlier in the list.
    pub skipped: u64,
}

impl NewAccount {
    /// A new id; later ones sort after earlier ones.
    pub fn new_id() -> Uuid {
        Uuid::now_v7()
    }
}

/// Adds one account; `false` when its fingerprint is known already.
///
/// # Errors
/// When the database refuses.
pub async fn insert(db: &impl ConnectionTrait, account: NewAccount) -> Result<bool, DbErr> {
    let inserted = insert_many(db, vec![account]).await?;
    Ok(inserted.added == 1)
}

/// Adds accounts, skipping those whose fingerprint is known already.
///
/// Works in batches: give it a transaction when all or none are to be added.
///
/// # Errors
/// When the database refuses; earlier batches stay unless a transaction undoes them.
pub async fn insert_many(db: &impl ConnectionTrait, accounts: Vec<NewAccount>) -> Result<Inserted, DbErr> {
    let mut inserted = Inserted::default();
    let mut rest = accounts.into_iter();
    loop {
        let batch: Vec<NewAccount> = rest.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            return Ok(inserted);
        }
        let size = batch.len() as u64;
        let added = insert_batch(db, batch).await?;
        inserted.added += added;
        inserted.skipped += size - added;
    }
}

/// One statement that lets known fingerprints be, and one that counts what came in: the number of affected rows
/// means different things on different databases.
async fn insert_batch(db: &impl ConnectionTrait, batch: Vec<NewAccount>) -> Result<u64, DbErr> {
    let ids: Vec<Uuid> = batch.iter().map(|account| account.id).collect();
    let skip_known = OnConflict::column(Column::Fingerprint).do_nothing_on([Column::Id]).to_owned();
    Entity::insert_many(batch.into_iter().map(row)).on_conflict(skip_known).exec_without_returning(db).await?;
    Entity::find().filter(Column::Id.is_in(ids)).count(db).await
}

fn row(account: NewAccount) -> ActiveModel {
    ActiveModel {
        id: Set(account.id),
        kind: Set(account.kind),
        secret: Set(account.secret),
        fingerprint: Set(account.fingerprint),
        hint: Set(account.hint),
        status: Set(account.status),
        status_reason: Set(account.status_reason),
        status_until: Set(None),
        failed_count: Set(account.failures.count),
        last_failure_at: Set(account.failures.at),
        last_failure_reason: Set(account.failures.reason),
        tags: Set(encode_tags(&account.tags)),
        note: Set(account.note.trim().to_owned()),
        use_count: Set(0),
        last_used_at: Set(None),
        tested_at: Set(0),
        quota_asked_at: Set(0),
        created_at: Set(account.created_at),
        updated_at: Set(account.created_at),
    }
}
