#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::request::{AssistantToolCall, ResponseFormat, Tool, ToolChoice};

const PNG: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB";

fn user(text: &str) -> Message {
    Message::text(Role::User, text)
}

fn assistant(text: &str) -> Message {
    Message::text(Role::Assistant, text)
}

fn calling(text: &str, calls: &[(&str, &str, &str)]) -> Message {
    let call = |(id, name, arguments): &(&str, &str, &str)| AssistantToolCall {
        id: (*id).to_owned(),
        name: (*name).to_owned(),
        arguments: (*arguments).to_owned(),
    };
    Message { tool_calls: calls.iter().map(call).collect(), ..assistant(text) }
}

fn result(id: &str, text: &str) -> Message {
    Message { tool_call_id: Some(id.to_owned()), ..Message::text(Role::Tool, text) }
}

fn image(url: &str) -> Part {
    Part::Image(url.to_owned())
}

fn file(name: &str, data_url: &str) -> Part {
    Part::File { name: name.to_owned(), data_url: data_url.to_owned() }
}

fn parts(role: Role, parts: Vec<Part>) -> Message {
    Message { parts, ..Message::text(role, "") }
}

fn try_fold(messages: Vec<Message>) -> Result<Prompt, PromptError> {
    fold(&ChatRequest::new("grok-4", messages), &FoldOptions::default())
}

fn folded(messages: Vec<Message>) -> String {
    try_fold(messages).unwrap().message
}

fn with_tools(messages: Vec<Message>) -> ChatRequest {
    let mut request = ChatRequest::new("grok-4", messages);
    request.tools = vec![Tool { name: "time".to_owned(), description: None, parameters: None, strict: false }];
    request
}

#[test]
fn rule_1_messages_without_content_are_dropped() {
    assert_eq!(folded(vec![Message::text(Role::System, " \n"), user("Hi"), parts(Role::Assistant, Vec::new())]), "Hi");
    assert_eq!(
        folded(vec![user("Hi"), assistant("![Generated Image](a)"), user("More")]),
        "[user]: Hi\n\n[user]: More"
    );
    let error = try_fold(vec![user(""), parts(Role::User, Vec::new())]).unwrap_err();
    assert_eq!((error.param().as_str(), error.code()), ("messages", "invalid_value"));
}

#[test]
fn rule_2_one_user_message_is_sent_as_it_is() {
    assert_eq!(folded(vec![user(" Hi,\nthere! ")]), " Hi,\nthere! ");
    assert_eq!(
        folded(vec![parts(Role::User, vec![Part::Text("One".to_owned()), Part::Text("Two".to_owned())])]),
        "One\nTwo"
    );
}

#[test]
fn rule_3_every_other_conversation_is_written_in_blocks() {
    let conversation = vec![Message::text(Role::System, "Be brief."), user("Hi"), assistant("Hello!"), user("Bye")];
    assert_eq!(folded(conversation), "[system]: Be brief.\n\n[user]: Hi\n\n[assistant]: Hello!\n\n[user]: Bye");
    assert_eq!(folded(vec![Message::text(Role::System, "Be brief.")]), "[system]: Be brief.");
}

#[test]
fn rule_3_tool_calls_and_results_are_written_with_their_ids() {
    let conversation = vec![
        user("Time?"),
        calling("One moment.", &[("call_1", "time", "{\n \"city\": \"Oslo\" }"), ("call_2", "now", "not JSON")]),
        result("call_1", "12:00"),
        result("call_2", ""),
    ];
    assert_eq!(
        folded(conversation),
        "[user]: Time?\n\n[assistant]: One moment.\n{\"id\":\"call_1\",\"name\":\"time\",\"arguments\":{\"city\":\"Oslo\"}}\n\
         {\"id\":\"call_2\",\"name\":\"now\",\"arguments\":\"not JSON\"}\n\n[tool call_1]: 12:00\n\n[tool call_2]: (no output)"
    );
}

#[test]
fn rule_3_emulated_calls_are_written_in_the_form_that_is_asked_for() {
    let one = calling("", &[("call_1", "time", "{ \"city\": \"Oslo\" }")]);
    let two = calling("", &[("call_2", "time", ""), ("call_3", "time", "{}")]);
    let request = with_tools(vec![user("Time?"), one, result("call_1", "12:00"), two, result("call_3", "13:00")]);
    let message = fold(&request, &FoldOptions::default()).unwrap().message;
    let expected = "[assistant]: <tool_calls><tool_call><tool_name>time</tool_name><parameters>{\"city\":\"Oslo\"}</parameters></tool_call></tool_calls>\n\n[tool call_1]: 12:00";
    assert!(message.contains(expected), "{message}");
    assert!(message.contains("<tool_call id=\"call_2\"><tool_name>time</tool_name><parameters>{}</parameters></tool_call><tool_call id=\"call_3\">"), "{message}");
}

