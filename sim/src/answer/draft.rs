//! How does an answer come to be? Line by line, from the conversation line to the title.

use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::rendered::Rendered;
use super::tokens;
use super::wire::{ConversationLine, Event, Line, Message, Side, Tags, Token};
use crate::identity::{id, seed};
use crate::turn::ChatBody;

/// Where events differ from plain answer events.
#[derive(Clone, Copy, Default)]
pub(crate) struct Kind<'a> {
    pub(crate) thinking: bool,
    pub(crate) tags: Tags<'a>,
}

/// What the closing `modelResponse` holds besides the text.
#[derive(Default)]
pub(crate) struct Extras {
    pub(crate) images: Vec<String>,
    pub(crate) files: Vec<String>,
    pub(crate) web_results: Vec<Value>,
    pub(crate) cards: Vec<String>,
    pub(crate) tools_used: Value,
}

/// An answer while it is written.
pub(crate) struct Draft<'a> {
    turn: &'a ChatBody,
    ids: Ids,
    out: Lines,
    paced_from: usize,
    text: String,
    step: u32,
    stretch: u32,
}

/// Ids of one answer.
struct Ids {
    user_response: String,
    response: String,
}

/// Lines written so far.
struct Lines {
    buffer: Vec<u8>,
    ends: Vec<usize>,
}

impl<'a> Draft<'a> {
    /// Begins an answer: conversation, echo of the message, layout, model.
    pub(crate) fn new(turn: &'a ChatBody, seed: u64) -> Self {
        let mut draft = Self {
            turn,
            ids: Ids {
                user_response: id(seed, "user response").to_string(),
                response: id(seed, "response").to_string(),
            },
            out: Lines { buffer: Vec::with_capacity(turn.message.len() + 8_192), ends: Vec::new() },
            paced_from: 0,
            text: String::new(),
            step: 0,
            stretch: 1,
        };
        let conversation = id(seed, "conversation").to_string();
        draft.out.push(&ConversationLine::new(&conversation, turn.temporary.unwrap_or(true)));
        let message = Message {
            file_attachments: &turn.file_attachments,
            metadata: json!({"requestModelDetails": {"modelId": turn.model_name}}),
            ..Message::new(&draft.ids.user_response, "human", &turn.message, &turn.model_name)
        };
        draft.out.push(&Line::from(Event::new(Side::UserResponse(message), &draft.ids.user_response)));
        draft.event(json!({"uiLayout": layout(turn)}), Kind::default());
        draft.event(json!({"llmInfo": {"modelHash": "simulator=="}}), Kind::default());
        draft.paced_from = draft.out.ends.len();
        draft
    }

    /// An id for a purpose of this answer.
    pub(crate) fn id(&self, purpose: &str) -> Uuid {
        id(seed(&self.ids.response), purpose)
    }

    /// Makes this answer slower than others by a factor.
    pub(crate) fn stretch(&mut self, factor: u32) {
        self.stretch = factor;
    }

    /// Begins the next step of thinking or answering.
    pub(crate) fn next_step(&mut self) {
        self.step += 1;
    }

    /// Writes any event.
    pub(crate) fn event(&mut self, fields: impl Serialize, kind: Kind<'_>) {
        let event = Event { is_thinking: kind.thinking, tags: kind.tags, ..Event::new(fields, &self.ids.response) };
        self.out.push(&Line::from(event));
    }

    /// Writes one token line of the answer as it is.
    pub(crate) fn token(&mut self, token: &str) {
        self.text.push_str(token);
        self.event(Token { token }, Kind { thinking: false, tags: self.tags("final") });
    }

    /// Writes a text of the answer in small tokens.
    pub(crate) fn say(&mut self, text: &str) {
        for token in tokens::split(text) {
            self.token(token);
        }
    }

    /// Writes the title of a step of thinking.
    pub(crate) fn header(&mut self, title: &str, rollout: Option<&str>) {
        let tags = Tags { rollout_id: rollout, ..self.tags("header") };
        self.event(Token { token: title }, Kind { thinking: true, tags });
    }

    /// Writes one line of thinking.
    pub(crate) fn thought(&mut self, line: &str, rollout: Option<&str>) {
        let tags = Tags { rollout_id: rollout, ..self.tags("summary") };
        self.event(Token { token: &format!("- {line}\n") }, Kind { thinking: true, tags });
    }

