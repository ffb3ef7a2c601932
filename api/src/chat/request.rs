//! `POST /v1/chat/completions`: what clients send.

use poem_openapi::Object;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::types::Type;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::json_type::{Either, Ignored, JsonText, OneOrMany, TextOrList, inline, json_type, list, one_of};

/// A chat completion request. Members that are not listed are ignored.
#[derive(Debug, Deserialize, Object)]
#[oai(write_only_all)]
pub(crate) struct CreateChatCompletion {
    /// Id of a model of `/v1/models`.
    pub model: String,
    /// The conversation so far, at least one message.
    #[oai(validator(min_items = 1))]
    pub messages: Vec<ChatMessage>,
    /// Whether to stream the answer as server-sent events.
    #[oai(nullable)]
    pub stream: Option<bool>,
    /// Only with `stream: true`.
    #[oai(nullable)]
    pub stream_options: Option<StreamOptions>,
    /// Up to four sequences that end the answer; they are not part of it.
    #[oai(nullable)]
    pub stop: Option<OneOrMany>,
    /// Number of answers.
    #[oai(nullable, validator(minimum(value = "1")))]
    pub n: Option<i64>,
    /// Form the answer must have.
    #[oai(nullable)]
    pub response_format: Option<ResponseFormatIn>,
    /// Functions the model may ask the client to call.
    #[oai(nullable)]
    pub tools: Option<Vec<ToolIn>>,
    /// `none`, `auto`, `required`, or one function by name.
    #[oai(nullable)]
    pub tool_choice: Option<ToolChoiceIn>,
    /// Whether several calls may come in one answer.
    #[oai(nullable)]
    pub parallel_tool_calls: Option<bool>,
    /// Older form of `tools`.
    #[oai(nullable)]
    pub functions: Option<Vec<FunctionIn>>,
    /// Older form of `tool_choice`.
    #[oai(nullable)]
    pub function_call: Option<ToolChoiceIn>,
    /// Keeps web search on for this request, whatever the settings say.
    #[oai(nullable)]
    pub web_search_options: Option<Ignored>,
    /// How reasoning is shown: `reasoning_content`, `think_tags` or `hidden`. An extension of this gateway.
    #[oai(nullable)]
    pub reasoning_format: Option<String>,
    /// Accepted; how long a model thinks is decided by the choice of model.
    #[oai(nullable)]
    pub reasoning_effort: Option<String>,
    /// Accepted and ignored: `low`, `medium` or `high`.
    #[oai(nullable)]
    pub verbosity: Option<String>,
    /// Checked (0 to 2) and ignored.
    #[oai(nullable, validator(minimum(value = "0"), maximum(value = "2")))]
    pub temperature: Option<f64>,
    /// Checked (0 to 1) and ignored.
    #[oai(nullable, validator(minimum(value = "0"), maximum(value = "1")))]
    pub top_p: Option<f64>,
    /// Checked (-2 to 2) and ignored.
    #[oai(nullable, validator(minimum(value = "-2"), maximum(value = "2")))]
    pub presence_penalty: Option<f64>,
    /// Checked (-2 to 2) and ignored.
    #[oai(nullable, validator(minimum(value = "-2"), maximum(value = "2")))]
    pub frequency_penalty: Option<f64>,
    /// Checked (at least 1) and ignored: the upstream takes no limit.
    #[oai(nullable, validator(minimum(value = "1")))]
    pub max_completion_tokens: Option<i64>,
    /// Older name of `max_completion_tokens`.
    #[oai(nullable, validator(minimum(value = "1")))]
    pub max_tokens: Option<i64>,
    /// Refused when true: the upstream gives no probabilities.
    #[oai(nullable)]
    pub logprobs: Option<bool>,
    /// Refused when above 0.
    #[oai(nullable)]
    pub top_logprobs: Option<i64>,
    /// Refused when `audio` is among them.
    #[oai(nullable)]
    pub modalities: Option<Vec<String>>,
    /// Refused.
    #[oai(nullable)]
    pub audio: Option<Ignored>,
    /// Ignored.
    #[oai(nullable)]
    pub seed: Option<Ignored>,
    /// Ignored.
    #[oai(nullable)]
    pub logit_bias: Option<Ignored>,
    /// The end user. Names the conversation when nothing else does: it stays with one account while that can serve.
    #[oai(nullable)]
    pub user: Option<Text>,
    /// Ignored.
    #[oai(nullable)]
    pub safety_identifier: Option<Ignored>,
    /// Names the conversation, unless a header does (`x-session-affinity`, `x-conversation-id`, `x-session-id`).
    #[oai(nullable)]
    pub prompt_cache_key: Option<Text>,
    /// Ignored.
    #[oai(nullable)]
    pub metadata: Option<Ignored>,
    /// Ignored.
    #[oai(nullable)]
    pub service_tier: Option<Ignored>,
    /// Ignored: nothing is stored.
    #[oai(nullable)]
    pub store: Option<Ignored>,
    /// Ignored.
    #[oai(nullable)]
    pub prediction: Option<Ignored>,
}

