//! Requests to change pictures, as JSON or as a form, up to their commit.

use grok2api_entity::generation::Kind;
use serde::Serialize;
use uuid::Uuid;

use super::request::{CreateImageEdit, PictureIn};
use super::serve::wanted;
use super::validate::{Drawing, edit, no_mask};
use crate::auth::ClientKey;
use crate::error::ApiError;
use crate::form::{Fields, JsonOrForm};
use crate::idempotency::{IdempotencyKey, OnRecord, digest};
use crate::inputs::{Inputs, no_files, nothing_accepted};
use crate::intake;
use crate::multipart::Parts;
use crate::state::AppState;

const ENDPOINT: &str = "/v1/images/edits";
/// Most pictures that one call can be given.
const MAX_PICTURES: usize = 8;

/// What makes one edit another.
#[derive(Serialize)]
struct Canonical<'a> {
    drawing: &'a Drawing,
    pictures: Vec<String>,
}

/// Reads, checks and accepts a request. Pictures of one that is not accepted do not stay.
///
/// # Errors
/// The request's faults, and those of accepting it.
pub(super) async fn accept(
    state: &AppState,
    key: &ClientKey,
    repeat: &IdempotencyKey,
    body: JsonOrForm<CreateImageEdit>,
) -> Result<(OnRecord, Drawing), ApiError> {
    let id = Uuid::now_v7();
    let mut inputs = Inputs::new(state, &key.owner, id, MAX_PICTURES);
    let accepted = match body {
        JsonOrForm::Json(json) => of_json(state, key, repeat, json, id, &mut inputs).await,
        JsonOrForm::Form(parts) => of_form(state, key, repeat, parts, id, &mut inputs).await,
    };
    let is_unneeded = accepted.as_ref().map_or_else(nothing_accepted, |(record, _)| record.replayed);
    if is_unneeded {
        inputs.discard().await;
    }
    accepted
}

async fn of_json(
    state: &AppState,
    key: &ClientKey,
    repeat: &IdempotencyKey,
    mut body: CreateImageEdit,
    id: Uuid,
    inputs: &mut Inputs<'_>,
) -> Result<(OnRecord, Drawing), ApiError> {
    let urls = addresses(body.images.take().unwrap_or_default())?;
    let drawing = edit(body)?;
    if urls.is_empty() {
        return Err(no_picture("images"));
    }
    let pictures = urls.iter().map(|url| digest(url)).collect();
    let repeated = repeat.with(ENDPOINT, &Canonical { drawing: &drawing, pictures });
    let checked = wanted(state, id, Kind::Edit, key, &drawing, Vec::new())?;
    // What was accepted before is not fetched again.
    if let Some(earlier) = intake::earlier(state, &key.owner, repeated.as_ref()).await? {
        return Ok((earlier, drawing));
    }
    inputs.take_urls(&urls, "images").await?;
    let mut checked = checked;
    checked.order.inputs = inputs.ids();
    Ok((intake::accept(state, checked, repeated).await?, drawing))
}

async fn of_form(
    state: &AppState,
    key: &ClientKey,
    repeat: &IdempotencyKey,
    mut parts: Parts,
    id: Uuid,
    inputs: &mut Inputs<'_>,
) -> Result<(OnRecord, Drawing), ApiError> {
    let read = read(&mut parts, inputs).await;
    if read.is_err() {
        parts.drain().await;
    }
    let drawing = edit(read?)?;
    let ids = inputs.ids();
    if ids.is_empty() {
        return Err(no_picture("image"));
    }
    let repeated = repeat.with(ENDPOINT, &Canonical { drawing: &drawing, pictures: inputs.hashes() });
    let checked = wanted(state, id, Kind::Edit, key, &drawing, ids)?;
    Ok((intake::accept(state, checked, repeated).await?, drawing))
}

async fn read(parts: &mut Parts, inputs: &mut Inputs<'_>) -> Result<CreateImageEdit, ApiError> {
    let mut fields = Fields::<CreateImageEdit>::new();
    while let Some(part) = parts.next().await? {
        match part.name.as_str() {
            "image" | "image[]" => inputs.take_part(parts, "image").await?,
            "mask" => return Err(no_mask()),
            name => fields.read(parts, name).await?,
        }
    }
    fields.finish()
}

fn addresses(pictures: Vec<PictureIn>) -> Result<Vec<String>, ApiError> {
    let address = |(at, picture): (usize, PictureIn)| match (picture.image_url, picture.file_id) {
        (Some(image), None) => Ok(image.url),
        (_, Some(_)) => Err(no_files(format!("images[{at}].file_id"))),
        (None, None) => {
            let param = format!("images[{at}].image_url");
            let message = format!("Missing required parameter: '{param}'.");
            Err(ApiError::invalid(param, "missing_required_parameter", message))
        }
    };
    pictures.into_iter().enumerate().map(address).collect()
}

fn no_picture(param: &str) -> ApiError {
    let message = format!("Missing required parameter: '{param}'.");
    ApiError::invalid(param, "missing_required_parameter", message)
}
