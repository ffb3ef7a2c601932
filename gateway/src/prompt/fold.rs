//! Folds a conversation into one message (`grok-web.md` §3.4).

use std::borrow::Cow;
use std::collections::HashSet;

use super::error::PromptError;
use super::file::{self, FileContent, FileFault};
use super::{calls, echo};
use crate::emulate::{json, tools};
use crate::request::{ChatRequest, Message, Part, Role};

/// Longest file name that is written into a prompt, in characters.
const MAX_FILE_NAME_CHARS: usize = 200;

/// Stands in for an empty tool result: without it the model would ask for the same call again.
const NO_OUTPUT: &str = "(no output)";

/// Limits of a prompt.
#[derive(Debug, Clone, Copy)]
pub struct FoldOptions {
    /// Longest prompt in characters. Default 400 000.
    pub max_chars: usize,
    /// Most pictures of one request. Default 8.
    pub max_images: usize,
}

impl Default for FoldOptions {
    fn default() -> Self {
        Self { max_chars: 400_000, max_images: 8 }
    }
}

/// What is sent upstream for one conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// The conversation as one text.
    pub message: String,
    /// Addresses of its pictures in order of appearance: `data:` and `http(s)` URLs.
    pub images: Vec<String>,
}

/// Writes a conversation, with the instructions for tools and answer form, as one prompt.
///
/// # Errors
///
/// The request's own faults, each with the parameter that is to blame; nothing has been sent by then.
pub fn fold(request: &ChatRequest, options: &FoldOptions) -> Result<Prompt, PromptError> {
    let mut folding = Folding {
        emulate_tools: request.offered_tools().next().is_some(),
        max_images: options.max_images,
        images: Vec::new(),
    };
    let mut blocks = Vec::with_capacity(request.messages.len() + 1);
    let mut earlier_calls = HashSet::new();
    for (index, message) in request.messages.iter().enumerate() {
        let label = label(&earlier_calls, index, message)?;
        earlier_calls.extend(message.tool_calls.iter().map(|call| call.id.as_str()));
        if let Some(text) = folding.text(index, message)? {
            blocks.push(Block { role: message.role, label, text });
        }
    }
    if blocks.is_empty() {
        return Err(PromptError::Empty);
    }
    let instructions: Vec<String> =
        [tools::instruction(request), json::instruction(&request.response_format)].into_iter().flatten().collect();
    if !instructions.is_empty() {
        blocks.insert(0, Block { role: Role::System, label: "system".into(), text: instructions.join("\n\n").into() });
    }
    let message = join(blocks);
    check_length(&message, options.max_chars)?;
    Ok(Prompt { message, images: folding.images })
}

/// One message on its way into the prompt.
struct Block<'a> {
    role: Role,
    label: Cow<'a, str>,
    text: Cow<'a, str>,
}

fn join(mut blocks: Vec<Block<'_>>) -> String {
    if let [only] = blocks.as_mut_slice()
        && only.role == Role::User
    {
        return std::mem::take(&mut only.text).into_owned();
    }
    let length = blocks.iter().map(|block| block.label.len() + block.text.len() + 6).sum();
    let mut message = String::with_capacity(length);
    for block in blocks {
        let gap = if message.is_empty() { "" } else { "\n\n" };
        message.extend([gap, "[", &block.label, "]: ", &block.text]);
    }
    message
}

fn label<'a>(earlier_calls: &HashSet<&str>, index: usize, message: &'a Message) -> Result<Cow<'a, str>, PromptError> {
    Ok(match message.role {
        Role::System => "system".into(),
        Role::User => "user".into(),
        Role::Assistant => "assistant".into(),
        Role::Tool => {
            let id = message.tool_call_id.as_deref().ok_or(PromptError::MissingToolCallId { message: index })?;
            if !earlier_calls.contains(id) {
                return Err(PromptError::UnknownToolCallId { message: index, id: id.to_owned() });
            }
            format!("tool {id}").into()
        }
    })
}

fn check_length(message: &str, max: usize) -> Result<(), PromptError> {
    if message.len() <= max {
        return Ok(()); // as many bytes as characters at least
    }
    match message.chars().count() {
        chars if chars > max => Err(PromptError::TooLong { chars, max }),
        _ => Ok(()),
    }
}

struct Folding {
    emulate_tools: bool,
    max_images: usize,
    images: Vec<String>,
}

impl Folding {
    /// The text of a message; `None` if it has neither text nor calls nor pictures (rule 1).
    fn text<'a>(&mut self, index: usize, message: &'a Message) -> Result<Option<Cow<'a, str>>, PromptError> {
        let images_before = self.images.len();
        let mut text = self.parts(index, message)?;
        if message.role == Role::Assistant {
            text = match text {
                Cow::Borrowed(text) => echo::strip(text),
                Cow::Owned(text) => echo::strip(&text).into_owned().into(),
            };
            if !message.tool_calls.is_empty() {
                text = calls::append(text, &message.tool_calls, self.emulate_tools).into();
            }
        }
        if !text.trim().is_empty() || self.images.len() > images_before {
            return Ok(Some(text));
        }
        Ok((message.role == Role::Tool).then_some(NO_OUTPUT.into()))
    }

    fn parts<'a>(&mut self, index: usize, message: &'a Message) -> Result<Cow<'a, str>, PromptError> {
        let mut text: Cow<'_, str> = Cow::Borrowed("");
        for (part, content) in message.parts.iter().enumerate() {
            match content {
                Part::Text(piece) => push(&mut text, piece.as_str().into()),
                Part::Image(url) => self.image(index, part, url.clone())?,
                Part::File { name, data_url } => match file::read(data_url) {
                    Ok(FileContent::Text(content)) => {
                        push(&mut text, inlined(name, &content).into());
                    }
                    Ok(FileContent::Image(url)) => self.image(index, part, url.into_owned())?,
                    Err(FileFault::Broken) => {
                        return Err(PromptError::BrokenFile { message: index, part, name: name.clone() });
                    }
                    Err(FileFault::Unsupported) => {
                        return Err(PromptError::UnsupportedFile { message: index, part, name: name.clone() });
                    }
                },
            }
        }
        Ok(text)
    }

    fn image(&mut self, message: usize, part: usize, url: String) -> Result<(), PromptError> {
        if self.images.len() == self.max_images {
            return Err(PromptError::TooManyImages { message, part, max: self.max_images });
        }
        self.images.push(url);
        Ok(())
    }
}

/// Parts of one message stand on lines of their own.
fn push<'a>(text: &mut Cow<'a, str>, piece: Cow<'a, str>) {
    if text.is_empty() {
        *text = piece;
    } else if !piece.is_empty() {
        let text = text.to_mut();
        text.push('\n');
        text.push_str(&piece);
    }
}

fn inlined(name: &str, content: &str) -> String {
    let name: String =
        name.chars().filter(|c| !c.is_control() && !matches!(c, '"' | '<' | '>')).take(MAX_FILE_NAME_CHARS).collect();
    let name = if name.is_empty() { "file" } else { &name };
    let end = if content.is_empty() || content.ends_with('\n') { "" } else { "\n" };
    format!("<file name=\"{name}\">\n{content}{end}</file>")
}

#[cfg(test)]
mod tests;