/// A string; anything else is accepted and ignored.
#[derive(Debug, Clone, Default)]
pub(crate) struct Text(pub Option<String>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(serde_json::from_str(raw.get()).ok()))
    }
}

json_type!(Text, "Text", {
    let mut schema = MetaSchema::ANY;
    schema.description = Some("A string; anything else is accepted and ignored.");
    schema
});

/// Options of a stream.
#[derive(Debug, Clone, Copy, Deserialize, Object)]
#[oai(write_only_all)]
pub(crate) struct StreamOptions {
    /// Whether the last chunk carries the (estimated) token usage.
    #[oai(nullable)]
    pub include_usage: Option<bool>,
}

/// One message of the conversation.
#[derive(Debug, Deserialize, Object)]
#[oai(write_only_all)]
pub(crate) struct ChatMessage {
    /// `system`, `developer`, `user`, `assistant`, `tool` or `function`.
    pub role: String,
    /// Text, or a list of parts.
    #[oai(nullable)]
    pub content: Option<Content>,
    /// Ignored, but for the older role `function`.
    #[oai(nullable)]
    pub name: Option<String>,
    /// Calls an assistant message asked for.
    #[oai(nullable)]
    pub tool_calls: Option<Vec<ToolCallIn>>,
    /// The call whose result a tool message carries.
    #[oai(nullable)]
    pub tool_call_id: Option<String>,
    /// Older form of `tool_calls`.
    #[oai(nullable)]
    pub function_call: Option<FunctionCallIn>,
}

/// What a message says.
#[derive(Debug)]
pub(crate) enum Content {
    /// Plain text.
    Text(String),
    /// Text, pictures and files in order.
    Parts(Vec<ContentPart>),
}

json_type!(
    Content,
    "MessageContent",
    one_of(
        "Plain text, or a list of parts.",
        vec![inline(MetaSchema::new("string")), list(<ContentPart as Type>::schema_ref())]
    ),
    ContentPart
);

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrList(std::marker::PhantomData)).map(|either| match either {
            Either::Text(text) => Self::Text(text),
            Either::List(parts) => Self::Parts(parts),
        })
    }
}

/// A part of a message.
#[derive(Debug, Deserialize, Object)]
#[oai(write_only_all)]
pub(crate) struct ContentPart {
    /// `text`, `image_url` or `file`.
    #[serde(rename = "type")]
    #[oai(rename = "type")]
    pub kind: String,
    /// Of a part of type `text`.
    #[oai(nullable)]
    pub text: Option<String>,
    /// Of a part of type `image_url`.
    #[oai(nullable)]
    pub image_url: Option<ImageUrl>,
    /// Of a part of type `file`.
    #[oai(nullable)]
    pub file: Option<FileIn>,
    /// Of a part of type `refusal` in an assistant message.
    #[oai(nullable)]
    pub refusal: Option<String>,
}

/// A picture: `{"url": …}`, or the address alone.
#[derive(Debug)]
pub(crate) struct ImageUrl {
    /// An `https` address or a `data:` URL.
    pub url: String,
}

json_type!(
    ImageUrl,
    "ImageUrl",
    one_of(
        "A picture: an object with its `url` (an https address or a data URL; `detail` is ignored), or the address alone.",
        vec![inline(MetaSchema::new("string")), inline(object_with("url"))]
    )
);

impl<'de> Deserialize<'de> for ImageUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Address;
        impl<'de> Visitor<'de> for Address {
            type Value = ImageUrl;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object with a `url`, or a string")
            }

            fn visit_str<E: de::Error>(self, url: &str) -> Result<ImageUrl, E> {
                Ok(ImageUrl { url: url.to_owned() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ImageUrl, A::Error> {
                #[derive(Deserialize)]
                struct Fields {
                    url: String,
                }
                let fields = Fields::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(ImageUrl { url: fields.url })
            }
        }
        deserializer.deserialize_any(Address)
    }
}

