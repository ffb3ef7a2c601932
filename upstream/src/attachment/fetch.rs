//! The guarded fetch of a picture by its address (M1–M9).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use grok2api_config::FetchConfig;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use reqwest::{Client, Request, Response, redirect, retry};
use tokio::sync::Semaphore;
use url::Url;

use super::budget::ByteBudget;
use super::dns::{GuardedDns, Lookup, SystemLookup, record_denial};
use super::guard::Guard;
use crate::client::{BodyFault, BodyLimits, BuildError, CappedBody, Roots, build_client};

/// Most redirects that are followed, each checked like the first address.
const MAX_REDIRECTS: usize = 3;

/// Largest head of a response, in bytes.
const MAX_HEADER_BYTES: usize = 32 * 1024;

/// Fetches at a time in the whole process; more wait within their deadline.
const MAX_FETCHES: usize = 16;

/// Inflation beyond this is a bomb: pictures hardly compress.
const MAX_RATIO: u64 = 100;

const AGENT: HeaderValue = HeaderValue::from_static("grok2api-image-fetch");
const WANTED: HeaderValue = HeaderValue::from_static("image/png, image/jpeg, image/webp, image/gif");
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");

/// Fetches pictures from public hosts. Has no cookies, no proxy, no memory of earlier fetches. Cheap to clone.
#[derive(Clone)]
pub struct Fetcher {
    client: Client,
    guard: Arc<Guard>,
    slots: Arc<Semaphore>,
    timeout: Duration,
    max_bytes: usize,
}

/// Why nothing was fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FetchFault {
    /// Any cause on the way: the client must not learn which (M8).
    NotFetched,
    /// More bytes than one picture may have.
    TooLarge,
    /// More bytes than the request's pictures may have together.
    OverBudget,
}

impl Fetcher {
    /// Prepares a client of its own for fetches. Sends nothing.
    ///
    /// # Errors
    ///
    /// [`BuildError::Client`] when the HTTP machinery cannot be set up.
    pub fn new(config: &FetchConfig) -> Result<Self, BuildError> {
        Self::with_parts(config, Guard::new(config), &(Arc::new(SystemLookup) as Arc<dyn Lookup>))
    }

    pub(crate) fn with_parts(config: &FetchConfig, guard: Guard, lookup: &Arc<dyn Lookup>) -> Result<Self, BuildError> {
        crate::client::install_crypto();
        let guard = Arc::new(guard);
        let timeout = Duration::from_millis(config.timeout_ms);
        let client = build_client(Roots::SystemIfAny, || {
            let dns = GuardedDns { lookup: Arc::clone(lookup), guard: Arc::clone(&guard) };
            Client::builder()
                .no_proxy()
                .redirect(redirect::Policy::none())
                .retry(retry::never())
                .referer(false)
                .http1_only()
                .dns_resolver(Arc::new(dns))
                .connect_timeout(timeout)
                // A kept connection would skip the check at dialling.
                .pool_max_idle_per_host(0)
        });
        let client = client.map_err(BuildError::Client)?;
        let slots = Arc::new(Semaphore::new(MAX_FETCHES));
        Ok(Self { client, guard, slots, timeout, max_bytes: config.max_bytes })
    }

    /// Largest picture, in bytes.
    pub(crate) fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// Fetches the bytes behind an address, redirects and all, within one deadline. Does not look at what they are.
    pub(crate) async fn fetch(&self, address: &str, budget: &ByteBudget) -> Result<Bytes, FetchFault> {
        match tokio::time::timeout(self.timeout, self.fetch_slowly(address, budget)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(not_fetched("deadline")),
        }
    }

    async fn fetch_slowly(&self, address: &str, budget: &ByteBudget) -> Result<Bytes, FetchFault> {
        let _slot = self.slots.acquire().await.map_err(|_| not_fetched("closing"))?;
        let mut url = self.guard.check_text(address).map_err(|denied| {
            record_denial(denied);
            FetchFault::NotFetched
        })?;
        for _ in 0..=MAX_REDIRECTS {
            let response = self.get(&url).await?;
            match response.status() {
                StatusCode::OK => return self.read(response, budget).await,
                status if status.is_redirection() => url = self.redirect_target(&url, response.headers())?,
                _ => return Err(not_fetched("status")),
            }
        }
        Err(not_fetched("redirects"))
    }

    async fn get(&self, url: &Url) -> Result<Response, FetchFault> {
        let mut request = Request::new(Method::GET, url.clone());
        // A fragment is the client's own affair.
        request.url_mut().set_fragment(None);
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, AGENT);
        headers.insert(ACCEPT, WANTED);
        headers.insert(ACCEPT_ENCODING, IDENTITY);
        let response = self.client.execute(request).await.map_err(|_| not_fetched("connection"))?;
        if header_bytes(response.headers()) > MAX_HEADER_BYTES {
            return Err(not_fetched("headers"));
        }
        Ok(response)
    }

    fn redirect_target(&self, from: &Url, headers: &HeaderMap) -> Result<Url, FetchFault> {
        let location = headers.get(LOCATION).and_then(|value| value.to_str().ok()).ok_or(not_fetched("redirect"))?;
        let target = from.join(location).map_err(|_| not_fetched("redirect"))?;
        self.guard.check_url(&target).map_err(|denied| {
            record_denial(denied);
            FetchFault::NotFetched
        })?;
        Ok(target)
    }

    async fn read(&self, response: Response, budget: &ByteBudget) -> Result<Bytes, FetchFault> {
        let announced: u64 = content_length(response.headers()).unwrap_or(0);
        let max_bytes = self.max_bytes as u64;
        if announced > max_bytes {
            return Err(FetchFault::TooLarge);
        }
        let limits = BodyLimits { max_bytes, max_ratio: MAX_RATIO };
        let mut body = CappedBody::new(response.into(), limits).map_err(|_| not_fetched("coding"))?;
        // Grows with what really comes: an announcement alone reserves nothing.
        let mut bytes = BytesMut::new();
        while let Some(piece) = body.next_piece().await {
            let piece = piece.map_err(|fault| match fault {
                BodyFault::TooLarge => FetchFault::TooLarge,
                BodyFault::Undecodable | BodyFault::Cut => not_fetched("body"),
            })?;
            budget.take(piece.len()).map_err(|_| FetchFault::OverBudget)?;
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.freeze())
    }
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher")
            .field("guard", &self.guard)
            .field("max_bytes", &self.max_bytes)
            .finish_non_exhaustive()
    }
}

/// The one fault for all causes; the operator finds the cause in the log, without the address.
fn not_fetched(cause: &'static str) -> FetchFault {
    tracing::debug!(cause, "a picture was not fetched");
    FetchFault::NotFetched
}

fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests;
