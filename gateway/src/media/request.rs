//! What can be asked for.

use grok2api_upstream::attachment::Attachment;

use super::size::AspectRatio;

/// Pictures or a video that somebody wants: one turn, one paid call.
#[derive(Debug, Clone)]
pub struct MediaRequest {
    /// What is to be made.
    pub kind: MediaKind,
    /// Id of a model of the table; `None` for the one that the settings name.
    pub model: Option<String>,
    /// What is to be seen, or what is to be changed.
    pub prompt: String,
    /// Checked pictures to work from: none for a new picture, at least one for an edit, at most one for a video.
    pub attachments: Vec<Attachment>,
    /// Shape that pictures should have; `None` leaves it to the upstream. A video's cannot be chosen.
    pub aspect_ratio: Option<AspectRatio>,
}

/// What is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// New pictures.
    ImageGenerate,
    /// Changed pictures.
    ImageEdit,
    /// A video.
    Video,
}

impl MediaKind {
    /// Short name for logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ImageGenerate => "image_generate",
            Self::ImageEdit => "image_edit",
            Self::Video => "video",
        }
    }
}
