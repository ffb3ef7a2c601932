//! What the upstream is told for each kind of request, and what the request costs.

use grok2api_gateway::GatewayError;
use grok2api_gateway::media::{AspectRatio, MediaError, MediaKind, MediaRequest};
use serde_json::json;

use crate::house::{House, a_picture, request};

#[tokio::test]
async fn a_picture_is_asked_for_in_words_that_draw() {
    let house = House::with(&["ann"]).await;
    let mut wanted = request(MediaKind::ImageGenerate, "  a red kite\n");
    wanted.aspect_ratio = AspectRatio::of_size("1024x1792");
    let answer = house.collect(&wanted).await;
    assert_eq!(answer.images.len(), 2);
    let call = house.sim.last_chat().unwrap();
    let message = "Generate an image: a red kite\n\nAspect ratio: 2:3 (portrait format).";
    assert_eq!((call.text("message"), call.text("modelName")), (Some(message), Some("grok-3")));
    assert_eq!((&call.body["enableImageGeneration"], &call.body["disableSearch"]), (&json!(true), &json!(true)));
    assert_eq!(call.body["fileAttachments"], json!([]));
}

#[tokio::test]
async fn an_edit_brings_its_pictures_along() {
    let house = House::with(&["ann"]).await;
    let answer = house.collect(&request(MediaKind::ImageEdit, "make the sky green")).await;
    assert_eq!((answer.images.len(), house.sim.account("ann").uploads), (1, 1));
    let call = house.sim.last_chat().unwrap();
    assert_eq!(call.text("message"), Some("Edit the image: make the sky green"));
    assert_eq!(call.body["fileAttachments"].as_array().unwrap().len(), 1);
    let mut two = request(MediaKind::ImageEdit, "put one beside the other");
    two.attachments.push(a_picture());
    house.collect(&two).await;
    let call = house.sim.last_chat().unwrap();
    assert_eq!(call.text("message"), Some("Edit the images: put one beside the other"));
    assert_eq!(call.body["fileAttachments"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_video_is_asked_for_as_the_page_does() {
    let house = House::with(&["ann"]).await;
    let mut wanted = request(MediaKind::Video, "waves");
    wanted.attachments.push(a_picture());
    let answer = house.collect(&wanted).await;
    assert_eq!((answer.videos.len(), answer.video_progress.last()), (1, Some(&100)));
    let call = house.sim.last_chat().unwrap();
    assert_eq!(call.text("message"), Some("waves --mode=custom"));
    assert_eq!(
        (&call.body["toolOverrides"], &call.body["modelMode"]),
        (&json!({"videoGen": true}), &json!("MODEL_MODE_FAST"))
    );
    assert_eq!(call.body["fileAttachments"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_drawing_turn_costs_four_units_and_a_video_one() {
    let house = House::with(&["ann"]).await;
    house.collect(&request(MediaKind::ImageGenerate, "a kite")).await;
    assert_eq!((house.left("ann", "grok-3"), house.sim.remaining("ann", "grok-3")), (76, Some(76)));
    house.collect(&request(MediaKind::Video, "waves")).await;
    assert_eq!((house.left("ann", "grok-3"), house.sim.remaining("ann", "grok-3")), (75, Some(75)));
    let mut expert = request(MediaKind::ImageGenerate, "a kite");
    expert.model = Some("grok-4-expert".to_owned());
    house.collect(&expert).await;
    assert_eq!(house.left("ann", "grok-4"), 76);
}

#[tokio::test]
async fn an_account_with_three_units_left_draws_nothing_more() {
    let house = House::with(&["ann"]).await;
    for _ in 0..19 {
        house.collect(&request(MediaKind::ImageGenerate, "a kite")).await;
    }
    house.collect(&request(MediaKind::Video, "waves")).await;
    let drawing = house.gateway.prepare_media(&request(MediaKind::ImageGenerate, "a kite")).unwrap();
    let refused = house.gateway.start(&drawing, grok2api_gateway::upstream::collect::Collector::default()).await;
    assert!(matches!(refused.err(), Some(GatewayError::AccountsLimited { .. })));
    assert_eq!(house.left("ann", "grok-3"), 3);
    house.collect(&request(MediaKind::Video, "waves")).await;
}

#[tokio::test]
async fn what_no_account_could_carry_out_is_refused_before_any_is_asked() {
    let house = House::changed(&["ann"], |settings| settings.chat.max_prompt_chars = 1_000).await;
    let refused = |request: &MediaRequest| match house.gateway.prepare_media(request) {
        Err(GatewayError::Media(fault)) => fault,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("not refused"),
    };
    let picture = |prompt: &str| request(MediaKind::ImageGenerate, prompt);
    assert_eq!(refused(&picture(" \n")), MediaError::EmptyPrompt);
    assert_eq!(refused(&picture(&"é".repeat(1_001))), MediaError::PromptTooLong { chars: 1_001, max: 1_000 });
    let with = |kind, pictures: usize| MediaRequest { attachments: vec![a_picture(); pictures], ..request(kind, "x") };
    assert_eq!(refused(&with(MediaKind::ImageEdit, 0)), MediaError::NoPicture);
    assert_eq!(refused(&with(MediaKind::ImageEdit, 9)), MediaError::TooManyPictures { max: 8 });
    assert_eq!(refused(&with(MediaKind::Video, 2)), MediaError::TooManyPictures { max: 1 });
    assert_eq!(refused(&with(MediaKind::ImageGenerate, 1)), MediaError::TooManyPictures { max: 0 });
    let of = |kind, model: &str| MediaRequest { model: Some(model.to_owned()), ..request(kind, "x") };
    let wrong = refused(&of(MediaKind::ImageGenerate, "grok-imagine-0.9"));
    assert_eq!(
        (wrong.param(), wrong.to_string().as_str()),
        ("model", "The model `grok-imagine-0.9` makes no pictures.")
    );
    assert!(matches!(refused(&of(MediaKind::Video, "grok-3-fast")), MediaError::WrongModel { wanted: "videos", .. }));
    let unknown = house.gateway.prepare_media(&of(MediaKind::Video, "sora-2"));
    assert!(matches!(unknown.err(), Some(GatewayError::ModelNotFound { .. })));
    assert_eq!(house.sim.total_calls(), 0);
}

#[tokio::test]
async fn the_settings_name_the_models() {
    let house = House::changed(&["ann"], |settings| settings.image.model = "grok-4-fast".to_owned()).await;
    house.collect(&request(MediaKind::ImageGenerate, "a kite")).await;
    assert_eq!(house.sim.last_chat().unwrap().text("modelName"), Some("grok-4-mini-thinking-tahoe"));
    assert_eq!(house.left("ann", "grok-4-mini-thinking-tahoe"), 76);
}
