//! Keeping within limits, and noticing damage.

use std::time::{Duration, SystemTime};

use futures_util::{StreamExt, TryStreamExt, stream};
use grok2api_config::Settings;
use grok2api_entity::asset::{Kind, State};
use grok2api_media::{Checked, Cleared, Shelf, Size};
use tokio::sync::watch;

use crate::room::{Room, picture, read, video, whole};

const MIB: usize = 1 << 20;

fn limit(room: &Room, images_mb: u64, videos_mb: u64) {
    let mut settings = Settings::default();
    settings.global.image_cache_max_size_mb = images_mb;
    settings.global.video_cache_max_size_mb = videos_mb;
    room.settings.store(settings);
}

#[tokio::test]
async fn m17_the_least_recently_used_go_until_the_rest_fits() {
    for room in Room::everywhere().await {
        limit(&room, 2, 1);
        let mut images = Vec::new();
        for number in 0..4 {
            let kind = if number == 3 { Kind::Preview } else { Kind::Image };
            let bytes = picture(number, MIB);
            images.push(room.stored(kind, &format!("users/a/{number}.png"), &bytes).await);
        }
        let film = room.stored(Kind::Video, "users/a/v.mp4", &video(1, MIB)).await;
        let sizes = room.library.sizes().await.unwrap();
        assert_eq!(sizes.images, Size { files: 4, bytes: 4 << 20 });
        assert_eq!(sizes.videos, Size { files: 1, bytes: 1 << 20 });
        assert_eq!(room.library.sweep().await.unwrap().images, Cleared::default(), "all of them are in use");
        for (asset, minutes) in images.iter().zip([10, 40, 20, 30]) {
            room.age(asset.id, minutes).await;
        }
        room.age(film.id, 60).await;
        let swept = room.library.sweep().await.unwrap();
        assert_eq!((swept.images, swept.videos), (Cleared { files: 2, bytes: 2 << 20 }, Cleared::default()));
        for (asset, state) in images.iter().zip([State::Stored, State::Evicted, State::Stored, State::Evicted]) {
            let row = room.row(asset.id).await;
            assert_eq!((row.state, room.file_of(asset).exists()), (state, state == State::Stored));
            assert_eq!(row.storage_key.is_some(), state == State::Stored);
        }
        let again = room.library.store(images[1].id, whole(&picture(1, MIB)), None).await.unwrap();
        assert_eq!(read(&room.library, &again).await.unwrap(), picture(1, MIB));
        room.end().await;
    }
}

#[tokio::test]
async fn a_use_is_written_later_and_saves_from_eviction() {
    for room in Room::everywhere().await {
        limit(&room, 1, 1);
        let used = room.stored(Kind::Image, "users/a/1.png", &picture(1, MIB)).await;
        let unused = room.stored(Kind::Image, "users/a/2.png", &picture(2, MIB)).await;
        room.age(used.id, 20).await;
        room.age(unused.id, 10).await;
        for _ in 0..1000 {
            room.library.touch(used.id);
        }
        assert_eq!(room.library.flush_touches().await.unwrap(), 1);
        assert_eq!(room.library.flush_touches().await.unwrap(), 0);
        room.library.sweep().await.unwrap();
        assert_eq!(room.row(used.id).await.state, State::Stored);
        assert_eq!(room.row(unused.id).await.state, State::Evicted);
        room.end().await;
    }
}

#[tokio::test]
async fn f63_bytes_that_another_asset_shares_stay() {
    let room = Room::sqlite().await;
    limit(&room, 1, 1);
    let bytes = picture(1, MIB);
    let old = room.stored(Kind::Image, "users/a/1.png", &bytes).await;
    let new = room.stored(Kind::Image, "users/a/2.png", &bytes).await;
    room.age(old.id, 10).await;
    assert_eq!(room.library.sweep().await.unwrap().images.files, 1);
    assert_eq!(room.row(old.id).await.state, State::Evicted);
    assert_eq!(read(&room.library, &room.row(new.id).await).await.unwrap(), bytes);
    assert_eq!(room.library.clear(Shelf::Images).await.unwrap(), Cleared { files: 1, bytes: 1 << 20 });
    assert_eq!(room.files().len(), 0);
    room.end().await;
}

#[tokio::test]
async fn f63_a_reader_that_has_opened_a_file_reads_it_to_its_end() {
    let room = Room::sqlite().await;
    let bytes = video(1, 3 * MIB);
    let asset = room.stored(Kind::Video, "users/a/v.mp4", &bytes).await;
    let mut pieces = room.library.open(&asset, None).await.unwrap().unwrap();
    let first = pieces.try_next().await.unwrap().unwrap();
    room.library.clear(Shelf::Videos).await.unwrap();
    assert!(!room.file_of(&asset).exists());
    let rest: Vec<_> = pieces.try_collect().await.unwrap();
    assert_eq!([first.to_vec(), rest.concat()].concat(), bytes);
    assert!(room.library.open(&asset, None).await.unwrap().is_none());
    room.end().await;
}

