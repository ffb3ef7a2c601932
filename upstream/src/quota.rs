//! The upstream's answer about an account's limits, read as protocol page "grok-web-quota" §1.3 says.

use std::time::Duration;

use serde_json::{Map, Value};

/// Larger numbers are taken for mistakes.
const MAX_SENSIBLE: f64 = 1_000_000.0;

/// What the numbers of a [`RateLimits`] count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Units of a budget that calls draw on by their cost.
    Tokens,
    /// Calls.
    Calls,
}

/// What an account may still do with one budget. Every part can be unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// `None`: the answer says nothing about what is left, keep what was known.
    pub unit: Option<Unit>,
    /// What is left, in units. `None` exactly when the unit is.
    pub remaining: Option<u32>,
    /// The size of the full budget, in units.
    pub total: Option<u32>,
    /// Length of the window, in seconds. `None`: the tier's usual one.
    pub window_secs: Option<u32>,
    /// Seconds until the next low-effort call; never 0.
    pub low_wait_secs: Option<u32>,
    /// Seconds until the next high-effort call; never 0.
    pub high_wait_secs: Option<u32>,
    /// Seconds until the next call of any effort; never 0.
    pub top_wait_secs: Option<u32>,
    /// What a low-effort call costs; never 0.
    pub low_cost: Option<u32>,
    /// What a high-effort call costs; never 0.
    pub high_cost: Option<u32>,
}

/// The body is not a JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer about rate limits is not a JSON object")]
pub struct NotAnObject;

/// Reads an answer; one that is no JSON object gives limits of which nothing is known.
pub fn parse(body: &[u8]) -> RateLimits {
    RateLimits::from_json(body).unwrap_or_default()
}

impl RateLimits {
    /// Reads an answer.
    ///
    /// # Errors
    ///
    /// [`NotAnObject`] when the body is no JSON object. Members that are missing or absurd are unknown, no error.
    pub fn from_json(body: &[u8]) -> Result<Self, NotAnObject> {
        let members: Map<String, Value> = serde_json::from_slice(body).map_err(|_| NotAnObject)?;
        let (unit, remaining, total) = budget(&members);
        let low = members.get("lowEffortRateLimits");
        let high = members.get("highEffortRateLimits");
        Ok(Self {
            unit,
            remaining,
            total,
            window_secs: positive(members.get("windowSizeSeconds")),
            low_wait_secs: positive(low.and_then(|effort| effort.get("waitTimeSeconds"))),
            high_wait_secs: positive(high.and_then(|effort| effort.get("waitTimeSeconds"))),
            top_wait_secs: positive(members.get("waitTimeSeconds")),
            low_cost: positive(low.and_then(|effort| effort.get("cost"))),
            high_cost: positive(high.and_then(|effort| effort.get("cost"))),
        })
    }

    /// How many calls of a model with this table cost are left. `None` when the answer does not say.
    ///
    /// The cost that the upstream names for the model's effort outranks the table's.
    pub fn calls_left(&self, cost: u32) -> Option<u32> {
        let remaining = self.remaining?;
        match self.unit? {
            Unit::Calls => Some(remaining),
            Unit::Tokens => {
                let named = if cost > 1 { self.high_cost } else { self.low_cost };
                Some(remaining / named.unwrap_or(cost).max(1))
            }
        }
    }

    /// How long the upstream says to wait before a call of this table cost. `None` when it names no time.
    pub fn wait_for(&self, cost: u32) -> Option<Duration> {
        let effort = if cost > 1 { self.high_wait_secs } else { self.low_wait_secs };
        effort.or(self.top_wait_secs).map(|secs| Duration::from_secs(u64::from(secs)))
    }

    /// When a call of this cost becomes possible at the latest, counted from the reading.
    ///
    /// `None` while calls are left or nothing is known. Without a waiting time it is the window: an upper bound.
    pub fn available_in(&self, cost: u32, usual_window: Duration) -> Option<Duration> {
        if self.calls_left(cost)? > 0 {
            return None;
        }
        let window = self.window_secs.map_or(usual_window, |secs| Duration::from_secs(u64::from(secs)));
        Some(self.wait_for(cost).unwrap_or(window))
    }
}

