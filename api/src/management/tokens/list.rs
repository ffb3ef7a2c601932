//! `GET /api/tokens`: all accounts, read page by page while they are sent.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use grok2api_config::{ModelTable, Tier};
use grok2api_entity::account::{self, Filter, Kind, Standing, Start, Summary, decode_tags, summaries};
use grok2api_entity::account_budget;
use grok2api_entity::clock;
use grok2api_gateway::pool::enrol::tier_of;
use grok2api_gateway::pool::handle::handle;
use poem::http::header;
use poem::{Body, IntoResponse, Response};
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiResponse, Object};
use sea_orm::{DatabaseConnection, DbErr};
use serde::Serialize;

use crate::state::AppState;

/// Accounts of one page.
const PAGE: u64 = 2_000;

/// All accounts.
#[derive(Debug, Default, Object)]
#[oai(read_only_all)]
pub(super) struct TokenList {
    /// `true`
    pub success: bool,
    /// Basic accounts first, then Super ones, each in the order in which they came.
    pub data: Vec<ListedAccount>,
    /// How many accounts there are, whatever `limit` and `offset` say.
    pub total: u64,
}

/// An account.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Object)]
#[oai(read_only_all)]
pub(super) struct ListedAccount {
    /// A handle that is taken wherever a token is: `acct-`, the account's id, `-`, and the token's last four
    /// characters. The token itself is never shown.
    pub token: String,
    /// `sso` or `ssoSuper`.
    pub token_type: &'static str,
    /// Unix milliseconds.
    pub created_time: i64,
    /// Units left in the fullest of the normal budgets; -1 when nothing is known yet.
    pub remaining_queries: i64,
    /// Calls left of the heavy model; -1 when nothing is known yet.
    pub heavy_remaining_queries: i64,
    /// `未使用` (nothing is known of its budgets yet), `正常`, `限流中` (nothing left, or it rests) or `失效` (refused, or
    /// switched off).
    pub status: &'static str,
    /// Labels.
    pub tags: Vec<String>,
    /// Free text.
    pub note: String,
}

/// Which part of the list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) limit: Option<u64>,
    pub(super) offset: u64,
}

/// The list while it is sent.
pub(super) struct SentList(Response);

struct Reader {
    db: DatabaseConnection,
    now: i64,
    heavy: Arc<[String]>,
    kinds: VecDeque<(Kind, Start)>,
    left: u64,
    listed: u64,
    total: Option<u64>,
}

impl ListedAccount {
    fn new(account: Summary, budgets: &[account_budget::Model], heavy: &[String], now: i64) -> Self {
        let most = |is_heavy: bool| {
            let these = budgets.iter().filter(|budget| heavy.contains(&budget.budget) == is_heavy);
            these.map(|budget| budget.left(now)).max().unwrap_or(-1)
        };
        Self {
            token: handle(account.id, &account.hint),
            token_type: tier_of(account.kind).token_type(),
            created_time: account.created_at,
            remaining_queries: most(false),
            heavy_remaining_queries: most(true),
            status: word(Standing::of(account.status, account.status_until, budgets, now)),
            tags: decode_tags(&account.tags),
            note: account.note,
        }
    }
}

fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Unused => "未使用",
        Standing::Active => "正常",
        Standing::Limited => "限流中",
        Standing::Invalid => "失效",
    }
}

/// The budgets that only paying accounts may use.
fn heavy_budgets(models: &ModelTable) -> Arc<[String]> {
    let is_heavy = |budget: &str| {
        models.iter().filter(|model| model.rate_limit_model == budget).all(|model| model.tier == Tier::Super)
    };
    models.budgets().into_iter().filter(|budget| is_heavy(budget)).map(str::to_owned).collect()
}

impl Reader {
    async fn open(state: &AppState, part: Part) -> Result<Self, DbErr> {
        let db = state.db.clone();
        let count = async |kind| account::count(&db, Filter { kind, status: None }).await;
        let is_whole = part.limit.is_none() && part.offset == 0;
        let total = if is_whole { None } else { Some(count(None).await?) };
        let basics = if part.offset == 0 { u64::MAX } else { count(Some(Kind::Sso)).await? };
        let kinds = match part.offset.checked_sub(basics) {
            Some(rest) => vec![(Kind::SsoSuper, Start::Skip(rest))],
            None => vec![(Kind::Sso, Start::Skip(part.offset)), (Kind::SsoSuper, Start::Skip(0))],
        };
        let (heavy, now) = (heavy_budgets(state.gateway.models()), clock::read(&db).await?);
        let left = part.limit.unwrap_or(u64::MAX);
        Ok(Self { db, now, heavy, kinds: kinds.into(), left, listed: 0, total })
    }

    /// The next piece of the answer; `None` after the last.
    async fn next(&mut self) -> Result<Option<Bytes>, DbErr> {
        let Some((kind, start)) = self.kinds.pop_front() else { return Ok(None) };
        let limit = self.left.min(PAGE);
        let page = if limit == 0 { Vec::new() } else { summaries(&self.db, kind, start, limit).await? };
        if let Some((last, _)) = page.last()
            && page.len() as u64 == limit
        {
            self.kinds.push_front((kind, Start::After(last.id)));
        }
        self.left -= page.len() as u64;
        if self.left == 0 {
            self.kinds.clear();
        }
        let mut text = Vec::with_capacity(page.len() * 256 + 64);
        for (account, budgets) in page {
            text.extend_from_slice(if self.listed == 0 { br#"{"success":true,"data":["# } else { b"," });
            self.listed += 1;
            let token = ListedAccount::new(account, &budgets, &self.heavy, self.now);
            serde_json::to_writer(&mut text, &token).map_err(|error| DbErr::Custom(error.to_string()))?;
        }
        if self.kinds.is_empty() {
            let head = if self.listed == 0 { r#"{"success":true,"data":["# } else { "" };
            text.extend_from_slice(format!("{head}],\"total\":{}}}", self.total.unwrap_or(self.listed)).as_bytes());
        }
        Ok(Some(text.into()))
    }
}

/// The list, whose first page has been read: what fails later cuts the answer off, so that nobody takes it for whole.
pub(super) async fn list(state: &AppState, part: Part) -> Result<SentList, DbErr> {
    let mut reader = Reader::open(state, part).await?;
    let first = reader.next().await?;
    let pages = stream::try_unfold((first, reader), |(first, mut reader)| async move {
        let piece = match first {
            Some(piece) => Some(piece),
            None => reader.next().await.map_err(|error| {
                tracing::warn!(%error, "a list of accounts is cut off");
                io::Error::other("the list is cut off")
            })?,
        };
        Ok::<_, io::Error>(piece.map(|piece| (piece, (None, reader))))
    });
    let answer = Response::builder().content_type("application/json").header(header::CACHE_CONTROL, "no-store");
    Ok(SentList(answer.body(Body::from_bytes_stream(pages))))
}

impl IntoResponse for SentList {
    fn into_response(self) -> Response {
        self.0
    }
}

impl ApiResponse for SentList {
    fn meta() -> MetaResponses {
        let content = vec![MetaMediaType { content_type: "application/json", schema: TokenList::schema_ref() }];
        let response = MetaResponse {
            description: "All accounts, or the part of them that was asked for.",
            status: Some(200),
            status_range: None,
            content,
            headers: Vec::new(),
        };
        MetaResponses { responses: vec![response] }
    }

    fn register(registry: &mut Registry) {
        TokenList::register(registry);
    }
}
