//! When each schedule is due, as the settings say.

use grok2api_config::{Cadence, Settings};
use grok2api_entity::schedule::Name;
use grok2api_queue::ticks;

/// When one schedule is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timetable(Option<Cadence>);

impl Timetable {
    /// That of the schedule of this name, under these settings.
    pub fn of(settings: &Settings, name: Name) -> Self {
        Self(settings.schedules.cadence(name.as_str()).cloned())
    }
}

impl From<Cadence> for Timetable {
    fn from(cadence: Cadence) -> Self {
        Self(Some(cadence))
    }
}

impl ticks::Timetable for Timetable {
    fn last(&self, now: i64) -> Option<i64> {
        self.0.as_ref()?.last(now)
    }

    fn next(&self, now: i64) -> Option<i64> {
        self.0.as_ref()?.next(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schedule_has_a_setting() {
        let settings = Settings::default();
        assert!(Name::ALL.into_iter().all(|name| Timetable::of(&settings, name).0.is_some()));
    }
}
