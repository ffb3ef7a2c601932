//! What the web chat cannot do by itself: tools, stop texts and answers in a required form.

pub mod json;
mod lenient;
pub mod schema;
pub mod stop;
pub mod tools;

#[cfg(test)]
mod recorder;
