//! Which faults can an account have? They are part of its name, each after `.fault-`, as in
//! `ann.fault-flaky429:2.fault-slow:50`.
//!
//! | fault | what happens |
//! |---|---|
//! | `400` `401` `401marker` `403` `403html` `403bot` `403blocked` `404` `500` `502` `503` `503html` | this status with the upstream's words, on chat, upload and limits |
//! | `429[:seconds]` | chat calls are limited, with `Retry-After` if seconds are given; the limits say that nothing is left |
//! | `slow[:ms]` | the head comes late (1,000 ms) |
//! | `latebody[:ms]` | the head comes at once, the first line late (1,000 ms) |
//! | `silent` | not even a head ever comes |
//! | `close` | the connection is closed without an answer |
//! | `redirect` | 302 to `/honeypot` of this server under the host name `localhost` |
//! | `stall[:n]` | nothing more after n lines (6) |
//! | `cut[:n]` | the connection is cut after n lines (6) |
//! | `noend[:n]` | the body ends properly after n lines (6), without an end marker |
//! | `linger` | the answer is complete, but its body never ends |
//! | `endless[:ms]` | token lines for ever, one per interval (0 ms), at most 10 million |
//! | `drip[:ms]` | one byte per interval (1,000 ms) |
//! | `paced[:ms]` | one line, or one piece of a file, per interval (100 ms) |
//! | `garbage` | 64 lines that are no JSON |
//! | `hugeline[:mib]` | one line without an end (64 MiB) |
//! | `bomb[:gzip\|br\|zstd]` | 1 GiB in a few KiB or MiB of that coding (gzip) |
//! | `html200` `empty` | success with a challenge page; success without a byte |
//! | `errorline[:code]` | success whose first line is an error with this gRPC status number (8) |
//! | `errormid[:n]` | an error line after n lines (6) |
//! | `moderated` `nomodel` | an error object in the stream: content moderated; model not available |
//! | `overload` | `modelResponse` with an error about heavy usage |
//! | `flakyX:n` | the first n chat calls have the fault X, as in `flaky429:2` |
//! | `asset-fresh[:n]` | each file is not there for the first n questions (1) |
//! | `upload-X` `limits-X` `asset-X` | the fault X on uploads, questions about limits or downloads only; with `flaky`: `upload-flaky500:1` |
//!
//! Files come in sixteen pieces, large ones in more: the first sixteen are the lines of `stall`, `cut` and `noend` on
//! downloads.
//!
//! A name that is none of these makes every chat call of the account fail with a 400 that says so.

use std::time::Duration;

use crate::bomb::Coding;
use crate::refusal::Refusal;
use crate::route::Route;

/// Separates faults in a name.
const MARK: &str = ".fault-";
/// Four lines before the first token and two tokens.
const DEFAULT_LINES: usize = 6;

/// One way to misbehave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Something goes wrong before there is an answer.
    Door(Door),
    /// Something goes wrong with a streamed answer.
    Spoil(Spoil),
    /// Only the first calls have the fault.
    Flaky { first: u64, fault: Box<Fault> },
    /// Only calls of one route have the fault.
    Only { route: Route, fault: Box<Fault> },
    /// A name that means nothing.
    Unknown(String),
}

/// Trouble before there is an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Door {
    Refuse { refusal: Refusal, retry_after: Option<u64> },
    Slow(Duration),
    Silent,
    Close,
    Redirect,
}

/// What becomes of a streamed answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Spoil {
    LateBody(Duration),
    Stall(usize),
    Cut(usize),
    NoEnd(usize),
    Linger,
    Endless(Duration),
    Drip(Duration),
    Paced(Duration),
    Fresh(u64),
    Garbage,
    HugeLine { mib: u64 },
    Bomb(Coding),
    Empty,
    ErrorLine(i64),
    ErrorMid(usize),
    Moderated,
    NoModel,
    Overload,
}

impl Fault {
    /// What this fault does to the n-th call (from 1) of a route, if anything.
    pub(crate) fn on(&self, route: Route, call: u64) -> Option<&Self> {
        match self {
            Self::Only { route: only, fault } => (*only == route).then(|| fault.in_turn(call)).flatten(),
            Self::Door(Door::Refuse { refusal: Refusal::TooMany | Refusal::Challenge200, .. })
            | Self::Flaky { .. }
            | Self::Spoil(_)
            | Self::Unknown(_) => (route == Route::Chat).then(|| self.in_turn(call)).flatten(),
            Self::Door(_) => (route != Route::Asset).then_some(self),
        }
    }

    fn in_turn(&self, call: u64) -> Option<&Self> {
        if let Self::Flaky { first, fault } = self { (call <= *first).then_some(fault) } else { Some(self) }
    }

    /// For how many seconds an account is limited whose chat calls always are; 0 when it does not say.
    pub(crate) fn limits_chat(&self) -> Option<u64> {
        if let Self::Door(Door::Refuse { refusal: Refusal::TooMany, retry_after }) = self {
            Some(retry_after.unwrap_or(0))
        } else {
            None
        }
    }

