//! How a request for pictures or a video becomes durable work: accepted means that it is on disk (I1).

use std::time::Duration;

use grok2api_entity::generation::Kind;
use grok2api_gateway::media::MediaError;
use grok2api_gateway::{Gateway, GatewayError};
use grok2api_queue::{NewGeneration, Order, RepeatKey, now_ms};
use uuid::Uuid;

use crate::auth::ClientKey;
use crate::error::ApiError;
use crate::idempotency::OnRecord;
use crate::state::AppState;

/// Longest prompt, in characters (as OpenAI has it).
pub(crate) const MAX_PROMPT: usize = 32_000;

/// A checked request.
#[derive(Debug, Clone)]
pub(crate) struct Wanted<'a> {
    /// Its id; uploaded pictures name it already.
    pub(crate) id: Uuid,
    /// What is asked for.
    pub(crate) kind: Kind,
    /// Id of the client key.
    pub(crate) owner: &'a str,
    /// A model of the table.
    pub(crate) model: String,
    /// What to draw or film.
    pub(crate) prompt: String,
    /// The other parameters.
    pub(crate) order: Order,
    /// It is given up after this time.
    pub(crate) lasts: Duration,
}

/// What an earlier request under this key gave, if there was one.
///
/// # Errors
/// The key was used for another request; the database does not answer.
pub(crate) async fn earlier(
    state: &AppState,
    owner: &str,
    key: Option<&RepeatKey>,
) -> Result<Option<OnRecord>, ApiError> {
    let Some(key) = key else { return Ok(None) };
    state.jobs.earlier(owner, key).await?.map(OnRecord::of).transpose()
}

/// Puts a request on record and tells the workers.
///
/// # Errors
/// The queue is full, the key was used for another request, or the database refuses: nothing is on record then.
pub(crate) async fn accept(state: &AppState, wanted: Wanted<'_>, key: Option<RepeatKey>) -> Result<OnRecord, ApiError> {
    let prefix = match wanted.kind {
        Kind::Image | Kind::Edit => "img",
        Kind::Video => "video",
    };
    let lasts = i64::try_from(wanted.lasts.as_millis()).unwrap_or(i64::MAX);
    let new = NewGeneration {
        id: wanted.id,
        // 122 random bits: who does not know it cannot guess it.
        public_id: format!("{prefix}_{}", Uuid::new_v4().simple()),
        kind: wanted.kind,
        model: wanted.model,
        owner: wanted.owner.to_owned(),
        prompt: wanted.prompt,
        order: wanted.order,
        deadline_at: now_ms().saturating_add(lasts),
    };
    OnRecord::of(Box::pin(state.jobs.accept(new, key)).await?)
}

/// The prompt, if it is one that can be carried out.
///
/// # Errors
/// It is empty or too long.
pub(crate) fn prompt(text: String, gateway: &Gateway) -> Result<String, ApiError> {
    let max = gateway.settings().load().chat.max_prompt_chars.min(MAX_PROMPT);
    let chars = text.chars().count();
    if text.trim().is_empty() {
        return Err(ApiError::invalid("prompt", "invalid_value", "'prompt' must not be empty."));
    }
    if chars > max {
        let message = format!("'prompt' has {chars} characters; at most {max} are allowed.");
        return Err(ApiError::invalid("prompt", "invalid_value", message));
    }
    Ok(text)
}

/// The id of the model that is to do it, the client's choice or that of the settings.
///
/// # Errors
/// There is no such model for this key, or it makes something else.
pub(crate) fn model(asked: Option<&str>, kind: Kind, gateway: &Gateway, key: &ClientKey) -> Result<String, ApiError> {
    let settings = gateway.settings().load();
    let (usual, wanted) = match kind {
        Kind::Image | Kind::Edit => (&settings.image.model, "pictures"),
        Kind::Video => (&settings.video.model, "videos"),
    };
    let id = asked.unwrap_or(usual);
    let Some(spec) = gateway.models().get(id).filter(|spec| key.may_use(&spec.id)) else {
        return Err(GatewayError::ModelNotFound { model: id.to_owned() }.into());
    };
    let fits = match kind {
        Kind::Image | Kind::Edit => spec.drawing_cost().is_some(),
        Kind::Video => spec.video,
    };
    if fits {
        Ok(spec.id.clone())
    } else {
        Err(GatewayError::from(MediaError::WrongModel { model: id.to_owned(), wanted }).into())
    }
}

/// Refuses what would be ignored, where the operator wants that.
///
/// # Errors
/// Something would be ignored, and the settings say that it must not be.
pub(crate) fn strict(ignored: &[&'static str], gateway: &Gateway) -> Result<(), ApiError> {
    match ignored.first() {
        Some(first) if gateway.settings().load().chat.strict_params => Err(ApiError::invalid(
            *first,
            "unsupported_parameter",
            format!("'{first}' is not supported by this gateway, which is set to refuse what it cannot carry out."),
        )),
        Some(_) | None => Ok(()),
    }
}
