//! One chat request through the gateway, streamed or whole.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, try_join_all};
use grok2api_gateway::request::{ChatRequest, ResponseFormat};
use grok2api_gateway::{Answer, ChatStream, GatewayError, Prepared, id};
use poem::http::{HeaderValue, StatusCode, header};
use poem::{Body, IntoResponse, Request, Response};
use poem_openapi::ApiResponse;
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::Type;

use super::caller;
use super::desk::Desk;
use super::encode::{ChunkEncoder, Frame};
use super::film::{self, Film};
use super::report::{Delivered, Outcome, Report};
use super::request::CreateChatCompletion;
use super::response::{ChatCompletion, Usage};
use super::sse::{Ending, SseBody};
use super::validate::{Validated, validate};
use super::whole;
use crate::auth::ClientKey;
use crate::error::ApiError;
use crate::public_url;
use crate::state::AppState;

/// A served chat: a JSON object, or an event stream.
pub(crate) struct ChatAnswer(Response);

impl IntoResponse for ChatAnswer {
    fn into_response(self) -> Response {
        self.0
    }
}

impl ApiResponse for ChatAnswer {
    // One response with two media types: two responses of one status would make the document invalid.
    fn meta() -> MetaResponses {
        let events = MetaSchema { description: Some("Events of `chat.completion.chunk` objects."), ..MetaSchema::ANY };
        MetaResponses {
            responses: vec![MetaResponse {
                description: "The answer: an object, or with `stream: true` an event stream.",
                status: Some(200),
                status_range: None,
                content: vec![
                    MetaMediaType { content_type: "application/json", schema: ChatCompletion::schema_ref() },
                    MetaMediaType {
                        content_type: "text/event-stream",
                        schema: MetaSchemaRef::Inline(Box::new(events)),
                    },
                ],
                headers: Vec::new(),
            }],
        }
    }

    fn register(registry: &mut Registry) {
        ChatCompletion::register(registry);
    }
}

/// What is the same for all choices of an answer.
struct Head {
    id: String,
    created: i64,
    validated: Validated,
    desk: Desk,
    base: String,
}

impl Head {
    fn encoder(&self, index: u32) -> ChunkEncoder {
        let validated = &self.validated;
        let frame = Frame::new(&self.id, self.created, &validated.request.model, index, validated.include_usage);
        ChunkEncoder::new(frame, validated.reasoning_format, validated.legacy_functions)
    }

    /// The beginning of the chunk with the usage, if the client wants it.
    fn usage_head(&self) -> Option<String> {
        self.validated.include_usage.then(|| {
            let model = serde_json::to_string(&self.validated.request.model).unwrap_or_default();
            format!(
                r#"data: {{"id":"{}","object":"chat.completion.chunk","created":{},"model":{model},"choices":[],"usage":"#,
                self.id, self.created
            )
        })
    }
}

pub(super) async fn serve(
    state: &AppState,
    request: &Request,
    key: ClientKey,
    body: CreateChatCompletion,
) -> Result<ChatAnswer, ApiError> {
    let settings = state.gateway.settings().snapshot();
    let is_stream = body.stream.unwrap_or(false);
    let owner = Arc::clone(&key.owner);
    let mut report =
        Report::new(state.usage.clone(), Arc::clone(&key.owner), crate::edge::request_id(request), is_stream);
    let caller = caller::caller(request, &body, &owner);
    let work = async {
        let validated = validate(body, &settings.chat, settings.grok.show_thinking)?;
        if let Some(model) = state.gateway.models().get(&validated.request.model) {
            // Only names of the table become labels: a client's free text must not.
            report.model.clone_from(&model.id);
            if !key.may_use(&model.id) {
                return Err(ApiError::unknown_model(&validated.request.model));
            }
        }
        let base = public_url::base(request, &settings.global.base_url);
        let desk = Desk::new(state, &owner, &base, settings.global.image_mode);
        let head = Head { id: id::chat_completion_id(), created: unix_now(), validated, desk, base };
        if state.gateway.models().get(&head.validated.request.model).is_some_and(|model| model.video) {
            return film(state, &key, head, &mut report).await;
        }
        let prepared = state.gateway.prepare(&head.validated.request).await?.asked_by(caller);
        report.calls = Some(Arc::clone(prepared.calls()));
        if head.validated.stream {
            stream(state, head, &prepared, &mut report).await
        } else {
            whole(state, head, &prepared, &mut report).await
        }
    };
    let served: Result<Served, ApiError> = tokio::select! {
        biased;
        served = work => served,
        () = state.cut_off.cancelled() => Err(GatewayError::ShuttingDown.into()),
    };
    match served {
        Ok(Served::Whole(response)) => {
            report.decide(StatusCode::OK, Outcome::Completed);
            Ok(ChatAnswer(response))
        }
        Ok(Served::Film(filming)) => {
            report.decide(StatusCode::OK, Outcome::ClientGone);
            Ok(ChatAnswer(filming.into_response(report)))
        }
        Ok(Served::Stream(started)) => {
            report.decide(StatusCode::OK, Outcome::ClientGone);
            Ok(ChatAnswer(started.into_response(state, report)))
        }
        Err(error) => {
            report.decide(error.status, Outcome::Failed(error.label));
            Err(error)
        }
    }
}

