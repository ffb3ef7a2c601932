//! What do the faults make of a streamed answer?

use std::io;
use std::time::Duration;

use bytes::Bytes;

use crate::answer::{error_object, overloaded};
use crate::bomb;
use crate::faults::Spoil;
use crate::pace::{Pace, Schedule};
use crate::plan::{End, Plan};
use crate::refusal::error_body;
use crate::turn::ChatBody;

/// Lines that are no JSON.
const GARBAGE_LINES: usize = 64;
/// Lines that stand before the first token.
const PREAMBLE_LINES: usize = 4;
/// Token lines of an endless answer.
const ENDLESS_LINES: u64 = 10_000_000;
/// Piece of a line without an end.
const HUGE_PIECE_BYTES: usize = 65_536;

impl Spoil {
    /// What is sent instead of an answer, if this fault leaves nothing of it. No budget is used then.
    pub(crate) async fn instead(&self, turn: &ChatBody) -> io::Result<Option<Plan>> {
        let line = |body: &[u8]| Plan::pieces(vec![[body, b"\n"].concat().into()]);
        Ok(match self {
            Self::Garbage => Some(garbage()),
            Self::HugeLine { mib } => Some(huge_line(*mib)),
            Self::Bomb(coding) => Some(bomb::plan(*coding).await?),
            Self::Empty => Some(Plan::empty()),
            Self::ErrorLine(code) => Some(line(&error_body(*code, message(*code)))),
            Self::Moderated => {
                Some(Plan::answer(&error_object(turn, "Content was moderated", "contentModerated"), Pace::Full))
            }
            Self::NoModel => {
                Some(Plan::answer(&error_object(turn, "Model is not available", "modelNotAvailable"), Pace::Full))
            }
            Self::Overload => Some(Plan::answer(&overloaded(turn), Pace::Full)),
            Self::LateBody(_)
            | Self::Stall(_)
            | Self::Cut(_)
            | Self::NoEnd(_)
            | Self::Linger
            | Self::Endless(_)
            | Self::Drip(_)
            | Self::Paced(_)
            | Self::Fresh(_)
            | Self::ErrorMid(_) => None,
        })
    }

    /// What is sent instead of a file, if this fault leaves nothing of it.
    pub(crate) async fn instead_of_a_file(&self) -> io::Result<Option<Plan>> {
        Ok(match self {
            Self::Garbage => Some(garbage()),
            Self::HugeLine { mib } => Some(huge_line(*mib)),
            Self::Bomb(coding) => Some(bomb::plan(*coding).await?),
            Self::Empty => Some(Plan::empty()),
            Self::ErrorLine(_)
            | Self::Moderated
            | Self::NoModel
            | Self::Overload
            | Self::LateBody(_)
            | Self::Stall(_)
            | Self::Cut(_)
            | Self::NoEnd(_)
            | Self::Linger
            | Self::Endless(_)
            | Self::Drip(_)
            | Self::Paced(_)
            | Self::Fresh(_)
            | Self::ErrorMid(_) => None,
        })
    }

    /// The answer with this fault.
    pub(crate) fn change(&self, mut plan: Plan) -> Plan {
        match self {
            Self::LateBody(delay) => Plan { body_delay: *delay, ..plan },
            Self::Stall(lines) => plan.after(*lines, End::Hang),
            Self::Cut(lines) => plan.after(*lines, End::Cut),
            Self::NoEnd(lines) => plan.after(*lines, End::Finish),
            Self::Linger => {
                plan.end = End::Hang;
                plan
            }
            Self::Endless(gap) => endless(plan, *gap),
            Self::Drip(gap) => drip(plan, *gap),
            Self::Paced(gap) => paced(plan, *gap),
            Self::ErrorMid(lines) => {
                let at = (*lines).min(plan.lines.len());
                let (kept, unsent) = plan.lines.split_at(at);
                let error = Bytes::from([&error_body(13, message(13))[..], b"\n"].concat());
                let pieces: Vec<_> = kept.iter().cloned().chain([error]).chain(unsent.iter().cloned()).collect();
                Plan { count: at + 1, lines: pieces.into(), ..plan }
            }
            Self::Garbage
            | Self::HugeLine { .. }
            | Self::Bomb(_)
            | Self::Empty
            | Self::ErrorLine(_)
            | Self::Moderated
            | Self::NoModel
            | Self::Overload
            | Self::Fresh(_) => plan,
        }
    }
}

fn garbage() -> Plan {
    Plan::pieces(
        (0..GARBAGE_LINES).map(|line| Bytes::from(format!("line {line} of the simulator is no JSON\n"))).collect(),
    )
}

fn huge_line(mib: u64) -> Plan {
    let mut plan = Plan::pieces(vec![Bytes::from_static(br#"{"result":{"response":{"token":""#)]);
    let piece = Bytes::from(vec![b'a'; HUGE_PIECE_BYTES]);
    plan.end =
        End::Repeat { piece, left: mib.saturating_mul((1 << 20) / HUGE_PIECE_BYTES as u64), gap: Duration::ZERO };
    plan
}

fn endless(plan: Plan, gap: Duration) -> Plan {
    let piece = plan.lines.get(PREAMBLE_LINES).or(plan.lines.last()).cloned().unwrap_or_default();
    plan.after(PREAMBLE_LINES, End::Repeat { piece, left: ENDLESS_LINES, gap })
}

fn paced(mut plan: Plan, gap: Duration) -> Plan {
    plan.schedule = Schedule::new(Pace::Every(gap), &(0..plan.count), 1);
    if let End::Repeat { gap: between, .. } = &mut plan.end {
        *between = gap;
    }
    plan
}

fn drip(plan: Plan, gap: Duration) -> Plan {
    let whole: Bytes = plan.lines.concat().into();
    let bytes: Vec<_> = (0..whole.len()).map(|at| whole.slice(at..=at)).collect();
    let schedule = Schedule::new(Pace::Every(gap), &(0..bytes.len()), 1);
    Plan { schedule, headers: plan.headers, ..Plan::pieces(bytes) }
}

/// What the upstream says with a gRPC status number.
fn message(code: i64) -> &'static str {
    match code {
        3 => "Invalid argument",
        7 => "Permission denied",
        8 => "Too many requests",
        14 => "Grok is under heavy usage right now",
        16 => "Unauthenticated",
        _ => "An internal error occurred.",
    }
}
