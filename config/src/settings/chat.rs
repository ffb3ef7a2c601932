//! `[chat]`: how chat requests are turned into prompts and answers.

use serde_json::json;

use super::Settings;
use crate::spec::{Refusal, Shape, Spec, accept};

/// `[chat]`: how chat requests are turned into prompts and answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatSettings {
    /// Where the model's reasoning goes. Default `reasoning_content`.
    pub reasoning_format: ReasoningFormat,
    /// Whether the account's memory is switched off. Default true.
    pub disable_memory: bool,
    /// Whether the model may search the web when the request does not say. Default true.
    pub web_search: bool,
    /// Longest prompt that is sent upstream, in characters. Default 400 000; 1 000 to 10 000 000.
    pub max_prompt_chars: usize,
    /// Most answers one request may ask for (`n`). Default 4; 1 to 16.
    pub max_choices: u32,
    /// Whether parameters we cannot honour are refused instead of ignored. Default false.
    pub strict_params: bool,
}

/// Where the model's reasoning goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReasoningFormat {
    /// In a member `reasoning_content` beside the content.
    ReasoningContent,
    /// Inside the content, between `<think>` tags.
    ThinkTags,
    /// Nowhere.
    Hidden,
}

impl Default for ChatSettings {
    fn default() -> Self {
        Self {
            reasoning_format: ReasoningFormat::ReasoningContent,
            disable_memory: true,
            web_search: true,
            max_prompt_chars: 400_000,
            max_choices: 4,
            strict_params: false,
        }
    }
}

impl ReasoningFormat {
    const NAMES: &'static [&'static str] = &["reasoning_content", "think_tags", "hidden"];

    /// The format of that name, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "reasoning_content" => Some(Self::ReasoningContent),
            "think_tags" => Some(Self::ThinkTags),
            "hidden" => Some(Self::Hidden),
            _ => None,
        }
    }

    /// The name as it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReasoningContent => "reasoning_content",
            Self::ThinkTags => "think_tags",
            Self::Hidden => "hidden",
        }
    }
}

pub(super) const SPECS: &[Spec<Settings>] = &[
    Spec {
        key: "chat.reasoning_format",
        doc: "Where the model's reasoning goes: a member reasoning_content, <think> tags in the content, or nowhere.",
        shape: Shape::Choice(ReasoningFormat::NAMES),
        secret: false,
        read: |settings| json!(settings.chat.reasoning_format.as_str()),
        write: |settings, value| {
            settings.chat.reasoning_format =
                ReasoningFormat::parse(accept::text(value)?).ok_or(Refusal::NotOneOf(ReasoningFormat::NAMES))?;
            Ok(())
        },
    },
    Spec {
        key: "chat.disable_memory",
        doc: "Switch the account's memory off.",
        shape: Shape::Flag,
        secret: false,
        read: |settings| json!(settings.chat.disable_memory),
        write: |settings, value| accept::flag(value).map(|on| settings.chat.disable_memory = on),
    },
    Spec {
        key: "chat.web_search",
        doc: "Let the model search the web when the request does not say.",
        shape: Shape::Flag,
        secret: false,
        read: |settings| json!(settings.chat.web_search),
        write: |settings, value| accept::flag(value).map(|on| settings.chat.web_search = on),
    },
    Spec {
        key: "chat.max_prompt_chars",
        doc: "Longest prompt that is sent upstream, in characters (1000 to 10000000).",
        shape: Shape::Whole,
        secret: false,
        read: |settings| json!(settings.chat.max_prompt_chars),
        write: |settings, value| {
            accept::whole(value, 1000, 10_000_000).map(|chars| settings.chat.max_prompt_chars = chars)
        },
    },
    Spec {
        key: "chat.max_choices",
        doc: "Most answers one request may ask for, its n (1 to 16).",
        shape: Shape::Whole,
        secret: false,
        read: |settings| json!(settings.chat.max_choices),
        write: |settings, value| accept::whole(value, 1, 16).map(|choices| settings.chat.max_choices = choices),
    },
    Spec {
        key: "chat.strict_params",
        doc: "Refuse parameters that cannot be honoured instead of ignoring them.",
        shape: Shape::Flag,
        secret: false,
        read: |settings| json!(settings.chat.strict_params),
        write: |settings, value| accept::flag(value).map(|on| settings.chat.strict_params = on),
    },
];
