//! Which calls are accepted.

use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;

use super::parse::ParsedCall;
use crate::emulate::schema;
use crate::request::ChatRequest;

/// The tools that the model may call now, and how.
#[derive(Debug)]
pub struct ToolRules {
    tools: Vec<OfferedTool>,
    parallel: bool,
}

#[derive(Debug)]
struct OfferedTool {
    name: String,
    /// Set for `strict` tools.
    schema: Option<Box<RawValue>>,
}

impl ToolRules {
    /// The rules of a request; `None` when it offers no tool, so that answers are not searched for calls.
    pub fn of(request: &ChatRequest) -> Option<Arc<Self>> {
        let offer = |tool: &crate::request::Tool| OfferedTool {
            name: tool.name.clone(),
            schema: tool.parameters.clone().filter(|_| tool.strict),
        };
        let tools: Vec<_> = request.offered_tools().map(offer).collect();
        (!tools.is_empty()).then(|| Arc::new(Self { tools, parallel: request.parallel_tool_calls }))
    }

    /// Most calls of one answer.
    pub(super) fn max_calls(&self) -> usize {
        if self.parallel { usize::MAX } else { 1 }
    }

    /// Whether every call is one of an offered tool and, where the tool is strict, fits its schema.
    pub(super) fn accept(&self, calls: &[ParsedCall]) -> bool {
        !calls.is_empty() && calls.iter().all(|call| self.accepts(call))
    }

    fn accepts(&self, call: &ParsedCall) -> bool {
        let Some(tool) = self.tools.iter().find(|tool| tool.name == call.name) else {
            return false;
        };
        let Some(schema) = &tool.schema else {
            return true;
        };
        let (Ok(schema), Ok(arguments)) =
            (serde_json::from_str::<Value>(schema.get()), serde_json::from_str::<Value>(&call.arguments))
        else {
            return false;
        };
        schema::check(&schema, &arguments).is_ok()
    }
}
