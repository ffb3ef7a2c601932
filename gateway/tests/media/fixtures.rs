//! The recordings of pictures and videos, as the answers to requests for them.

use std::path::Path;

use grok2api_gateway::media::MediaKind;
use grok2api_gateway::upstream::event::FinishReason;
use serde_json::Value;

use crate::house::{House, Notes, request};

fn expected(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures");
    let text = std::fs::read_to_string(folder.join(format!("{name}.expected.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().map(|text| text.as_str().unwrap()).collect()
}

#[tokio::test]
async fn r12_r13_recordings_give_the_expected_pictures_and_videos() {
    let house = House::with(&["ann"]).await;
    for (name, kind) in [
        ("04-image-generation", MediaKind::ImageGenerate),
        ("05-image-moderated-partial", MediaKind::ImageGenerate),
        ("06-image-moderated-all", MediaKind::ImageGenerate),
        ("07-video-progress", MediaKind::Video),
        ("08-video-moderated", MediaKind::Video),
        ("23-image-edit", MediaKind::ImageEdit),
    ] {
        let expected = expected(name);
        for cut in ["", "pieces=1", "pieces=7"] {
            let mut stream =
                house.submit(&request(kind, &format!("fixture:{name} {cut}")), &Notes::of(&house)).await.unwrap();
            stream.run_to_end().await.unwrap();
            assert!(stream.upstream_id().is_some(), "{name}");
            let answer = stream.into_sink();
            assert_eq!(answer.images, texts(&expected["images"]), "{name} {cut}");
            assert_eq!(answer.videos, texts(&expected["videos"]), "{name} {cut}");
            let progress: Vec<u64> = answer.video_progress.iter().map(|percent| u64::from(*percent)).collect();
            let told = expected["video_progress"].as_array().into_iter().flatten();
            assert_eq!(progress, told.map(|percent| percent.as_u64().unwrap()).collect::<Vec<_>>(), "{name} {cut}");
            let finish = match expected["finish_reason"].as_str().unwrap() {
                "stop" => FinishReason::Stop,
                "content_filter" => FinishReason::ContentFilter,
                other => panic!("{other}"),
            };
            assert_eq!(answer.finish, Some(finish), "{name} {cut}");
        }
    }
}
