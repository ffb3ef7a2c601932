//! How is each line written? The shapes of protocol page "grok-web" §5, members in the upstream's order.

use serde::Serialize;
use serde_json::{Value, json};

/// Every date in an answer: the same question gets the same bytes.
pub(crate) const CREATED: &str = "2025-10-23T03:20:11.512Z";

/// `{"result":{"response":{…}}}` with the members that all events share.
#[derive(Serialize)]
pub(crate) struct Line<'a, T> {
    result: ResultPart<'a, T>,
}

#[derive(Serialize)]
struct ResultPart<'a, T> {
    response: Event<'a, T>,
}

/// One event of an answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event<'a, T> {
    #[serde(flatten)]
    pub(crate) fields: T,
    pub(crate) is_thinking: bool,
    pub(crate) is_soft_stop: bool,
    pub(crate) response_id: &'a str,
    #[serde(flatten)]
    pub(crate) tags: Tags<'a>,
}

/// Members that only some events have.
#[derive(Serialize, Clone, Copy, Default)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tags<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message_tag: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message_step_id: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rollout_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tool_usage_card_id: Option<&'a str>,
}

impl<'a, T> Event<'a, T> {
    /// A plain event: no thinking, no stop, no tags.
    pub(crate) fn new(fields: T, response_id: &'a str) -> Self {
        Self { fields, is_thinking: false, is_soft_stop: false, response_id, tags: Tags::default() }
    }
}

impl<'a, T> From<Event<'a, T>> for Line<'a, T> {
    fn from(response: Event<'a, T>) -> Self {
        Self { result: ResultPart { response } }
    }
}

/// Text of a token line.
#[derive(Serialize)]
pub(crate) struct Token<'a> {
    pub(crate) token: &'a str,
}

/// `userResponse` and `modelResponse`: a whole message of either side.
#[expect(clippy::struct_excessive_bools, reason = "the upstream's members")]
#[expect(clippy::struct_field_names, reason = "the upstream's names")]
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Message<'a> {
    pub(crate) response_id: &'a str,
    pub(crate) message: &'a str,
    pub(crate) sender: &'a str,
    pub(crate) create_time: &'a str,
    pub(crate) parent_response_id: &'a str,
    pub(crate) manual: bool,
    pub(crate) partial: bool,
    pub(crate) shared: bool,
    pub(crate) query: &'a str,
    pub(crate) query_type: &'a str,
    pub(crate) web_search_results: &'a [Value],
    pub(crate) xpost_ids: [&'a str; 0],
    pub(crate) xposts: [&'a str; 0],
    pub(crate) generated_image_urls: &'a [String],
    pub(crate) image_attachments: [&'a str; 0],
    pub(crate) file_attachments: &'a [String],
    pub(crate) card_attachments_json: &'a [String],
    pub(crate) file_uris: [&'a str; 0],
    pub(crate) file_attachments_metadata: [&'a str; 0],
    pub(crate) is_control: bool,
    pub(crate) steps: [&'a str; 0],
    pub(crate) media_types: [&'a str; 0],
    pub(crate) webpage_urls: [&'a str; 0],
    pub(crate) metadata: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ui_layout: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) generated_image_width: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) generated_image_height: Option<u32>,
    pub(crate) model: &'a str,
}

/// The member that holds a message.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Side<'a> {
    UserResponse(Message<'a>),
    ModelResponse(Message<'a>),
}

impl<'a> Message<'a> {
    /// A message with nothing but a text.
    pub(crate) fn new(response_id: &'a str, sender: &'a str, message: &'a str, model: &'a str) -> Self {
        Self {
            response_id,
            message,
            sender,
            create_time: CREATED,
            parent_response_id: "",
            manual: false,
            partial: false,
            shared: false,
            query: "",
            query_type: "",
            web_search_results: &[],
            xpost_ids: [],
            xposts: [],
            generated_image_urls: &[],
            image_attachments: [],
            file_attachments: &[],
            card_attachments_json: &[],
            file_uris: [],
            file_attachments_metadata: [],
            is_control: false,
            steps: [],
            media_types: [],
            webpage_urls: [],
            metadata: json!({}),
            ui_layout: None,
            generated_image_width: None,
            generated_image_height: None,
            model,
        }
    }
}

/// The first line of every answer.
#[derive(Serialize)]
pub(crate) struct ConversationLine<'a> {
    result: ConversationPart<'a>,
}

#[derive(Serialize)]
struct ConversationPart<'a> {
    conversation: Conversation<'a>,
}

#[expect(clippy::struct_field_names, reason = "the upstream's names")]
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Conversation<'a> {
    conversation_id: &'a str,
    title: &'a str,
    starred: bool,
    create_time: &'a str,
    modify_time: &'a str,
    system_prompt_name: &'a str,
    temporary: bool,
    media_types: [&'a str; 0],
    workspaces: [&'a str; 0],
}

impl<'a> ConversationLine<'a> {
    pub(crate) fn new(conversation_id: &'a str, temporary: bool) -> Self {
        let conversation = Conversation {
            conversation_id,
            title: "New conversation",
            starred: false,
            create_time: CREATED,
            modify_time: CREATED,
            system_prompt_name: "",
            temporary,
            media_types: [],
            workspaces: [],
        };
        Self { result: ConversationPart { conversation } }
    }
}
