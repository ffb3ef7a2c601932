//! An OpenAI client as thin as can be: tests see what really comes over the wire.

use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

/// Longest a test waits for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client of one gateway.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    key: Option<String>,
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body as text.
    pub text: String,
}

/// A streamed answer, read to its end.
#[derive(Debug)]
pub struct ChatEvents {
    /// Headers.
    pub headers: HeaderMap,
    /// Data of the events in order; comments are left out.
    pub data: Vec<String>,
}

impl Client {
    pub(crate) fn new(url: &str, key: Option<&str>) -> Self {
        Self { http: http(), url: url.to_owned(), key: key.map(str::to_owned) }
    }

    /// A client that opens a connection for each request.
    pub(crate) fn without_kept_connections(url: &str, key: &str) -> Self {
        Self { http: built(|client| client.pool_max_idle_per_host(0)), ..Self::new(url, Some(key)) }
    }

    /// A request to a path, with the key.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    /// Sends a request and reads the answer.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let response = request.send().await.unwrap_or_else(|error| panic!("no answer: {error}"));
        let status = response.status();
        let headers = response.headers().clone();
        let text = response.text().await.unwrap_or_else(|error| panic!("the answer broke off: {error}"));
        Answer { status, headers, text }
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    /// `POST` of a JSON body to the chat endpoint.
    pub async fn post_chat(&self, body: &Value) -> Answer {
        self.send(self.request(Method::POST, "/v1/chat/completions").json(body)).await
    }

    /// One question, not streamed.
    pub async fn chat(&self, model: &str, prompt: &str) -> Answer {
        self.post_chat(&json!({"model": model, "messages": [{"role": "user", "content": prompt}]})).await
    }

    /// One question, streamed; the response is open.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn open_stream(&self, model: &str, prompt: &str) -> reqwest::Response {
        let body = json!({"model": model, "stream": true, "messages": [{"role": "user", "content": prompt}]});
        self.request(Method::POST, "/v1/chat/completions")
            .json(&body)
            .send()
            .await
            .unwrap_or_else(|error| panic!("no answer: {error}"))
    }

    /// One question, streamed and read to the end, or the error it met.
    ///
    /// # Errors
    /// The answer, when its status is no success.
    pub async fn stream(&self, model: &str, prompt: &str) -> Result<ChatEvents, Answer> {
        self.stream_body(&json!({"model": model, "messages": [{"role": "user", "content": prompt}]})).await
    }

    /// A request with `stream: true` added, read to the end.
    ///
    /// # Errors
    /// The answer, when its status is no success.
    pub async fn stream_body(&self, body: &Value) -> Result<ChatEvents, Answer> {
        let mut body = body.clone();
        body["stream"] = Value::Bool(true);
        let answer = self.post_chat(&body).await;
        if !answer.status.is_success() {
            return Err(answer);
        }
        Ok(ChatEvents::parse(answer.headers, &answer.text))
    }
}

/// A plain HTTP client that heeds no proxy of the environment.
///
/// # Panics
/// When it cannot be built.
pub fn http() -> reqwest::Client {
    built(|client| client)
}

fn built(change: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder) -> reqwest::Client {
    grok2api_gateway::upstream::client::install_crypto();
    let client = change(reqwest::Client::builder().no_proxy().timeout(PATIENCE)).build();
    client.unwrap_or_else(|error| panic!("no client: {error}"))
}

impl Answer {
    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// `error.code`.
    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The text of the first choice.
    pub fn content(&self) -> String {
        self.json()["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_owned()
    }

    /// Asserts the status and that the body is an error with all four members; returns the error.
    ///
    /// # Panics
    /// When it is not.
    pub fn expect_error(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        let error = self.json()["error"].clone();
        for member in ["message", "type", "param", "code"] {
            assert!(error.get(member).is_some(), "'{member}' is missing in {}", self.text);
        }
        assert_eq!(error["code"].as_str().unwrap_or_default(), code, "{}", self.text);
        error
    }
}

impl ChatEvents {
    fn parse(headers: HeaderMap, text: &str) -> Self {
        let data = text
            .split("\n\n")
            .filter(|event| !event.is_empty() && !event.starts_with(':'))
            .map(|event| {
                let data = event.strip_prefix("data: ");
                data.unwrap_or_else(|| panic!("not a data event: {event:?}")).to_owned()
            })
            .collect();
        Self { headers, data }
    }

    /// All events but `[DONE]`, as JSON.
    ///
    /// # Panics
    /// When an event is no JSON.
    pub fn chunks(&self) -> Vec<Value> {
        self.data
            .iter()
            .filter(|data| *data != "[DONE]")
            .map(|data| serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}")))
            .collect()
    }

    /// Whether the stream said that it is complete.
    pub fn is_done(&self) -> bool {
        self.data.last().is_some_and(|data| data == "[DONE]")
    }

    /// The error event, if there is one.
    pub fn error(&self) -> Option<Value> {
        self.chunks().into_iter().find_map(|chunk| chunk.get("error").cloned())
    }

    /// All pieces of one member of the first choice's deltas, joined.
    pub fn joined(&self, member: &str) -> String {
        self.chunks()
            .iter()
            .filter_map(|chunk| chunk["choices"][0]["delta"][member].as_str().map(str::to_owned))
            .collect()
    }

    /// The finish reason, if one came.
    pub fn finish_reason(&self) -> Option<String> {
        self.chunks().iter().find_map(|chunk| chunk["choices"][0]["finish_reason"].as_str().map(str::to_owned))
    }
}
