use super::*;

/// Reads a whole block from its opening tag on, as the sink does at each closing tag.
fn parse(text: &str) -> Read {
    let (name_end, close) = if text.starts_with("<tool_calls") { (11, "</tool_calls>") } else { (10, "</tool_call>") };
    let mut fault = Fault::Incomplete;
    for (end, _) in text.match_indices(close) {
        match block(&text[name_end..end], close) {
            Ok(calls) => return Ok(pairs(calls)),
            Err(Fault::Incomplete) => {}
            Err(Fault::Invalid) => fault = Fault::Invalid,
        }
    }
    Err(fault)
}

fn pairs(calls: Vec<ParsedCall>) -> Vec<(String, String)> {
    calls.into_iter().map(|call| (call.name, call.arguments)).collect()
}

type Read = Result<Vec<(String, String)>, Fault>;

fn calls(calls: &[(&str, &str)]) -> Read {
    calls.iter().map(|(name, arguments)| Ok(((*name).to_owned(), (*arguments).to_owned()))).collect()
}

fn wrapped(inside: &str) -> String {
    format!("<tool_calls><tool_call>{inside}</tool_call></tool_calls>")
}

#[test]
fn the_form_that_is_asked_for_is_read() {
    let text = "<tool_calls><tool_call><tool_name>a</tool_name><parameters>{\"x\": 1}</parameters></tool_call>\
                <tool_call><tool_name>b</tool_name><parameters>{}</parameters></tool_call></tool_calls>";
    assert_eq!(parse(text), calls(&[("a", "{\"x\":1}"), ("b", "{}")]));
}

#[test]
fn line_breaks_attributes_and_other_element_names_do_not_matter() {
    let text = "<tool_calls>\n  <tool_call id=\"call_1\">\n    <name> a </name>\n    <arguments type=\"json\">\n{\n \"x\": 1\n}\n</arguments>\n  </tool_call>\n</tool_calls>";
    assert_eq!(parse(text), calls(&[("a", "{\"x\":1}")]));
    assert_eq!(parse(&wrapped("<parameters>{}</parameters><tool_name>a</tool_name>")), calls(&[("a", "{}")]));
}

#[test]
fn missing_parameters_are_an_empty_object() {
    assert_eq!(parse(&wrapped("<tool_name>a</tool_name>")), calls(&[("a", "{}")]));
    assert_eq!(parse(&wrapped("<tool_name>a</tool_name><parameters> </parameters>")), calls(&[("a", "{}")]));
}

#[test]
fn small_json_faults_are_repaired() {
    for parameters in ["{'x': 1}", "{\"x\": 1,}", "```json\n{\"x\": 1}\n```", "<![CDATA[{\"x\": 1}]]>"] {
        let text = wrapped(&format!("<tool_name>a</tool_name><parameters>{parameters}</parameters>"));
        assert_eq!(parse(&text), calls(&[("a", "{\"x\":1}")]), "{parameters}");
    }
}

#[test]
fn closing_tags_inside_strings_do_not_end_a_block() {
    let inside = "{\"x\":\"</parameters></tool_call></tool_calls>\"}";
    let text = wrapped(&format!("<tool_name>a</tool_name><parameters>{inside}</parameters>"));
    assert_eq!(parse(&text), calls(&[("a", inside)]));
}

#[test]
fn json_inside_the_tags_is_read() {
    assert_eq!(
        parse("<tool_calls>[{\"name\":\"a\",\"arguments\":{\"x\":1}},{\"name\":\"b\"}]</tool_calls>"),
        calls(&[("a", "{\"x\":1}"), ("b", "{}")])
    );
    assert_eq!(parse("<tool_calls>{\"tool_calls\":[{\"name\":\"a\"}]}</tool_calls>"), calls(&[("a", "{}")]));
    assert_eq!(
        parse("<tool_calls>\n```json\n{\"name\":\"a\",\"input\":{}}\n```\n</tool_calls>"),
        calls(&[("a", "{}")])
    );
    assert_eq!(
        parse("<tool_call>\n{\"name\": \"a\", \"arguments\": {\"x\": 1}}\n</tool_call>"),
        calls(&[("a", "{\"x\":1}")])
    );
    assert_eq!(parse(&wrapped("{\"tool_name\":\"a\",\"parameters\":{\"x\":1}}")), calls(&[("a", "{\"x\":1}")]));
}

#[test]
fn whole_answers_in_json_are_read() {
    let openai = "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"a\",\"arguments\":\"{\\\"x\\\":1}\"}}]}";
    for text in [
        openai,
        "[{\"name\":\"a\",\"arguments\":{\"x\":1}}]",
        "```json\n[{\"function\":\"a\",\"parameters\":{\"x\":1}}]\n```",
    ] {
        assert_eq!(whole_answer(text).map(pairs), calls(&[("a", "{\"x\":1}")]), "{text}");
    }
    for data in [
        "[{\"name\":\"a\"}]",
        "{\"name\":\"a\",\"arguments\":{}}",
        "[1]",
        "[{\"name\":\"a\",\"arguments\":{}}] and more",
        "{\"tool_calls\":1}",
    ] {
        assert_eq!(whole_answer(data).map(pairs), Err(Fault::Invalid), "{data}");
    }
}

#[test]
fn what_is_no_call_is_refused() {
    for inside in [
        "<parameters>{}</parameters>",
        "<tool_name>a</tool_name><parameters>[1]</parameters>",
        "<tool_name>a</tool_name><parameters>\"x\"</parameters>",
        "<tool_name>a</tool_name><parameters>{\"x\": 1</parameters>",
        "<tool_name>a</tool_name><parameters>{} {}</parameters>",
        "<tool_name>a</tool_name><parameters><x>1</x></parameters>",
        "<tool_name>a</tool_name> and some words",
        "<tool_name>a<parameters>{}</parameters>",
        "{\"name\":\"a\",\"arguments\":\"not JSON\"}",
        "{\"name\":\"a\",\"arguments\":[]}",
        "{\"city\":\"Oslo\"}",
    ] {
        assert_eq!(parse(&wrapped(inside)), Err(Fault::Invalid), "{inside}");
    }
    assert_eq!(parse("<tool_calls>words</tool_calls>"), Err(Fault::Invalid));
    assert_eq!(parse("<tool_call><tool_name>a</tool_name> words</tool_call>"), Err(Fault::Invalid));
    assert_eq!(parse("<tool_calls></tool_calls>"), Ok(Vec::new())); // refused by the rules: no call
}
