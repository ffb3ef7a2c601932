//! `/api/accounts`: the pool, fit for ten thousand accounts as for ten.

mod change;
mod object;
pub(crate) mod query;

use grok2api_entity::account::{self, Kind, Loaded, Standings};
use grok2api_entity::{account_budget, clock};
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde::Serialize;
use uuid::Uuid;

use crate::access::Admin;
use crate::body::JsonBody;
use crate::error::ApiError;
use crate::state::AppState;
use crate::tags::Tag;
use change::ChangeAccount;
use object::Account;
use query::Asked;

/// Most accounts of one page (H8).
const MAX_PAGE: u64 = 200;

/// The pool.
pub(crate) struct AccountsApi;

/// A page of accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct AccountList {
    /// `list`
    pub object: &'static str,
    /// Those that fit, in the order that was asked for.
    pub data: Vec<Account>,
    /// The `cursor` of the next page; null on the last.
    #[oai(nullable)]
    pub next_cursor: Option<String>,
    /// How many accounts fit, on all pages together.
    pub total: u64,
}

/// How many accounts there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct AccountSummary {
    /// `account_summary`
    pub object: &'static str,
    /// All of them.
    pub total: u64,
    /// Those without a subscription.
    pub sso: u64,
    /// Those with one.
    pub sso_super: u64,
    /// In service, with something left.
    pub active: i64,
    /// In service, and nothing of their budgets is known yet.
    pub unused: i64,
    /// They have nothing left.
    pub limited: i64,
    /// They rest after a refusal.
    pub cooling: i64,
    /// The upstream refuses them.
    pub expired: i64,
    /// Switched off.
    pub disabled: i64,
    /// Calls of this process that run now.
    pub in_flight: u64,
}

/// What a test of an account found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct AccountTest {
    /// The account.
    pub id: String,
    /// `account_test`
    pub object: &'static str,
    /// `valid`, `expired` (refused), `limited`, `unknown` (the network, the egress address or the upstream is at fault) or
    /// `unreadable` (its credential cannot be opened with the master key at hand).
    pub outcome: &'static str,
    /// What the upstream said, when it was not what one hopes for.
    #[oai(nullable)]
    pub detail: Option<String>,
    /// The account as it is now.
    pub account: Account,
}

/// An account that is no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct DeletedAccount {
    /// Its id.
    pub id: String,
    /// `account`
    pub object: &'static str,
    /// True.
    pub deleted: bool,
}

