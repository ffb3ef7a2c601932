//! An S3-compatible service.

use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use grok2api_config::S3Config;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{HttpClient, HttpConnector};
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientOptions, Error, GetOptions, GetRange, MultipartUpload, ObjectStore, ObjectStoreExt,
    PutPayload, RetryConfig,
};
use secrecy::ExposeSecret;

use super::{ByteStream, Listed, Opened, Store, StoreError};
use crate::{SpoolFile, StorageKey};

/// The smallest part that S3 takes, except for the last one. One is in memory at a time.
const PART: usize = 5 << 20;
/// Pieces that a part is read in.
const PIECE: usize = 256 * 1024;
/// Tries after the first one.
const RETRIES: usize = 3;

/// Objects in a bucket, below a prefix.
#[derive(Debug, Clone)]
pub struct S3 {
    bucket: Arc<AmazonS3>,
    prefix: String,
    limits: S3Limits,
}

/// How patient we are with the service (F62).
#[derive(Debug, Clone, Copy)]
pub struct S3Limits {
    /// Longest wait for a connection.
    pub connect: Duration,
    /// Longest silence within one try.
    pub request: Duration,
    /// Longest time for one step with all its tries: an upload of a part, a look, the beginning of an answer.
    pub step: Duration,
    /// First pause before another try; it grows to ten times that.
    pub pause: Duration,
}

impl Default for S3Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            request: Duration::from_secs(30),
            step: Duration::from_secs(100),
            pause: Duration::from_millis(200),
        }
    }
}

impl S3 {
    /// Prepares access to the bucket. Sends nothing.
    ///
    /// # Errors
    /// When the configuration is unusable.
    pub fn open(config: &S3Config, limits: S3Limits) -> Result<Self, StoreError> {
        let retry = RetryConfig {
            max_retries: RETRIES,
            retry_timeout: limits.step,
            backoff: BackoffConfig { init_backoff: limits.pause, max_backoff: limits.pause * 10, base: 2.0 },
        };
        let secret = config.secret_access_key.as_ref().map_or("", |secret| secret.expose_secret());
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&config.bucket)
            .with_region(&config.region)
            .with_access_key_id(&config.access_key_id)
            .with_secret_access_key(secret)
            .with_allow_http(config.allow_http)
            // Deleting many with one request is not understood by all who speak S3.
            .with_disable_bulk_delete(true)
            .with_retry(retry)
            .with_http_connector(Connector { limits, allow_http: config.allow_http });
        if !config.endpoint.is_empty() {
            builder = builder.with_endpoint(&config.endpoint);
        }
        let bucket = Arc::new(builder.build().map_err(remote)?);
        Ok(Self { bucket, prefix: config.prefix.clone(), limits })
    }

    fn path(&self, key: &StorageKey) -> Path {
        if self.prefix.is_empty() { Path::from(key.as_str()) } else { Path::from(format!("{}/{key}", self.prefix)) }
    }

    fn key(&self, path: &Path) -> Option<StorageKey> {
        let path = path.as_ref();
        let rest = if self.prefix.is_empty() { path } else { path.strip_prefix(&self.prefix)?.strip_prefix('/')? };
        StorageKey::parse(rest)
    }

    async fn within<T>(&self, step: impl Future<Output = Result<T, Error>>) -> Result<Result<T, Error>, StoreError> {
        tokio::time::timeout(self.limits.step, step).await.map_err(|_| StoreError::Silent(self.limits.step))
    }

    async fn upload(&self, upload: &mut dyn MultipartUpload, file: &SpoolFile) -> Result<(), StoreError> {
        let mut at = 0;
        while at < file.len() {
            let part = read_payload(file, at).await?;
            at += part.content_length() as u64;
            self.within(upload.put_part(part)).await?.map_err(remote)?;
        }
        self.within(upload.complete()).await?.map_err(remote).map(drop)
    }
}

#[async_trait]
impl Store for S3 {
    async fn put(&self, key: &StorageKey, file: &SpoolFile) -> Result<(), StoreError> {
        if self.size(key).await? == Some(file.len()) {
            return Ok(());
        }
        let path = self.path(key);
        if file.len() <= PART as u64 {
            let payload = read_payload(file, 0).await?;
            return self.within(self.bucket.put(&path, payload)).await?.map_err(remote).map(drop);
        }
        let mut upload = self.within(self.bucket.put_multipart(&path)).await?.map_err(remote)?;
        let done = self.upload(&mut *upload, file).await;
        if done.is_err() {
            // Parts that stay are removed by the rule of the bucket for unfinished uploads.
            let _ = self.within(upload.abort()).await;
        }
        done
    }

