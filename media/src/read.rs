//! Reading what is stored, and noticing what was lost.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use grok2api_entity::asset::{self, Column, Entity, Kind, State};
use grok2api_entity::failure::Code;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::evict::{key, length};
use crate::spool::hex;
use crate::store::{ByteStream, Opened};
use crate::{Library, MediaError, StorageKey};

impl Library {
    /// Opens the bytes of a stored asset, all or those of `range`, which must lie within its length.
    ///
    /// `None` when they are not here. If they should be, or their length is not what it was, the row is told so and the
    /// asset can be fetched again (F64). What was opened can be read to its end whatever happens meanwhile.
    ///
    /// # Errors
    /// When the store or the database fails.
    pub async fn open(
        &self,
        asset: &asset::Model,
        range: Option<Range<u64>>,
    ) -> Result<Option<ByteStream>, MediaError> {
        if asset.state != State::Stored {
            return Ok(None);
        }
        let length = length(asset);
        let range = range.unwrap_or(0..length);
        let Some(key) = key(asset).filter(|_| range.start <= range.end && range.end <= length) else { return Ok(None) };
        match self.store.open(&key, length, range).await? {
            Opened::Whole(bytes) => Ok(Some(bytes)),
            Opened::Missing | Opened::Damaged => {
                // It may have been evicted, and even stored again, since the caller read the row.
                if self
                    .get(asset.id)
                    .await?
                    .is_some_and(|now| now.state == State::Stored && now.stored_at == asset.stored_at)
                {
                    tracing::warn!(asset_id = %asset.id, "a stored file is missing or has another length");
                    self.lost(&key, asset.stored_at).await?;
                    self.delete_unneeded(&[key]).await?;
                }
                Ok(None)
            }
        }
    }

    /// Reads a picture that a client sent, whole and checked, if it has at most `max_bytes`.
    ///
    /// # Errors
    /// [`MediaError::NoSuchAsset`] if there is none, or no longer; [`MediaError::TooLarge`]; or the store or the
    /// database fails.
    pub async fn read_input(&self, id: Uuid, max_bytes: u64) -> Result<Bytes, MediaError> {
        let asset = self.get(id).await?.filter(|asset| asset.kind == Kind::Input);
        let asset = asset.ok_or(MediaError::NoSuchAsset(id))?;
        let length = length(&asset);
        if length > max_bytes {
            return Err(MediaError::TooLarge { limit: max_bytes });
        }
        let mut pieces = self.open(&asset, None).await?.ok_or(MediaError::NoSuchAsset(id))?;
        let mut bytes = BytesMut::with_capacity(usize::try_from(length).unwrap_or_default());
        while let Some(piece) = pieces.try_next().await? {
            bytes.extend_from_slice(&piece);
        }
        if asset.sha256.as_deref() != Some(hex(&Sha256::digest(&bytes)).as_str()) {
            return Err(MediaError::NoSuchAsset(id));
        }
        Ok(bytes.freeze())
    }

    /// Notes that an object is gone or damaged, in those rows that were `stored_by` then; rows that were stored later
    /// speak of other bytes. Results can be fetched again; what a client sent cannot.
    pub(crate) async fn lost(&self, key: &StorageKey, stored_by: Option<i64>) -> Result<(), MediaError> {
        let of_object = || {
            Entity::update_many()
                .col_expr(Column::StorageKey, Expr::value(None::<String>))
                .filter(Column::StorageKey.eq(key.as_str()))
                .filter(Column::State.eq(State::Stored))
                .filter(Column::StoredAt.lte(stored_by.unwrap_or(i64::MAX)))
        };
        of_object()
            .col_expr(Column::State, Expr::value(State::Evicted))
            .filter(Column::Kind.ne(Kind::Input))
            .exec(&self.db)
            .await?;
        of_object()
            .col_expr(Column::State, Expr::value(State::Failed))
            .col_expr(Column::ErrorCode, Expr::value(Some(Code::MediaUnavailable.as_str().to_owned())))
            .filter(Column::Kind.eq(Kind::Input))
            .exec(&self.db)
            .await?;
        Ok(())
    }
}