#[test]
fn instructions_stand_before_the_conversation() {
    let mut request = with_tools(vec![user("Hi")]);
    request.response_format = ResponseFormat::JsonObject;
    let message = fold(&request, &FoldOptions::default()).unwrap().message;
    assert!(message.starts_with("[system]: You can use tools") && message.ends_with("\n\n[user]: Hi"), "{message}");
    assert!(message.contains("\n\nAnswer with exactly one JSON object."), "{message}");
    request.tool_choice = ToolChoice::None;
    request.response_format = ResponseFormat::Text;
    assert_eq!(fold(&request, &FoldOptions::default()).unwrap().message, "Hi");
}

#[test]
fn rule_4_what_the_gateway_added_is_taken_out_of_earlier_answers() {
    let answer = "<think>\nHm.\n</think>\nHere you are.\n![Generated Image](data:image/png;base64,AAAA)\n<video src=\"u\" controls=\"controls\"></video>";
    assert_eq!(
        folded(vec![user("Draw"), assistant(answer), user(answer)]),
        format!("[user]: Draw\n\n[assistant]: Here you are.\n\n[user]: {answer}")
    );
}

#[test]
fn rule_5_pictures_are_collected_in_order() {
    let first =
        parts(Role::User, vec![image("https://a/1.png"), Part::Text("What is this?".to_owned()), file("p.bin", PNG)]);
    let prompt = try_fold(vec![first, assistant("A cat."), parts(Role::User, vec![image("https://a/3.png")])]).unwrap();
    assert_eq!(prompt.images, ["https://a/1.png", PNG, "https://a/3.png"]);
    assert_eq!(prompt.message, "[user]: What is this?\n\n[assistant]: A cat.\n\n[user]: ");
    let alone = try_fold(vec![parts(Role::User, vec![image("https://a/1.png")])]).unwrap();
    assert_eq!((alone.message.as_str(), alone.images.len()), ("", 1));
}

#[test]
fn rule_5_there_is_a_limit_to_pictures() {
    let many = vec![user("Look"), parts(Role::User, (0..9).map(|n| image(&format!("https://a/{n}.png"))).collect())];
    let error = try_fold(many).unwrap_err();
    assert_eq!((error.param().as_str(), error.code()), ("messages[1].content[8]", "invalid_value"));
}

#[test]
fn text_files_are_inlined_with_their_name() {
    let message = parts(
        Role::User,
        vec![
            Part::Text("Sum up:".to_owned()),
            file("a \"b\"\n.txt", "data:text/plain;base64,aGVsbG8="),
            file("", "data:,x%0A"),
        ],
    );
    assert_eq!(
        folded(vec![message]),
        "Sum up:\n<file name=\"a b.txt\">\nhello\n</file>\n<file name=\"file\">\nx\n</file>"
    );
}

#[test]
fn other_files_are_refused_by_place() {
    for (data, code) in
        [("data:application/pdf;base64,JVBERi0xLjQK", "unsupported_value"), ("data:broken", "invalid_value")]
    {
        let error =
            try_fold(vec![user("Hi"), parts(Role::User, vec![Part::Text("See".to_owned()), file("a.pdf", data)])])
                .unwrap_err();
        assert_eq!((error.param().as_str(), error.code()), ("messages[1].content[1]", code));
        assert!(error.to_string().contains("'a.pdf'"));
    }
}

#[test]
fn tool_results_need_an_earlier_call() {
    let error =
        try_fold(vec![user("Hi"), result("call_1", "x"), calling("", &[("call_1", "time", "{}")])]).unwrap_err();
    assert_eq!((error.param().as_str(), error.code()), ("messages[1].tool_call_id", "invalid_value"));
    assert!(error.to_string().contains("call_1"));
    let error = try_fold(vec![Message::text(Role::Tool, "x")]).unwrap_err();
    assert_eq!((error.param().as_str(), error.code()), ("messages[0].tool_call_id", "missing_required_parameter"));
}

#[test]
fn rule_6_the_length_is_limited_in_characters() {
    let options = FoldOptions { max_chars: 5, ..FoldOptions::default() };
    let fold_one = |text: &str| fold(&ChatRequest::new("grok-4", vec![user(text)]), &options);
    assert_eq!(fold_one("äöüßé").unwrap().message, "äöüßé");
    let error = fold_one("äöüßéa").unwrap_err();
    assert_eq!(error, PromptError::TooLong { chars: 6, max: 5 });
    assert_eq!((error.param().as_str(), error.code()), ("messages", "context_length_exceeded"));
}
