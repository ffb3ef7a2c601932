//! What a request for pictures is answered with, made from its rows: the same whenever it is asked for.

use bytes::Bytes;
use grok2api_entity::asset::{self, State};
use grok2api_entity::failure::Code;
use grok2api_entity::generation;
use grok2api_gateway::usage::TokenEstimate;
use grok2api_media::ByteStream;
use grok2api_queue::Order;
use poem::{Body, IntoResponse, Response};
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiResponse, Object};
use serde::Serialize;

use super::base64_text::{Segment, pieces};
use super::validate::Delivery;
use crate::error::ApiError;
use crate::failure;
use crate::json_type::inline;
use crate::media;
use crate::state::AppState;

/// Pictures.
#[derive(Debug, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct ImagesResponse {
    /// Unix seconds: when the request was accepted.
    pub created: i64,
    /// The pictures. Fewer than asked for when some were refused.
    pub data: Vec<Image>,
    /// `jpeg`, `png`, `webp` or `gif`: what the upstream gave.
    pub output_format: &'static str,
    /// The size that decided about the shape.
    pub size: String,
    /// Estimated.
    pub usage: ImagesUsage,
}

/// One picture.
#[derive(Debug, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct Image {
    /// Where it can be fetched, with `response_format` `url`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[oai(skip_serializing_if_is_none)]
    pub url: Option<String>,
    /// Its bytes, with `response_format` `b64_json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[oai(skip_serializing_if_is_none)]
    pub b64_json: Option<String>,
}

/// Estimated tokens: the upstream reports none, and none are counted for pictures.
#[derive(Debug, Clone, Copy, Default, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct ImagesUsage {
    /// Of the prompt.
    pub input_tokens: u64,
    /// Of the prompt, by kind.
    pub input_tokens_details: InputTokens,
    /// 0: pictures are not counted in tokens.
    pub output_tokens: u64,
    /// Both together.
    pub total_tokens: u64,
    /// Always true.
    pub x_estimated: bool,
}

/// Tokens of the prompt by kind.
#[derive(Debug, Clone, Copy, Default, Serialize, Object)]
#[oai(read_only_all)]
pub(crate) struct InputTokens {
    /// Of its words.
    pub text_tokens: u64,
    /// 0: pictures are not counted in tokens.
    pub image_tokens: u64,
}

/// The pictures of a request, or an event stream of them.
pub(crate) struct ImagesAnswer(pub(super) Response);

impl IntoResponse for ImagesAnswer {
    fn into_response(self) -> Response {
        self.0
    }
}

impl ApiResponse for ImagesAnswer {
    fn meta() -> MetaResponses {
        let description = "Events, one for each picture: `image_generation.completed` or `image_edit.completed`.";
        let events = MetaSchema { description: Some(description), ..MetaSchema::ANY };
        MetaResponses {
            responses: vec![MetaResponse {
                description: "The pictures: an object, or with `stream: true` an event stream.",
                status: Some(200),
                status_range: None,
                content: vec![
                    MetaMediaType { content_type: "application/json", schema: ImagesResponse::schema_ref() },
                    MetaMediaType { content_type: "text/event-stream", schema: inline(events) },
                ],
                headers: Vec::new(),
            }],
        }
    }

    fn register(registry: &mut Registry) {
        ImagesResponse::register(registry);
    }
}

/// What can be told of a request beside its pictures.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) created: i64,
    pub(super) size: String,
    pub(super) usage: ImagesUsage,
    /// As it was decided when the request was accepted, so that a repeated one gets the same.
    pub(super) delivery: Delivery,
    /// Most pictures.
    pub(super) n: usize,
}

impl Facts {
    pub(super) fn of(row: &generation::Model) -> Self {
        let order: Order = serde_json::from_str(&row.request).unwrap_or_default();
        let mut tokens = TokenEstimate::default();
        tokens.add(&row.prompt);
        let text_tokens = tokens.tokens();
        let usage = ImagesUsage {
            input_tokens: text_tokens,
            input_tokens_details: InputTokens { text_tokens, image_tokens: 0 },
            output_tokens: 0,
            total_tokens: text_tokens,
            x_estimated: true,
        };
        Self {
            created: row.created_at / 1000,
            delivery: order.response_format.as_deref().and_then(Delivery::parse).unwrap_or(Delivery::Url),
            size: order.size.unwrap_or_else(|| "auto".to_owned()),
            usage,
            n: usize::from(order.n.max(1)),
        }
    }
}

