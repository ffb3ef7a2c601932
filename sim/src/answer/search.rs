//! How does an answer look that was searched for? Cards, results, and a citation in the text.

use serde_json::{Value, json};

use super::draft::{Draft, Extras, Kind};
use super::rendered::Rendered;
use super::text::{Phrases, about, phrases};
use super::wire::Tags;
use crate::identity::seed;
use crate::turn::ChatBody;

/// Search cards, results, and then an answer with a citation.
pub(crate) fn answer(turn: &ChatBody) -> Rendered {
    let prompt = turn.prompt();
    let phrases = phrases(prompt);
    let mut draft = Draft::new(turn, seed(&(&turn.message, "search")));
    draft.header(&about(phrases.searching, prompt), None);
    announce(&mut draft, prompt);
    let results = results(phrases);
    result_line(&mut draft, "web card", json!({"webSearchResults": {"results": results}}));
    result_line(&mut draft, "x card", json!({"xSearchResults": {"results": [post(phrases)]}}));
    draft.thought(phrases.found, None);
    draft.next_step();
    draft.say(phrases.reported);
    let card = cite(&mut draft, phrases);
    draft.say(&format!(".\n\n{}", phrases.sources));
    draft.finish(&Extras {
        web_results: results,
        cards: vec![card],
        tools_used: json!({"webSearch": true}),
        ..Extras::default()
    })
}

/// The card that announces the search.
fn announce(draft: &mut Draft<'_>, prompt: &str) {
    let card = draft.id("web card").to_string();
    let arguments = json!({"query": prompt});
    let token = format!(
        "<xai:tool_usage_card><xai:tool_usage_card_id>{card}</xai:tool_usage_card_id><xai:tool_name>web_search</xai:tool_name>\
         <xai:tool_args><![CDATA[{arguments}]]></xai:tool_args></xai:tool_usage_card>"
    );
    let tags = Tags { tool_usage_card_id: Some(&card), ..draft.tags("tool_usage_card") };
    let usage = json!({"toolUsageCardId": card, "webSearch": {"args": arguments}});
    draft.event(json!({"token": token, "toolUsageCard": usage}), Kind { thinking: true, tags });
}

fn result_line(draft: &mut Draft<'_>, card: &str, fields: Value) {
    let card = draft.id(card).to_string();
    let tags = Tags { tool_usage_card_id: Some(&card), ..draft.tags("raw_function_result") };
    draft.event(fields, Kind { thinking: true, tags });
}

fn results(phrases: &Phrases) -> Vec<Value> {
    let page = |(number, (url, title, preview)): (usize, &(&str, &str, &str))| {
        json!({
            "url": url, "title": title, "preview": preview, "searchEngineText": "", "description": "", "siteName": "Simulator",
            "metadataTitle": "", "creator": "", "image": "", "favicon": "", "citationId": format!("c{number}"),
        })
    };
    phrases.results.iter().enumerate().map(page).collect()
}

fn post(phrases: &Phrases) -> Value {
    json!({
        "username": "simulated_harbour", "name": "Simulated harbour", "text": phrases.post,
        "createTime": super::wire::CREATED, "profileImageUrl": "", "postId": "1980000000000000001", "citationId": "x1",
        "viewCount": 1,
    })
}

/// The citation card and the element in the text that points to it. Returns the card as JSON text.
fn cite(draft: &mut Draft<'_>, phrases: &Phrases) -> String {
    let id = draft.id("citation").simple().to_string();
    let url = phrases.results.first().map_or("", |(url, _, _)| url);
    let card = json!({"id": id, "type": "render_inline_citation", "cardType": "citation_card", "url": url}).to_string();
    draft.event(json!({"cardAttachment": {"jsonData": card}}), Kind::default());
    draft.token(&format!(
        "<grok:render card_id=\"{id}\" card_type=\"citation_card\" type=\"render_inline_citation\">\
         <argument name=\"citation_id\">0</argument></grok:render>"
    ));
    card
}
