//! Work on many accounts at once: a job, a row that says how far it is, and a row for each account that is named.

use grok2api_entity::account::{Kind as AccountKind, Search, Standing, Status};
use grok2api_entity::audit::{self, Note};
use grok2api_entity::connect::begin_write;
use grok2api_entity::job::{self, Kind};
use grok2api_entity::{account, bulk, bulk_item, clock};
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::jobs::{Jobs, QueueError};
use crate::ticket::NewJob;
use crate::time::within;

/// The table under whose name credentials to be imported are sealed.
pub const SEALED: &str = "bulk_item";
/// How long bulk work may wait and take, in milliseconds: a week.
const PATIENCE_MS: i64 = 7 * 86_400_000;
/// Rows of one statement.
const BATCH: usize = 1000;
/// Longest time to write down what is to be done.
const WRITE: std::time::Duration = std::time::Duration::from_secs(30);

/// The row under whose name a credential is sealed: that at this place, from 1, of this work.
pub fn sealed_row(bulk: Uuid, number: i64) -> String {
    format!("{bulk}/{number}")
}

/// What a bulk work is told; none of it is secret.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct BulkParams {
    /// All accounts of a filter, instead of those that are named.
    pub filter: Option<BulkFilter>,
    /// Labels to add.
    pub add: Vec<String>,
    /// Labels to take away.
    pub remove: Vec<String>,
    /// Whether accounts to be added are of the Super tier.
    pub is_super: bool,
    /// What is noted about accounts to be added.
    pub note: String,
    /// Milliseconds to wait before anything is done; who cancels in time has changed nothing.
    pub delay_ms: i64,
}

/// Which accounts; nothing set means all.
///
/// What is not known here is refused: a worker of an older release must not take all accounts for those that are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BulkFilter {
    /// Only those of this status, as it is stored.
    pub status: Option<String>,
    /// Only those of this type: `sso` or `ssoSuper`.
    pub token_type: Option<String>,
    /// Only those that stand so: `unused`, `active`, `limited` or `invalid`.
    pub standing: Option<String>,
    /// Only those with this label.
    pub tag: Option<String>,
    /// Only those whose note, labels or last four characters contain this text, or whose id it is.
    pub search: Option<String>,
}

impl BulkFilter {
    /// The filter in terms of rows; `None` when a name in it is not known.
    pub fn rows(&self) -> Option<Search> {
        let status = match self.status.as_deref() {
            None => None,
            Some(name) => {
                let all = [Status::Active, Status::Cooling, Status::Expired, Status::Disabled];
                Some(all.into_iter().find(|status| status.as_str() == name)?)
            }
        };
        let kind = match self.token_type.as_deref() {
            None => None,
            Some("sso") => Some(AccountKind::Sso),
            Some("ssoSuper") => Some(AccountKind::SsoSuper),
            Some(_) => return None,
        };
        let standing = match self.standing.as_deref() {
            None => None,
            Some(name) => Some(Standing::ALL.into_iter().find(|standing| standing.as_str() == name)?),
        };
        Some(Search { kind, status, standing, tag: self.tag.clone(), text: self.search.clone() })
    }
}

/// A bulk work to be done.
#[derive(Debug, Clone)]
pub struct NewBulk {
    /// Its id, version 7, under which credentials are sealed.
    pub id: Uuid,
    /// What is done with each account.
    pub kind: Kind,
    /// What it is told.
    pub params: BulkParams,
    /// The accounts that are named.
    pub accounts: Vec<Uuid>,
    /// The credentials to be imported, sealed for their places.
    pub sealed: Vec<String>,
}

