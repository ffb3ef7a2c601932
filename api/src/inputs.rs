//! Pictures that come with a request: stored and checked before the request is accepted.

use std::fmt;

use bytes::Bytes;
use futures_util::stream;
use grok2api_gateway::upstream::attachment::{self, AttachmentError, AttachmentLimits, ImageRef};
use grok2api_media::MediaError;
use poem::http::StatusCode;
use uuid::Uuid;

use crate::error::ApiError;
use crate::multipart::{Parts, too_slow};
use crate::state::AppState;

/// Largest picture, in bytes.
pub(crate) const MAX_PICTURE_BYTES: usize = 20 * 1024 * 1024;
/// Largest sum of all pictures of a request, in bytes.
pub(crate) const MAX_TOTAL_BYTES: usize = 64 * 1024 * 1024;

/// The pictures of one request that is not accepted yet.
pub(crate) struct Inputs<'a> {
    state: &'a AppState,
    owner: &'a str,
    /// The request that they will belong to.
    generation: Uuid,
    max: usize,
    left_bytes: usize,
    stored: Vec<Stored>,
}

/// A stored picture.
#[derive(Debug, Clone)]
struct Stored {
    id: Uuid,
    sha256: String,
}

impl<'a> Inputs<'a> {
    /// None yet, and never more than `max`.
    pub(crate) fn new(state: &'a AppState, owner: &'a str, generation: Uuid, max: usize) -> Self {
        Self { state, owner, generation, max, left_bytes: MAX_TOTAL_BYTES, stored: Vec::new() }
    }

    /// Their ids, in the client's order.
    pub(crate) fn ids(&self) -> Vec<Uuid> {
        self.stored.iter().map(|stored| stored.id).collect()
    }

    /// Hashes of their bytes, in the client's order.
    pub(crate) fn hashes(&self) -> Vec<String> {
        self.stored.iter().map(|stored| stored.sha256.clone()).collect()
    }

    /// Stores the content of a part, piece by piece as it comes.
    ///
    /// # Errors
    /// The part is too large or no picture, there are too many, the body breaks off, or it cannot be stored.
    pub(crate) async fn take_part(&mut self, parts: &mut Parts, name: &str) -> Result<(), ApiError> {
        self.make_room(name)?;
        let (owner, generation, media) = (self.owner, self.generation, &self.state.media);
        let left = &mut self.left_bytes;
        let source = stream::try_unfold((parts, 0_usize, left), |(parts, taken, left)| async move {
            let Some(piece) = parts.chunk().await.map_err(Refused)? else { return Ok(None) };
            let taken = taken + piece.len();
            if taken > MAX_PICTURE_BYTES {
                return Err(Refused(too_large(name, MAX_PICTURE_BYTES, "A picture")));
            }
            *left = left
                .checked_sub(piece.len())
                .ok_or_else(|| Refused(too_large(name, MAX_TOTAL_BYTES, "The pictures of one request together")))?;
            Ok(Some((piece, (parts, taken, left))))
        });
        let stored = Box::pin(media.put_input(source, owner, Some(generation))).await;
        let asset = stored.map_err(|error| refusal(name, error))?;
        self.stored.push(Stored { id: asset.id, sha256: asset.sha256.unwrap_or_default() });
        let bytes = media.read_input(asset.id, MAX_PICTURE_BYTES as u64).await?;
        attachment::inspect(bytes).await.map_err(|fault| {
            ApiError::from(AttachmentError::Image { index: self.stored.len() - 1, fault }).about(name)
        })?;
        Ok(())
    }

    /// Fetches or decodes pictures by their addresses and stores them.
    ///
    /// # Errors
    /// One cannot be had or is no picture that we take, there are too many, or they cannot be stored.
    pub(crate) async fn take_urls(&mut self, urls: &[String], name: &str) -> Result<(), ApiError> {
        if urls.is_empty() {
            return Ok(());
        }
        let images: Vec<ImageRef<'_>> = urls.iter().map(|url| ImageRef { url }).collect();
        let limits = AttachmentLimits { max_images: self.max, ..AttachmentLimits::default() };
        let fetcher = self.state.gateway.upstream().fetcher();
        let pictures =
            attachment::resolve(fetcher, &images, limits).await.map_err(|fault| ApiError::from(fault).about(name))?;
        for picture in pictures {
            let source = stream::iter([Ok::<Bytes, std::io::Error>(picture.bytes)]);
            let stored = Box::pin(self.state.media.put_input(source, self.owner, Some(self.generation))).await;
            let asset = stored.map_err(|error| refusal(name, error))?;
            self.stored.push(Stored { id: asset.id, sha256: asset.sha256.unwrap_or_default() });
        }
        Ok(())
    }

    /// Takes them away again: nothing needs them. What cannot be taken away now is swept within a day.
    pub(crate) async fn discard(self) {
        if self.stored.is_empty() {
            return;
        }
        if let Err(error) = self.state.media.remove_generation(self.generation).await {
            tracing::debug!(error = %error, "uploads that nobody needs stay until they are swept");
        }
    }

    fn make_room(&self, name: &str) -> Result<(), ApiError> {
        if self.stored.len() < self.max {
            return Ok(());
        }
        let message = format!("More than {} cannot be sent with one request.", self.max);
        Err(ApiError::invalid(name, "too_many_images", message))
    }
}

/// An answer on its way through the media room.
#[derive(Debug)]
struct Refused(ApiError);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.body.message)
    }
}

impl std::error::Error for Refused {}

/// Why a picture was not stored, told so that the client knows whose fault it is.
fn refusal(name: &str, error: MediaError) -> ApiError {
    match error {
        MediaError::Source(source) => match source.downcast::<Refused>() {
            Ok(refused) => refused.0,
            Err(_) => crate::multipart::broken(),
        },
        MediaError::SourceSilent => too_slow(),
        MediaError::WrongType { .. } => {
            ApiError::invalid(name, "invalid_image", "Not a picture that we take: send PNG, JPEG, WebP or GIF.")
        }
        MediaError::TooLarge { limit } => too_large(name, usize::try_from(limit).unwrap_or(usize::MAX), "A picture"),
        MediaError::WrongLength { .. }
        | MediaError::Store(_)
        | MediaError::Database(_)
        | MediaError::NoSuchAsset(_) => error.into(),
    }
}

fn too_large(name: &str, max_bytes: usize, what: &str) -> ApiError {
    let message = format!("{what} may have at most {max_bytes} bytes.");
    ApiError::invalid(name, "image_too_large", message)
}

/// Refuses a file by its id: there is no store of files.
pub(crate) fn no_files(param: String) -> ApiError {
    let message = "Send the picture itself, or its address as 'image_url': this gateway stores no files.";
    ApiError::invalid(param, "unsupported_value", message)
}

/// Whether what went wrong leaves no doubt that nothing was accepted.
pub(crate) fn nothing_accepted(error: &ApiError) -> bool {
    error.status != StatusCode::INTERNAL_SERVER_ERROR
}
