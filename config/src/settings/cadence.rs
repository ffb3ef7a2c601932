//! How often something becomes due.

use std::fmt;

use chrono::{DateTime, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

/// Shortest and longest interval, in seconds.
const INTERVALS: std::ops::RangeInclusive<u64> = 10..=31 * 86_400;
/// Longest text that is looked at, in bytes.
const MAX_BYTES: usize = 100;

/// How often something becomes due. The times follow from the cadence alone, so that all who know it agree about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cadence {
    times: Times,
    text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Times {
    /// Never.
    Off,
    /// At all multiples of so many milliseconds since the beginning of 1970.
    Every(i64),
    /// When a cron expression matches, in UTC.
    Cron(Box<Cron>),
}

impl Cadence {
    /// What people may write, continuing "must be".
    pub const FORM: &'static str =
        "`every` with a number and s, m, h or d (10s to 31d), a cron expression of five fields in UTC, or `off`";

    /// The cadence of a text: `every 10m`, `*/10 * * * *`, `off`. `None` when it is none of these, when the interval is
    /// shorter than 10 s or longer than 31 days, or when the expression never matches.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_lowercase();
        if text.len() > MAX_BYTES {
            return None;
        }
        let times = if text == "off" {
            Times::Off
        } else if let Some(interval) = text.strip_prefix("every ") {
            let secs = seconds(interval)?;
            Times::Every(i64::try_from(secs).ok()? * 1000)
        } else {
            let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
            let cron = parser.parse(&text).ok()?;
            // One that matches no day of any year is a mistake.
            cron.find_next_occurrence(&DateTime::<Utc>::from_timestamp_millis(1_767_225_600_000)?, true).ok()?;
            Times::Cron(Box::new(cron))
        };
        Some(Self { times, text })
    }

    /// Whether nothing ever becomes due.
    pub fn is_off(&self) -> bool {
        self.times == Times::Off
    }

    /// The latest time at which it was due at `now` or before, both in Unix milliseconds.
    pub fn last(&self, now: i64) -> Option<i64> {
        match &self.times {
            Times::Off => None,
            Times::Every(interval) => Some(now - now.rem_euclid(*interval)),
            Times::Cron(cron) => {
                let found = cron.find_previous_occurrence(&DateTime::<Utc>::from_timestamp_millis(now)?, true).ok()?;
                Some(found.timestamp() * 1000)
            }
        }
    }

    /// The first time after `now` at which it will be due, both in Unix milliseconds.
    pub fn next(&self, now: i64) -> Option<i64> {
        match &self.times {
            Times::Off => None,
            Times::Every(interval) => Some(now - now.rem_euclid(*interval) + interval),
            Times::Cron(cron) => {
                let found = cron.find_next_occurrence(&DateTime::<Utc>::from_timestamp_millis(now)?, false).ok()?;
                Some(found.timestamp() * 1000)
            }
        }
    }
}

impl fmt::Display for Cadence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The seconds of `90s`, `10m`, `2h`, `1d`.
fn seconds(text: &str) -> Option<u64> {
    let text = text.replace(' ', "");
    let number = text.trim_end_matches(|unit: char| unit.is_ascii_alphabetic());
    let factor = match &text[number.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    let secs = number.parse::<u64>().ok()?.checked_mul(factor)?;
    INTERVALS.contains(&secs).then_some(secs)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    /// 2026-11-23 02:44:31.500 UTC, a Monday.
    const NOW: i64 = 1_795_401_871_500;
    const MINUTE: i64 = 60_000;

    fn around(text: &str) -> (i64, i64) {
        let cadence = Cadence::parse(text).unwrap();
        (NOW - cadence.last(NOW).unwrap(), cadence.next(NOW).unwrap() - NOW)
    }

    #[test]
    fn intervals_and_expressions_agree_about_the_same_times() {
        let (last, next) = around("every 10m");
        assert_eq!((last, next), (4 * MINUTE + 31_500, 5 * MINUTE + 28_500));
        assert_eq!(around("*/10 * * * *"), (last, next));
        assert_eq!(around("Every  600 s"), (last, next));
        let (last, next) = around("0 3 * * mon");
        assert_eq!(next, 15 * MINUTE + 28_500);
        assert_eq!(last + next, 7 * 24 * 60 * MINUTE);
    }

    #[test]
    fn a_time_that_is_due_now_is_the_last_one_and_not_the_next() {
        let due = NOW - NOW % (10 * MINUTE);
        for text in ["every 10m", "*/10 * * * *"] {
            let cadence = Cadence::parse(text).unwrap();
            assert_eq!((cadence.last(due), cadence.next(due)), (Some(due), Some(due + 10 * MINUTE)), "{text}");
            assert_eq!((cadence.last(due - 1), cadence.next(due - 1)), (Some(due - 10 * MINUTE), Some(due)), "{text}");
        }
    }

    #[test]
    fn off_is_never() {
        let off = Cadence::parse(" OFF ").unwrap();
        assert!(off.is_off() && off.last(NOW).is_none() && off.next(NOW).is_none());
        assert_eq!(off.to_string(), "off");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let long = "* ".repeat(60);
        for bad in [
            "",
            "every",
            "every 9s",
            "every 32d",
            "every 1w",
            "every m",
            "every -1m",
            "10m",
            "* * * *",
            "* * * * * *",
            "61 * * * *",
            "0 0 30 2 *",
            "every 99999999999999999999d",
            &long,
        ] {
            assert_eq!(Cadence::parse(bad), None, "{bad}");
        }
    }
}
