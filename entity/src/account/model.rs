//! The row itself.

use sea_orm::entity::prelude::*;

/// One account of the pool. All times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account")]
pub struct Model {
    /// Time-ordered, so that the order of ids is the order of arrival.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// What the credential gives access to.
    pub kind: Kind,
    /// The credential, sealed.
    #[sea_orm(column_type = "Text")]
    pub secret: String,
    /// Keyed hash of the credential, which makes it unique without telling it.
    #[sea_orm(unique)]
    pub fingerprint: String,
    /// Last four characters of the credential, or nothing.
    pub hint: String,
    /// Whether the account may be used.
    pub status: Status,
    /// Why it may not be used, for people.
    #[sea_orm(column_type = "Text", nullable)]
    pub status_reason: Option<String>,
    /// When a cooling account may be used again; `None` for other states.
    pub status_until: Option<i64>,
    /// Failures in a row.
    pub failed_count: i32,
    /// When the account failed last.
    pub last_failure_at: Option<i64>,
    /// How it failed last, for people.
    #[sea_orm(column_type = "Text", nullable)]
    pub last_failure_reason: Option<String>,
    /// Labels as a JSON list of texts; see [`decode_tags`].
    #[sea_orm(column_type = "Text")]
    pub tags: String,
    /// Free text of the operator.
    #[sea_orm(column_type = "Text")]
    pub note: String,
    /// How often the account was used.
    pub use_count: i64,
    /// When it was used last.
    pub last_used_at: Option<i64>,
    /// When the upstream was last asked whether the credential works; 0 for never.
    pub tested_at: i64,
    /// When its budgets were last read because they should be full again; 0 for never.
    pub quota_asked_at: i64,
    /// When the row was made.
    pub created_at: i64,
    /// When the row was changed last.
    pub updated_at: i64,
}

/// What a credential gives access to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(20))")]
pub enum Kind {
    /// Grok on the web, with a free account.
    #[sea_orm(string_value = "sso")]
    Sso,
    /// Grok on the web, with a Super account.
    #[sea_orm(string_value = "sso_super")]
    SsoSuper,
}

/// Whether an account may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(20))")]
pub enum Status {
    /// Yes.
    #[sea_orm(string_value = "active")]
    Active,
    /// Not before `status_until`.
    #[sea_orm(string_value = "cooling")]
    Cooling,
    /// No: the upstream refuses the credential.
    #[sea_orm(string_value = "expired")]
    Expired,
    /// No: the operator switched it off.
    #[sea_orm(string_value = "disabled")]
    Disabled,
}

/// What an account is linked with.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {
    /// What it may still do, budget by budget.
    #[sea_orm(has_many = "crate::account_budget::Entity")]
    AccountBudget,
}

impl Related<crate::account_budget::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::AccountBudget.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

impl Status {
    /// The name as it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Cooling => "cooling",
            Self::Expired => "expired",
            Self::Disabled => "disabled",
        }
    }
}

/// The labels in column `tags`; none when the text is no JSON list.
pub fn decode_tags(tags: &str) -> Vec<String> {
    serde_json::from_str(tags).unwrap_or_default()
}

/// The text for column `tags`: labels trimmed, without empty ones and repetitions.
pub fn encode_tags(tags: &[String]) -> String {
    let mut kept: Vec<&str> = Vec::with_capacity(tags.len());
    for tag in tags.iter().map(|tag| tag.trim()).filter(|tag| !tag.is_empty()) {
        if !kept.contains(&tag) {
            kept.push(tag);
        }
    }
    serde_json::Value::from(kept).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_trimmed_and_said_once() {
        let tags = [" team a ", "", "spare", "team a"].map(str::to_owned);
        assert_eq!(encode_tags(&tags), r#"["team a","spare"]"#);
        assert_eq!(decode_tags(&encode_tags(&tags)), ["team a", "spare"]);
        assert!(decode_tags("").is_empty() && decode_tags("[1").is_empty());
    }
}
