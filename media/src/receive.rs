//! Taking bytes in: counted, hashed and looked at while they come, visible only when they are all there.

use std::pin::pin;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use grok2api_entity::asset::{self, Column, Entity, Kind, State};
use grok2api_entity::clock;
use grok2api_entity::failure::Code;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, UpdateMany};
use tokio::time::Instant;
use uuid::Uuid;

use crate::register::{blank, insert};
use crate::signature::ENOUGH;
use crate::store::StoreError;
use crate::{Library, MediaError, MediaType, SpoolFile, StorageKey};

/// Bytes that are written at a time; a source that sends more at once is cut.
const PIECE: usize = 256 * 1024;
/// Room that is made at least when the disk is full.
const MIN_ROOM: u64 = 16 << 20;

/// A file that has arrived as a whole.
struct Received {
    file: SpoolFile,
    media_type: MediaType,
}

impl Library {
    /// Stores the bytes of a result: the row is `stored` when this succeeds, and unchanged when it fails.
    ///
    /// Any number of callers may do this for one asset at the same time: there will be one file and one change of the
    /// row, and all succeed (F6, F61). An asset that is stored already is left alone and the source is not read.
    /// `declared` is the length that the source named beforehand.
    ///
    /// # Errors
    /// [`MediaError::NoSuchAsset`] without its row; otherwise when the source, the store or the database fails, or the
    /// bytes are not what they should be. [`MediaError::is_temporary`] says whether another try can help; the caller
    /// ends the matter with [`Self::fail`].
    pub async fn store<S, E>(&self, id: Uuid, source: S, declared: Option<u64>) -> Result<asset::Model, MediaError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let asset = self.get(id).await?.ok_or(MediaError::NoSuchAsset(id))?;
        if asset.state == State::Stored {
            return Ok(asset);
        }
        let received = self.receive(asset.kind, source, declared).await?;
        let sha256 = received.file.sha256();
        let key = StorageKey::of_content(&sha256).ok_or(MediaError::NoSuchAsset(id))?;
        self.keep(&key, &received.file).await?;
        let (asset, is_ours) = self.mark_stored(id, &key, sha256, &received).await?;
        if !is_ours && asset.as_ref().and_then(crate::evict::key).as_ref() != Some(&key) {
            // Somebody was faster with other bytes, or nobody wants the asset any more: then nobody needs ours.
            self.delete_unneeded(std::slice::from_ref(&key)).await?;
        } else if self.store.size(&key).await? != Some(received.file.len()) {
            // A clean-up looked before the row said that the file is needed, and took it away after we had found it.
            self.keep(&key, &received.file).await?;
        }
        self.waiters.settled(id);
        asset.filter(|asset| asset.state == State::Stored).ok_or(MediaError::NoSuchAsset(id))
    }

    /// The one change of the row; returns the row afterwards, and whether it was our change.
    async fn mark_stored(
        &self,
        id: Uuid,
        key: &StorageKey,
        sha256: String,
        received: &Received,
    ) -> Result<(Option<asset::Model>, bool), MediaError> {
        // One at a time: a crowd that has stored the same asset shall not queue up for connections and the write lock.
        let _turn = self.marking.lock().await;
        let asset = self.get(id).await?;
        if asset.as_ref().is_none_or(|asset| asset.state == State::Stored) {
            return Ok((asset, false));
        }
        let now = clock::now(self.db.get_database_backend());
        let written = unstored(id)
            .col_expr(Column::State, Expr::value(State::Stored))
            .col_expr(Column::StorageKey, Expr::value(Some(key.as_str().to_owned())))
            .col_expr(Column::ContentType, Expr::value(Some(received.media_type.as_str().to_owned())))
            .col_expr(Column::Bytes, Expr::value(i64::try_from(received.file.len()).unwrap_or(i64::MAX)))
            .col_expr(Column::Sha256, Expr::value(Some(sha256)))
            .col_expr(Column::ErrorCode, Expr::value(None::<String>))
            .col_expr(Column::StoredAt, now.clone())
            .col_expr(Column::LastUsedAt, now)
            .exec(&self.db)
            .await?;
        Ok((self.get(id).await?, written.rows_affected > 0))
    }

    /// Notes that the bytes of an asset cannot be had; returns whether it was not stored meanwhile.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn fail(&self, id: Uuid, code: Code) -> Result<bool, MediaError> {
        let failed = unstored(id)
            .col_expr(Column::State, Expr::value(State::Failed))
            .col_expr(Column::ErrorCode, Expr::value(Some(code.as_str().to_owned())))
            .exec(&self.db)
            .await?;
        self.waiters.settled(id);
        Ok(failed.rows_affected > 0)
    }

    /// Stores a picture that a client sent. It is never served, and goes a day after its request has ended.
    ///
    /// # Errors
    /// When the source, the store or the database fails, or it is no picture of a type that is kept.
    pub async fn put_input<S, E>(
        &self,
        source: S,
        owner: &str,
        generation_id: Option<Uuid>,
    ) -> Result<asset::Model, MediaError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let received = self.receive(Kind::Input, source, None).await?;
        let id = Uuid::now_v7();
        let key = StorageKey::of_input(id);
        self.keep(&key, &received.file).await?;
        let now = clock::read(&self.db).await?;
        let model = asset::Model {
            state: State::Stored,
            storage_key: Some(key.as_str().to_owned()),
            content_type: Some(received.media_type.as_str().to_owned()),
            bytes: i64::try_from(received.file.len()).unwrap_or(i64::MAX),
            sha256: Some(received.file.sha256()),
            generation_id,
            stored_at: Some(now),
            ..blank(id, Kind::Input, owner, None, now)
        };
        insert(&self.db, &model).await?;
        Ok(model)
    }

    async fn receive<S, E>(&self, kind: Kind, source: S, declared: Option<u64>) -> Result<Received, MediaError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let limit = self.limits.of(kind);
        if declared.is_some_and(|declared| declared > limit) {
            return Err(MediaError::TooLarge { limit });
        }
        let mut source = pin!(source);
        let mut taking = Taking { library: self, kind, declared, file: self.begin().await?, media_type: None };
        let mut waiting = BytesMut::new();
        let end = Instant::now() + self.limits.max_duration;
        loop {
            let patience = end.min(Instant::now() + self.limits.max_silence);
            let next = tokio::time::timeout_at(patience, source.next()).await;
            let Some(next) = next.map_err(|_| MediaError::SourceSilent)? else { break };
            let mut next = next.map_err(|error| MediaError::Source(error.into()))?;
            let so_far = taking.file.len() + waiting.len() as u64 + next.len() as u64;
            if so_far > limit {
                return Err(MediaError::TooLarge { limit });
            }
            while !next.is_empty() {
                waiting.extend_from_slice(&next.split_to(next.len().min(PIECE - waiting.len())));
                taking.look(&waiting, ENOUGH)?;
                if waiting.len() == PIECE {
                    taking.write(waiting.split().freeze()).await?;
                }
            }
        }
        taking.look(&waiting, 0)?;
        taking.write(waiting.freeze()).await?;
        taking.finish()
    }

    /// Begins a temporary file; makes room once if the disk is full.
    async fn begin(&self) -> Result<SpoolFile, MediaError> {
        match self.spool.begin().await {
            Err(StoreError::Full(error)) => {
                self.make_room(StoreError::Full(error), MIN_ROOM).await?;
                Ok(self.spool.begin().await?)
            }
            begun => Ok(begun?),
        }
    }

    /// Gives a finished file its name; makes room once if the disk is full.
    async fn keep(&self, key: &StorageKey, file: &SpoolFile) -> Result<(), MediaError> {
        match self.store.put(key, file).await {
            Err(StoreError::Full(error)) => {
                self.make_room(StoreError::Full(error), MIN_ROOM).await?;
                Ok(self.store.put(key, file).await?)
            }
            put => Ok(put?),
        }
    }

    /// Evicts what was unused for longest, whatever the limits say; hands back `full` if there was nothing (F60).
    async fn make_room(&self, full: StoreError, bytes: u64) -> Result<(), MediaError> {
        if !self.store.is_local() || self.evict_oldest(bytes.max(MIN_ROOM)).await? == 0 {
            return Err(full.into());
        }
        tracing::warn!("the disk of the media folder is full: files unused for longest were removed");
        Ok(())
    }
}

