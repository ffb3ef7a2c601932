//! One lane: a connection, and requests one after the other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use grok2api_sim::{bench_text, expected_bench_body};

use super::body::Framing;
use super::connection::Connection;
use super::dialect;
use super::expected::Expected;
use super::options::{Dialect, Options};
use super::report::{Report, Spread};

/// What all lanes share.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) options: Options,
    pub(crate) expected: Expected,
}

/// What lanes have seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    requests: u64,
    chunks: u64,
    errors: u64,
    first_error: Option<String>,
    first_token_us: Vec<u32>,
    lateness_us: Vec<u32>,
}

impl Plan {
    pub(crate) fn new(options: &Options) -> anyhow::Result<Self> {
        let text = || bench_text(options.answer_chunks(), options.bytes).into_bytes().into();
        let expected = match options.dialect {
            Dialect::Grok => {
                let request = dialect::request(options, 0)?;
                let body =
                    expected_bench_body(request.body.as_bytes()).context("the simulator knows no such answer")?;
                Expected::raw(body, options.answer_chunks())
            }
            Dialect::Gateway if options.whole => Expected::Whole { text: text() },
            Dialect::Gateway => Expected::Events { text: text(), chunk_bytes: options.bytes },
        };
        Ok(Self { options: options.clone(), expected })
    }
}

/// Runs a lane to its end; a failed request is counted, and the next one gets a new connection.
pub(crate) async fn run(plan: Arc<Plan>, number: usize, delay: Duration) -> Seen {
    tokio::time::sleep(delay).await;
    let mut seen = Seen::default();
    let mut connection = None;
    let limit = Duration::from_secs(plan.options.timeout_secs);
    let request = match dialect::request(&plan.options, number) {
        Ok(request) => request,
        Err(error) => {
            seen.error(&error);
            return seen;
        }
    };
    for _ in 0..plan.options.requests {
        let asked = ask(&plan, &mut connection, &request.bytes, &mut seen);
        let answered = tokio::time::timeout(limit, asked).await.context("no answer in time").flatten();
        match answered {
            Ok(()) => seen.requests += 1,
            Err(error) => {
                seen.error(&error);
                connection = None;
            }
        }
    }
    seen
}

async fn ask(plan: &Plan, slot: &mut Option<Connection>, request: &[u8], seen: &mut Seen) -> anyhow::Result<()> {
    let mut connection = match slot.take() {
        Some(connection) => connection,
        None => Connection::open(plan.options.addr).await?,
    };
    let begin = Instant::now();
    connection.send(request).await?;
    let head = connection.head().await?;
    let mut framing = Framing::new(head.length);
    let mut check = plan.expected.check();
    let mut arrivals: Vec<u32> = Vec::with_capacity(plan.options.chunks);
    loop {
        let used =
            framing.take(&connection.buffer, |bytes| if head.status == 200 { check.take(bytes) } else { Ok(()) })?;
        if used == connection.buffer.len() {
            connection.buffer.clear();
        } else {
            connection.buffer.drain(..used);
        }
        if arrivals.len() < check.tokens {
            let now = u32::try_from(begin.elapsed().as_micros()).unwrap_or(u32::MAX);
            arrivals.resize(check.tokens, now);
        }
        if framing == Framing::Done {
            break;
        }
        connection.read().await?;
    }
    ensure!(head.status == 200, "status {}", head.status);
    check.end()?;
    seen.arrivals(&arrivals, plan.options.gap_ms);
    seen.chunks += plan.options.chunks as u64;
    if head.keep_alive {
        *slot = Some(connection);
    }
    Ok(())
}

impl Seen {
    pub(crate) fn error(&mut self, error: &anyhow::Error) {
        self.errors += 1;
        self.first_error.get_or_insert_with(|| format!("{error:#}"));
    }

    /// Lateness is measured against the stream's own schedule: its best chunk is the one that was on time.
    fn arrivals(&mut self, arrivals: &[u32], gap_ms: u64) {
        self.first_token_us.extend(arrivals.first());
        let step = i64::try_from(gap_ms * 1_000).unwrap_or(0);
        if step == 0 {
            return;
        }
        let offset = |(number, arrival): (usize, &u32)| i64::from(*arrival) - step * i64::try_from(number).unwrap_or(0);
        let on_time = arrivals.iter().enumerate().map(offset).min().unwrap_or(0);
        let late =
            arrivals.iter().enumerate().map(|arrival| u32::try_from(offset(arrival) - on_time).unwrap_or(u32::MAX));
        self.lateness_us.extend(late);
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.requests += other.requests;
        self.chunks += other.chunks;
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error);
        self.first_token_us.extend(other.first_token_us);
        self.lateness_us.extend(other.lateness_us);
    }

    pub(crate) fn report(self) -> Report {
        Report {
            requests: self.requests,
            chunks: self.chunks,
            errors: self.errors,
            first_error: self.first_error,
            seconds: 0.0,
            open: 0,
            first_token_us: Spread::of(self.first_token_us),
            lateness_us: Spread::of(self.lateness_us),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lateness_is_counted_from_the_chunk_that_was_on_time() {
        let mut seen = Seen::default();
        seen.arrivals(&[5_000, 21_000, 41_000, 64_000], 20);
        assert_eq!(seen.lateness_us, [4_000, 0, 0, 3_000]);
        assert_eq!(seen.first_token_us, [5_000]);
    }
}
