//! `POST /api/tokens/test`: what the upstream says about one account, in the old gateway's words.

use grok2api_entity::account::Model;
use grok2api_entity::audit;
use grok2api_entity::connect::begin_write;
use grok2api_gateway::examine::{Finding, Verdict, write_down};
use poem_openapi::Object;
use sea_orm::DbErr;
use serde_json::{Value, json};

use crate::access::Admin;
use crate::state::AppState;

/// What a test found. Always with status 200: `success` says how it went.
#[derive(Debug, Default, Object)]
#[oai(read_only_all)]
pub(super) struct TestAnswer {
    /// Whether the upstream takes the token.
    success: bool,
    /// The same, in Chinese.
    message: String,
    /// The same, for programs.
    data: TestResult,
}

/// What a test found.
#[derive(Debug, Default, Object)]
#[oai(read_only_all)]
struct TestResult {
    /// Whether the upstream takes the token.
    valid: bool,
    /// Of a valid one: units left in the budget of `grok-4-fast`, or -1 when the upstream does not say.
    #[oai(skip_serializing_if_is_none)]
    remaining_queries: Option<i64>,
    /// Of a valid one: -1.
    #[oai(skip_serializing_if_is_none)]
    limit: Option<i64>,
    /// Of others: `expired` (refused), `limited`, `blocked` (the network, the egress address or the upstream is at
    /// fault) or `unknown` (there is no such account).
    #[oai(skip_serializing_if_is_none)]
    error_type: Option<&'static str>,
    /// Of others: 401, `other`, 403 or `data_error`.
    #[oai(skip_serializing_if_is_none)]
    error_code: Option<Value>,
}

impl TestAnswer {
    fn valid(remaining: i64) -> Self {
        let data =
            TestResult { valid: true, remaining_queries: Some(remaining), limit: Some(-1), ..TestResult::default() };
        Self { success: true, message: "Token有效".to_owned(), data }
    }

    fn failed(message: &str, error_type: &'static str, error_code: impl Into<Value>) -> Self {
        let (error_type, error_code) = (Some(error_type), Some(error_code.into()));
        let data = TestResult { error_type, error_code, ..TestResult::default() };
        Self { success: false, message: message.to_owned(), data }
    }

    /// There is no such account, or nobody can open its secret.
    pub(super) fn unknown() -> Self {
        Self::failed("Token数据异常", "unknown", "data_error")
    }

    fn of(finding: &Finding) -> Self {
        match finding.verdict {
            Verdict::Valid { .. } => Self::valid(finding.budget.as_ref().map_or(-1, |budget| budget.remaining)),
            Verdict::Expired => Self::failed("Token已失效", "expired", 401),
            Verdict::Limited => Self::failed("Token已被限流", "limited", "other"),
            Verdict::Unknown => Self::failed("服务器被block或网络错误", "blocked", 403),
        }
    }
}

/// Asks the upstream about an account, writes down what it says, and lets the pool know.
pub(super) async fn test(state: &AppState, admin: &Admin, account: &Model) -> Result<TestAnswer, DbErr> {
    let Ok(finding) = state.gateway.examine(account).await else { return Ok(TestAnswer::unknown()) };
    let work = begin_write(&state.db).await?;
    write_down(&*work, account, &finding).await?;
    audit::insert(&*work, &admin.note("account.test", account.id.to_string(), json!({}))).await?;
    work.commit().await?;
    state.gateway.heed(account, &finding);
    Ok(TestAnswer::of(&finding))
}