/// Which of the two forms the answer has, and its numbers.
fn budget(members: &Map<String, Value>) -> (Option<Unit>, Option<u32>, Option<u32>) {
    let tokens_left = number(members.get("remainingTokens"));
    let tokens_total = positive(members.get("totalTokens"));
    let calls_total = positive(members.get("totalQueries"));
    if tokens_left.is_some() && (tokens_total.is_some() || calls_total.is_none()) {
        return (Some(Unit::Tokens), tokens_left, tokens_total);
    }
    match number(members.get("remainingQueries")) {
        Some(calls_left) => (Some(Unit::Calls), Some(calls_left), calls_total),
        None => (None, None, None),
    }
}

/// A sensible number, rounded down. Negative and absurd ones are unknown.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to lie within 0 ..= 1 000 000")]
fn number(value: Option<&Value>) -> Option<u32> {
    let number = value?.as_f64()?;
    (0.0..=MAX_SENSIBLE).contains(&number).then_some(number as u32)
}

fn positive(value: Option<&Value>) -> Option<u32> {
    number(value).filter(|&number| number > 0)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    /// Table cost of the fixture's model names ("grok-web-quota" §5).
    fn cost(model: &str) -> u32 {
        if model.ends_with("expert") { 4 } else { 1 }
    }

    fn as_u32(value: &Value) -> Option<u32> {
        value.as_u64().map(|number| u32::try_from(number).unwrap())
    }

    #[test]
    fn fixture_answers_are_read_as_recorded() {
        let fixture: Value = serde_json::from_str(include_str!("../../tests/fixtures/rate-limits.json")).unwrap();
        for case in fixture["cases"].as_array().unwrap() {
            let (name, expected) = (&case["name"], &case["expected"]);
            let limits = parse(&serde_json::to_vec(&case["response"]).unwrap());
            let unit = limits.unit.map(|unit| if unit == Unit::Tokens { "tokens" } else { "calls" });
            assert_eq!(unit, expected["unit"].as_str(), "{name}");
            assert_eq!(limits.remaining, as_u32(&expected["remaining"]), "{name}");
            assert_eq!(limits.total, as_u32(&expected["total"]), "{name}");
            assert_eq!(limits.window_secs, as_u32(&expected["window_seconds"]), "{name}");
            let wait = expected["wait_seconds"].as_u64().map(Duration::from_secs);
            for (model, calls_left) in expected["calls_left"].as_object().into_iter().flatten() {
                assert_eq!(limits.calls_left(cost(model)), as_u32(calls_left), "{name} {model}");
                assert_eq!(limits.wait_for(cost(model)), wait, "{name} {model}");
            }
            if let Some(seconds) = expected["available_again_in_at_most_seconds"].as_u64() {
                assert_eq!(limits.available_in(1, Duration::ZERO), Some(Duration::from_secs(seconds)), "{name}");
            }
        }
    }

    #[test]
    fn negative_and_absurd_numbers_are_unknown() {
        let limits = parse(br#"{"windowSizeSeconds":-1,"remainingTokens":-3,"totalTokens":80,"remainingQueries":5000000,"totalQueries":"x"}"#);
        assert_eq!(limits, RateLimits::default());
        assert_eq!(limits.calls_left(1), None);
        assert_eq!(limits.available_in(1, Duration::from_secs(9)), None);
        assert_eq!(parse(br#"{"remainingTokens":7.9}"#).calls_left(4), Some(1));
    }

    #[test]
    fn a_waiting_time_outranks_the_window() {
        let limits = parse(
            br#"{"remainingTokens":2,"totalTokens":80,"highEffortRateLimits":{"cost":4,"waitTimeSeconds":1830}}"#,
        );
        assert_eq!(limits.available_in(4, Duration::from_hours(2)), Some(Duration::from_secs(1830)));
        assert_eq!(limits.available_in(1, Duration::from_hours(2)), None);
        let empty = parse(br#"{"remainingQueries":0,"totalQueries":20}"#);
        assert_eq!(empty.available_in(1, Duration::from_hours(2)), Some(Duration::from_hours(2)));
    }

    #[test]
    fn what_is_no_object_is_an_error_and_by_itself_unknown() {
        for body in [&b""[..], b"[]", b"<html>", b"{\"a\":", b"null", b"\xff"] {
            assert_eq!(RateLimits::from_json(body), Err(NotAnObject));
            assert_eq!(parse(body), RateLimits::default());
        }
        assert_eq!(parse(br#"{"lowEffortRateLimits":[],"highEffortRateLimits":7}"#), RateLimits::default());
    }
}
