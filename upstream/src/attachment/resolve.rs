//! The pictures of one request: named by the client, checked by us, ready to be uploaded (M12).

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::budget::ByteBudget;
use super::data_url::{DataUrl, DataUrlFault, is_data_url};
use super::error::AttachmentError;
use super::fetch::{FetchFault, Fetcher};
use super::image::{self, CheckedImage, ImageFault};

/// Above this size a picture is decoded and checked on a blocking thread.
const BLOCKING_BYTES: usize = 256 * 1024;

/// A file that has passed every check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Name under which it goes upstream.
    pub file_name: String,
    /// Its type, as its signature says.
    pub mime_type: &'static str,
    /// Its content.
    pub bytes: Bytes,
}

/// A picture as the client named it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageRef<'a> {
    /// An `https` address or a `data:` address.
    pub url: &'a str,
}

/// What the pictures of one request may be at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttachmentLimits {
    /// Pictures. Default 8.
    pub max_images: usize,
    /// `data:` addresses among them. Default 10.
    pub max_data_urls: usize,
    /// Bytes of all together, decoded. Default 64 MiB.
    pub max_total_bytes: usize,
    /// Fetches at a time. Default 4.
    pub max_fetches: usize,
}

impl Default for AttachmentLimits {
    fn default() -> Self {
        Self { max_images: 8, max_data_urls: 10, max_total_bytes: 64 * 1024 * 1024, max_fetches: 4 }
    }
}

/// Decodes and fetches all pictures, in their order. One that fails fails them all, and the other fetches are dropped.
///
/// # Errors
///
/// The first [`AttachmentError`] by position.
pub async fn resolve(
    fetcher: &Fetcher,
    images: &[ImageRef<'_>],
    limits: AttachmentLimits,
) -> Result<Vec<Attachment>, AttachmentError> {
    if images.len() > limits.max_images {
        return Err(AttachmentError::TooMany { max: limits.max_images });
    }
    let data_urls = images.iter().filter(|image| is_data_url(image.url)).count();
    if data_urls > limits.max_data_urls {
        return Err(AttachmentError::TooMany { max: limits.max_data_urls });
    }
    let budget = ByteBudget::new(limits.max_total_bytes);
    // Boxed in a list: a lazily mapped one makes the future's bounds too narrow for callers that need `Send`.
    let mut resolved: Vec<BoxFuture<'_, _>> = Vec::with_capacity(images.len());
    for (index, image) in images.iter().enumerate() {
        let one = One { fetcher, budget: &budget, index, max_total_bytes: limits.max_total_bytes };
        resolved.push(Box::pin(one.resolve(image.url)));
    }
    stream::iter(resolved).buffered(limits.max_fetches.max(1)).try_collect().await
}

/// Checks a picture that came as bytes: its signature, structure, sizes, frames, and what hangs behind it.
///
/// # Errors
///
/// What is wrong with it.
pub async fn inspect(bytes: Bytes) -> Result<Attachment, ImageFault> {
    let checked = if bytes.len() < BLOCKING_BYTES {
        image::check(&bytes)
    } else {
        tokio::task::spawn_blocking(move || image::check(&bytes)).await.unwrap_or(Err(ImageFault::Damaged))
    };
    checked.map(Attachment::of)
}

impl Attachment {
    fn of(checked: CheckedImage) -> Self {
        let format = checked.format;
        Self { file_name: format.file_name().to_owned(), mime_type: format.mime_type(), bytes: checked.bytes }
    }
}

/// One picture on its way.
struct One<'a> {
    fetcher: &'a Fetcher,
    budget: &'a ByteBudget,
    index: usize,
    max_total_bytes: usize,
}

impl One<'_> {
    async fn resolve(self, url: &str) -> Result<Attachment, AttachmentError> {
        let url = url.trim();
        let checked = if is_data_url(url) {
            self.decode(url).await?
        } else if is_web_address(url) {
            self.fetch(url).await?
        } else {
            return Err(AttachmentError::NotAnAddress { index: self.index });
        };
        Ok(Attachment::of(checked))
    }

    async fn decode(&self, url: &str) -> Result<CheckedImage, AttachmentError> {
        let max_bytes = self.fetcher.max_bytes();
        let parsed = DataUrl::parse(url).map_err(|fault| self.data_url_error(fault))?;
        let checked = if parsed.max_decoded_len() < BLOCKING_BYTES {
            parsed.decode(max_bytes)
        } else {
            let url = url.to_owned();
            self.on_blocking_thread(move || DataUrl::parse(&url)?.decode(max_bytes)).await?
        };
        let checked = checked.map_err(|fault| self.data_url_error(fault))?;
        self.budget.take(checked.bytes.len()).map_err(|_| self.over_budget())?;
        Ok(checked)
    }

    async fn fetch(&self, url: &str) -> Result<CheckedImage, AttachmentError> {
        let bytes = self.fetcher.fetch(url, self.budget).await.map_err(|fault| match fault {
            FetchFault::NotFetched => AttachmentError::NotFetched { index: self.index },
            FetchFault::TooLarge => self.too_large(),
            FetchFault::OverBudget => self.over_budget(),
        })?;
        let checked = if bytes.len() < BLOCKING_BYTES {
            image::check(&bytes)
        } else {
            self.on_blocking_thread(move || image::check(&bytes)).await?
        };
        checked.map_err(|fault| self.image_error(fault))
    }

    /// Runs work that is linear in many bytes where it holds up nobody. Work that panicked counts as a damaged picture.
    async fn on_blocking_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AttachmentError> {
        tokio::task::spawn_blocking(work).await.map_err(|_| self.image_error(ImageFault::Damaged))
    }

    fn data_url_error(&self, fault: DataUrlFault) -> AttachmentError {
        match fault {
            DataUrlFault::Malformed => AttachmentError::NotAnAddress { index: self.index },
            DataUrlFault::TooLong => self.too_large(),
            DataUrlFault::Image(fault) => self.image_error(fault),
        }
    }

    fn image_error(&self, fault: ImageFault) -> AttachmentError {
        AttachmentError::Image { index: self.index, fault }
    }

    fn too_large(&self) -> AttachmentError {
        AttachmentError::TooLarge { index: self.index, max_bytes: self.fetcher.max_bytes() }
    }

    fn over_budget(&self) -> AttachmentError {
        AttachmentError::TotalTooLarge { index: self.index, max_bytes: self.max_total_bytes }
    }
}

/// Whether it is an address that could be fetched at all; the guard says whether it may be.
fn is_web_address(text: &str) -> bool {
    ["https:", "http:"]
        .iter()
        .any(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
}

#[cfg(test)]
mod tests;
