//! A call of the client API from within.

use poem::endpoint::BoxEndpoint;
use poem::http::{HeaderMap, HeaderName, Method, header};
use poem::{Endpoint, Request, Response};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use crate::client_address::Origin;
use crate::edge::Arrival;

/// Largest answer that is read, in bytes.
const MOST: usize = 32 * 1024 * 1024;
/// What of the caller's header is passed on: who asks, and under which address it reached this gateway.
const PASSED_ON: [HeaderName; 3] = [header::AUTHORIZATION, HeaderName::from_static("x-api-key"), header::HOST];

/// Who asks.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    headers: HeaderMap,
    origin: Option<Origin>,
    arrival: Option<Arrival>,
}

impl Caller {
    pub(super) fn of(request: &Request) -> Self {
        let sent = request.headers();
        let kept = PASSED_ON.into_iter().filter_map(|name| sent.get(&name).cloned().map(|value| (name, value)));
        Self {
            headers: kept.collect(),
            origin: request.data::<Origin>().copied(),
            arrival: request.data::<Arrival>().cloned(),
        }
    }

    /// Asks `api`, which gives the answer or what to say of the failure.
    ///
    /// # Errors
    /// The message of the API's error.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        api: &BoxEndpoint<'static, Response>,
        method: Method,
        path: &'static str,
        body: Option<Value>,
    ) -> Result<T, String> {
        let mut request = Request::builder().method(method).uri_str(path);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let mut request = match body {
            Some(body) => request.content_type("application/json").body(body.to_string()),
            None => request.finish(),
        };
        if let Some(origin) = self.origin {
            request.set_data(origin);
        }
        if let Some(arrival) = &self.arrival {
            request.set_data(arrival.within(path, Instant::now()));
        }
        let answer = api.call(request).await.unwrap_or_else(poem::Error::into_response);
        let status = answer.status();
        let read = answer.into_body().into_bytes_limit(MOST).await;
        let bytes = read.map_err(|_| "The answer could not be read.".to_owned())?;
        if status.is_success() {
            return serde_json::from_slice(&bytes).map_err(|_| "The answer is not what it should be.".to_owned());
        }
        let told: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let error = &told["error"];
        let message = error["message"].as_str().unwrap_or("The request failed.");
        let code = error["code"].as_str().unwrap_or("error");
        Err(format!("{message} ({status}, {code})"))
    }
}
