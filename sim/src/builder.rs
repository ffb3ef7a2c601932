//! How is a simulator started?

use std::io;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::answer::bench::AnswerShape;
use crate::handle::Sim;
use crate::pace::Pace;
use crate::server;
use crate::state::{Options, State};

/// A simulator that is not started yet.
#[derive(Debug, Clone)]
pub struct SimBuilder {
    options: Options,
}

/// The simulator could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is none, or is taken.
    #[error("the simulator cannot listen on {addr}")]
    Listen {
        /// What was asked for.
        addr: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

impl Default for SimBuilder {
    fn default() -> Self {
        Self { options: Options { pace: Pace::Full, shape: None, budgets: true, record: true } }
    }
}

impl SimBuilder {
    /// How fast answers come; full speed if this is not called.
    #[must_use]
    pub fn pace(mut self, pace: Pace) -> Self {
        self.options.pace = pace;
        self
    }

    /// Gives every answer exactly this shape, with the text of [`bench_text`](crate::bench_text).
    #[must_use]
    pub fn answer(mut self, shape: AnswerShape) -> Self {
        self.options.shape = Some(shape);
        self
    }

    /// Never lets an account run dry.
    #[must_use]
    pub fn unlimited(mut self) -> Self {
        self.options.budgets = false;
        self
    }

    /// Whether requests are recorded; they are if this is not called.
    #[must_use]
    pub fn record(mut self, on: bool) -> Self {
        self.options.record = on;
        self
    }

    /// Starts to listen, on `127.0.0.1:0` for any free port.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub async fn start(self, addr: &str) -> Result<Sim, StartError> {
        let failed = |source| StartError::Listen { addr: addr.to_owned(), source };
        let listener = server::listen(addr).await.map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        let state = Arc::new(State::new(self.options, local.port()));
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        tasks.spawn(server::serve(listener, Arc::clone(&state), tasks.clone(), stop.clone()));
        Ok(Sim::new(local, state, tasks, stop))
    }
}
