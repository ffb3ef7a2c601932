//! Requests for a video, as JSON or as a form, up to their commit.

use std::time::Duration;

use grok2api_entity::generation::Kind;
use grok2api_queue::Order;
use serde::Serialize;
use uuid::Uuid;

use super::request::{CreateVideo, Filming, filming};
use crate::auth::ClientKey;
use crate::error::ApiError;
use crate::form::{Fields, JsonOrForm};
use crate::idempotency::{IdempotencyKey, OnRecord, digest};
use crate::images::request::PictureIn;
use crate::inputs::{Inputs, no_files, nothing_accepted};
use crate::intake::{self, Wanted};
use crate::multipart::Parts;
use crate::state::AppState;

const ENDPOINT: &str = "/v1/videos";
const PICTURE: &str = "input_reference";
/// Longest address of a picture in a form, in bytes: a data URL of the largest picture.
const MAX_ADDRESS: usize = 28 * 1024 * 1024;

/// What makes one request another.
#[derive(Serialize)]
struct Canonical<'a> {
    filming: &'a Filming,
    picture: Option<&'a str>,
}

/// Reads, checks and accepts a request. The picture of one that is not accepted does not stay.
///
/// # Errors
/// The request's faults, and those of accepting it.
pub(super) async fn accept(
    state: &AppState,
    key: &ClientKey,
    repeat: &IdempotencyKey,
    body: JsonOrForm<CreateVideo>,
) -> Result<(OnRecord, Filming), ApiError> {
    let id = Uuid::now_v7();
    let lenient = state.gateway.settings().load().video.lenient;
    let mut inputs = Inputs::new(state, &key.owner, id, 1);
    let accepted = async {
        let (filming, address) = match body {
            JsonOrForm::Json(mut json) => {
                let address = json.input_reference.take().map(address).transpose()?;
                (filming(json, lenient)?, address)
            }
            JsonOrForm::Form(parts) => of_form(parts, lenient, &mut inputs).await?,
        };
        let wanted = wanted(state, id, key, &filming)?;
        let picture = address.as_deref().map(digest).or_else(|| inputs.hashes().pop());
        let repeated = repeat.with(ENDPOINT, &Canonical { filming: &filming, picture: picture.as_deref() });
        // What was accepted before is not fetched again.
        if let Some(earlier) = intake::earlier(state, &key.owner, repeated.as_ref()).await? {
            return Ok((earlier, filming));
        }
        if let Some(address) = address {
            inputs.take_urls(&[address], PICTURE).await?;
        }
        let order = Order { inputs: inputs.ids(), ..wanted.order };
        let accepted = intake::accept(state, Wanted { order, ..wanted }, repeated).await?;
        Ok((accepted, filming))
    }
    .await;
    let is_unneeded = accepted.as_ref().map_or_else(nothing_accepted, |(record, _)| record.replayed);
    if is_unneeded {
        inputs.discard().await;
    }
    accepted
}

async fn of_form(
    mut parts: Parts,
    lenient: bool,
    inputs: &mut Inputs<'_>,
) -> Result<(Filming, Option<String>), ApiError> {
    let read = read(&mut parts, inputs).await;
    if read.is_err() {
        parts.drain().await;
    }
    let (body, address) = read?;
    if address.is_some() && !inputs.ids().is_empty() {
        let message = "A video begins with one picture: send a file or an address.";
        return Err(ApiError::invalid(PICTURE, "too_many_images", message));
    }
    Ok((filming(body, lenient)?, address))
}

async fn read(parts: &mut Parts, inputs: &mut Inputs<'_>) -> Result<(CreateVideo, Option<String>), ApiError> {
    let mut fields = Fields::<CreateVideo>::new();
    let mut address = None;
    while let Some(part) = parts.next().await? {
        match part.name.as_str() {
            PICTURE => inputs.take_part(parts, PICTURE).await?,
            "input_reference[image_url]" => address = Some(parts.text(PICTURE, MAX_ADDRESS).await?),
            "input_reference[file_id]" => return Err(no_files("input_reference.file_id".to_owned())),
            name => fields.read(parts, name).await?,
        }
    }
    Ok((fields.finish()?, address))
}

fn address(picture: PictureIn) -> Result<String, ApiError> {
    match (picture.image_url, picture.file_id) {
        (Some(image), None) => Ok(image.url),
        (_, Some(_)) => Err(no_files("input_reference.file_id".to_owned())),
        (None, None) => {
            let param = "input_reference.image_url";
            let message = format!("Missing required parameter: '{param}'.");
            Err(ApiError::invalid(param, "missing_required_parameter", message))
        }
    }
}

fn wanted<'a>(state: &AppState, id: Uuid, key: &'a ClientKey, filming: &Filming) -> Result<Wanted<'a>, ApiError> {
    let gateway = &state.gateway;
    intake::strict(&filming.ignored, gateway)?;
    Ok(Wanted {
        id,
        kind: Kind::Video,
        owner: &key.owner,
        model: intake::model(filming.model.as_deref(), Kind::Video, gateway, key)?,
        prompt: intake::prompt(filming.prompt.clone(), gateway)?,
        order: Order {
            n: 1,
            size: filming.size.clone(),
            seconds: filming.seconds.clone(),
            inputs: Vec::new(),
            response_format: None,
        },
        lasts: Duration::from_secs(gateway.settings().load().video.total_timeout),
    })
}
