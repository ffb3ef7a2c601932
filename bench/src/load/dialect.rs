//! How a request is written in either language.

use anyhow::Context as _;
use serde_json::json;

use super::options::{Dialect, Options};

/// A request and, for the upstream's language, the body that was sent.
pub(crate) struct Request {
    pub(crate) bytes: Vec<u8>,
    pub(crate) body: String,
}

/// The request of a lane.
pub(crate) fn request(options: &Options, lane: usize) -> anyhow::Result<Request> {
    let (path, head, body) = match options.dialect {
        Dialect::Gateway => {
            let key = format!("authorization: Bearer {}\r\n", options.key);
            ("/v1/chat/completions", key, gateway_body(options)?)
        }
        Dialect::Grok => {
            let account = account(lane % options.accounts.max(1));
            let cookie = format!("cookie: sso-rw={account};sso={account}\r\n");
            ("/rest/app-chat/conversations/new", cookie, grok_body(options)?)
        }
    };
    let bytes = format!(
        "POST {path} HTTP/1.1\r\nhost: {}\r\n{head}accept: */*\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        options.addr,
        body.len()
    );
    Ok(Request { bytes: bytes.into_bytes(), body })
}

/// Name of one of the accounts, here and in the gateway's pool.
pub(crate) fn account(number: usize) -> String {
    format!("bench-account-{number:03}")
}

fn gateway_body(options: &Options) -> anyhow::Result<String> {
    let body = json!({
        "model": options.model,
        "stream": !options.whole,
        "messages": [{"role": "user", "content": options.prompt()}],
    });
    serde_json::to_string(&body).context("no body")
}

/// The body that the gateway itself would send (protocol page "grok-web" §3.1).
fn grok_body(options: &Options) -> anyhow::Result<String> {
    let body = json!({
        "temporary": true,
        "modelName": "grok-3",
        "message": options.prompt(),
        "fileAttachments": [],
        "imageAttachments": [],
        "disableSearch": false,
        "enableImageGeneration": true,
        "returnImageBytes": false,
        "returnRawGrokInXaiRequest": false,
        "enableImageStreaming": true,
        "imageGenerationCount": 2,
        "forceConcise": false,
        "toolOverrides": {},
        "enableSideBySide": false,
        "sendFinalMetadata": true,
        "isReasoning": false,
        "webpageUrls": [],
        "disableTextFollowUps": true,
        "responseMetadata": {"requestModelDetails": {"modelId": "grok-3"}},
        "disableMemory": true,
        "forceSideBySide": false,
        "modelMode": "MODEL_MODE_FAST",
        "isAsyncChat": false,
    });
    serde_json::to_string(&body).context("no body")
}
