//! What a client is told about pictures that are not taken.

use super::image::ImageFault;

/// Why the pictures of a request are not taken. Positions count from 0; texts count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AttachmentError {
    /// More pictures, or more `data:` addresses, than one request may carry.
    #[error("at most {max} pictures can be sent with one request")]
    TooMany {
        /// How many are allowed.
        max: usize,
    },
    /// Neither a web address nor a base64 `data:` address.
    #[error("picture {}: neither an https address nor a base64 data URL", .index + 1)]
    NotAnAddress {
        /// Which picture.
        index: usize,
    },
    /// The address was not fetched, for whatever reason: one text for all of them, so that nobody can map a network
    /// by it (M8).
    #[error("picture {}: the address could not be fetched", .index + 1)]
    NotFetched {
        /// Which picture.
        index: usize,
    },
    /// The bytes are no picture that we take.
    #[error("picture {}: {fault}", .index + 1)]
    Image {
        /// Which picture.
        index: usize,
        /// What is wrong with it.
        fault: ImageFault,
    },
    /// One picture has too many bytes.
    #[error("picture {}: larger than {max_bytes} bytes", .index + 1)]
    TooLarge {
        /// Which picture.
        index: usize,
        /// How many bytes are allowed.
        max_bytes: usize,
    },
    /// All pictures together have too many bytes.
    #[error("picture {}: the pictures of this request are larger than {max_bytes} bytes together", .index + 1)]
    TotalTooLarge {
        /// The picture with which the limit was passed.
        index: usize,
        /// How many bytes are allowed.
        max_bytes: usize,
    },
}

impl AttachmentError {
    /// Machine-readable code for the client's error body; the status is 400.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooMany { .. } => "too_many_images",
            Self::NotAnAddress { .. } | Self::NotFetched { .. } => "invalid_image_url",
            Self::TooLarge { .. } | Self::TotalTooLarge { .. } => "image_too_large",
            Self::Image { fault, .. } => match fault {
                ImageFault::TooLarge => "image_too_large",
                ImageFault::UnknownFormat
                | ImageFault::WrongType
                | ImageFault::TypeNotTaken
                | ImageFault::Base64
                | ImageFault::Damaged
                | ImageFault::Mixed => "invalid_image",
            },
        }
    }

    /// Which picture is meant, from 0; `None` when it is about all of them.
    pub fn index(&self) -> Option<usize> {
        match *self {
            Self::TooMany { .. } => None,
            Self::NotAnAddress { index }
            | Self::NotFetched { index }
            | Self::Image { index, .. }
            | Self::TooLarge { index, .. }
            | Self::TotalTooLarge { index, .. } => Some(index),
        }
    }
}
