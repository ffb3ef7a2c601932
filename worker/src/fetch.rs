//! One asset's way from the upstream's asset host into the store.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use grok2api_entity::asset::{self, State};
use grok2api_entity::failure::Code;
use grok2api_media::MediaError;
use grok2api_upstream::asset::normalize;
use grok2api_upstream::client::Download;
use grok2api_upstream::error::{ErrorKind, UpstreamError};
use uuid::Uuid;

use crate::Workshop;

/// A new file may not be there for a moment; it is asked for again after these pauses.
const NOT_YET: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(2)];

/// Why an asset's bytes did not come.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// Its row says where the bytes are in no way that can be used, or nobody may fetch them.
    #[error("the file's source cannot be used any more")]
    NoSource,
    /// The asset host did not give them.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// They cannot be kept.
    #[error(transparent)]
    Media(#[from] MediaError),
}

impl FetchError {
    /// What is recorded as the reason.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::NoSource | Self::Upstream(_) => Code::MediaUnavailable,
            Self::Media(error) => error.code(),
        }
    }

    /// Whether another try can help.
    pub(crate) fn is_temporary(&self) -> bool {
        match self {
            Self::NoSource => false,
            Self::Upstream(error) => !matches!(error.kind, ErrorKind::NotFound | ErrorKind::AccountInvalid),
            Self::Media(error) => error.is_temporary(),
        }
    }
}

impl Workshop {
    /// Makes sure that an asset is stored. Any number may do this at once (F61).
    pub(crate) async fn fetch(&self, id: Uuid) -> Result<asset::Model, FetchError> {
        let asset = self.media.get(id).await?.ok_or(MediaError::NoSuchAsset(id))?;
        if asset.state == State::Stored {
            return Ok(asset);
        }
        let mut pauses = NOT_YET.into_iter();
        loop {
            match self.fetch_once(&asset).await {
                Err(FetchError::Upstream(error)) if error.kind == ErrorKind::NotFound => match pauses.next() {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => return Err(error.into()),
                },
                fetched => return fetched,
            }
        }
    }

    async fn fetch_once(&self, asset: &asset::Model) -> Result<asset::Model, FetchError> {
        let source = asset.source_path.as_deref().ok_or(FetchError::NoSource)?;
        let path = normalize(self.gateway.asset_hosts(), source).map_err(|_| FetchError::NoSource)?;
        let account = asset.account_id.ok_or(FetchError::NoSource)?;
        let credential = self.gateway.pool().credential(account).ok_or(FetchError::NoSource)?;
        let settings = self.gateway.settings().snapshot();
        let download = self.gateway.upstream().download(&credential, &path, &settings).await?;
        let declared = download.declared_bytes();
        let pieces = stream::try_unfold(download, next_piece);
        Ok(self.media.store(asset.id, Box::pin(pieces), declared).await?)
    }
}

async fn next_piece(mut download: Download) -> Result<Option<(Bytes, Download)>, UpstreamError> {
    Ok(download.next_piece().await?.map(|piece| (piece, download)))
}