    /// Reads one fault, without the mark.
    pub(crate) fn parse(text: &str) -> Self {
        let routes = [("upload-", Route::Upload), ("limits-", Route::RateLimits), ("asset-", Route::Asset)];
        if let Some((route, fault)) = routes.iter().find_map(|(name, route)| Some((*route, text.strip_prefix(name)?))) {
            return Self::Only { route, fault: Box::new(Self::parse(fault)) };
        }
        let (name, argument) = text.split_once(':').map_or((text, None), |(name, argument)| (name, Some(argument)));
        if let Some(fault) = name.strip_prefix("flaky") {
            return Self::Flaky { first: number(argument, 1), fault: Box::new(Self::parse(fault)) };
        }
        if let Some((_, refusal)) = Refusal::NAMED.iter().find(|(refused, _)| *refused == name) {
            let retry_after = argument.and_then(|seconds| seconds.parse().ok());
            return Self::Door(Door::Refuse { refusal: *refusal, retry_after });
        }
        Self::named(name, argument).unwrap_or_else(|| Self::Unknown(text.to_owned()))
    }

    fn named(name: &str, argument: Option<&str>) -> Option<Self> {
        let ms = |default| Duration::from_millis(number(argument, default));
        let lines = || number(argument, DEFAULT_LINES);
        Some(match name {
            "slow" => Self::Door(Door::Slow(ms(1_000))),
            "latebody" => Self::Spoil(Spoil::LateBody(ms(1_000))),
            "silent" => Self::Door(Door::Silent),
            "close" => Self::Door(Door::Close),
            "redirect" => Self::Door(Door::Redirect),
            "stall" => Self::Spoil(Spoil::Stall(lines())),
            "cut" => Self::Spoil(Spoil::Cut(lines())),
            "noend" => Self::Spoil(Spoil::NoEnd(lines())),
            "linger" => Self::Spoil(Spoil::Linger),
            "endless" => Self::Spoil(Spoil::Endless(ms(0))),
            "drip" => Self::Spoil(Spoil::Drip(ms(1_000))),
            "paced" => Self::Spoil(Spoil::Paced(ms(100))),
            "fresh" => Self::Spoil(Spoil::Fresh(number(argument, 1))),
            "garbage" => Self::Spoil(Spoil::Garbage),
            "hugeline" => Self::Spoil(Spoil::HugeLine { mib: number(argument, 64) }),
            "bomb" => Self::Spoil(Spoil::Bomb(Coding::named(argument.unwrap_or("gzip"))?)),
            "empty" => Self::Spoil(Spoil::Empty),
            "errorline" => Self::Spoil(Spoil::ErrorLine(number(argument, 8))),
            "errormid" => Self::Spoil(Spoil::ErrorMid(lines())),
            "moderated" => Self::Spoil(Spoil::Moderated),
            "nomodel" => Self::Spoil(Spoil::NoModel),
            "overload" => Self::Spoil(Spoil::Overload),
            _ => return None,
        })
    }
}

/// The faults in an account's name.
pub(crate) fn parse_name(name: &str) -> Vec<Fault> {
    name.split(MARK).skip(1).map(Fault::parse).collect()
}

fn number<T: std::str::FromStr>(argument: Option<&str>, default: T) -> T {
    argument.and_then(|argument| argument.parse().ok()).unwrap_or(default)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_one(name: &str) -> Fault {
        parse_name(name).pop().expect("a fault")
    }

    #[test]
    fn a_plain_name_and_a_token_have_no_fault() {
        assert!(parse_name("alice").is_empty());
        assert!(parse_name("eyJhbGciOiJIUzI1NiJ9.eyJzIjoxfQ.c2ln").is_empty());
    }

    #[test]
    fn several_faults_stand_in_one_name_in_order() {
        let faults = parse_name("ann.fault-flaky429:2.fault-slow:50");
        assert_eq!(faults.len(), 2);
        assert_eq!(faults[1], Fault::Door(Door::Slow(Duration::from_millis(50))));
        let second = faults[0].on(Route::Chat, 2).expect("still flaky");
        assert_eq!(*second, Fault::Door(Door::Refuse { refusal: Refusal::TooMany, retry_after: None }));
        assert_eq!(faults[0].on(Route::Chat, 3), None);
        assert_eq!(faults[0].on(Route::Upload, 1), None);
    }

    #[test]
    fn a_refused_account_is_refused_everywhere_but_limits_only_concern_chat() {
        let unauthenticated = parse_one("a.fault-401");
        assert!(unauthenticated.on(Route::RateLimits, 1).is_some());
        assert!(unauthenticated.on(Route::Upload, 1).is_some());
        let limited = parse_one("a.fault-429:7");
        assert_eq!(limited.limits_chat(), Some(7));
        assert!(limited.on(Route::RateLimits, 1).is_none());
    }

    #[test]
    fn a_fault_can_be_confined_to_one_route() {
        let fault = parse_one("a.fault-upload-flaky500:1");
        assert!(fault.on(Route::Chat, 1).is_none());
        assert!(fault.on(Route::Upload, 1).is_some());
        assert!(fault.on(Route::Upload, 2).is_none());
    }

    #[test]
    fn a_misspelt_fault_is_kept_to_be_complained_about() {
        assert_eq!(parse_one("a.fault-stal"), Fault::Unknown("stal".to_owned()));
        assert_eq!(parse_one("a.fault-bomb:rar"), Fault::Unknown("bomb:rar".to_owned()));
    }
}
