//! The client of the Grok web service.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use grok2api_config::{Settings, UpstreamConfig};
use http::{Response, Uri};
use secrecy::{ExposeSecret, SecretString};

use super::body::AnswerBody;
use super::chat::{self, ChatCall};
use super::clients::Clients;
use super::crypto::install_crypto;
use super::download::AssetHost;
use super::egress::Egress;
use super::endpoints::{BuildError, Endpoints};
use super::headers::Headers;
use super::inflate::BodyLimits;
use super::proxy::is_local_proxy;
use super::tls::Roots;
use super::transport::within;
use super::wire::WireBody;
use super::{answer, rate_limits, upload};
use crate::attachment::{Attachment, Fetcher};
use crate::error::{ErrorKind, UpstreamError};
use crate::quota::RateLimits;

/// Speaks to the Grok web service with the credential of any account. Cheap to clone; clones share connections.
///
/// Each call is one attempt. Cookies go to the configured base address only, never across a redirect (C7), and errors
/// hold no credential, proxy or address.
#[derive(Clone)]
pub struct GrokWeb {
    inner: Arc<Inner>,
}

struct Inner {
    endpoints: Endpoints,
    headers: Headers,
    egress: Egress,
    fetcher: Fetcher,
    asset_host: AssetHost,
    request_timeout: Duration,
    answer_limits: BodyLimits,
}

impl GrokWeb {
    /// Prepares addresses, headers and the direct connection. Sends nothing.
    ///
    /// # Errors
    ///
    /// [`BuildError`] when the base address is not https (plain http only to this machine), a header cannot be sent, or
    /// the TLS machinery cannot be set up.
    pub fn new(config: &UpstreamConfig) -> Result<Self, BuildError> {
        install_crypto();
        let endpoints = Endpoints::new(&config.base_url)?;
        let headers = Headers::new(config, &endpoints.origin)?;
        let connect_timeout = Duration::from_millis(config.connect_timeout_ms);
        let roots = if endpoints.plain { Roots::SystemIfAny } else { Roots::System };
        let egress = Egress::new(endpoints.clone(), connect_timeout, roots)?;
        let fetcher = Fetcher::new(&config.fetch)?;
        let answer_limits = BodyLimits { max_bytes: config.max_answer_bytes, max_ratio: config.max_inflate_ratio };
        let request_timeout = Duration::from_millis(config.request_timeout_ms);
        let asset_host =
            AssetHost::new(&config.assets_base_url, headers.clone(), Clients::new(connect_timeout, roots)?)?;
        let inner = Inner { endpoints, headers, egress, fetcher, asset_host, request_timeout, answer_limits };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Asks a question; returns when the answer's head is there. Only connecting has a time limit here.
    ///
    /// # Errors
    ///
    /// Any status but 200 and any HTML page as classified; no connection; a credential that cannot be sent.
    #[tracing::instrument(name = "upstream.chat", level = "debug", skip_all, fields(model = call.model_name))]
    pub async fn chat(
        &self,
        credential: &SecretString,
        call: &ChatCall<'_>,
        settings: &Settings,
    ) -> Result<AnswerBody, UpstreamError> {
        let body = chat::request_body(call, settings)?;
        let response = self.post(&self.inner.endpoints.chat, credential, body, settings).await?;
        answer::accept(response, self.inner.answer_limits).await.map(AnswerBody::new)
    }

    /// Uploads a file and returns its id, which is good for this account only.
    ///
    /// # Errors
    ///
    /// As for [`Self::chat`]; also [`ErrorKind::Timeout`] when the whole call takes longer than the request timeout.
    #[tracing::instrument(name = "upstream.upload", level = "debug", skip_all, fields(bytes = file.bytes.len()))]
    pub async fn upload(
        &self,
        credential: &SecretString,
        file: &Attachment,
        settings: &Settings,
    ) -> Result<String, UpstreamError> {
        let body = upload::request_body(file).await?;
        let answer =
            self.short_call(&self.inner.endpoints.upload, credential, body, settings, upload::MAX_ANSWER_BYTES);
        upload::file_id(&answer.await?)
    }

    /// Reads what the account may still do with one budget. Costs nothing of it.
    ///
    /// # Errors
    ///
    /// As for [`Self::upload`]; [`ErrorKind::NotStream`] when the answer is no JSON object.
    #[tracing::instrument(name = "upstream.rate_limits", level = "debug", skip_all, fields(model = rate_limit_model))]
    pub async fn rate_limits(
        &self,
        credential: &SecretString,
        rate_limit_model: &str,
        settings: &Settings,
    ) -> Result<RateLimits, UpstreamError> {
        let body = rate_limits::request_body(rate_limit_model)?;
        let answer = self.short_call(
            &self.inner.endpoints.rate_limits,
            credential,
            body,
            settings,
            rate_limits::MAX_ANSWER_BYTES,
        );
        rate_limits::read(&answer.await?)
    }

    /// The guarded way to pictures that clients name by their address.
    pub fn fetcher(&self) -> &Fetcher {
        &self.inner.fetcher
    }

    /// The way to generated files.
    pub(super) fn asset_host(&self) -> &AssetHost {
        &self.inner.asset_host
    }

    /// One call whose whole answer is small and due within the request timeout.
    async fn short_call(
        &self,
        uri: &Uri,
        credential: &SecretString,
        body: Vec<u8>,
        settings: &Settings,
        max_bytes: u64,
    ) -> Result<Vec<u8>, UpstreamError> {
        let limits = BodyLimits { max_bytes, max_ratio: self.inner.answer_limits.max_ratio };
        within(self.inner.request_timeout, async {
            let response = self.post(uri, credential, body, settings).await?;
            let body = answer::accept(response, limits).await?;
            answer::collect(body).await.map(Vec::from)
        })
        .await
    }

    /// Sends one request. The only place where a credential leaves.
    async fn post(
        &self,
        uri: &Uri,
        credential: &SecretString,
        body: Vec<u8>,
        settings: &Settings,
    ) -> Result<Response<WireBody>, UpstreamError> {
        let proxy_url = &settings.grok.proxy_url;
        let headers = self.inner.headers.for_attempt(credential, &settings.grok)?;
        if self.inner.endpoints.plain && !proxy_url.expose_secret().is_empty() && !is_local_proxy(proxy_url) {
            let message = "a plain http base address cannot be reached through a proxy on another machine";
            return Err(UpstreamError::new(ErrorKind::Unreachable, message));
        }
        self.inner.egress.transport(proxy_url)?.post(uri, headers, body.into()).await
    }
}

impl fmt::Debug for GrokWeb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrokWeb").finish_non_exhaustive()
    }
}