enum Served {
    Whole(Response),
    Stream(Box<Started>),
    Film(Box<Filming>),
}

/// A video that is on record and will be streamed.
struct Filming {
    film: Film,
    encoder: ChunkEncoder,
    ending: Ending,
    ignored: Vec<&'static str>,
}

impl Filming {
    fn into_response(self, report: Report) -> Response {
        let body = self.film.into_stream(self.encoder, self.ending, report);
        with_ignored(event_stream(Body::from_bytes_stream(body)), &self.ignored)
    }
}

/// A stream whose first good event is there.
struct Started {
    choices: Vec<ChatStream<ChunkEncoder>>,
    ending: Ending,
    desk: Desk,
    ignored: Vec<&'static str>,
}

impl Started {
    fn into_response(self, state: &AppState, report: Report) -> Response {
        let body = SseBody::new(self.choices, self.ending, self.desk, state.cut_off.clone(), report);
        with_ignored(event_stream(Body::from_bytes_stream(body)), &self.ignored)
    }
}

fn event_stream(body: Body) -> Response {
    Response::builder()
        .content_type("text/event-stream; charset=utf-8")
        .header(header::CACHE_CONTROL, "no-cache")
        .header("x-accel-buffering", "no")
        .body(body)
}

async fn stream(state: &AppState, head: Head, prepared: &Prepared, report: &mut Report) -> Result<Served, ApiError> {
    let validated = &head.validated;
    let encoder = |index: u32| head.encoder(index);
    let mut prompt_tokens = prepared.prompt_tokens();
    let mut discarded_tokens = 0;
    let needs_check = !matches!(validated.request.response_format, ResponseFormat::Text);
    let choices = if needs_check {
        // What must be checked as a whole is streamed once it is whole.
        let answers = answers(state, &validated.request, prepared).await?;
        prompt_tokens = answers.iter().map(|answer| answer.facts.prompt_tokens).max().unwrap_or(prompt_tokens);
        discarded_tokens = answers.iter().map(|answer| answer.discarded_tokens).sum();
        (0u32..)
            .zip(answers)
            .map(|(index, answer)| {
                let mut sink = encoder(index);
                answer.replay(&mut sink);
                ChatStream::finished(&state.gateway, sink, answer.facts)
            })
            .collect()
    } else {
        let starts: Vec<BoxFuture<'_, _>> =
            (0..validated.request.choices).map(|index| state.gateway.start(prepared, encoder(index)).boxed()).collect();
        let mut choices = try_join_all(starts).await?;
        for choice in &mut choices {
            choice.sink_mut().begin();
        }
        choices
    };
    if let Some(first) = choices.first() {
        report.facts = *first.facts();
    }
    let ending = Ending { usage_head: head.usage_head(), prompt_tokens, discarded_tokens };
    let (desk, ignored) = (head.desk, head.validated.ignored);
    Ok(Served::Stream(Box::new(Started { choices, ending, desk, ignored })))
}

