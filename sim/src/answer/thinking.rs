//! How does the simulator think aloud? In titled steps; on the heavy model with several agents.

use super::draft::{Draft, Extras};
use super::rendered::Rendered;
use super::text::{about, compose, phrases};
use crate::identity::seed;
use crate::turn::ChatBody;

/// Who thinks on the heavy model.
const AGENTS: [&str; 3] = ["Grok", "Agent 1", "Agent 2"];

/// Thinking, and then a plain answer.
pub(crate) fn answer(turn: &ChatBody) -> Rendered {
    let mut draft = Draft::new(turn, seed(&(&turn.message, "thinking")));
    let prompt = turn.prompt();
    for (step, (title, lines)) in phrases(prompt).thinking.iter().enumerate() {
        let rollout = turn.is_heavy().then(|| AGENTS[step % AGENTS.len()]);
        draft.header(title, rollout);
        for line in *lines {
            draft.thought(&about(line, prompt), rollout);
        }
        draft.next_step();
    }
    draft.say(&compose(turn));
    draft.finish(&Extras::default())
}
