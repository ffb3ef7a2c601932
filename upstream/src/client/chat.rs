//! The body of `POST /rest/app-chat/conversations/new` (protocol page "grok-web" §3).

use grok2api_config::Settings;
use serde::{Serialize, Serializer};

use crate::error::{ErrorKind, UpstreamError};

/// What a video prompt ends in.
const VIDEO_MODE: &str = " --mode=custom";

/// Pictures drawn in one turn.
const IMAGES_PER_TURN: u8 = 2;

/// What the body holds beside the prompt, in bytes, roughly.
const FRAME_BYTES: usize = 1024;

/// One question to the upstream.
#[derive(Debug, Clone, Copy)]
pub struct ChatCall<'a> {
    /// The upstream's model id.
    pub model_name: &'a str,
    /// The upstream's mode, for example `MODEL_MODE_FAST`.
    pub model_mode: &'a str,
    /// The whole prompt.
    pub message: &'a str,
    /// Ids of files uploaded with the same account.
    pub file_attachments: &'a [String],
    /// Makes a video; takes at most one attachment.
    pub video: bool,
    /// Allows searching the web and X.
    pub search: bool,
    /// Allows drawing pictures.
    pub image_generation: bool,
}

/// Writes the body straight into bytes.
pub(super) fn request_body(call: &ChatCall<'_>, settings: &Settings) -> Result<Vec<u8>, UpstreamError> {
    if call.video && call.file_attachments.len() > 1 {
        return Err(UpstreamError::new(ErrorKind::InvalidRequest, "a video is made from one picture at most"));
    }
    let mut bytes = Vec::with_capacity(call.message.len() + call.message.len() / 8 + FRAME_BYTES);
    serde_json::to_writer(&mut bytes, &Body::new(call, settings))
        .map_err(|_| UpstreamError::new(ErrorKind::InvalidRequest, "the prompt cannot be sent"))?;
    Ok(bytes)
}

/// All members that the upstream's own page sends, in its order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "the upstream's wire format")]
struct Body<'a> {
    temporary: bool,
    model_name: &'a str,
    message: Message<'a>,
    file_attachments: &'a [String],
    image_attachments: [(); 0],
    disable_search: bool,
    enable_image_generation: bool,
    return_image_bytes: bool,
    return_raw_grok_in_xai_request: bool,
    enable_image_streaming: bool,
    image_generation_count: u8,
    force_concise: bool,
    tool_overrides: ToolOverrides,
    enable_side_by_side: bool,
    send_final_metadata: bool,
    is_reasoning: bool,
    webpage_urls: [(); 0],
    disable_text_follow_ups: bool,
    response_metadata: ResponseMetadata<'a>,
    disable_memory: bool,
    force_side_by_side: bool,
    model_mode: &'a str,
    is_async_chat: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolOverrides {
    #[serde(skip_serializing_if = "Option::is_none")]
    video_gen: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    web_search: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x_search: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResponseMetadata<'a> {
    request_model_details: RequestModelDetails<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestModelDetails<'a> {
    model_id: &'a str,
}

impl<'a> Body<'a> {
    fn new(call: &'a ChatCall<'a>, settings: &Settings) -> Self {
        let no_search = (!call.search).then_some(false);
        Self {
            temporary: settings.grok.temporary,
            model_name: call.model_name,
            message: Message(call),
            file_attachments: call.file_attachments,
            image_attachments: [],
            disable_search: !call.search,
            enable_image_generation: call.image_generation,
            return_image_bytes: false,
            return_raw_grok_in_xai_request: false,
            enable_image_streaming: true,
            image_generation_count: IMAGES_PER_TURN,
            force_concise: false,
            tool_overrides: ToolOverrides {
                video_gen: call.video.then_some(true),
                web_search: no_search,
                x_search: no_search,
            },
            // Two answers in one stream cost twice and only one can be shown.
            enable_side_by_side: false,
            send_final_metadata: true,
            is_reasoning: false,
            webpage_urls: [],
            disable_text_follow_ups: true,
            response_metadata: ResponseMetadata {
                request_model_details: RequestModelDetails { model_id: call.model_name },
            },
            disable_memory: settings.chat.disable_memory,
            force_side_by_side: false,
            model_mode: call.model_mode,
            is_async_chat: false,
        }
    }
}

