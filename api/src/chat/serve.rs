//! One chat request through the gateway, streamed or whole.

use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, try_join_all};
use grok2api_gateway::request::{ChatRequest, ResponseFormat};
use grok2api_gateway::{Answer, ChatStream, GatewayError, Prepared, id};
use poem::http::{HeaderValue, header};
use poem::{Body, IntoResponse, Request, Response};
use poem_openapi::ApiResponse;
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::Type;
use tokio::time::Instant;

use super::encode::{ChunkEncoder, Frame};
use super::render::MediaLinks;
use super::report::{Outcome, Report};
use super::request::CreateChatCompletion;
use super::response::{ChatCompletion, Usage};
use super::sse::{Ending, SseBody};
use super::validate::{Validated, validate};
use super::whole;
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
        let events =
            MetaSchema { description: Some("Events of `chat.completion.chunk` objects."), ..MetaSchema::new("string") };
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
    links: MediaLinks,
}

pub(super) async fn serve(
    state: &AppState,
    request: &Request,
    body: CreateChatCompletion,
) -> Result<ChatAnswer, ApiError> {
    let started = Instant::now();
    let settings = state.gateway.settings().snapshot();
    let mut report = Report {
        request_id: crate::edge::request_id(request),
        model: String::from("unknown"),
        stream: body.stream.unwrap_or(false),
        started,
        facts: grok2api_gateway::Facts::default(),
        completion_tokens: 0,
        finish: None,
        outcome: Outcome::ClientGone,
    };
    let work = async {
        let validated = validate(body, &settings.chat, settings.grok.show_thinking)?;
        if let Some(model) = state.gateway.models().get(&validated.request.model) {
            // Only names of the table become labels: a client's free text must not.
            report.model.clone_from(&model.id);
        }
        let links = MediaLinks::new(&public_url::base(request, &settings.global.base_url));
        let head = Head { id: id::chat_completion_id(), created: unix_now(), validated, links };
        let prepared = state.gateway.prepare(&head.validated.request).await?;
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
            report.outcome = Outcome::Completed;
            Ok(ChatAnswer(response))
        }
        Ok(Served::Stream(started)) => Ok(ChatAnswer(started.into_response(state, report))),
        Err(error) => {
            report.outcome = Outcome::Failed(error.label);
            Err(error)
        }
    }
}

enum Served {
    Whole(Response),
    Stream(Box<Started>),
}

/// A stream whose first good event is there.
struct Started {
    choices: Vec<ChatStream<ChunkEncoder>>,
    ending: Ending,
    ignored: Vec<&'static str>,
}

impl Started {
    fn into_response(self, state: &AppState, report: Report) -> Response {
        let body = SseBody::new(self.choices, self.ending, state.cut_off.clone(), report);
        let response = Response::builder()
            .content_type("text/event-stream; charset=utf-8")
            .header(header::CACHE_CONTROL, "no-cache")
            .header("x-accel-buffering", "no")
            .body(Body::from_bytes_stream(body));
        with_ignored(response, &self.ignored)
    }
}

async fn stream(state: &AppState, head: Head, prepared: &Prepared, report: &mut Report) -> Result<Served, ApiError> {
    let validated = &head.validated;
    let encoder = |index: u32| {
        let frame = Frame::new(&head.id, head.created, &validated.request.model, index, validated.include_usage);
        ChunkEncoder::new(frame, validated.reasoning_format, validated.legacy_functions, head.links.clone())
    };
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
    let usage_head = validated.include_usage.then(|| {
        let model = serde_json::to_string(&validated.request.model).unwrap_or_default();
        format!(
            r#"data: {{"id":"{}","object":"chat.completion.chunk","created":{},"model":{model},"choices":[],"usage":"#,
            head.id, head.created
        )
    });
    let ending = Ending { usage_head, prompt_tokens, discarded_tokens };
    Ok(Served::Stream(Box::new(Started { choices, ending, ignored: head.validated.ignored })))
}

/// As many whole answers as were asked for, side by side.
async fn answers(state: &AppState, request: &ChatRequest, prepared: &Prepared) -> Result<Vec<Answer>, GatewayError> {
    let answers: Vec<BoxFuture<'_, _>> =
        (0..request.choices).map(|_| state.gateway.answer(request, prepared).boxed()).collect();
    try_join_all(answers).await
}

async fn whole(state: &AppState, head: Head, prepared: &Prepared, report: &mut Report) -> Result<Served, ApiError> {
    let validated = &head.validated;
    let answers = answers(state, &validated.request, prepared).await?;
    let mut completion_tokens = 0;
    let mut reasoning_tokens = 0;
    let mut prompt_tokens = prepared.prompt_tokens();
    let mut choices = Vec::with_capacity(answers.len());
    for (index, answer) in (0u32..).zip(&answers) {
        let (choice, tokens) =
            whole::choice(index, answer, validated.reasoning_format, validated.legacy_functions, &head.links);
        completion_tokens += tokens.completion;
        reasoning_tokens += tokens.reasoning;
        prompt_tokens = prompt_tokens.max(answer.facts.prompt_tokens);
        report.facts = answer.facts;
        report.finish = Some(choice.finish_reason);
        choices.push(choice);
    }
    report.completion_tokens = completion_tokens;
    let citations: Vec<String> =
        answers.iter().flat_map(|answer| &answer.collected.sources).map(|source| source.url.clone()).collect();
    let completion = ChatCompletion {
        id: head.id,
        object: "chat.completion",
        created: head.created,
        model: head.validated.request.model,
        choices,
        usage: Usage::estimated(prompt_tokens, completion_tokens, reasoning_tokens),
        system_fingerprint: None,
        citations: (!citations.is_empty()).then_some(citations),
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

fn unix_now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(0))
}