/// Accepts bulk work, and notes who asked: everything is on disk when this returns, or nothing.
///
/// # Errors
/// When the database refuses.
pub async fn submit(jobs: &Jobs, new: NewBulk, note: &Note) -> Result<bulk::Model, QueueError> {
    let job = NewJob::new(new.kind, PATIENCE_MS);
    let job = NewJob { id: new.id, run_at: job.run_at.saturating_add(new.params.delay_ms), ..job };
    let made = within(WRITE, async {
        let tx = begin_write(jobs.db()).await?;
        let total = match &new.params.filter {
            Some(filter) => {
                let unknown = || DbErr::Custom("a filter that is not understood".to_owned());
                let wanted = filter.rows().ok_or_else(unknown)?;
                account::search_count(&*tx, &wanted, clock::read(&*tx).await?).await?
            }
            None => (new.accounts.len() + new.sealed.len()) as u64,
        };
        let row = bulk::Model {
            id: new.id,
            kind: new.kind,
            state: bulk::State::Open,
            params: serde_json::to_string(&new.params).unwrap_or_default(),
            cursor: None,
            total: i64::try_from(total).unwrap_or(i64::MAX),
            done: 0,
            failed: 0,
            created_at: clock::read(&*tx).await?,
            finished_at: None,
        };
        bulk::Entity::insert(bulk::ActiveModel::from(row.clone())).exec_without_returning(&*tx).await?;
        let named = new.accounts.iter().map(|id| (Some(*id), None));
        let named: Vec<_> = named.chain(new.sealed.iter().map(|secret| (None, Some(secret.clone())))).collect();
        for (begin, batch) in (0_i64..).step_by(BATCH).zip(named.chunks(BATCH)) {
            let items = (begin + 1..).zip(batch).map(|(number, (account, secret))| bulk_item::ActiveModel {
                bulk_id: Set(new.id),
                number: Set(number),
                account_id: Set(*account),
                secret: Set(secret.clone()),
                state: Set(bulk_item::State::Open),
                error: Set(None),
            });
            bulk_item::Entity::insert_many(items).exec_without_returning(&*tx).await?;
        }
        audit::insert(&*tx, note).await?;
        let tickets = Jobs::insert(&*tx, vec![job]).await?;
        tx.commit().await?;
        Ok((row, tickets))
    });
    let (row, tickets) = made.await?;
    jobs.made(row.kind, "", 1);
    jobs.deliver(&tickets).await;
    Ok(row)
}

/// Ends a job of the gateway's own, and the bulk work that it may be. `None` when it was over already. Who asks is noted
/// first, so that nothing ends without.
///
/// # Errors
/// When the database refuses.
pub async fn cancel(jobs: &Jobs, job: &job::Model, note: &Note) -> Result<Option<job::Model>, QueueError> {
    within(WRITE, async {
        let tx = begin_write(jobs.db()).await?;
        audit::insert(&*tx, note).await?;
        tx.commit().await
    })
    .await?;
    let cancelled = jobs.cancel(job).await?;
    // Also after a cancellation that got no further: nobody works on it now.
    if cancelled.is_some() || job.state == job::State::Cancelled {
        close(jobs.db(), job.id).await?;
    }
    Ok(cancelled)
}

async fn close(db: &impl ConnectionTrait, id: Uuid) -> Result<(), DbErr> {
    let now = clock::read(db).await?;
    bulk::Entity::update_many()
        .col_expr(bulk::Column::State, Expr::value(bulk::State::Cancelled))
        .col_expr(bulk::Column::FinishedAt, Expr::value(Some(now)))
        .filter(bulk::Column::Id.eq(id))
        .filter(bulk::Column::State.eq(bulk::State::Open))
        .exec(db)
        .await?;
    bulk_item::forget_secrets(db, id).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_knows_the_names_people_use_and_refuses_others() {
        let filter = |status: Option<&str>, token_type: Option<&str>| BulkFilter {
            status: status.map(str::to_owned),
            token_type: token_type.map(str::to_owned),
            ..BulkFilter::default()
        };
        assert_eq!(filter(None, None).rows(), Some(Search::default()));
        let known = filter(Some("expired"), Some("ssoSuper")).rows();
        let wanted = Search { kind: Some(AccountKind::SsoSuper), status: Some(Status::Expired), ..Search::default() };
        assert_eq!(known, Some(wanted));
        let limited = BulkFilter { standing: Some("limited".to_owned()), ..BulkFilter::default() };
        assert_eq!(limited.rows().and_then(|wanted| wanted.standing), Some(Standing::Limited));
        let later: Result<BulkParams, _> = serde_json::from_str(r#"{"filter": {"colour": "red"}}"#);
        assert!(later.is_err(), "a filter of a later release does not mean all accounts");
        assert!(filter(Some("失效"), None).rows().is_none() && filter(None, Some("basic")).rows().is_none());
    }
}
