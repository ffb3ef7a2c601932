//! One request for pictures: accepted, waited for, answered. The work goes on when the client does not wait.

use std::time::Duration;

use grok2api_entity::failure::Code;
use grok2api_entity::generation::{self, Kind};
use grok2api_gateway::GatewayError;
use grok2api_queue::{Jobs, Order};
use poem::http::{HeaderValue, header};
use poem::{Body, Request, Response};
use tokio::time::Instant;
use uuid::Uuid;

use super::answer::{ImagesAnswer, whole};
use super::events::Events;
use super::validate::{Delivery, Drawing};
use crate::auth::ClientKey;
use crate::error::ApiError;
use crate::failure;
use crate::idempotency::{OnRecord, in_flight};
use crate::intake::{self, Wanted};
use crate::public_url;
use crate::receipt::Receipt;
use crate::state::AppState;

/// The workers notice that a job is out of time within this.
const LAST_LOOK: Duration = Duration::from_secs(10);

/// The checked request as it goes on record.
///
/// # Errors
/// The prompt or the model will not do.
pub(super) fn wanted<'a>(
    state: &AppState,
    id: Uuid,
    kind: Kind,
    key: &'a ClientKey,
    drawing: &Drawing,
    inputs: Vec<Uuid>,
) -> Result<Wanted<'a>, ApiError> {
    let gateway = &state.gateway;
    intake::strict(&drawing.ignored, gateway)?;
    let settings = gateway.settings().load();
    let delivery = drawing.delivery.unwrap_or(Delivery::usual(settings.global.image_mode));
    Ok(Wanted {
        id,
        kind,
        owner: &key.owner,
        model: intake::model(drawing.model.as_deref(), kind, gateway, key)?,
        prompt: intake::prompt(drawing.prompt.clone(), gateway)?,
        order: Order {
            n: drawing.n,
            size: drawing.size.map(str::to_owned),
            seconds: None,
            inputs,
            response_format: Some(delivery.as_str().to_owned()),
        },
        lasts: Duration::from_secs(settings.image.total_timeout),
    })
}

/// Answers a request that was accepted, or was not.
///
/// # Errors
/// What became of it, if not pictures; 409 when it was sent before and is not done.
pub(super) async fn answer(
    state: &AppState,
    request: &Request,
    mut receipt: Receipt,
    accepted: Result<(OnRecord, Drawing), ApiError>,
) -> Result<ImagesAnswer, ApiError> {
    let answered = async {
        let (accepted, drawing) = accepted?;
        receipt.accepted(&accepted.row, drawing.stream);
        if accepted.replayed && !Jobs::is_over(&accepted.row) {
            return Err(in_flight());
        }
        let response = if drawing.stream {
            streamed(state, request, &mut receipt, &accepted.row, drawing.delivery).await?
        } else {
            Served::Whole(at_once(state, request, &mut receipt, &accepted.row).await?)
        };
        Ok((response, accepted, drawing.ignored))
    };
    let (served, accepted, ignored) = match answered.await {
        Ok(answered) => answered,
        Err(error) => {
            receipt.failed(&error);
            return Err(error);
        }
    };
    let response = match served {
        Served::Whole(response) => {
            receipt.answered();
            response
        }
        Served::Stream(events) => event_stream(*events, receipt),
    };
    Ok(ImagesAnswer(with_ignored(accepted.mark(response), &ignored)))
}

enum Served {
    Whole(Response),
    Stream(Box<Events>),
}

async fn at_once(
    state: &AppState,
    request: &Request,
    receipt: &mut Receipt,
    row: &generation::Model,
) -> Result<Response, ApiError> {
    let row = finished(state, row, deadline(state)).await?;
    receipt.count_calls(row.id).await;
    let (response, images) = whole(state, &row, &base(state, request)).await?;
    receipt.images(images);
    Ok(response)
}

async fn streamed(
    state: &AppState,
    request: &Request,
    receipt: &mut Receipt,
    row: &generation::Model,
    delivery: Option<Delivery>,
) -> Result<Served, ApiError> {
    let mut events = Events::new(state, row, delivery, base(state, request), deadline(state));
    let begun = events.begin().await;
    if begun.is_err() {
        receipt.count_calls(row.id).await;
    }
    begun.map(|()| Served::Stream(Box::new(events)))
}

fn base(state: &AppState, request: &Request) -> String {
    public_url::base(request, &state.gateway.settings().load().global.base_url)
}

fn deadline(state: &AppState) -> Instant {
    Instant::now() + Duration::from_secs(state.gateway.settings().load().image.total_timeout) + LAST_LOOK
}

fn with_ignored(mut response: Response, ignored: &[&'static str]) -> Response {
    if !ignored.is_empty()
        && let Ok(list) = HeaderValue::from_str(&ignored.join(","))
    {
        response.headers_mut().insert("x-grok2api-ignored", list);
    }
    response
}

/// The row of a request at its end.
async fn finished(state: &AppState, row: &generation::Model, deadline: Instant) -> Result<generation::Model, ApiError> {
    let found = tokio::select! {
        found = state.jobs.finished(row.id, deadline) => found?.ok_or_else(ApiError::internal)?,
        () = state.given_up(row.id) => return Err(GatewayError::ShuttingDown.into()),
    };
    if Jobs::is_over(&found) { Ok(found) } else { Err(too_late(&found)) }
}

/// 504 for a request that nobody has ended in time; it can still be asked for.
pub(super) fn too_late(row: &generation::Model) -> ApiError {
    let message = format!("The pictures are not ready in time. See /v1/jobs/{}.", row.public_id);
    failure::error(Code::UpstreamTimeout, Some(&message))
}

fn event_stream(events: Events, receipt: Receipt) -> Response {
    Response::builder()
        .content_type("text/event-stream; charset=utf-8")
        .header(header::CACHE_CONTROL, "no-cache")
        .header("x-accel-buffering", "no")
        .body(Body::from_bytes_stream(events.into_stream(receipt)))
}
