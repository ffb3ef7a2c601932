//! When does each line of an answer leave?

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// How fast answers come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As fast as the client reads, each line an HTTP chunk and a write of its own.
    Full,
    /// As fast as the client reads, each line an HTTP chunk of its own, as many as are ready in one write.
    Burst,
    /// One token line per interval; what stands before and after the tokens comes at once.
    Every(Duration),
}

/// When the lines of one stream are due.
#[derive(Debug, Clone)]
pub(crate) enum Schedule {
    /// At once, each in a write of its own.
    Each,
    /// At once, as many as are ready in one write.
    Merged,
    /// The lines in the range one interval apart, all others at once.
    Steps { gap: Duration, paced: Range<usize> },
    /// Each line at its own time after the start.
    Listed(Arc<[Duration]>),
}

impl Schedule {
    /// A pace applied to an answer whose lines in `paced` are worth waiting for, each for `stretch` intervals.
    pub(crate) fn new(pace: Pace, paced: &Range<usize>, stretch: u32) -> Self {
        match pace {
            Pace::Full => Self::Each,
            Pace::Burst => Self::Merged,
            Pace::Every(gap) => Self::Steps { gap: gap * stretch, paced: paced.clone() },
        }
    }

    /// How long after the start a line is due. `None`: at once.
    pub(crate) fn due(&self, line: usize) -> Option<Duration> {
        match self {
            Self::Each | Self::Merged => None,
            Self::Steps { gap, paced } => {
                let step = line.min(paced.end.saturating_sub(1)).saturating_sub(paced.start);
                (step > 0).then(|| gap.saturating_mul(u32::try_from(step).unwrap_or(u32::MAX)))
            }
            Self::Listed(at) => at.get(line).or(at.last()).copied(),
        }
    }

    /// Whether each line is to be flushed before the next one is handed over.
    pub(crate) fn writes_each_line(&self) -> bool {
        match self {
            Self::Each => true,
            Self::Merged | Self::Steps { .. } | Self::Listed(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paced_answer_waits_only_between_its_token_lines() {
        let schedule = Schedule::new(Pace::Every(Duration::from_millis(20)), &(4..7), 1);
        let due: Vec<_> = (0..9).map(|line| schedule.due(line).map_or(0, |due| due.as_millis())).collect();
        assert_eq!(due, [0, 0, 0, 0, 0, 20, 40, 40, 40]);
    }
}
