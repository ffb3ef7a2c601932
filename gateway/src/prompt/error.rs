//! Why a message list cannot be turned into a prompt.

/// A fault of the client's message list. Indices count from 0, as in `messages[2].content[0]`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PromptError {
    /// Every message is blank.
    #[error("At least one message must have text, a picture or a file.")]
    Empty,
    /// A tool message does not say which call it answers.
    #[error("A message with the role 'tool' must have a 'tool_call_id'.")]
    MissingToolCallId {
        /// Index of the message.
        message: usize,
    },
    /// A tool message answers a call that no earlier message made.
    #[error("No earlier assistant message has a tool call with the id '{id}'.")]
    UnknownToolCallId {
        /// Index of the message.
        message: usize,
        /// The id that it names.
        id: String,
    },
    /// A file is neither text nor a picture that the upstream takes.
    #[error("The file '{name}' is neither UTF-8 text nor a PNG, JPEG, WebP or GIF picture.")]
    UnsupportedFile {
        /// Index of the message.
        message: usize,
        /// Index of the part.
        part: usize,
        /// Name of the file.
        name: String,
    },
    /// The data of a file cannot be decoded.
    #[error("The data of the file '{name}' is not a valid data URL or base64 text.")]
    BrokenFile {
        /// Index of the message.
        message: usize,
        /// Index of the part.
        part: usize,
        /// Name of the file.
        name: String,
    },
    /// There are more pictures than one request may carry.
    #[error("A request may carry at most {max} pictures.")]
    TooManyImages {
        /// Index of the message with the first picture too many.
        message: usize,
        /// Index of the part.
        part: usize,
        /// Pictures that are allowed.
        max: usize,
    },
    /// The whole conversation is too long.
    #[error("The conversation has {chars} characters; at most {max} are allowed.")]
    TooLong {
        /// Characters of the prompt.
        chars: usize,
        /// Characters that are allowed.
        max: usize,
    },
}

impl PromptError {
    /// The place in the request body that is at fault, such as `messages[2].content[0]`.
    pub fn param(&self) -> String {
        match self {
            Self::Empty | Self::TooLong { .. } => "messages".into(),
            Self::MissingToolCallId { message } | Self::UnknownToolCallId { message, .. } => {
                format!("messages[{message}].tool_call_id")
            }
            Self::UnsupportedFile { message, part, .. }
            | Self::BrokenFile { message, part, .. }
            | Self::TooManyImages { message, part, .. } => {
                format!("messages[{message}].content[{part}]")
            }
        }
    }

    /// The `code` of the error body.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty | Self::UnknownToolCallId { .. } | Self::BrokenFile { .. } | Self::TooManyImages { .. } => {
                "invalid_value"
            }
            Self::MissingToolCallId { .. } => "missing_required_parameter",
            Self::UnsupportedFile { .. } => "unsupported_value",
            Self::TooLong { .. } => "context_length_exceeded",
        }
    }
}
