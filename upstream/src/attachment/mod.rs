//! Pictures that clients send along: as `data:` addresses or as addresses that we fetch, guarded and checked.

mod address;
mod budget;
mod data_url;
mod dns;
mod error;
mod fetch;
mod guard;
mod image;
mod resolve;

pub use error::AttachmentError;
pub use fetch::Fetcher;
pub use image::{ImageFault, ImageFormat};
pub use resolve::{Attachment, AttachmentLimits, ImageRef, inspect, resolve};
