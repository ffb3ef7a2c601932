//! From a request for pictures or a video to the call that is sent.

use std::sync::Arc;

use grok2api_config::{ModelSpec, Settings};
use grok2api_pool::{Caller, Class};
use grok2api_upstream::attachment::AttachmentLimits;
use tokio::time::Instant;

use super::error::MediaError;
use super::request::{MediaKind, MediaRequest};
use crate::deadline::Limits;
use crate::error::GatewayError;
use crate::gateway::Gateway;
use crate::prepare::Prepared;
use crate::usage::TokenEstimate;

impl Gateway {
    /// Checks a request for pictures or a video and puts its words together. Asks nobody: the pictures are there.
    ///
    /// # Errors
    /// [`GatewayError::ModelNotFound`] and [`GatewayError::Media`]: faults of the request, or of the settings that name
    /// the model.
    pub fn prepare_media(&self, request: &MediaRequest) -> Result<Prepared, GatewayError> {
        let settings = self.settings().snapshot();
        let model = self.media_model(request, &settings)?;
        check(request, &settings)?;
        let message = message(request);
        let mut tokens = TokenEstimate::default();
        tokens.add(&message);
        let video = request.kind == MediaKind::Video;
        let total_secs = if video { settings.video.total_timeout } else { settings.image.total_timeout };
        Ok(Prepared {
            cost: if video { model.cost } else { model.drawing_cost().unwrap_or(model.cost) },
            // A video's call is that of the page, which forbids nothing. Who wants a picture wants no research.
            search: video,
            image_generation: true,
            stop: Vec::new(),
            tools: None,
            limits: Limits::new(&settings, true).within(total_secs),
            message,
            model,
            attachments: request.attachments.clone(),
            settings,
            prompt_tokens: tokens.tokens(),
            started: Instant::now(),
            blamed: Arc::default(),
            calls: Arc::default(),
            caller: Caller { class: Class::Job, ..Caller::default() },
        })
    }

    fn media_model(&self, request: &MediaRequest, settings: &Settings) -> Result<Arc<ModelSpec>, GatewayError> {
        let (usual, wanted) = match request.kind {
            MediaKind::ImageGenerate | MediaKind::ImageEdit => (&settings.image.model, "pictures"),
            MediaKind::Video => (&settings.video.model, "videos"),
        };
        let id = request.model.as_ref().unwrap_or(usual);
        let model = self.models().get(id).ok_or_else(|| GatewayError::ModelNotFound { model: id.clone() })?;
        let fits = match request.kind {
            MediaKind::ImageGenerate | MediaKind::ImageEdit => model.drawing_cost().is_some(),
            MediaKind::Video => model.video,
        };
        if !fits {
            return Err(MediaError::WrongModel { model: id.clone(), wanted }.into());
        }
        Ok(Arc::clone(model))
    }
}

fn check(request: &MediaRequest, settings: &Settings) -> Result<(), MediaError> {
    if request.prompt.trim().is_empty() {
        return Err(MediaError::EmptyPrompt);
    }
    let (chars, max) = (request.prompt.chars().count(), settings.chat.max_prompt_chars);
    if chars > max {
        return Err(MediaError::PromptTooLong { chars, max });
    }
    let max = match request.kind {
        MediaKind::ImageGenerate => 0,
        MediaKind::ImageEdit => AttachmentLimits::default().max_images,
        MediaKind::Video => 1,
    };
    if request.attachments.len() > max {
        return Err(MediaError::TooManyPictures { max });
    }
    if request.kind == MediaKind::ImageEdit && request.attachments.is_empty() {
        return Err(MediaError::NoPicture);
    }
    Ok(())
}

/// The model decides by the words whether it draws, so the words say it: a noun alone would be explained.
fn message(request: &MediaRequest) -> String {
    let prompt = request.prompt.trim();
    let instruction = match (request.kind, request.attachments.len()) {
        (MediaKind::Video, _) => return prompt.to_owned(),
        (MediaKind::ImageGenerate, _) => "Generate an image",
        (MediaKind::ImageEdit, 0 | 1) => "Edit the image",
        (MediaKind::ImageEdit, _) => "Edit the images",
    };
    match request.aspect_ratio {
        None => format!("{instruction}: {prompt}"),
        Some(ratio) => format!("{instruction}: {prompt}\n\nAspect ratio: {} ({}).", ratio.as_str(), ratio.words()),
    }
}
