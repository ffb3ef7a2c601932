//! The neutral chat request: what every client dialect is translated into before it is served.

use serde_json::value::RawValue;

/// One chat request, independent of the client's dialect. Its values have been validated.
#[derive(Debug, Clone)]
pub struct ChatRequest {
    /// Public id of the model, as the client wrote it.
    pub model: String,
    /// The conversation, oldest message first.
    pub messages: Vec<Message>,
    /// Texts that end the answer; at most four, none empty.
    pub stop: Vec<String>,
    /// Functions that the client offers.
    pub tools: Vec<Tool>,
    /// Whether and which of the tools the model has to call.
    pub tool_choice: ToolChoice,
    /// Whether the model may ask for several calls in one answer. The default of the API is yes.
    pub parallel_tool_calls: bool,
    /// Form that the answer must have.
    pub response_format: ResponseFormat,
    /// Web search on or off; `None` leaves it to the settings.
    pub web_search: Option<bool>,
    /// Number of answers wanted, at least 1.
    pub choices: u32,
}

impl ChatRequest {
    /// A request for one plain answer: no tools, no stop texts, no required form.
    pub fn new(model: impl Into<String>, messages: Vec<Message>) -> Self {
        Self {
            model: model.into(),
            messages,
            stop: Vec::new(),
            tools: Vec::new(),
            tool_choice: ToolChoice::Auto,
            parallel_tool_calls: true,
            response_format: ResponseFormat::Text,
            web_search: None,
            choices: 1,
        }
    }

    /// Tools that the model may call now: none with `tool_choice: none`, one when the client named it.
    pub fn offered_tools(&self) -> impl Iterator<Item = &Tool> {
        self.tools.iter().filter(|tool| match &self.tool_choice {
            ToolChoice::None => false,
            ToolChoice::Auto | ToolChoice::Required => true,
            ToolChoice::Named(name) => tool.name == *name,
        })
    }
}

/// One message of the conversation.
#[derive(Debug, Clone)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order. Empty for `content: null`.
    pub parts: Vec<Part>,
    /// Calls that an assistant message asked for.
    pub tool_calls: Vec<AssistantToolCall>,
    /// The call whose result a tool message carries.
    pub tool_call_id: Option<String>,
}

impl Message {
    /// A message of one text.
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        Self { role, parts: vec![Part::Text(text.into())], tool_calls: Vec::new(), tool_call_id: None }
    }
}

/// Who speaks in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Instructions of the operator; `developer` counts as this.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// The result of a tool call; the older `function` counts as this.
    Tool,
}

/// A piece of a message's content.
#[derive(Debug, Clone)]
pub enum Part {
    /// Plain text.
    Text(String),
    /// Address of a picture: a `data:` or an `http(s)` URL.
    Image(String),
    /// A file sent along with the request.
    File {
        /// File name as the client gave it; may be empty.
        name: String,
        /// A `data:` URL, or the bare base64 that some clients send.
        data_url: String,
    },
}

/// A tool call in an earlier message of the assistant.
#[derive(Debug, Clone)]
pub struct AssistantToolCall {
    /// Id that the matching tool message repeats.
    pub id: String,
    /// Name of the function.
    pub name: String,
    /// JSON text of the arguments, as the client sent it back.
    pub arguments: String,
}

/// A function that the client offers to the model.
#[derive(Debug, Clone)]
pub struct Tool {
    /// Name by which the model calls it.
    pub name: String,
    /// What it does, for the model.
    pub description: Option<String>,
    /// JSON schema of its arguments; `None` means that it takes none.
    pub parameters: Option<Box<RawValue>>,
    /// Whether the arguments of a call must fit the schema.
    pub strict: bool,
}

/// Whether and which tools the model has to call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolChoice {
    /// No tool may be called.
    None,
    /// The model decides.
    Auto,
    /// At least one tool must be called.
    Required,
    /// The tool of this name must be called.
    Named(String),
}

/// Form that an answer must have.
#[derive(Debug, Clone)]
pub enum ResponseFormat {
    /// Any text.
    Text,
    /// Some JSON object.
    JsonObject,
    /// JSON that fits a schema.
    JsonSchema {
        /// Name of the schema, for the model.
        name: String,
        /// The JSON schema.
        schema: Box<RawValue>,
        /// Whether the client asked for exact adherence.
        strict: bool,
    },
}
