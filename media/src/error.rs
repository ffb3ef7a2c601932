//! Why bytes cannot be kept or had.

use grok2api_entity::failure::Code;
use sea_orm::DbErr;
use uuid::Uuid;

use crate::store::StoreError;

/// Why bytes cannot be kept or had. Whatever failed, no half file can be seen.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// Neither a picture nor a video of a type that is kept, or not what was expected.
    #[error("the bytes are no {expected} of a type that is kept")]
    WrongType {
        /// `picture` or `video`.
        expected: &'static str,
    },
    /// More bytes than allowed for its kind.
    #[error("the file is larger than {limit} bytes")]
    TooLarge {
        /// Most bytes.
        limit: u64,
    },
    /// The source ended early, or went on for longer than it said.
    #[error("the source declared {declared} bytes and sent {received}")]
    WrongLength {
        /// What was declared.
        declared: u64,
        /// What came.
        received: u64,
    },
    /// The source failed.
    #[error("the source failed")]
    Source(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The source was silent for too long, or took too long.
    #[error("the source is too slow")]
    SourceSilent,
    /// The store failed, or its disk is full.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database failed.
    #[error("the records of media cannot be reached")]
    Database(#[from] DbErr),
    /// There is no such asset, or its bytes are not here.
    #[error("there is no asset {0} with bytes")]
    NoSuchAsset(Uuid),
}

impl MediaError {
    /// What is recorded as the reason.
    pub fn code(&self) -> Code {
        match self {
            Self::Store(StoreError::Full(_)) => Code::StorageFull,
            Self::Database(_) => Code::InternalError,
            Self::WrongType { .. }
            | Self::TooLarge { .. }
            | Self::WrongLength { .. }
            | Self::Source(_)
            | Self::SourceSilent
            | Self::Store(_)
            | Self::NoSuchAsset(_) => Code::MediaUnavailable,
        }
    }

    /// Whether trying again later can help: the source, the store or the database was in trouble, not the bytes wrong.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::WrongType { .. } | Self::TooLarge { .. } | Self::NoSuchAsset(_) => false,
            Self::WrongLength { .. } | Self::Source(_) | Self::SourceSilent | Self::Store(_) | Self::Database(_) => {
                true
            }
        }
    }
}