#[tokio::test]
async fn f63_a_thousand_readers_see_whole_files_or_none_while_a_cleaner_and_a_storer_run() {
    let room = Room::sqlite().await;
    let bytes = picture(3, 200_000);
    let asset = room.stored(Kind::Image, "users/a/1.png", &bytes).await;
    let (progress, mut seen) = watch::channel(0_usize);
    let cleaner = tokio::spawn({
        let (library, other, bytes) = (room.library.clone(), room.second(), bytes.clone());
        async move {
            for round in 1..50 {
                seen.wait_for(|reads| *reads >= round * 20).await.unwrap();
                library.clear(Shelf::Images).await.unwrap();
                other.store(asset.id, whole(&bytes), None).await.unwrap();
            }
        }
    });
    let one = async |_| {
        let row = room.library.get(asset.id).await.unwrap().unwrap();
        let found = read(&room.library, &row).await;
        progress.send_modify(|reads| *reads += 1);
        found.map(|found| assert_eq!(found, bytes)).is_some()
    };
    let reads: Vec<bool> = stream::iter(0..1000).map(one).buffer_unordered(10).collect().await;
    cleaner.await.unwrap();
    assert!(reads.iter().filter(|is_whole| **is_whole).count() > 100);
    let row = room.row(asset.id).await;
    assert_eq!((row.state, read(&room.library, &row).await.unwrap()), (State::Stored, bytes.to_vec()));
    assert_eq!(room.files(), [room.file_of(&row)]);
    room.end().await;
}

#[tokio::test]
async fn f64_a_missing_or_cut_file_is_noticed_when_it_is_opened_and_can_be_fetched_again() {
    for room in Room::everywhere().await {
        let bytes = picture(1, 400_000);
        let asset = room.stored(Kind::Image, "users/a/1.png", &bytes).await;
        std::fs::write(room.file_of(&asset), &bytes[..300_000]).unwrap();
        assert!(room.library.open(&asset, Some(0..10)).await.unwrap().is_none());
        assert_eq!(room.row(asset.id).await.state, State::Evicted);
        let again = room.library.store(asset.id, whole(&bytes), None).await.unwrap();
        assert_eq!(read(&room.library, &again).await.unwrap(), bytes);
        std::fs::remove_file(room.file_of(&again)).unwrap();
        assert!(room.library.open(&again, None).await.unwrap().is_none());
        assert_eq!(room.row(asset.id).await.state, State::Evicted);
        room.end().await;
    }
}

#[tokio::test]
async fn f64_a_cut_file_that_nobody_opened_is_replaced_by_the_next_store_of_its_bytes() {
    let room = Room::sqlite().await;
    let bytes = picture(1, 400_000);
    let first = room.stored(Kind::Image, "users/a/1.png", &bytes).await;
    std::fs::write(room.file_of(&first), &bytes[..300_000]).unwrap();
    let second = room.stored(Kind::Image, "users/a/2.png", &bytes).await;
    assert_eq!(read(&room.library, &second).await.unwrap(), bytes);
    assert_eq!(read(&room.library, &first).await.unwrap(), bytes);
    room.end().await;
}

#[tokio::test]
async fn f64_a_flipped_bit_is_found_by_the_check_in_its_turn() {
    for room in Room::everywhere().await {
        let mut assets = Vec::new();
        for number in 0..5 {
            let bytes = picture(number, 100_000);
            assets.push(room.stored(Kind::Image, &format!("users/a/{number}.png"), &bytes).await);
        }
        let mut damaged = picture(2, 100_000).to_vec();
        damaged[50_000] ^= 0x10;
        std::fs::write(room.file_of(&assets[2]), damaged).unwrap();
        let (mut found, mut hashed) = (0, 0);
        for _ in 0..5 {
            let checked = room.library.check(100_000).await.unwrap();
            found += checked.damaged;
            hashed += checked.hashed;
        }
        assert_eq!((found, hashed), (1, 5));
        for (number, asset) in assets.iter().enumerate() {
            let expected = if number == 2 { State::Evicted } else { State::Stored };
            assert_eq!(room.row(asset.id).await.state, expected);
        }
        let again = room.library.store(assets[2].id, whole(&picture(2, 100_000)), None).await.unwrap();
        assert_eq!(read(&room.library, &again).await.unwrap(), picture(2, 100_000));
        room.end().await;
    }
}

#[tokio::test]
async fn f63_what_no_row_knows_and_no_process_finished_goes_after_an_hour() {
    for room in Room::everywhere().await {
        let asset = room.stored(Kind::Image, "users/a/1.png", &picture(1, 1000)).await;
        let known = room.file_of(&asset);
        let orphans = ["ff", "0a"].map(|start| format!("{start}/{start}{}", "0".repeat(62)));
        let places = [orphans[0].as_str(), orphans[1].as_str(), "tmp/a.part", "tmp/b.part"]
            .map(|place| room.home.path().join(place));
        let strangers = ["notes.txt", "ff/readme"].map(|place| room.home.path().join(place));
        let old = SystemTime::now() - Duration::from_secs(2 * 60 * 60);
        for (number, place) in places.iter().chain(&strangers).chain([&known]).enumerate() {
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            let file = std::fs::File::options().create(true).append(true).open(place).unwrap();
            // The second and the fourth may still be at work.
            if number != 1 && number != 3 {
                file.set_modified(old).unwrap();
            }
        }
        let checked = room.library.check(0).await.unwrap();
        assert_eq!(checked, Checked { objects: 3, orphans: 1, temporaries: 1, ..Checked::default() });
        let left: Vec<bool> = places.iter().map(|place| place.exists()).collect();
        assert_eq!(left, [false, true, false, true]);
        assert!(known.exists() && strangers.iter().all(|place| place.exists()));
        room.end().await;
    }
}
