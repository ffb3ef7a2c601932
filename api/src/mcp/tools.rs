//! The tools: what they are called, what they take, and which call each of them is.

use std::sync::Arc;

use poem::Response;
use poem::endpoint::BoxEndpoint;
use poem::http::Method;
use rmcp::ErrorData;
use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, InitializeResult,
    JsonObject, ListToolsResult, PaginatedRequestParams, ServerCapabilities, Tool,
};
use rmcp::service::{RequestContext, RoleServer};
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::Caller;
use crate::state::AppState;

/// The model that the old gateway's tool asked.
const USUAL_MODEL: &str = "grok-3-fast";
const INSTRUCTIONS: &str = "Use ask_grok for questions about current events, the web and posts on X; generate_image and generate_video make media.";

/// The tools of one request; clones share everything.
#[derive(Clone)]
pub(super) struct Tools {
    state: AppState,
    api: Arc<BoxEndpoint<'static, Response>>,
}

/// What `ask_grok` takes.
#[derive(Debug, Deserialize)]
struct Question {
    query: String,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    system_prompt: Option<String>,
}

/// What `generate_image` takes.
#[derive(Debug, Deserialize)]
struct Drawing {
    prompt: String,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    n: Option<u32>,
    #[serde(default)]
    size: Option<String>,
}

/// What `generate_video` takes.
#[derive(Debug, Deserialize)]
struct Filming {
    prompt: String,
    #[serde(default)]
    model: Option<String>,
}

impl Tools {
    pub(super) fn new(state: AppState, api: Arc<BoxEndpoint<'static, Response>>) -> Self {
        Self { state, api }
    }

    async fn ask_grok(&self, caller: &Caller, question: Question) -> Result<Value, String> {
        let mut messages = Vec::new();
        if let Some(system) = question.system_prompt.filter(|text| !text.is_empty()) {
            messages.push(json!({"role": "system", "content": system}));
        }
        messages.push(json!({"role": "user", "content": question.query}));
        // What the model thought is no answer, unless the operator wants to see it everywhere.
        let body = json!({
            "model": question.model.unwrap_or_else(|| USUAL_MODEL.to_owned()),
            "messages": messages,
            "reasoning_format": "hidden",
        });
        let answer: Value = caller.ask(&self.api, Method::POST, "/v1/chat/completions", Some(body)).await?;
        let content = answer["choices"][0]["message"]["content"].as_str().unwrap_or_default();
        Ok(json!({ "result": content }))
    }

    async fn generate_image(&self, caller: &Caller, drawing: Drawing) -> Result<Value, String> {
        let mut body = json!({"prompt": drawing.prompt, "response_format": "url"});
        for (name, value) in [
            ("model", drawing.model.map(Value::from)),
            ("n", drawing.n.map(Value::from)),
            ("size", drawing.size.map(Value::from)),
        ] {
            if let Some(value) = value {
                body[name] = value;
            }
        }
        let answer: Value = caller.ask(&self.api, Method::POST, "/v1/images/generations", Some(body)).await?;
        let urls = answer["data"].as_array().into_iter().flatten().filter_map(|image| image["url"].as_str());
        Ok(json!({ "result": urls.collect::<Vec<_>>().join("\n") }))
    }

    async fn generate_video(&self, caller: &Caller, filming: Filming) -> Result<Value, String> {
        let chosen = filming.model.or_else(|| self.video_model());
        let model = chosen.ok_or_else(|| "There is no model that makes videos.".to_owned())?;
        // The chat waits for the video, and gives its link.
        let body = json!({
            "model": model,
            "messages": [{"role": "user", "content": filming.prompt}],
            "reasoning_format": "hidden",
        });
        let answer: Value = caller.ask(&self.api, Method::POST, "/v1/chat/completions", Some(body)).await?;
        let content = answer["choices"][0]["message"]["content"].as_str().unwrap_or_default();
        Ok(json!({ "result": content }))
    }