    async fn open(&self, key: &StorageKey, length: u64, range: Range<u64>) -> Result<Opened, StoreError> {
        let part = (range != (0..length)).then(|| GetRange::Bounded(range.clone()));
        let options = GetOptions { range: part, ..GetOptions::default() };
        let found = match self.within(self.bucket.get_opts(&self.path(key), options)).await? {
            Ok(found) => found,
            Err(Error::NotFound { .. }) => return Ok(Opened::Missing),
            // A part that begins behind the end of a damaged object is refused with an error of its own.
            Err(error) => {
                return match self.size(key).await? {
                    None => Ok(Opened::Missing),
                    Some(actual) if actual != length => Ok(Opened::Damaged),
                    Some(_) => Err(remote(error)),
                };
            }
        };
        if found.meta.size != length || found.range != range {
            return Ok(Opened::Damaged);
        }
        Ok(Opened::Whole(counted(found.into_stream().map_err(remote).boxed(), range.end - range.start)))
    }

    async fn size(&self, key: &StorageKey) -> Result<Option<u64>, StoreError> {
        match self.within(self.bucket.head(&self.path(key))).await? {
            Ok(meta) => Ok(Some(meta.size)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(remote(error)),
        }
    }

    async fn delete(&self, key: &StorageKey) -> Result<(), StoreError> {
        match self.within(self.bucket.delete(&self.path(key))).await? {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(remote(error)),
        }
    }

    async fn list(&self, after: Option<&StorageKey>, limit: usize) -> Result<Vec<Listed>, StoreError> {
        let prefix = (!self.prefix.is_empty()).then(|| Path::from(self.prefix.as_str()));
        let mut all = match after {
            Some(after) => self.bucket.list_with_offset(prefix.as_ref(), &self.path(after)),
            None => self.bucket.list(prefix.as_ref()),
        };
        let now = SystemTime::now();
        let mut listed = Vec::new();
        while listed.len() < limit {
            let Some(meta) = self.within(all.try_next()).await?.map_err(remote)? else { break };
            let written = SystemTime::from(meta.last_modified);
            let age = now.duration_since(written).unwrap_or_default();
            listed.extend(self.key(&meta.location).map(|key| Listed { key, bytes: meta.size, age }));
        }
        Ok(listed)
    }

    fn is_local(&self) -> bool {
        false
    }
}

/// Reads a part of at most [`PART`] bytes, in pieces, so that no large block is needed.
async fn read_payload(file: &SpoolFile, from: u64) -> Result<PutPayload, StoreError> {
    let mut pieces: Vec<Bytes> = Vec::with_capacity(PART / PIECE);
    let mut at = from;
    while at < file.len().min(from + PART as u64) {
        let wanted = usize::try_from(from + PART as u64 - at).unwrap_or(PIECE).min(PIECE);
        let piece = file.read(at, wanted).await?;
        if piece.is_empty() {
            return Err(StoreError::Short);
        }
        at += piece.len() as u64;
        pieces.push(piece);
    }
    Ok(pieces.into_iter().collect())
}

/// The same bytes, with an error at the end if they are fewer than promised.
fn counted(bytes: ByteStream, promised: u64) -> ByteStream {
    Box::pin(futures_util::stream::try_unfold((bytes, promised), |(mut bytes, left)| async move {
        match bytes.try_next().await? {
            Some(piece) => {
                let left = left.saturating_sub(piece.len() as u64);
                Ok(Some((piece, (bytes, left))))
            }
            None if left > 0 => Err(StoreError::Short),
            None => Ok(None),
        }
    }))
}

fn remote(error: Error) -> StoreError {
    StoreError::Remote(Box::new(error))
}

/// Makes connections: no proxy of the environment, no redirects, since requests carry our signature (C7, M6).
#[derive(Debug)]
struct Connector {
    limits: S3Limits,
    allow_http: bool,
}

impl HttpConnector for Connector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        grok2api_upstream::client::install_crypto();
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .http1_only()
            .https_only(!self.allow_http)
            .connect_timeout(self.limits.connect)
            .read_timeout(self.limits.request)
            .build();
        client.map(HttpClient::new).map_err(|error| Error::Generic { store: "S3", source: Box::new(error) })
    }
}
