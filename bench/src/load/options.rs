//! What is sent, how often, and to whom?

use std::net::SocketAddr;
use std::time::Duration;

/// What the load generator does.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Whom to ask.
    #[arg(long)]
    pub(crate) addr: SocketAddr,
    /// Which language the server speaks.
    #[arg(long, value_enum)]
    pub(crate) dialect: Dialect,
    /// How many requests run at one time.
    #[arg(long, default_value_t = 1)]
    pub(crate) lanes: usize,
    /// How many requests each lane sends, one after the other.
    #[arg(long, default_value_t = 1)]
    pub(crate) requests: usize,
    /// Token lines of an answer.
    #[arg(long, default_value_t = 50)]
    pub(crate) chunks: usize,
    /// Bytes of text in a token line.
    #[arg(long, default_value_t = 5)]
    pub(crate) bytes: usize,
    /// Time between token lines, in milliseconds; 0 for none.
    #[arg(long, default_value_t = 0)]
    pub(crate) gap_ms: u64,
    /// Time over which the lanes begin, in milliseconds.
    #[arg(long, default_value_t = 0)]
    pub(crate) ramp_ms: u64,
    /// Ask for whole answers instead of streams.
    #[arg(long)]
    pub(crate) whole: bool,
    /// Open streams that wait, say so on standard output, and hold them until standard input ends.
    #[arg(long)]
    pub(crate) hold: bool,
    /// API key for the gateway.
    #[arg(long, default_value = "bench-key")]
    pub(crate) key: String,
    /// Model asked for at the gateway.
    #[arg(long, default_value = "grok-3-fast")]
    pub(crate) model: String,
    /// Accounts used in turn when the Grok protocol is spoken.
    #[arg(long, default_value_t = 100)]
    pub(crate) accounts: usize,
    /// Longest time for one request, in seconds.
    #[arg(long, default_value_t = 60)]
    pub(crate) timeout_secs: u64,
}

/// Languages of servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Dialect {
    /// The gateway's chat completions.
    Gateway,
    /// The upstream's own protocol, as nginx passes it on.
    Grok,
}

impl Options {
    /// The prompt that makes the simulator answer in the wanted shape.
    pub(crate) fn prompt(&self) -> String {
        if self.hold {
            return "bench:wait".to_owned();
        }
        let gap = if self.gap_ms > 0 { format!(",gap_ms={}", self.gap_ms) } else { String::new() };
        format!("bench:chunks={},bytes={}{gap}", self.chunks, self.bytes)
    }

    /// When a lane begins.
    pub(crate) fn delay_of(&self, lane: usize) -> Duration {
        let lanes = u32::try_from(self.lanes.max(1)).unwrap_or(u32::MAX);
        Duration::from_millis(self.ramp_ms) / lanes * u32::try_from(lane).unwrap_or(u32::MAX)
    }

    /// Token lines of an answer, also of one that waits.
    pub(crate) fn answer_chunks(&self) -> usize {
        if self.hold { 1 } else { self.chunks }
    }
}