    fn video_model(&self) -> Option<String> {
        let models = self.state.gateway.models();
        let configured = self.state.gateway.settings().load().video.model.clone();
        let known = models.get(&configured).filter(|model| model.video).map(|model| model.id.clone());
        known.or_else(|| models.iter().find(|model| model.video).map(|model| model.id.clone()))
    }

    async fn list_models(&self, caller: &Caller) -> Result<Value, String> {
        let answer: Value = caller.ask(&self.api, Method::GET, "/v1/models", None).await?;
        let ids = answer["data"].as_array().into_iter().flatten().filter_map(|model| model["id"].as_str());
        Ok(json!({ "result": ids.collect::<Vec<_>>().join("\n") }))
    }
}

impl ServerHandler for Tools {
    fn get_info(&self) -> InitializeResult {
        InitializeResult::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("Grok2API-MCP", env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(tools()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let parts = context.extensions.get::<poem::http::request::Parts>();
        let caller = parts.and_then(|parts| parts.extensions.get::<Caller>());
        let caller = caller.ok_or_else(|| ErrorData::internal_error("Nobody is known to ask.", None))?;
        let given = Value::Object(request.arguments.unwrap_or_default());
        let name = request.name.as_ref();
        let asked = async {
            match name {
                "ask_grok" => self.ask_grok(caller, arguments(given)?).await,
                "generate_image" => self.generate_image(caller, arguments(given)?).await,
                "generate_video" => self.generate_video(caller, arguments(given)?).await,
                _ => self.list_models(caller).await,
            }
        };
        if !tools().iter().any(|tool| tool.name == name) {
            return Err(ErrorData::invalid_params(format!("Unknown tool: {name}"), None));
        }
        Ok(match asked.await {
            Ok(result) => {
                let text = result["result"].as_str().unwrap_or_default().to_owned();
                let mut done = CallToolResult::success(vec![ContentBlock::text(text)]);
                done.structured_content = Some(result);
                done
            }
            Err(why) => CallToolResult::error(vec![ContentBlock::text(format!("Error calling tool '{name}': {why}"))]),
        }
        .into())
    }
}

/// What a tool was given, if it fits.
fn arguments<T: serde::de::DeserializeOwned>(given: Value) -> Result<T, String> {
    serde_json::from_value(given).map_err(|error| format!("wrong arguments: {error}"))
}

/// All tools.
fn tools() -> Vec<Tool> {
    let text = |description: &str| json!({"type": "string", "description": description});
    let of = |required: &[&str], properties: Value| json!({"type": "object", "properties": properties, "required": required});
    vec![
        tool(
            "ask_grok",
            "Ask Grok. It searches the web and X while it answers, so it knows what happened today and what people say \
             about it.",
            of(
                &["query"],
                json!({
                    "query": {"type": "string"},
                    "model": {"type": "string", "default": USUAL_MODEL},
                    "system_prompt": {"type": "string", "default": null},
                }),
            ),
        ),
        tool(
            "generate_image",
            "Draw pictures from words. The result is a link to each, one a line.",
            of(
                &["prompt"],
                json!({
                    "prompt": text("What to draw."),
                    "model": text("A model that draws; usually left out."),
                    "n": {"type": "integer", "minimum": 1, "maximum": 10, "default": 1},
                    "size": text("WIDTHxHEIGHT or auto; the closest shape is asked for."),
                }),
            ),
        ),
        tool(
            "generate_video",
            "Film a short video from words, which takes a minute or so. The result has a link to it.",
            of(
                &["prompt"],
                json!({"prompt": text("What to film."), "model": text("A model that films; usually left out.")}),
            ),
        ),
        tool("list_models", "List the ids of the models that may be used here, one a line.", of(&[], json!({}))),
    ]
}

fn tool(name: &'static str, description: &'static str, input: Value) -> Tool {
    let output = json!({
        "type": "object",
        "properties": {"result": {"type": "string"}},
        "required": ["result"],
        "x-fastmcp-wrap-result": true,
    });
    Tool::new(name, description, Arc::new(object(input))).with_raw_output_schema(Arc::new(object(output)))
}

fn object(value: Value) -> JsonObject {
    match value {
        Value::Object(members) => members,
        _ => JsonObject::new(),
    }
}
