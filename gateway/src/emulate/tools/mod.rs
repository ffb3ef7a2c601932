//! Tool calls over a text-only model (`openai-surface.md` §5): asks for them in the prompt, finds them in the answer.

mod instruction;
mod opening;
mod parse;
mod rules;
mod sink;

pub use instruction::instruction;
pub use rules::ToolRules;
pub use sink::{MAX_HELD_BYTES, ToolCallSink};

pub(crate) use super::lenient::compact as compact_json;