/// The pictures of a request that can be shown: stored, or to be fetched again when their link is followed.
pub(super) fn shown(mut results: Vec<asset::Model>, n: usize) -> Vec<asset::Model> {
    results.retain(|asset| asset.kind == asset::Kind::Image && matches!(asset.state, State::Stored | State::Evicted));
    results.truncate(n);
    results
}

/// The answer to a request that has come to its end, and how many pictures it has.
///
/// # Errors
/// There is no picture, or none can be read.
pub(super) async fn whole(
    state: &AppState,
    row: &generation::Model,
    base: &str,
) -> Result<(Response, usize), ApiError> {
    if row.state != generation::State::Completed {
        return Err(failure::of_generation(row));
    }
    let facts = Facts::of(row);
    let pictures = shown(state.media.results_of(row.id).await?, facts.n);
    if pictures.is_empty() {
        return Err(failure::of_generation(row));
    }
    match facts.delivery {
        Delivery::Url => Ok((links(&facts, &pictures, base)?, pictures.len())),
        Delivery::B64Json => texts(state, &facts, &pictures).await,
    }
}

/// Where a picture can be fetched.
pub(super) fn link(base: &str, picture: &asset::Model) -> String {
    format!("{base}/images/{}", picture.name)
}

fn links(facts: &Facts, pictures: &[asset::Model], base: &str) -> Result<Response, ApiError> {
    let data = pictures.iter().map(|one| Image { url: Some(link(base, one)), b64_json: None }).collect();
    let answer = ImagesResponse {
        created: facts.created,
        data,
        output_format: format_of(pictures.first()),
        size: facts.size.clone(),
        usage: facts.usage,
    };
    let body = serde_json::to_vec(&answer).map_err(|_| ApiError::internal())?;
    Ok(Response::builder().content_type("application/json").body(body))
}

/// All files are opened first: what can be opened can be read to its end.
async fn texts(state: &AppState, facts: &Facts, pictures: &[asset::Model]) -> Result<(Response, usize), ApiError> {
    let mut opened = Vec::with_capacity(pictures.len());
    for picture in pictures {
        if let Some(bytes) = open(state, picture).await? {
            opened.push((picture, bytes));
        }
    }
    let format = format_of(opened.first().map(|(picture, _)| *picture));
    let images = opened.len();
    if images == 0 {
        return Err(failure::error(Code::MediaUnavailable, Some("The pictures are no longer stored here.")));
    }
    let mut segments = Vec::with_capacity(opened.len() * 2 + 2);
    let text = |text: String| Segment::Text(Bytes::from(text));
    segments.push(text(format!(r#"{{"created":{},"data":["#, facts.created)));
    for (at, (_, bytes)) in opened.into_iter().enumerate() {
        segments.push(text(format!(r#"{}{{"b64_json":""#, if at == 0 { "" } else { r#""},"# })));
        segments.push(Segment::Picture(bytes));
    }
    let usage = serde_json::to_string(&facts.usage).map_err(|_| ApiError::internal())?;
    let size = &facts.size;
    segments.push(text(format!(r#""}}],"output_format":"{format}","size":"{size}","usage":{usage}}}"#)));
    let body = Body::from_bytes_stream(pieces(segments));
    Ok((Response::builder().content_type("application/json").body(body), images))
}

/// A picture's bytes; `None` when they cannot be had. Those that were evicted are fetched again.
pub(super) async fn open(state: &AppState, picture: &asset::Model) -> Result<Option<ByteStream>, ApiError> {
    let Ok(picture) = media::stored(state, picture.clone()).await else { return Ok(None) };
    state.media.touch(picture.id);
    Ok(state.media.open(&picture, None).await?)
}

/// What a picture is, as clients call it.
pub(super) fn format_of(picture: Option<&asset::Model>) -> &'static str {
    match picture.and_then(|picture| picture.content_type.as_deref()) {
        Some("image/png") => "png",
        Some("image/webp") => "webp",
        Some("image/gif") => "gif",
        Some(_) | None => "jpeg",
    }
}
