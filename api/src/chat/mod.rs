//! `POST /v1/chat/completions`.

mod caller;
mod desk;
mod encode;
mod film;
mod report;
pub(crate) mod request;
pub(crate) mod response;
mod serve;
mod sse;
mod validate;
mod whole;

use poem::Request;
use poem::web::Data;
use poem_openapi::OpenApi;

use crate::auth::ClientKey;
use crate::body::JsonBody;
use crate::error::ApiError;
use crate::state::AppState;
use crate::tags::Tag;
use request::CreateChatCompletion;
pub(crate) use serve::ChatAnswer;

/// Chat.
pub(crate) struct ChatApi;

#[OpenApi(tag = "Tag::Chat")]
impl ChatApi {
    /// Create a chat completion.
    ///
    /// With `stream: true` the answer comes as server-sent events, each a `chat.completion.chunk`, ended by
    /// `data: [DONE]`. An error after the first chunk comes as an event with an `error` member; the stream then ends
    /// without `[DONE]`. The header `x-grok2api-ignored` lists parameters that were understood but cannot be carried out.
    #[oai(path = "/v1/chat/completions", method = "post", operation_id = "create_chat_completion")]
    async fn create(
        &self,
        state: Data<&AppState>,
        request: &Request,
        key: ClientKey,
        body: JsonBody<CreateChatCompletion>,
    ) -> Result<ChatAnswer, ApiError> {
        serve::serve(state.0, request, key, body.0).await
    }
}