/// A file sent along.
#[derive(Debug, Deserialize, Object)]
#[oai(write_only_all)]
pub(crate) struct FileIn {
    /// A `data:` URL or base64.
    #[oai(nullable)]
    pub file_data: Option<String>,
    /// Refused: files are not stored.
    #[oai(nullable)]
    pub file_id: Option<String>,
    /// Name of the file.
    #[oai(nullable)]
    pub filename: Option<String>,
}

/// Form an answer must have.
#[derive(Debug, Deserialize, Object)]
#[oai(write_only_all)]
pub(crate) struct ResponseFormatIn {
    /// `text`, `json_object` or `json_schema`.
    #[serde(rename = "type")]
    #[oai(rename = "type")]
    pub kind: String,
    /// With type `json_schema`.
    #[oai(nullable)]
    pub json_schema: Option<JsonSchemaIn>,
}

/// A named JSON schema.
#[derive(Debug, Deserialize, Object)]
#[oai(write_only_all)]
pub(crate) struct JsonSchemaIn {
    /// Name of the schema.
    pub name: String,
    /// The schema; without one any JSON object will do.
    #[oai(nullable)]
    pub schema: Option<JsonText>,
    /// Whether the answer must fit exactly.
    #[oai(nullable)]
    pub strict: Option<bool>,
}

/// A tool.
#[derive(Debug, Deserialize, Object)]
#[oai(write_only_all)]
pub(crate) struct ToolIn {
    /// `function`.
    #[serde(rename = "type")]
    #[oai(rename = "type")]
    pub kind: String,
    /// With type `function`.
    #[oai(nullable)]
    pub function: Option<FunctionIn>,
}

/// A function of the client.
#[derive(Debug, Deserialize, Object)]
#[oai(write_only_all)]
pub(crate) struct FunctionIn {
    /// Letters, digits, `_`, `-` and `.`, at most 64.
    pub name: String,
    /// What it does.
    #[oai(nullable)]
    pub description: Option<String>,
    /// JSON schema of its arguments.
    #[oai(nullable)]
    pub parameters: Option<JsonText>,
    /// Whether arguments must fit the schema.
    #[oai(nullable)]
    pub strict: Option<bool>,
}

/// A tool call in an earlier assistant message.
#[derive(Debug, Deserialize, Object)]
#[oai(write_only_all)]
pub(crate) struct ToolCallIn {
    /// Id of the call.
    pub id: String,
    /// The function that was called.
    pub function: FunctionCallIn,
}

/// A called function.
#[derive(Debug, Deserialize, Object)]
#[oai(write_only_all)]
pub(crate) struct FunctionCallIn {
    /// Its name.
    pub name: String,
    /// JSON text.
    pub arguments: String,
}

/// `none`, `auto`, `required`, or a function by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ToolChoiceIn {
    /// A word.
    Mode(String),
    /// A function.
    Function(String),
}

json_type!(
    ToolChoiceIn,
    "ToolChoice",
    one_of(
        "`none`, `auto`, `required`, or an object that names one function.",
        vec![inline(MetaSchema::new("string")), inline(MetaSchema::new("object"))]
    )
);

impl<'de> Deserialize<'de> for ToolChoiceIn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Choice;
        impl<'de> Visitor<'de> for Choice {
            type Value = ToolChoiceIn;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or an object that names a function")
            }

            fn visit_str<E: de::Error>(self, mode: &str) -> Result<ToolChoiceIn, E> {
                Ok(ToolChoiceIn::Mode(mode.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ToolChoiceIn, A::Error> {
                #[derive(Deserialize)]
                struct Named {
                    name: String,
                }
                #[derive(Deserialize)]
                struct Fields {
                    function: Option<Named>,
                    name: Option<String>,
                }
                let fields = Fields::deserialize(de::value::MapAccessDeserializer::new(map))?;
                fields
                    .function
                    .map(|named| named.name)
                    .or(fields.name)
                    .map(ToolChoiceIn::Function)
                    .ok_or_else(|| de::Error::missing_field("function"))
            }
        }
        deserializer.deserialize_any(Choice)
    }
}

fn object_with(member: &'static str) -> MetaSchema {
    let mut schema = MetaSchema::new("object");
    schema.properties = vec![(member, MetaSchemaRef::Inline(Box::new(MetaSchema::new("string"))))];
    schema.required = vec![member];
    schema
}
