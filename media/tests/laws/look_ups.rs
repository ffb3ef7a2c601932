//! Which asset a name means.

use grok2api_entity::asset::Kind;
use serde_json::Value;

use crate::room::{Room, picture, video};

fn fixture() -> Value {
    serde_json::from_str(include_str!("../../../tests/fixtures/media-names.json")).unwrap()
}

#[tokio::test]
async fn links_of_the_old_gateway_find_what_the_fixture_says() {
    for room in Room::everywhere().await {
        let fixture = fixture();
        for case in fixture["names"].as_array().unwrap() {
            let kind = if case["kind"] == "video" { Kind::Video } else { Kind::Image };
            let asset = room.pending(kind, case["asset"].as_str().unwrap()).await;
            assert_eq!(asset.seed_name.as_deref(), case["seed_name"].as_str());
        }
        for case in fixture["lookups"].as_array().unwrap() {
            let found = room.library.find(case["request"].as_str().unwrap()).await.unwrap();
            assert_eq!(found.and_then(|asset| asset.seed_name).as_deref(), case["finds"].as_str(), "{case}");
        }
        room.end().await;
    }
}

#[tokio::test]
async fn of_several_with_one_old_name_the_newest_that_is_stored_is_meant() {
    for room in Room::everywhere().await {
        let old = room.stored(Kind::Image, "users/a-b/c/image.jpg", &picture(1, 100)).await;
        let new = room.stored(Kind::Image, "users/a/b-c/image.jpg", &picture(2, 100)).await;
        let newest = room.pending(Kind::Image, "users/a/b/c/image.jpg").await;
        // All three may have been made within one millisecond.
        for (asset, at) in [(&old, 1), (&new, 2), (&newest, 3)] {
            use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
            grok2api_entity::asset::Entity::update_many()
                .col_expr(grok2api_entity::asset::Column::CreatedAt, at.into())
                .filter(grok2api_entity::asset::Column::Id.eq(asset.id))
                .exec(&room.database.db)
                .await
                .unwrap();
        }
        let found = async || room.library.find("users-a-b-c-image.jpg").await.unwrap().unwrap().id;
        assert_eq!(found().await, new.id);
        room.library.clear(grok2api_media::Shelf::Images).await.unwrap();
        assert_eq!(found().await, newest.id);
        for asset in [old, new, newest] {
            assert_eq!(room.library.find(&asset.name).await.unwrap().unwrap().id, asset.id);
        }
        room.end().await;
    }
}

#[tokio::test]
async fn m14_odd_names_and_uploads_are_never_found() {
    for room in Room::everywhere().await {
        let film = room.stored(Kind::Video, "users/a/v.mp4", &video(1, 100)).await;
        let upload = room.library.put_input(crate::room::whole(&picture(1, 100)), "key", None).await.unwrap();
        let upper = film.name.to_uppercase().replace(".MP4", ".mp4");
        let longer = format!("{} ", film.name);
        let escaped = format!("x/../{}", film.name);
        let upper_seed = "USERS-A-V.MP4";
        for name in
            [&upload.name, &upper, &longer, &escaped, upper_seed, "", "/", "..", "a\0b", "a\\b", &"a".repeat(513)]
        {
            assert_eq!(room.library.find(name).await.unwrap(), None, "{name:?}");
        }
        assert_eq!(room.library.find(&format!("/{}", film.name)).await.unwrap().unwrap().id, film.id);
        assert_eq!(room.library.find("users/a/v.mp4").await.unwrap().unwrap().id, film.id);
        room.end().await;
    }
}
