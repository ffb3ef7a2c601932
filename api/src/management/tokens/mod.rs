//! `/api/tokens`: the accounts of the pool.

mod label;
mod list;
mod name;
mod test;
mod write;

use grok2api_entity::account;
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use serde::Deserialize;

use super::failure::Operation;
use crate::access::Admin;
use crate::body::JsonBody;
use crate::error::ApiError;
use crate::state::AppState;
use crate::tags::Tag;
use label::Label;
use list::{Part, SentList};
use test::TestAnswer;

/// The accounts of the pool.
pub(crate) struct TokensApi;

/// Accounts of one kind.
#[derive(Default, Deserialize, Object)]
#[oai(write_only_all)]
struct NamedTokens {
    /// Tokens, or handles as `list_tokens` shows them; up to 100,000.
    tokens: Vec<String>,
    /// `sso` or `ssoSuper`.
    token_type: String,
}

/// One account.
#[derive(Default, Deserialize, Object)]
#[oai(write_only_all)]
struct NamedToken {
    /// The token, or its handle.
    token: String,
    /// `sso` or `ssoSuper`.
    token_type: String,
}

/// Labels for an account.
#[derive(Default, Deserialize, Object)]
#[oai(write_only_all)]
struct TagToken {
    /// The token, or its handle.
    token: String,
    /// `sso` or `ssoSuper`.
    token_type: String,
    /// All labels it is to have: up to 50, of up to 100 characters.
    tags: Vec<String>,
}

/// A note for an account.
#[derive(Default, Deserialize, Object)]
#[oai(write_only_all)]
struct NoteToken {
    /// The token, or its handle.
    token: String,
    /// `sso` or `ssoSuper`.
    token_type: String,
    /// Free text of up to 2,000 characters.
    note: String,
}

/// Accounts were added.
#[derive(Debug, Default, Object)]
#[oai(read_only_all)]
struct AddedAnswer {
    /// `true`
    success: bool,
    /// In Chinese, with `count`.
    message: String,
    /// How many tokens the request had.
    count: u64,
    /// How many accounts are new.
    added: u64,
    /// How many tokens were left out: they are known, came twice, or can be no tokens. `added` and `skipped` are
    /// `count`.
    skipped: u64,
    /// Of those that were left out, how many can be no tokens.
    unusable: u64,
}

/// Accounts were deleted.
#[derive(Debug, Default, Object)]
#[oai(read_only_all)]
struct DeletedAnswer {
    /// `true`
    success: bool,
    /// In Chinese, with `count`.
    message: String,
    /// How many tokens the request had.
    count: u64,
    /// How many accounts are gone.
    deleted: u64,
}

/// Labels were changed.
#[derive(Debug, Default, Object)]
#[oai(read_only_all)]
struct TaggedAnswer {
    /// `true`
    success: bool,
    /// In Chinese.
    message: String,
    /// The labels as they were sent. They are stored without blanks around them, each once.
    tags: Vec<String>,
}

/// A note was changed.
#[derive(Debug, Default, Object)]
#[oai(read_only_all)]
struct NotedAnswer {
    /// `true`
    success: bool,
    /// In Chinese.
    message: String,
    /// The note as it was sent. It is stored without blanks around it.
    note: String,
}

/// All labels.
#[derive(Debug, Default, Object)]
#[oai(read_only_all)]
struct TagsAnswer {
    /// `true`
    success: bool,
    /// The labels that accounts have, sorted, each once.
    data: Vec<String>,
}

#[OpenApi(prefix_path = "/api/tokens", tag = "Tag::Management")]
impl TokensApi {
    /// List the accounts. Tokens are not shown: each account has a handle that is taken wherever a token is.
    #[oai(path = "/", method = "get", operation_id = "list_tokens")]
    async fn list(
        &self,
        state: Data<&AppState>,
        _admin: Admin,
        /// Most accounts to be listed; all of them without it.
        limit: Query<Option<u64>>,
        /// How many accounts to leave out at the beginning.
        offset: Query<Option<u64>>,
    ) -> Result<SentList, ApiError> {
        let part = Part { limit: limit.0, offset: offset.0.unwrap_or(0) };
        list::list(&state, part).await.map_err(|error| Operation::LIST.failed(error))
    }