/// As many whole answers as were asked for, side by side.
async fn answers(state: &AppState, request: &ChatRequest, prepared: &Prepared) -> Result<Vec<Answer>, GatewayError> {
    let answers: Vec<BoxFuture<'_, _>> =
        (0..request.choices).map(|_| state.gateway.answer(request, prepared).boxed()).collect();
    try_join_all(answers).await
}

async fn whole(state: &AppState, head: Head, prepared: &Prepared, report: &mut Report) -> Result<Served, ApiError> {
    let validated = &head.validated;
    let mut answers = answers(state, &validated.request, prepared).await?;
    let mut delivered = Delivered::default();
    let mut prompt_tokens = prepared.prompt_tokens();
    let mut choices = Vec::with_capacity(answers.len());
    for (index, answer) in (0u32..).zip(&mut answers) {
        let shown = whole::show_media(answer, &head.desk).await?;
        let (choice, tokens) =
            whole::choice(index, answer, validated.reasoning_format, validated.legacy_functions, &shown);
        delivered.completion_tokens += tokens.completion;
        delivered.reasoning_tokens += tokens.reasoning;
        delivered.images += counted(answer.collected.images.len());
        delivered.videos += counted(answer.collected.videos.len());
        prompt_tokens = prompt_tokens.max(answer.facts.prompt_tokens);
        report.facts = answer.facts;
        report.finish = Some(choice.finish_reason);
        choices.push(choice);
    }
    report.delivered = delivered;
    let citations: Vec<String> =
        answers.iter().flat_map(|answer| &answer.collected.sources).map(|source| source.url.clone()).collect();
    let completion = ChatCompletion {
        id: head.id,
        object: "chat.completion",
        created: head.created,
        model: head.validated.request.model,
        choices,
        usage: Usage::estimated(prompt_tokens, delivered.completion_tokens, delivered.reasoning_tokens),
        system_fingerprint: None,
        citations: (!citations.is_empty()).then_some(citations),
    };
    let body = serde_json::to_vec(&completion).map_err(|_| ApiError::internal())?;
    let response = Response::builder().content_type("application/json").body(body);
    Ok(Served::Whole(with_ignored(response, &head.validated.ignored)))
}

/// A video asked for in a chat.
async fn film(state: &AppState, key: &ClientKey, head: Head, report: &mut Report) -> Result<Served, ApiError> {
    let validated = &head.validated;
    let film = Film::accept(state, key, &validated.request, head.base.clone()).await?;
    let prompt_tokens = film.prompt_tokens;
    report.calls = Some(Arc::clone(&film.calls));
    report.by_jobs = true;
    if validated.stream {
        let ending = Ending { usage_head: head.usage_head(), prompt_tokens, discarded_tokens: 0 };
        let encoder = head.encoder(0);
        let ignored = head.validated.ignored;
        return Ok(Served::Film(Box::new(Filming { film, encoder, ending, ignored })));
    }
    let line = film.finished().await?;
    report.delivered.videos = 1;
    let wording = state.gateway.settings().load().video.progress_wording;
    let content = film::whole_text(validated.reasoning_format, wording, &line);
    let completion = ChatCompletion {
        id: head.id,
        object: "chat.completion",
        created: head.created,
        choices: vec![whole::text_choice(content)],
        usage: Usage::estimated(prompt_tokens, 0, 0),
        model: head.validated.request.model,
        system_fingerprint: None,
        citations: None,
    };
    let body = serde_json::to_vec(&completion).map_err(|_| ApiError::internal())?;
    let response = Response::builder().content_type("application/json").body(body);
    Ok(Served::Whole(with_ignored(response, &head.validated.ignored)))
}

fn with_ignored(mut response: Response, ignored: &[&'static str]) -> Response {
    if !ignored.is_empty()
        && let Ok(list) = HeaderValue::from_str(&ignored.join(","))
    {
        response.headers_mut().insert("x-grok2api-ignored", list);
    }
    response
}

fn counted(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}

fn unix_now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(0))
}