/// A file that is arriving.
struct Taking<'a> {
    library: &'a Library,
    kind: Kind,
    declared: Option<u64>,
    file: SpoolFile,
    media_type: Option<MediaType>,
}

impl Taking<'_> {
    /// Looks at the first bytes as soon as there are `enough`, so that the wrong ones are refused early.
    fn look(&mut self, head: &[u8], enough: usize) -> Result<(), MediaError> {
        if self.media_type.is_none() && head.len() >= enough {
            let found = MediaType::of(head).filter(|media_type| media_type.fits(self.kind));
            let expected = if self.kind == Kind::Video { "video" } else { "picture" };
            self.media_type = Some(found.ok_or(MediaError::WrongType { expected })?);
        }
        Ok(())
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), MediaError> {
        match self.file.append(bytes.clone()).await {
            Err(StoreError::Full(error)) => {
                let left = self.declared.unwrap_or_default().saturating_sub(self.file.len());
                self.library.make_room(StoreError::Full(error), left).await?;
                Ok(self.file.append(bytes).await?)
            }
            written => Ok(written?),
        }
    }

    fn finish(self) -> Result<Received, MediaError> {
        let received = self.file.len();
        if let Some(declared) = self.declared.filter(|declared| *declared != received) {
            return Err(MediaError::WrongLength { declared, received });
        }
        let expected = if self.kind == Kind::Video { "video" } else { "picture" };
        let media_type = self.media_type.ok_or(MediaError::WrongType { expected })?;
        Ok(Received { file: self.file, media_type })
    }
}

/// A change of a result that is not stored.
fn unstored(id: Uuid) -> UpdateMany<Entity> {
    Entity::update_many().filter(Column::Id.eq(id)).filter(Column::State.ne(State::Stored))
}
