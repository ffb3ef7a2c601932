//! Why a request for pictures or a video cannot be carried out as it is.

/// A fault of the request itself: no account could do better.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    /// There is no word in the prompt.
    #[error("The prompt is empty.")]
    EmptyPrompt,
    /// The prompt is too long.
    #[error("The prompt has {chars} characters; at most {max} are allowed.")]
    PromptTooLong {
        /// Characters of the prompt.
        chars: usize,
        /// Characters that are allowed.
        max: usize,
    },
    /// An edit without a picture.
    #[error("There is no picture to edit.")]
    NoPicture,
    /// More pictures than can be worked from.
    #[error("At most {max} pictures can be worked from.")]
    TooManyPictures {
        /// How many are allowed.
        max: usize,
    },
    /// The model is there, but makes something else.
    #[error("The model `{model}` makes no {wanted}.")]
    WrongModel {
        /// Id of the model.
        model: String,
        /// `pictures` or `videos`.
        wanted: &'static str,
    },
}

impl MediaError {
    /// The request's member at fault.
    pub fn param(&self) -> &'static str {
        match self {
            Self::EmptyPrompt | Self::PromptTooLong { .. } => "prompt",
            Self::NoPicture | Self::TooManyPictures { .. } => "image",
            Self::WrongModel { .. } => "model",
        }
    }

    /// The `code` of the error body; the status is 400.
    pub fn code(&self) -> &'static str {
        match self {
            Self::EmptyPrompt | Self::NoPicture => "missing_required_parameter",
            Self::PromptTooLong { .. } => "context_length_exceeded",
            Self::TooManyPictures { .. } => "too_many_images",
            Self::WrongModel { .. } => "unsupported_value",
        }
    }
}
