//! Pictures that clients send.

use grok2api_entity::asset::{Kind, State};
use grok2api_entity::generation;
use grok2api_media::MediaError;
use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, IntoActiveModel};
use uuid::Uuid;

use crate::room::{Room, picture, video, whole};

const DAY_MS: i64 = 24 * 60 * 60_000;

fn request(completed_at: Option<i64>) -> generation::Model {
    let id = Uuid::now_v7();
    generation::Model {
        id,
        public_id: format!("video_{}", id.simple()),
        kind: generation::Kind::Edit,
        model: String::new(),
        owner: "key".to_owned(),
        prompt: String::new(),
        request: String::new(),
        state: generation::State::Completed,
        progress: 0,
        pending: 0,
        error_code: None,
        error_message: None,
        created_at: 0,
        completed_at,
        deleted_at: None,
    }
}

#[tokio::test]
async fn an_upload_is_read_back_whole_or_not_at_all() {
    let room = Room::sqlite().await;
    let bytes = picture(7, 500_000);
    let upload = room.library.put_input(whole(&bytes), "key", None).await.unwrap();
    let twin = room.library.put_input(whole(&bytes), "other", None).await.unwrap();
    assert_eq!((upload.kind, upload.state, upload.owner.as_str()), (Kind::Input, State::Stored, "key"));
    assert_ne!(upload.storage_key, twin.storage_key, "uploads share no file: they cannot be fetched again");
    assert_eq!(room.library.read_input(upload.id, 1 << 20).await.unwrap(), bytes);
    let error = room.library.read_input(upload.id, 1000).await.unwrap_err();
    assert!(matches!(error, MediaError::TooLarge { limit: 1000 }), "{error:?}");
    let mut damaged = bytes.to_vec();
    damaged[250_000] ^= 1;
    std::fs::write(room.file_of(&upload), &damaged).unwrap();
    let error = room.library.read_input(upload.id, 1 << 20).await.unwrap_err();
    assert!(matches!(error, MediaError::NoSuchAsset(_)), "{error:?}");
    std::fs::remove_file(room.file_of(&twin)).unwrap();
    assert!(room.library.read_input(twin.id, 1 << 20).await.is_err());
    let twin = room.row(twin.id).await;
    assert_eq!((twin.state, twin.error_code.as_deref()), (State::Failed, Some("media_unavailable")));
    let film = room.library.put_input(whole(&video(1, 100)), "key", None).await.unwrap_err();
    assert!(matches!(film, MediaError::WrongType { .. }), "{film:?}");
    room.end().await;
}

#[tokio::test]
async fn m17_uploads_go_a_day_after_their_request_ended() {
    for room in Room::everywhere().await {
        let now = grok2api_entity::clock::read(&room.database.db).await.unwrap();
        let (long_done, just_done) = (request(Some(now - 2 * DAY_MS)), request(Some(now - DAY_MS / 2)));
        let (running, never) = (request(None), Uuid::now_v7());
        let ids = [long_done.id, just_done.id, running.id, never];
        for generation in [long_done, just_done, running] {
            let row = generation.into_active_model().reset_all();
            generation::Entity::insert(row).exec_without_returning(&room.database.db).await.unwrap();
        }
        let mut uploads = Vec::new();
        for id in ids {
            uploads.push(room.library.put_input(whole(&picture(1, 100)), "key", Some(id)).await.unwrap());
        }
        let fresh = room.library.put_input(whole(&picture(1, 100)), "key", Some(never)).await.unwrap();
        let age = format!("UPDATE asset SET created_at = created_at - {} WHERE id <> ?", 3 * DAY_MS);
        let age = age.replace('?', &literal(fresh.id, &room.database.db));
        room.database.db.execute_unprepared(&age).await.unwrap();
        assert_eq!(room.library.sweep().await.unwrap().inputs, 2);
        let mut left: Vec<Uuid> = Vec::new();
        for upload in uploads.iter().chain([&fresh]) {
            let row = room.library.get(upload.id).await.unwrap();
            assert_eq!(row.is_some(), room.file_of(upload).exists());
            left.extend(row.map(|row| row.id));
        }
        assert_eq!(left, [uploads[1].id, uploads[2].id, fresh.id]);
        room.end().await;
    }
}

/// An id as each database writes it.
fn literal(id: Uuid, db: &impl ConnectionTrait) -> String {
    match db.get_database_backend() {
        sea_orm::DbBackend::Postgres => format!("'{id}'"),
        _ => format!("X'{}'", id.simple()),
    }
}
