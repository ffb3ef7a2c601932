//! Turns a message list into the one text that the web chat takes.

mod calls;
mod echo;
mod error;
mod file;
mod fold;

pub use error::PromptError;
pub use fold::{FoldOptions, Prompt, fold};