/// The prompt, and what a video's ends in, written without joining them first.
struct Message<'a>(&'a ChatCall<'a>);

impl Serialize for Message<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.0.message;
        if self.0.video {
            serializer.collect_str(&format_args!("{text}{VIDEO_MODE}"))
        } else {
            serializer.serialize_str(text)
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;
    use serde_json::{Value, json};

    const CALL: ChatCall<'static> = ChatCall {
        model_name: "grok-3",
        model_mode: "MODEL_MODE_FAST",
        message: "Hello",
        file_attachments: &[],
        video: false,
        search: true,
        image_generation: true,
    };

    fn sent(call: &ChatCall<'_>, settings: &Settings) -> Value {
        serde_json::from_slice(&request_body(call, settings).unwrap()).unwrap()
    }

    #[test]
    fn a_plain_question_is_the_seeds_body_with_our_two_changes() {
        // Protocol page §3.1, with enableSideBySide off and disableMemory on.
        let text = r#"{"temporary":true,"modelName":"grok-3","message":"Hello","fileAttachments":[],"imageAttachments":[],"disableSearch":false,"enableImageGeneration":true,"returnImageBytes":false,"returnRawGrokInXaiRequest":false,"enableImageStreaming":true,"imageGenerationCount":2,"forceConcise":false,"toolOverrides":{},"enableSideBySide":false,"sendFinalMetadata":true,"isReasoning":false,"webpageUrls":[],"disableTextFollowUps":true,"responseMetadata":{"requestModelDetails":{"modelId":"grok-3"}},"disableMemory":true,"forceSideBySide":false,"modelMode":"MODEL_MODE_FAST","isAsyncChat":false}"#;
        assert_eq!(String::from_utf8(request_body(&CALL, &Settings::default()).unwrap()).unwrap(), text);
    }

    #[test]
    fn settings_decide_about_memory_and_history() {
        let mut settings = Settings::default();
        settings.chat.disable_memory = false;
        settings.grok.temporary = false;
        let body = sent(&CALL, &settings);
        assert_eq!((&body["disableMemory"], &body["temporary"]), (&json!(false), &json!(false)));
    }

    #[test]
    fn search_and_drawing_can_be_forbidden() {
        let body = sent(&ChatCall { search: false, image_generation: false, ..CALL }, &Settings::default());
        assert_eq!(body["disableSearch"], true);
        assert_eq!(body["enableImageGeneration"], false);
        assert_eq!(body["toolOverrides"], json!({"webSearch": false, "xSearch": false}));
    }

    #[test]
    fn a_video_has_its_mode_and_at_most_one_picture() {
        let files = ["f-1".to_owned(), "f-2".to_owned()];
        let call = ChatCall { message: "a \"red\" kite\n", video: true, file_attachments: &files[..1], ..CALL };
        let body = sent(&call, &Settings::default());
        assert_eq!(body["message"], "a \"red\" kite\n --mode=custom");
        assert_eq!(body["toolOverrides"], json!({"videoGen": true}));
        assert_eq!(body["fileAttachments"], json!(["f-1"]));
        let error = request_body(&ChatCall { file_attachments: &files, ..call }, &Settings::default()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidRequest);
    }

    #[test]
    fn any_text_is_carried_unharmed() {
        let message = "Zeile 1\nπ 漢字 🎈 \u{0} \u{7f} \u{2028} </script> \"\\";
        assert_eq!(sent(&ChatCall { message, ..CALL }, &Settings::default())["message"], message);
        assert_eq!(
            sent(&ChatCall { message, video: true, ..CALL }, &Settings::default())["message"],
            format!("{message}{VIDEO_MODE}")
        );
    }
}
