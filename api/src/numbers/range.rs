//! How far back figures go, and in which steps.

use grok2api_entity::usage_span::STEPS;

use crate::error::ApiError;

/// A time up to now, in points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    /// The name it is asked for by.
    pub(super) name: &'static str,
    /// Its length in seconds.
    secs: i64,
    /// The length of a point in seconds.
    pub(super) step_secs: i64,
    /// The length of the recorded spans that the points are made of, in seconds.
    pub(super) recorded_secs: i32,
}

const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

const fn range(name: &'static str, secs: i64, step_secs: i64, recorded_secs: i32) -> Range {
    Range { name, secs, step_secs, recorded_secs }
}

const RANGES: [Range; 7] = [
    range("15m", 15 * MINUTE, MINUTE, STEPS[0]),
    range("1h", HOUR, MINUTE, STEPS[0]),
    range("6h", 6 * HOUR, 5 * MINUTE, STEPS[0]),
    range("24h", DAY, 15 * MINUTE, STEPS[0]),
    range("7d", 7 * DAY, 2 * HOUR, STEPS[1]),
    range("30d", 30 * DAY, 8 * HOUR, STEPS[1]),
    range("90d", 90 * DAY, DAY, STEPS[1]),
];

impl Range {
    /// The range of that name; an hour when there is none.
    ///
    /// # Errors
    /// 400 for another name.
    pub(super) fn parse(name: Option<&str>) -> Result<Self, ApiError> {
        let name = name.unwrap_or("1h");
        let wrong = || ApiError::invalid("range", "invalid_value", "It is 15m, 1h, 6h, 24h, 7d, 30d or 90d.");
        RANGES.into_iter().find(|range| range.name == name).ok_or_else(wrong)
    }

    /// Begin and end around `now`, in Unix milliseconds: whole points, the last of which `now` belongs to.
    pub(super) fn around(self, now: i64) -> (i64, i64) {
        let end = now - now.rem_euclid(self.step_ms()) + self.step_ms();
        (end - self.secs * 1_000, end)
    }

    /// The same for the time before.
    pub(super) fn before(self, now: i64) -> (i64, i64) {
        let (from, _) = self.around(now);
        (from - self.secs * 1_000, from)
    }

    /// The length of a point in milliseconds.
    pub(super) fn step_ms(self) -> i64 {
        self.step_secs * 1_000
    }

    /// Its length in minutes.
    pub(super) fn minutes(self) -> i64 {
        self.secs / MINUTE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_whole_points_up_to_now() {
        for range in RANGES {
            let now = 1_795_401_871_123;
            let (from, to) = range.around(now);
            assert!(from < now && now < to && to - now <= range.step_ms(), "{range:?}");
            let points = (to - from) / range.step_ms();
            assert!((15..=96).contains(&points) && (to - from) % range.step_ms() == 0, "{range:?}: {points}");
            assert_eq!(range.step_secs % i64::from(range.recorded_secs), 0);
            assert_eq!(range.before(now), (2 * from - to, from));
        }
    }
}