    /// Tags of the current step.
    pub(crate) fn tags<'t>(&self, tag: &'t str) -> Tags<'t> {
        Tags { message_tag: Some(tag), message_step_id: Some(self.step), ..Tags::default() }
    }

    /// Ends the answer: soft stop, final metadata, the whole message, and a title if the conversation is kept.
    pub(crate) fn finish(mut self, extras: &Extras) -> Rendered {
        let paced = self.paced_from..self.out.ends.len().max(self.paced_from + 1);
        let soft_stop = Event {
            is_soft_stop: true,
            tags: Tags { message_tag: Some("final"), ..Tags::default() },
            ..Event::new(Token { token: "" }, &self.ids.response)
        };
        self.out.push(&Line::from(soft_stop));
        let tools_used = if extras.tools_used.is_null() { json!({}) } else { extras.tools_used.clone() };
        let metadata =
            json!({"followUpSuggestions": [], "feedbackLabels": [], "toolsUsed": tools_used, "disclaimer": ""});
        self.event(json!({"finalMetadata": metadata}), Kind::default());
        self.model_response(extras);
        if self.turn.temporary == Some(false) {
            let title: String = self.turn.prompt().chars().take(40).collect();
            self.out.push(&json!({"result": {"title": {"newTitle": title}}}));
        }
        Rendered::new(self.out.buffer, &self.out.ends, paced, self.stretch)
    }

    /// Ends the answer here, without an end marker.
    pub(crate) fn unfinished(self) -> Rendered {
        let paced = self.paced_from..self.out.ends.len();
        Rendered::new(self.out.buffer, &self.out.ends, paced, self.stretch)
    }

    fn model_response(&mut self, extras: &Extras) {
        let pictured = !extras.images.is_empty();
        let message = Message {
            parent_response_id: &self.ids.user_response,
            web_search_results: &extras.web_results,
            generated_image_urls: &extras.images,
            file_attachments: &extras.files,
            card_attachments_json: &extras.cards,
            metadata: json!({
                "llm_info": {"modelHash": "simulator=="},
                "request_metadata": {"model": self.turn.model_name, "mode": "auto"},
            }),
            ui_layout: Some(layout(self.turn)),
            generated_image_width: pictured.then_some(384),
            generated_image_height: pictured.then_some(512),
            ..Message::new(&self.ids.response, "ASSISTANT", &self.text, &self.turn.model_name)
        };
        self.out.push(&Line::from(Event::new(Side::ModelResponse(message), &self.ids.response)));
    }
}

impl Lines {
    fn push(&mut self, line: &impl Serialize) {
        let begin = self.buffer.len();
        if let Err(error) = serde_json::to_writer(&mut self.buffer, line) {
            tracing::error!(%error, "a line of a simulated answer cannot be written");
            self.buffer.truncate(begin);
            return;
        }
        self.buffer.push(b'\n');
        self.ends.push(self.buffer.len());
    }
}

fn layout(turn: &ChatBody) -> Value {
    let kind = if turn.is_heavy() { "HEAVY" } else { "UNIFIED" };
    let effort = if turn.thinks() { "HIGH" } else { "LOW" };
    json!({"reasoningUiLayout": kind, "willThinkLong": turn.is_heavy(), "effort": effort})
}

/// A stream that says that an attachment could not be loaded, as for an id of another account.
pub(crate) fn attachment_error(turn: &ChatBody) -> Rendered {
    error_object(turn, "An attachment could not be loaded", "attachmentLoadFailed")
}

/// A stream that ends in an error object with this cause.
pub(crate) fn error_object(turn: &ChatBody, message: &str, cause: &str) -> Rendered {
    let mut draft = Draft::new(turn, seed(&turn.message));
    let error = json!({"message": message, "severity": "STREAM_ERROR_SEVERITY_FATAL", cause: {}});
    draft.event(json!({"error": error}), Kind::default());
    draft.unfinished()
}

/// A stream whose whole message is an error about heavy usage.
pub(crate) fn overloaded(turn: &ChatBody) -> Rendered {
    let mut draft = Draft::new(turn, seed(&turn.message));
    let message = json!({
        "responseId": draft.ids.response, "message": "", "error": "The model is under heavy usage right now.", "partial": true,
        "model": turn.model_name,
    });
    draft.event(json!({"modelResponse": message}), Kind::default());
    draft.unfinished()
}
