//! A piece of a bulk work: chosen, and written down in one commit.

use std::sync::Arc;

use grok2api_entity::account::{self, NewAccount, decode_tags, encode_tags};
use grok2api_entity::bulk_item::{self, State as ItemState};
use grok2api_entity::job::Kind;
use grok2api_entity::{bulk, clock};
use grok2api_pool::persist;
use grok2api_queue::bulk::BulkParams;
use grok2api_queue::{Claimed, Note};
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::{Cut, Item};

/// Accounts of one commit; of a test, whose questions take their time, a few.
const SIZE: (u64, u64) = (200, 5);

/// The next accounts of a work.
pub(crate) struct Piece {
    pub(crate) bulk: Uuid,
    pub(crate) items: Vec<Item>,
    by_filter: bool,
}

/// What a piece changes.
#[derive(Debug, Clone)]
enum Change {
    Nothing,
    Delete(Vec<Uuid>),
    Tag { accounts: Vec<Uuid>, add: Vec<String>, remove: Vec<String> },
    Switch { accounts: Vec<Uuid>, disabled: bool },
    Insert(Vec<NewAccount>),
}

/// What is to be written about a piece.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    by_filter: bool,
    items: Vec<Item>,
    /// Why items failed, by their place in the list.
    failures: Vec<(usize, String)>,
    change: Change,
}

impl Piece {
    /// The accounts that come next.
    pub(super) async fn next(job: &Claimed, row: &bulk::Model, params: &BulkParams) -> Result<Self, DbErr> {
        let db = job.jobs().db();
        let size = if row.kind == Kind::BulkTest { SIZE.1 } else { SIZE.0 };
        let Some(filter) = &params.filter else {
            let items = bulk_item::page(db, row.id, ItemState::Open, 0, size).await?;
            return Ok(Self { bulk: row.id, items: items.into_iter().map(Item::from).collect(), by_filter: false });
        };
        let unknown = || DbErr::Custom("a filter that is not understood".to_owned());
        let wanted = filter.rows().ok_or_else(unknown)?;
        let accounts = bulk::next_accounts(db, &wanted, row.cursor, size).await?;
        let item = |account| Item { number: 0, account: Some(account), secret: None };
        Ok(Self { bulk: row.id, items: accounts.into_iter().map(item).collect(), by_filter: true })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    fn accounts(&self) -> Vec<Uuid> {
        self.items.iter().filter_map(|item| item.account).collect()
    }
}

impl Report {
    fn of(piece: &Piece, change: Change) -> Self {
        Self { by_filter: piece.by_filter, items: piece.items.clone(), failures: Vec::new(), change }
    }

    /// The accounts of the piece go.
    pub(super) fn deleting(piece: &Piece) -> Self {
        Self::of(piece, Change::Delete(piece.accounts()))
    }

    /// The labels of the piece's accounts change.
    pub(super) fn tagging(piece: &Piece, params: &BulkParams) -> Self {
        let (add, remove) = (params.add.clone(), params.remove.clone());
        Self::of(piece, Change::Tag { accounts: piece.accounts(), add, remove })
    }

    /// The piece's accounts are switched on or off.
    pub(super) fn switching(piece: &Piece, disabled: bool) -> Self {
        Self::of(piece, Change::Switch { accounts: piece.accounts(), disabled })
    }

    /// Accounts are added.
    pub(super) fn inserting(piece: &Piece, accounts: Vec<NewAccount>, failures: Vec<(usize, String)>) -> Self {
        Self { failures, ..Self::of(piece, Change::Insert(accounts)) }
    }

    /// The first `done` of the piece were asked about.
    pub(super) fn tested(piece: &Piece, done: usize, failures: Vec<(usize, String)>) -> Self {
        let mut report = Self { failures, ..Self::of(piece, Change::Nothing) };
        report.items.truncate(done);
        report
    }

    /// Makes the change, and adds those to the failures of whom there is nothing.
    async fn make(&mut self, tx: &DatabaseTransaction) -> Result<(), DbErr> {
        use account::{Column, Entity};

        match self.change.clone() {
            Change::Nothing => return Ok(()),
            Change::Insert(accounts) => {
                account::insert_many(tx, accounts).await?;
            }
            Change::Delete(ids) => {
                self.miss_unknown(tx, &ids).await?;
                Entity::delete_many().filter(Column::Id.is_in(ids)).exec(tx).await?;
            }
            Change::Switch { accounts, disabled } => {
                self.miss_unknown(tx, &accounts).await?;
                account::set_disabled(tx, &accounts, disabled, clock::read(tx).await?).await?;
            }
            Change::Tag { accounts, add, remove } => {
                self.miss_unknown(tx, &accounts).await?;
                for row in Entity::find().filter(Column::Id.is_in(accounts)).all(tx).await? {
                    let mut tags = decode_tags(&row.tags);
                    tags.retain(|tag| !remove.contains(tag));
                    tags.extend(add.iter().cloned());
                    let tags = encode_tags(&tags);
                    if tags != row.tags {
                        let update = Entity::update_many().col_expr(Column::Tags, Expr::value(tags));
                        update.filter(Column::Id.eq(row.id)).exec(tx).await?;
                    }
                }
                // Labels are not part of what running processes know.
                return Ok(());
            }
        }
        persist::announce_change(tx).await
    }

