//! What the model is told about the client's tools.

use serde::Serialize;
use serde_json::value::RawValue;

use super::compact_json;
use crate::request::{ChatRequest, Tool, ToolChoice};

const FORM: &str = "<tool_calls><tool_call><tool_name>NAME</tool_name><parameters>{\"KEY\":\"VALUE\"}</parameters></tool_call></tool_calls>";

/// The instruction to put before the conversation; `None` when no tool is offered or none may be called.
pub fn instruction(request: &ChatRequest) -> Option<String> {
    let tools: Vec<&Tool> = request.offered_tools().collect();
    if tools.is_empty() {
        return None;
    }
    let mut text =
        String::from("You can use tools that run on the user's side. These are all of them, one per line:\n");
    for tool in tools {
        text.push_str(&describe(tool));
        text.push('\n');
    }
    text.extend(["\nTo use a tool, write this and then stop:\n", FORM, "\n\n"]);
    text.push_str(
        "Rules for such a block:\n\
         - It stands alone: no code fence around it, no explanation before or after it.\n\
         - NAME is one of the names above, exactly as written.\n\
         - Inside <parameters> is one JSON object on a single line. It has to fit the \"parameters\" schema of the tool; \
         write {} if the tool takes none.\n",
    );
    text.push_str(if request.parallel_tool_calls {
        "- If you need several results that do not depend on each other, put one <tool_call> for each into the same block.\n"
    } else {
        "- Make one call at a time: the block contains a single <tool_call>.\n"
    });
    text.push_str(
        "- Never invent a result. The user's side runs the calls and sends each result in a message marked [tool …]; \
         go on from there.\n\n",
    );
    match &request.tool_choice {
        ToolChoice::None | ToolChoice::Auto => {
            text.push_str(
                "Use a tool only where it helps. When none is needed, answer in the ordinary way, without a block.",
            );
        }
        ToolChoice::Required => text
            .push_str("In your next answer you have to use at least one tool: answer with a block and nothing else."),
        ToolChoice::Named(name) => {
            text.extend([
                "In your next answer you have to call the tool ",
                name,
                ": answer with a block and nothing else.",
            ]);
        }
    }
    Some(text)
}

#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Box<RawValue>>,
}

fn describe(tool: &Tool) -> String {
    let parameters =
        tool.parameters.as_deref().and_then(|schema| RawValue::from_string(compact_json(schema.get())).ok());
    let line = Line { name: &tool.name, description: tool.description.as_deref(), parameters };
    serde_json::to_string(&line).unwrap_or_default() // strings and JSON that has been parsed: cannot fail
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn request(choice: ToolChoice) -> ChatRequest {
        let tool = |name: &str, schema: Option<&str>| Tool {
            name: name.to_owned(),
            description: Some("Says \"hi\".".to_owned()),
            parameters: schema.map(|schema| RawValue::from_string(schema.to_owned()).unwrap()),
            strict: false,
        };
        let mut request = ChatRequest::new("grok-4", Vec::new());
        request.tools = vec![tool("greet", Some("{\n  \"type\": \"object\"\n}")), tool("wave", None)];
        request.tool_choice = choice;
        request
    }

    #[test]
    fn each_offered_tool_has_one_line() {
        let text = instruction(&request(ToolChoice::Auto)).unwrap();
        assert!(
            text.contains(
                "\n{\"name\":\"greet\",\"description\":\"Says \\\"hi\\\".\",\"parameters\":{\"type\":\"object\"}}\n"
            ),
            "{text}"
        );
        assert!(text.contains("\n{\"name\":\"wave\",\"description\":\"Says \\\"hi\\\".\"}\n"), "{text}");
        assert!(text.contains(FORM));
    }

    #[test]
    fn the_choice_of_the_client_is_stated() {
        assert_eq!(instruction(&request(ToolChoice::None)), None);
        assert!(instruction(&request(ToolChoice::Auto)).unwrap().ends_with("without a block."));
        assert!(instruction(&request(ToolChoice::Required)).unwrap().contains("at least one tool"));
        let named = instruction(&request(ToolChoice::Named("wave".to_owned()))).unwrap();
        assert!(named.contains("call the tool wave") && !named.contains("greet"), "{named}");
        assert_eq!(instruction(&ChatRequest::new("grok-4", Vec::new())), None);
    }

    #[test]
    fn calls_are_limited_to_one_where_the_client_wants_it() {
        let mut request = request(ToolChoice::Auto);
        assert!(instruction(&request).unwrap().contains("several results"));
        request.parallel_tool_calls = false;
        assert!(instruction(&request).unwrap().contains("one call at a time"));
    }
}
