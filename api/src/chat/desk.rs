//! Pictures and videos that are named in a live answer: made known at once, fetched by a worker, shown to the client.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt;
use grok2api_config::ImageMode;
use grok2api_entity::asset::{self, Kind, State};
use grok2api_gateway::upstream::asset::{AssetKind, normalize};
use grok2api_gateway::upstream::collect::{image_markdown, video_markup};
use grok2api_media::{Library, NewAsset};
use tokio::time::Instant;
use uuid::Uuid;

use crate::asset_fetcher::AssetFetcher;
use crate::state::AppState;

/// How long an answer waits for the bytes of a picture that stands in it as a whole.
const WAIT: Duration = Duration::from_secs(30);
/// How long an answer waits until a picture is on record.
const RECORD: Duration = Duration::from_secs(5);

/// Shows the media of one answer. Clones share everything.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    library: Library,
    fetcher: Arc<dyn AssetFetcher>,
    hosts: Arc<[Box<str>]>,
    base: Arc<str>,
    owner: Arc<str>,
    mode: ImageMode,
}

impl Desk {
    /// `base` is where clients reach this gateway, without a trailing slash; empty gives relative links.
    pub(crate) fn new(state: &AppState, owner: &Arc<str>, base: &str, mode: ImageMode) -> Self {
        Self {
            library: state.media.clone(),
            fetcher: Arc::clone(&state.fetcher),
            hosts: Arc::clone(state.gateway.asset_hosts()),
            base: base.trim_end_matches('/').into(),
            owner: Arc::clone(owner),
            mode,
        }
    }

    /// The line that shows the file at a path of the asset host; `None`, with a line in the log, when it cannot be had.
    pub(crate) async fn line(&self, path: &str, account: Option<Uuid>) -> Option<String> {
        let asset = self.register(path, account).await?;
        match (asset.kind, self.mode) {
            (Kind::Video, _) => Some(video_markup(&self.link(&asset))),
            (_, ImageMode::Url) => Some(image_markdown(&self.link(&asset))),
            (_, ImageMode::Base64) => self.inline(&asset).await.map(|data| image_markdown(&data)),
        }
    }

    fn link(&self, asset: &asset::Model) -> String {
        format!("{}/images/{}", self.base, asset.name)
    }

    /// On record when this returns: the link is good on every replica, and a worker is on its way.
    async fn register(&self, path: &str, account: Option<Uuid>) -> Option<asset::Model> {
        let source = normalize(&self.hosts, path).ok()?;
        let kind = if source.kind() == AssetKind::Video { Kind::Video } else { Kind::Image };
        let new = NewAsset {
            kind,
            source: &source,
            account_id: account,
            owner: &self.owner,
            generation_id: None,
            ordinal: 0,
        };
        let asset = match tokio::time::timeout(RECORD, self.library.register(new)).await {
            Ok(Ok(asset)) => asset,
            Ok(Err(error)) => {
                tracing::warn!(error = %error, "a picture of an answer could not be recorded: it is left out");
                return None;
            }
            Err(_) => {
                tracing::warn!("a picture of an answer could not be recorded in time: it is left out");
                return None;
            }
        };
        if let Err(error) = self.fetcher.request(&asset).await {
            tracing::warn!(asset = %asset.id, error = %error, "a picture of an answer will be fetched when it is asked for");
        }
        Some(asset)
    }

    /// The picture as a `data:` address.
    async fn inline(&self, asset: &asset::Model) -> Option<String> {
        let stored = self.library.wait_stored(asset.id, Instant::now() + WAIT).await.ok().flatten();
        let Some(asset) = stored.filter(|asset| asset.state == State::Stored) else {
            tracing::warn!(asset = %asset.id, "a picture of an answer did not come in time: it is left out");
            return None;
        };
        let bytes = usize::try_from(asset.bytes).unwrap_or(0);
        let mut opened = self.library.open(&asset, None).await.ok().flatten()?;
        let mut data = String::with_capacity(bytes / 3 * 4 + 64);
        let _ = write!(data, "data:{};base64,", asset.content_type.as_deref().unwrap_or("image/jpeg"));
        // Whole groups of three bytes, so that the pieces can be put together.
        let mut rest: Vec<u8> = Vec::new();
        while let Some(piece) = opened.next().await {
            rest.extend_from_slice(&piece.ok()?);
            let whole = rest.len() / 3 * 3;
            STANDARD.encode_string(&rest[..whole], &mut data);
            rest.drain(..whole);
        }
        STANDARD.encode_string(&rest, &mut data);
        Some(data)
    }
}