    /// Add accounts. Those that are in the pool already stay as they are, with their labels and notes.
    #[oai(path = "/add", method = "post", operation_id = "add_tokens")]
    async fn add(
        &self,
        state: Data<&AppState>,
        admin: Admin,
        body: JsonBody<NamedTokens>,
    ) -> Result<Json<AddedAnswer>, ApiError> {
        let (kind, names) = (name::kind(&body.0.token_type)?, body.0.tokens);
        name::check_length(&names)?;
        let done = write::add(&state, &admin, kind, &names).await.map_err(|error| Operation::ADD.failed(error))?;
        state.kept().await?;
        let count = names.len() as u64;
        Ok(Json(AddedAnswer {
            success: true,
            message: format!("成功添加 {count} 个Token"),
            count,
            added: done.added,
            skipped: count - done.added,
            unusable: done.unusable,
        }))
    }

    /// Delete accounts for good. Those that are not there, or are of the other kind, are ignored.
    #[oai(path = "/delete", method = "post", operation_id = "delete_tokens")]
    async fn delete(
        &self,
        state: Data<&AppState>,
        admin: Admin,
        body: JsonBody<NamedTokens>,
    ) -> Result<Json<DeletedAnswer>, ApiError> {
        let (kind, names) = (name::kind(&body.0.token_type)?, body.0.tokens);
        name::check_length(&names)?;
        let deleted =
            write::delete(&state, &admin, kind, &names).await.map_err(|error| Operation::DELETE.failed(error))?;
        state.kept().await?;
        let count = names.len() as u64;
        Ok(Json(DeletedAnswer { success: true, message: format!("成功删除 {count} 个Token"), count, deleted }))
    }

    /// Give an account other labels, in the place of all it has.
    #[oai(path = "/tags", method = "post", operation_id = "update_token_tags")]
    async fn tags(
        &self,
        state: Data<&AppState>,
        admin: Admin,
        body: JsonBody<TagToken>,
    ) -> Result<Json<TaggedAnswer>, ApiError> {
        let TagToken { token, token_type, tags } = body.0;
        label::set(&state, &admin, &token, name::kind(&token_type)?, Label::Tags(&tags)).await?;
        state.kept().await?;
        Ok(Json(TaggedAnswer { success: true, message: "标签更新成功".to_owned(), tags }))
    }

    /// Give an account another note.
    #[oai(path = "/note", method = "post", operation_id = "update_token_note")]
    async fn note(
        &self,
        state: Data<&AppState>,
        admin: Admin,
        body: JsonBody<NoteToken>,
    ) -> Result<Json<NotedAnswer>, ApiError> {
        let NoteToken { token, token_type, note } = body.0;
        label::set(&state, &admin, &token, name::kind(&token_type)?, Label::Note(&note)).await?;
        state.kept().await?;
        Ok(Json(NotedAnswer { success: true, message: "备注更新成功".to_owned(), note }))
    }

    /// List all labels that accounts have.
    #[oai(path = "/tags/all", method = "get", operation_id = "list_token_tags")]
    async fn all_tags(&self, state: Data<&AppState>, _admin: Admin) -> Result<Json<TagsAnswer>, ApiError> {
        let tags = account::all_tags(&state.db).await.map_err(|error| Operation::GET_TAGS.failed(error))?;
        Ok(Json(TagsAnswer { success: true, data: tags.into_iter().collect() }))
    }

    /// Ask the upstream about one account, which costs nothing of it, and write down what it says.
    ///
    /// Answers 200 whatever the upstream says: `data` has the outcome. A refusal condemns the account at once, a good
    /// answer takes it back into service, and trouble on the way says nothing about it.
    #[oai(path = "/test", method = "post", operation_id = "test_token")]
    async fn test(
        &self,
        state: Data<&AppState>,
        admin: Admin,
        body: JsonBody<NamedToken>,
    ) -> Result<Json<TestAnswer>, ApiError> {
        let operation = Operation::TEST_TOKEN;
        let kind = name::kind(&body.0.token_type)?;
        let known = name::find(&state, &body.0.token, kind).await.map_err(|error| operation.failed(error))?;
        let Some(account) = known else { return Ok(Json(TestAnswer::unknown())) };
        let answer = test::test(&state, &admin, &account).await.map_err(|error| operation.failed(error))?;
        state.kept().await?;
        Ok(Json(answer))
    }
}
