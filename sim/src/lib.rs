//! A simulated Grok web service: answers, pictures, budgets and faults, for the demo, tests and benchmarks.
//!
//! An account is the value of the `sso` cookie. Faults are part of an account's name (see [`faults`]), answers are chosen
//! by the prompt (see [`answer`] and [`directive`]), and a test can queue one-shot answers of its own ([`Script`]).

mod accounts;
pub mod answer;
mod assets;
mod body;
mod bomb;
mod budget;
mod builder;
mod chat;
mod clock;
mod control;
mod creates;
mod departures;
pub mod directive;
mod dispatch;
pub mod faults;
mod file;
mod handle;
mod honeypot;
mod identity;
mod media_order;
mod pace;
mod plan;
mod rate_limits;
mod recorder;
mod refusal;
mod route;
mod script;
mod server;
mod spoil;
mod state;
mod turn;
mod upload;

pub use accounts::AccountStats;
pub use answer::bench::{AnswerShape, bench_text, expected_bench_body};
pub use answer::fixture::{UnknownFixture, fixture, fixture_names};
pub use builder::{SimBuilder, StartError};
pub use creates::{CreateLedger, CreateStats};
pub use departures::Departure;
pub use handle::Sim;
pub use pace::Pace;
pub use recorder::Recorded;
pub use route::Route;
pub use script::Script;
