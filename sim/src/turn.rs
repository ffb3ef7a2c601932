//! What does a chat call ask for?

use serde::Deserialize;

/// The members of a chat body that the simulator looks at (protocol page "grok-web" §3).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ChatBody {
    pub(crate) message: String,
    pub(crate) model_name: String,
    pub(crate) model_mode: String,
    pub(crate) temporary: Option<bool>,
    pub(crate) file_attachments: Vec<String>,
    pub(crate) disable_search: bool,
    pub(crate) enable_image_generation: Option<bool>,
    pub(crate) image_generation_count: Option<usize>,
    pub(crate) tool_overrides: ToolOverrides,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ToolOverrides {
    video_gen: bool,
    web_search: Option<bool>,
}

impl ChatBody {
    /// Reads a body; the error is the sentence for the caller.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let body: Self = serde_json::from_slice(bytes).map_err(|_| "The body is not the expected JSON object")?;
        if body.model_name.is_empty() {
            return Err("Invalid model name");
        }
        if body.message.is_empty() {
            return Err("The message is empty");
        }
        Ok(body)
    }

    /// What the user said last: the whole message, or its last `[user]: ` block.
    pub(crate) fn prompt(&self) -> &str {
        let message = self.message.strip_suffix(" --mode=custom").unwrap_or(&self.message);
        let Some(start) = message.rfind("[user]: ").filter(|at| *at == 0 || message[..*at].ends_with("\n\n")) else {
            return message.trim();
        };
        let block = &message[start + "[user]: ".len()..];
        let ends = ["\n\n[assistant]: ", "\n\n[tool ", "\n\n[system]: "];
        let end = ends.iter().filter_map(|mark| block.find(mark)).min().unwrap_or(block.len());
        block[..end].trim()
    }

    /// The `ID` of the last `[[id=ID]]` in the message: the mark by which a test knows its own call again.
    pub(crate) fn mark(&self) -> Option<&str> {
        let (_, rest) = self.message.rsplit_once("[[id=")?;
        let (id, _) = rest.split_once("]]")?;
        (!id.is_empty()).then_some(id)
    }

    /// Whether the mode shows its thinking.
    pub(crate) fn thinks(&self) -> bool {
        ["THINKING", "EXPERT", "HEAVY"].iter().any(|mode| self.model_mode.contains(mode))
    }

    /// Whether several agents answer.
    pub(crate) fn is_heavy(&self) -> bool {
        self.model_mode.contains("HEAVY")
    }

    /// Units that a text answer uses.
    pub(crate) fn text_cost(&self) -> u32 {
        if self.model_mode.contains("EXPERT") { 4 } else { 1 }
    }

    pub(crate) fn may_search(&self) -> bool {
        !self.disable_search && self.tool_overrides.web_search != Some(false)
    }

    /// How many pictures a drawing turn makes; none when drawing is switched off.
    pub(crate) fn pictures(&self) -> usize {
        if self.enable_image_generation == Some(false) {
            0
        } else {
            self.image_generation_count.unwrap_or(2).clamp(1, 4)
        }
    }

    pub(crate) fn wants_video(&self) -> bool {
        self.tool_overrides.video_gen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(message: &str) -> ChatBody {
        ChatBody { message: message.to_owned(), ..ChatBody::default() }
    }

    #[test]
    fn the_prompt_is_the_last_thing_the_user_said() {
        assert_eq!(body("Hello").prompt(), "Hello");
        assert_eq!(
            body("[system]: Be brief.\n\n[user]: Hi\n\n[assistant]: Hey\n\n[user]: Draw a cat").prompt(),
            "Draw a cat"
        );
        assert_eq!(body("[user]: Look it up\n\n[assistant]: {}\n\n[tool call_1]: 4").prompt(), "Look it up");
        assert_eq!(body("Waves --mode=custom").prompt(), "Waves");
        assert_eq!(body("what is [user]: for?").prompt(), "what is [user]: for?");
    }

    #[test]
    fn a_mark_is_found_wherever_it_stands() {
        assert_eq!(body("Generate an image: a kite [[id=job 7]]\n\nAspect ratio: 1:1").mark(), Some("job 7"));
        assert_eq!(body("[user]: [[id=1]]\n\n[assistant]: no\n\n[user]: [[id=2]]").mark(), Some("2"));
        for message in ["a kite", "[[id=", "[[id=]]", "[[id=x]"] {
            assert_eq!(body(message).mark(), None, "{message}");
        }
    }

    #[test]
    fn costs_follow_the_mode() {
        let mut turn = body("x");
        assert_eq!(turn.text_cost(), 1);
        turn.model_mode = "MODEL_MODE_EXPERT".to_owned();
        assert_eq!((turn.text_cost(), turn.thinks()), (4, true));
        turn.model_mode = "MODEL_MODE_HEAVY".to_owned();
        assert_eq!((turn.text_cost(), turn.is_heavy()), (1, true));
    }
}
