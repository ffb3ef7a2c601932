//! `POST /v1/images/generations`, `POST /v1/images/edits`.

mod answer;
mod base64_text;
mod edit;
mod events;
pub(crate) mod request;
mod serve;
mod validate;

use grok2api_entity::generation::Kind;
use poem::Request;
use poem::web::Data;
use poem_openapi::OpenApi;
use uuid::Uuid;

use crate::auth::ClientKey;
use crate::body::JsonBody;
use crate::error::ApiError;
use crate::form::JsonOrForm;
use crate::idempotency::IdempotencyKey;
use crate::intake;
use crate::receipt::Receipt;
use crate::state::AppState;
use crate::tags::Tag;
use answer::ImagesAnswer;
use request::{CreateImage, CreateImageEdit};

/// Pictures.
pub(crate) struct ImagesApi;

#[OpenApi(tag = "Tag::Images")]
impl ImagesApi {
    /// Draw pictures.
    ///
    /// Answers when they are stored. A client that does not wait can ask again under its `Idempotency-Key`. With
    /// `stream: true` each picture comes as an event of its own as soon as it is stored; there is no `data: [DONE]`.
    #[oai(path = "/v1/images/generations", method = "post", operation_id = "create_image")]
    async fn create(
        &self,
        state: Data<&AppState>,
        request: &Request,
        key: ClientKey,
        /// Makes repeating safe: the same key and body get the same answer, and no second picture is drawn.
        #[oai(name = "Idempotency-Key")]
        repeat: IdempotencyKey,
        body: JsonBody<CreateImage>,
    ) -> Result<ImagesAnswer, ApiError> {
        let receipt = Receipt::begin(&state, request, &key.owner);
        let accepted = async {
            let drawing = validate::drawing(body.0)?;
            let repeat = repeat.with("/v1/images/generations", &drawing);
            let wanted = serve::wanted(&state, Uuid::now_v7(), Kind::Image, &key, &drawing, Vec::new())?;
            Ok((intake::accept(&state, wanted, repeat).await?, drawing))
        };
        let accepted = accepted.await;
        serve::answer(&state, request, receipt, accepted).await
    }

    /// Change pictures.
    ///
    /// The pictures come as files of a form, or by their addresses in a JSON object. Answers as `create_image` does.
    #[oai(path = "/v1/images/edits", method = "post", operation_id = "create_image_edit")]
    async fn edit(
        &self,
        state: Data<&AppState>,
        request: &Request,
        key: ClientKey,
        /// Makes repeating safe: the same key and body get the same answer, and no second picture is drawn.
        #[oai(name = "Idempotency-Key")]
        repeat: IdempotencyKey,
        body: JsonOrForm<CreateImageEdit>,
    ) -> Result<ImagesAnswer, ApiError> {
        let receipt = Receipt::begin(&state, request, &key.owner);
        let accepted = edit::accept(&state, &key, &repeat, body).await;
        serve::answer(&state, request, receipt, accepted).await
    }
}
