//! Tests of accounts: of those that are suspect, those that were condemned a day ago, and those not heard of for long.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use grok2api_entity::account::{self, Status};
use grok2api_entity::account_budget::{self, Source};
use grok2api_entity::failure::Code;
use grok2api_entity::job::Step;
use grok2api_queue::{Claimed, End, Failure, Handler, Lost};
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter};
use uuid::Uuid;

use crate::Workshop;
use crate::outcome::again;
use crate::round::Round;

/// A suspect is not asked about again within this time, in milliseconds: two answers should not tell of one moment.
const SUSPECT_REST_MS: i64 = 5_000;
/// A condemned account is asked about this often, in milliseconds: the upstream may have been wrong.
const EXPIRED_REST_MS: i64 = 24 * 3_600_000;
const HOUR_MS: i64 = 3_600_000;
/// How many accounts that need no test are looked at, for each one that may be tested.
const LOOKS: u64 = 10;

/// Tests accounts.
pub(crate) struct TokenTest {
    shop: Arc<Workshop>,
}

impl TokenTest {
    pub(crate) fn new(shop: Arc<Workshop>) -> Self {
        Self { shop }
    }

    async fn work(&self, job: &Claimed) -> Result<End, DbErr> {
        let (settings, now) = self.shop.terms(job).await?;
        let db = job.jobs().db();
        let chosen = choose(db, now, settings.health.batch, settings.health.stale_hours).await?;
        let mut round = Round::default();
        let mut end = End::Completed;
        for account in chosen {
            if job.draining().is_cancelled() || (round.asked > 0 && !self.shop.pause(job).await) {
                end = End::HandOver;
                break;
            }
            let Some(budget) = self.shop.gateway.budgets_of(account).into_iter().next() else { continue };
            round.asked += 1;
            let Some(found) = self.shop.ask(job, account, &budget).await else {
                end = End::HandOver;
                break;
            };
            round.note(found);
            account::mark_tested(db, &[account], now).await?;
            if round.is_in_vain() {
                tracing::warn!(
                    "accounts cannot be tested at the moment: the network or the egress address is at fault"
                );
                break;
            }
        }
        self.shop.conclude(job, round).await?;
        Ok(end)
    }
}

#[async_trait]
impl Handler for TokenTest {
    async fn run(&self, job: &mut Claimed) -> Result<End, Lost> {
        Ok(self.work(job).await.unwrap_or_else(|error| {
            tracing::warn!(error = %error, "accounts could not be tested");
            again(job.row(), Step::Start, Failure::new(Code::InternalError, "The records cannot be reached."))
        }))
    }
}

/// The accounts to be tested now, at most `batch`: suspects, then a few of the condemned, then those nothing was heard of.
async fn choose(db: &DatabaseConnection, now: i64, batch: u64, stale_hours: u32) -> Result<Vec<Uuid>, DbErr> {
    let suspects = account::of_status_tested_before(db, Status::Cooling, now - SUSPECT_REST_MS, batch).await?;
    let mut chosen: Vec<Uuid> = suspects.iter().map(|account| account.id).collect();
    let condemned = account::expired_and_untested(db, now - EXPIRED_REST_MS, batch.div_ceil(4)).await?;
    chosen.extend(condemned.iter().map(|account| account.id));
    let most = usize::try_from(batch).unwrap_or(usize::MAX);
    if chosen.len() < most && stale_hours > 0 {
        let since = now - i64::from(stale_hours) * HOUR_MS;
        let silent = account::of_status_tested_before(db, Status::Active, since, batch * LOOKS).await?;
        let silent: Vec<Uuid> = silent.iter().map(|account| account.id).collect();
        let heard = heard_of(db, &silent, since).await?;
        let (fine, stale): (Vec<Uuid>, Vec<Uuid>) = silent.into_iter().partition(|id| heard.contains(id));
        // Their own calls have shown that they live: they are looked at again when that is long ago.
        account::mark_tested(db, &fine, now).await?;
        chosen.extend(stale);
    }
    chosen.truncate(most);
    Ok(chosen)
}

/// Those of which a budget was read after `since`.
async fn heard_of(db: &DatabaseConnection, accounts: &[Uuid], since: i64) -> Result<HashSet<Uuid>, DbErr> {
    use account_budget::Column as C;

    if accounts.is_empty() {
        return Ok(HashSet::new());
    }
    let read = account_budget::Entity::find()
        .filter(C::AccountId.is_in(accounts.iter().copied()))
        .filter(C::Source.eq(Source::Measured))
        .filter(C::ReadAt.gte(since));
    Ok(read.all(db).await?.into_iter().map(|budget| budget.account_id).collect())
}