#[OpenApi(prefix_path = "/api/accounts", tag = "Tag::Accounts")]
impl AccountsApi {
    /// List accounts. Their credentials are never shown.
    #[oai(path = "/", method = "get", operation_id = "list_accounts")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list(
        &self,
        state: Data<&AppState>,
        _admin: Admin,
        /// Most accounts of the page: 1 to 200, by default 50.
        limit: Query<Option<u64>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// `created` (the default), `use_count` or `failed_count`.
        sort: Query<Option<String>>,
        /// `desc` (the default) or `asc`.
        order: Query<Option<String>>,
        /// Only `active`, `cooling`, `expired` or `disabled` ones.
        status: Query<Option<String>>,
        /// Only `unused`, `active`, `limited` or `invalid` ones.
        standing: Query<Option<String>>,
        /// Only `sso` or `ssoSuper`.
        token_type: Query<Option<String>>,
        /// Only those with this label.
        tag: Query<Option<String>>,
        /// Only those whose note, labels or last four characters contain this text, or whose id it is.
        search: Query<Option<String>>,
    ) -> Result<Json<AccountList>, ApiError> {
        let limit = limit.0.unwrap_or(50);
        if !(1..=MAX_PAGE).contains(&limit) {
            return Err(ApiError::invalid("limit", "invalid_value", "It is 1 to 200."));
        }
        let order = query::order(sort.0.as_deref(), order.0.as_deref())?;
        let after = cursor.0.as_deref().map(query::read_cursor).transpose()?;
        let asked =
            Asked { status: status.0, standing: standing.0, token_type: token_type.0, tag: tag.0, search: search.0 };
        let wanted = asked.search()?;
        let now = clock::read(&state.db).await?;
        let found = account::search(&state.db, &wanted, order, after, limit, now).await?;
        let total = account::search_count(&state.db, &wanted, now).await?;
        Ok(Json(AccountList {
            object: "list",
            data: found.rows.into_iter().map(|row| show(&state, row, now)).collect(),
            next_cursor: found.next.map(query::write_cursor),
            total,
        }))
    }

    /// Count accounts by how they stand.
    #[oai(path = "/summary", method = "get", operation_id = "summarize_accounts")]
    async fn summary(&self, state: Data<&AppState>, _admin: Admin) -> Result<Json<AccountSummary>, ApiError> {
        let counts = Standings::count(&state.db, clock::read(&state.db).await?).await?;
        let count = async |kind| account::count(&state.db, account::Filter { kind: Some(kind), status: None }).await;
        let (sso, sso_super) = (count(Kind::Sso).await?, count(Kind::SsoSuper).await?);
        Ok(Json(AccountSummary {
            object: "account_summary",
            total: sso + sso_super,
            sso,
            sso_super,
            active: counts.active,
            unused: counts.unused,
            limited: counts.limited,
            cooling: counts.cooling,
            expired: counts.expired,
            disabled: counts.disabled,
            in_flight: state.gateway.pool().state().census().in_flight as u64,
        }))
    }

    /// Retrieve an account. Which requests it served, `list_requests` with its `account_id` says.
    #[oai(path = "/:id", method = "get", operation_id = "retrieve_account")]
    async fn retrieve(
        &self,
        state: Data<&AppState>,
        _admin: Admin,
        id: Path<String>,
    ) -> Result<Json<Account>, ApiError> {
        retrieve(&state, parse(&id.0)?).await.map(Json)
    }

    /// Change the labels or the note of an account, or switch it off or on.
    #[oai(path = "/:id", method = "patch", operation_id = "update_account")]
    async fn update(
        &self,
        state: Data<&AppState>,
        admin: Admin,
        id: Path<String>,
        body: JsonBody<ChangeAccount>,
    ) -> Result<Json<Account>, ApiError> {
        let id = parse(&id.0)?;
        change::change(&state, &admin, id, &body.0).await?;
        state.kept().await?;
        retrieve(&state, id).await.map(Json)
    }

    /// Take an account away for good.
    #[oai(path = "/:id", method = "delete", operation_id = "delete_account")]
    async fn delete(
        &self,
        state: Data<&AppState>,
        admin: Admin,
        id: Path<String>,
    ) -> Result<Json<DeletedAccount>, ApiError> {
        let id = parse(&id.0)?;
        change::delete(&state, &admin, id).await?;
        state.kept().await?;
        Ok(Json(DeletedAccount { id: id.to_string(), object: "account", deleted: true }))
    }

    /// Ask the upstream about an account, which costs nothing of it, and write down what it says.
    ///
    /// A refusal condemns the account at once, a good answer takes it back into service, and trouble on the way says nothing
    /// about it. At most two such questions run at once.
    #[oai(path = "/:id/test", method = "post", operation_id = "test_account")]
    async fn test(
        &self,
        state: Data<&AppState>,
        admin: Admin,
        id: Path<String>,
    ) -> Result<Json<AccountTest>, ApiError> {
        let id = parse(&id.0)?;
        let row = account::find(&state.db, id).await?.ok_or_else(|| missing(id))?;
        let (outcome, detail) = change::test(&state, &admin, &row).await?;
        state.kept().await?;
        let account = retrieve(&state, id).await?;
        Ok(Json(AccountTest { id: id.to_string(), object: "account_test", outcome, detail, account }))
    }
}

fn missing(id: Uuid) -> ApiError {
    ApiError::not_found("account", &id.to_string())
}

fn parse(id: &str) -> Result<Uuid, ApiError> {
    Uuid::parse_str(id).map_err(|_| ApiError::not_found("account", id))
}

async fn retrieve(state: &AppState, id: Uuid) -> Result<Account, ApiError> {
    let account = account::find(&state.db, id).await?.ok_or_else(|| missing(id))?;
    let budgets = account_budget::Entity::find().filter(account_budget::Column::AccountId.eq(id));
    let budgets = budgets.order_by_asc(account_budget::Column::Budget).all(&state.db).await?;
    Ok(show(state, Loaded { account, budgets }, clock::read(&state.db).await?))
}

fn show(state: &AppState, row: Loaded, now: i64) -> Account {
    let in_flight = state.gateway.pool().state().inspect(row.account.id).map_or(0, |(_, running)| running);
    Account::new(row, in_flight, now)
}
