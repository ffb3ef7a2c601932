//! A checked request, ready to be sent on any account.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use grok2api_config::{ModelSpec, Settings};
use grok2api_pool::Caller;
use grok2api_upstream::attachment::{self, Attachment, AttachmentLimits, ImageRef};
use tokio::time::Instant;

use crate::calls::Calls;
use crate::deadline::Limits;
use crate::emulate::tools::ToolRules;
use crate::error::GatewayError;
use crate::gateway::Gateway;
use crate::prompt::{FoldOptions, fold};
use crate::request::{ChatRequest, ResponseFormat};
use crate::usage::TokenEstimate;

/// What every attempt of one request needs; it sees one snapshot of the settings from beginning to end.
pub struct Prepared {
    pub(crate) model: Arc<ModelSpec>,
    /// Units of the model's budget that the call costs.
    pub(crate) cost: u32,
    pub(crate) message: String,
    pub(crate) attachments: Vec<Attachment>,
    pub(crate) search: bool,
    pub(crate) image_generation: bool,
    pub(crate) stop: Vec<String>,
    pub(crate) tools: Option<Arc<ToolRules>>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) limits: Limits,
    pub(crate) prompt_tokens: u64,
    pub(crate) started: Instant,
    /// Whether an account was blamed for this request already: one request penalises at most one (J14).
    pub(crate) blamed: Arc<AtomicBool>,
    /// The upstream calls made for it.
    pub(crate) calls: Arc<Calls>,
    /// Who asks.
    pub(crate) caller: Caller,
}

impl Prepared {
    /// Says who asks; without it, a live request of nobody in particular.
    #[must_use]
    pub fn asked_by(mut self, caller: Caller) -> Self {
        self.caller = caller;
        self
    }

    /// Estimated tokens of the prompt.
    pub fn prompt_tokens(&self) -> u64 {
        self.prompt_tokens
    }

    /// The model that serves it.
    pub fn model(&self) -> &ModelSpec {
        &self.model
    }

    /// The upstream calls made for it, those to come included.
    pub fn calls(&self) -> &Arc<Calls> {
        &self.calls
    }

    /// The settings this request is served with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}

impl Gateway {
    /// Checks a request and gathers what it needs; pictures are fetched here, once, whatever account serves it.
    ///
    /// # Errors
    /// The request's own faults.
    pub async fn prepare(&self, request: &ChatRequest) -> Result<Prepared, GatewayError> {
        let started = Instant::now();
        let model = self
            .models()
            .get(&request.model)
            .cloned()
            .ok_or_else(|| GatewayError::ModelNotFound { model: request.model.clone() })?;
        let settings = self.inner.settings.snapshot();
        let options = FoldOptions { max_chars: settings.chat.max_prompt_chars, ..FoldOptions::default() };
        let prompt = fold(request, &options)?;
        let attachments = if prompt.images.is_empty() {
            Vec::new()
        } else {
            let images: Vec<ImageRef<'_>> = prompt.images.iter().map(|url| ImageRef { url }).collect();
            attachment::resolve(self.inner.upstream.fetcher(), &images, AttachmentLimits::default()).await?
        };
        let mut tokens = TokenEstimate::default();
        tokens.add(&prompt.message);
        let tools = ToolRules::of(request);
        let must_be_text = tools.is_some() || !matches!(request.response_format, ResponseFormat::Text);
        let slow = model.video || model.model_mode == "MODEL_MODE_HEAVY";
        Ok(Prepared {
            cost: model.cost,
            search: request.web_search.unwrap_or(settings.chat.web_search) && tools.is_none(),
            image_generation: !must_be_text,
            stop: request.stop.clone(),
            tools,
            limits: Limits::new(&settings, slow),
            message: prompt.message,
            model,
            attachments,
            settings,
            prompt_tokens: tokens.tokens(),
            started,
            blamed: Arc::default(),
            calls: Arc::default(),
            caller: Caller::default(),
        })
    }
}
