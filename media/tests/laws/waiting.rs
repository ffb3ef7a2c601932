//! Waiting for an asset.

use std::time::Duration;

use grok2api_entity::asset::{Kind, State};
use grok2api_entity::failure::Code;
use tokio::time::Instant;

use crate::room::{Room, picture, whole};

fn far() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

#[tokio::test]
async fn a_waiter_sees_what_its_own_process_and_another_one_stored() {
    for room in Room::everywhere().await {
        for library in [room.library.clone(), room.second()] {
            let asset = room.pending(Kind::Image, "users/a/1.png").await;
            let waiters: Vec<_> = (0..50)
                .map(|_| {
                    let library = room.library.clone();
                    tokio::spawn(async move { library.wait_stored(asset.id, far()).await })
                })
                .collect();
            library.store(asset.id, whole(&picture(1, 100)), None).await.unwrap();
            for waiter in waiters {
                assert_eq!(waiter.await.unwrap().unwrap().unwrap().state, State::Stored);
            }
        }
        room.end().await;
    }
}

#[tokio::test]
async fn i7_a_waiter_gives_up_at_its_deadline_and_when_all_is_lost() {
    let room = Room::sqlite().await;
    let asset = room.pending(Kind::Image, "users/a/1.png").await;
    let soon = Instant::now() + Duration::from_millis(20);
    assert_eq!(room.library.wait_stored(asset.id, soon).await.unwrap(), None);
    assert!(Instant::now() >= soon);
    let waiting = tokio::spawn({
        let library = room.library.clone();
        async move { library.wait_stored(asset.id, far()).await }
    });
    room.library.fail(asset.id, Code::MediaUnavailable).await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), None);
    assert_eq!(room.library.wait_stored(uuid::Uuid::now_v7(), far()).await.unwrap(), None);
    room.end().await;
}
