//! The client against servers that play every part of an upstream, a proxy and an attacker.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod calls;
mod connections;
mod downloads;
mod faults;
mod inflating;
mod proxies;
mod tls;

use std::collections::BTreeMap;

use bytes::BytesMut;
use grok2api_config::{Settings, UpstreamConfig};
use secrecy::SecretString;

use super::{AnswerBody, ChatCall, GrokWeb};
use crate::error::UpstreamError;

const TOKEN: &str = "canary-token";

const CALL: ChatCall<'static> = ChatCall {
    model_name: "grok-3",
    model_mode: "MODEL_MODE_FAST",
    message: "Hello",
    file_attachments: &[],
    video: false,
    search: true,
    image_generation: true,
};

fn token() -> SecretString {
    TOKEN.into()
}

fn config(base_url: &str) -> UpstreamConfig {
    UpstreamConfig {
        base_url: base_url.parse().unwrap(),
        connect_timeout_ms: 2_000,
        request_timeout_ms: 5_000,
        extra_headers: BTreeMap::from([("x-own".to_owned(), "canary-extra".to_owned())]),
        ..UpstreamConfig::default()
    }
}

fn client(base_url: &str) -> GrokWeb {
    GrokWeb::new(&config(base_url)).unwrap()
}

fn settings(proxy_url: &str) -> Settings {
    let mut settings = Settings::default();
    settings.grok.proxy_url = proxy_url.into();
    settings.grok.cf_clearance = "canary-clearance".into();
    settings
}

async fn read_all(mut body: AnswerBody) -> (BytesMut, Option<UpstreamError>) {
    let mut bytes = BytesMut::new();
    loop {
        match body.next_chunk().await {
            Some(Ok(chunk)) => {
                assert!(!chunk.is_empty());
                bytes.extend_from_slice(&chunk);
            }
            Some(Err(error)) => {
                assert!(body.next_chunk().await.is_none(), "nothing follows an error");
                return (bytes, Some(error));
            }
            None => return (bytes, None),
        }
    }
}

/// No secret of any kind in what could be shown or logged.
#[track_caller]
fn assert_clean(error: &UpstreamError) {
    let shown = format!("{error} {error:?} {error:#?}");
    for secret in ["canary", "127.0.0.1", "http://", "socks", "sso"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    assert!(error.message.len() <= 500 && !error.message.is_empty());
}