    async fn miss_unknown(&mut self, tx: &DatabaseTransaction, ids: &[Uuid]) -> Result<(), DbErr> {
        let known = account::Entity::find().filter(account::Column::Id.is_in(ids.iter().copied())).all(tx).await?;
        let missing = |item: &Item| item.account.is_some_and(|id| known.iter().all(|row| row.id != id));
        let lost = self.items.iter().enumerate().filter(|(_, item)| missing(item));
        self.failures.extend(lost.map(|(place, _)| (place, "There is no such account.".to_owned())));
        Ok(())
    }

    /// Notes what became of each account: all that were named, of others those that failed.
    async fn note(&self, tx: &DatabaseTransaction, row: &bulk::Model) -> Result<(), DbErr> {
        use bulk_item::{ActiveModel, Column, Entity};

        if !self.by_filter {
            let done = ActiveModel { state: Set(ItemState::Done), secret: Set(None), ..ActiveModel::default() };
            let numbers = self.items.iter().map(|item| item.number);
            let these = Entity::update_many().set(done).filter(Column::BulkId.eq(row.id));
            these.filter(Column::Number.is_in(numbers)).exec(tx).await?;
        }
        for (place, why) in &self.failures {
            let Some(item) = self.items.get(*place) else { continue };
            let (state, error) = (Set(ItemState::Failed), Set(Some(why.clone())));
            if self.by_filter {
                let number = row.done + i64::try_from(*place).unwrap_or(0) + 1;
                let (bulk_id, account_id) = (Set(row.id), Set(item.account));
                let failed = ActiveModel { bulk_id, number: Set(number), account_id, secret: Set(None), state, error };
                Entity::insert(failed).exec_without_returning(tx).await?;
            } else {
                let failed = ActiveModel { state, error, ..ActiveModel::default() };
                let this = Entity::update_many().set(failed).filter(Column::BulkId.eq(row.id));
                this.filter(Column::Number.eq(item.number)).exec(tx).await?;
            }
        }
        Ok(())
    }
}

/// Makes and writes down what a report says, in one commit and only while the job is ours; answers the row as it is then.
pub(super) async fn write(job: &mut Claimed, row: bulk::Model, report: Report) -> Result<bulk::Model, Cut> {
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let done = row.done + count(report.items.len());
    let progress = i32::try_from((done * 100).checked_div(row.total.max(done)).unwrap_or(0)).unwrap_or(99).min(99);
    let shared = Arc::new((row, report));
    let id = shared.0.id;
    let note = Note { progress: Some(progress), ..Note::default() };
    let written = job.step_with(note, move |tx| {
        let shared = Arc::clone(&shared);
        Box::pin(async move {
            let (row, mut report) = (&shared.0, shared.1.clone());
            report.make(tx).await?;
            report.note(tx, row).await?;
            let cursor = report.items.last().and_then(|item| item.account).filter(|_| report.by_filter);
            let update = bulk::ActiveModel {
                cursor: Set(cursor.or(row.cursor)),
                done: Set(done),
                failed: Set(row.failed + count(report.failures.len())),
                ..bulk::ActiveModel::default()
            };
            bulk::Entity::update_many().set(update).filter(bulk::Column::Id.eq(row.id)).exec(tx).await.map(drop)
        })
    });
    written.await?;
    let row = bulk::Entity::find_by_id(id).one(job.jobs().db()).await?;
    row.ok_or_else(|| Cut::Database(DbErr::RecordNotFound("bulk".to_owned())))
}

/// The work is at its end.
pub(super) async fn finish(job: &mut Claimed, id: Uuid, kind: Kind) -> Result<(), Cut> {
    tracing::info!(bulk_id = %id, kind = kind.as_str(), "bulk work is done");
    let written = job.step_with(Note::default(), move |tx| {
        Box::pin(async move {
            let now = clock::read(tx).await?;
            let update = bulk::Entity::update_many()
                .col_expr(bulk::Column::State, Expr::value(bulk::State::Completed))
                .col_expr(bulk::Column::FinishedAt, Expr::value(Some(now)));
            update.filter(bulk::Column::Id.eq(id)).exec(tx).await.map(drop)
        })
    });
    Ok(written.await?)
}
