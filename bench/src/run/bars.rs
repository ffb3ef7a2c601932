//! What has to be reached, and is it?

use serde::Serialize;

use super::float::float;
use super::round::Sample;
use super::target::Target;
use super::workload::Workload;

/// A bar of the performance page.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bar {
    /// At most so many times what nginx needs.
    TimesNginx(f64),
    /// At most this.
    AtMost(f64),
    /// At least this.
    AtLeast(f64),
}

/// One line of the result: medians over the rounds.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub(crate) workload: Workload,
    pub(crate) metric: &'static str,
    pub(crate) nginx: Option<f64>,
    pub(crate) gateway: Option<f64>,
    pub(crate) ratio: Option<f64>,
    pub(crate) ship: Option<Bar>,
    pub(crate) boast: Option<Bar>,
    /// `None` when there is no bar, or nothing to compare with.
    pub(crate) passed: Option<bool>,
}

/// Everything that is shown: what, the bar to ship, the bar to boast.
const SHOWN: [(Workload, &str, Option<Bar>, Option<Bar>); 13] = [
    (Workload::W1, "cpu_us_per_request", Some(Bar::TimesNginx(2.5)), Some(Bar::TimesNginx(1.5))),
    (Workload::W1, "first_token_p50_ms", Some(Bar::AtMost(0.5)), Some(Bar::AtMost(0.3))),
    (Workload::W2, "cpu_us_per_chunk", Some(Bar::TimesNginx(2.0)), Some(Bar::TimesNginx(1.4))),
    (Workload::W2, "chunks_per_second", None, None),
    (Workload::W2, "simulator_cpu_us_per_chunk", None, None),
    (Workload::W3, "cpu_us_per_chunk", Some(Bar::TimesNginx(1.5)), Some(Bar::TimesNginx(1.25))),
    (Workload::W3, "lateness_p99_ms", Some(Bar::TimesNginx(2.5)), Some(Bar::TimesNginx(1.5))),
    (Workload::W3, "simulator_cpu_us_per_chunk", None, None),
    (Workload::W4, "cpu_us_per_request", Some(Bar::AtMost(800.0)), Some(Bar::AtMost(600.0))),
    (Workload::W4, "chunks_per_second", None, None),
    (Workload::W5, "kib_per_stream", Some(Bar::AtMost(40.0)), Some(Bar::AtMost(32.0))),
    (Workload::W5, "memory_at_rest_mib", Some(Bar::AtMost(40.0)), Some(Bar::AtMost(20.0))),
    (Workload::W5, "open_streams", Some(Bar::AtLeast(5_000.0)), None),
];

/// The table's rows; a row "errors" is added for each workload that had wrong answers.
pub(crate) fn judge(samples: &[Sample]) -> Vec<Row> {
    let measured = |workload| samples.iter().any(|sample| sample.workload == workload);
    let mut rows: Vec<Row> = SHOWN
        .iter()
        .filter(|(workload, ..)| measured(*workload))
        .map(|(workload, metric, ship, boast)| row(samples, *workload, metric, *ship, *boast))
        .collect();
    rows.extend(Workload::ALL.into_iter().filter_map(|workload| errors(samples, workload)));
    rows
}

fn row(samples: &[Sample], workload: Workload, metric: &'static str, ship: Option<Bar>, boast: Option<Bar>) -> Row {
    let of = |target| {
        let taken = samples.iter().filter(|sample| sample.workload == workload && sample.target == target);
        median(taken.filter_map(|sample| sample.metrics.get(metric).copied()).collect())
    };
    let (nginx, gateway) = (of(Target::Nginx), of(Target::Gateway));
    let passed = ship.zip(gateway).and_then(|(bar, gateway)| bar.holds(gateway, nginx));
    Row { workload, metric, nginx, gateway, ratio: gateway.zip(nginx).map(|(g, n)| g / n), ship, boast, passed }
}

/// Wrong answers count against whoever gave them, and there must be none.
fn errors(samples: &[Sample], workload: Workload) -> Option<Row> {
    let of = |target| {
        let taken = samples.iter().filter(|sample| sample.workload == workload && sample.target == target);
        float(taken.map(|sample| sample.report.errors).sum())
    };
    let (nginx, gateway) = (of(Target::Nginx), of(Target::Gateway));
    let wrong = nginx + gateway > 0.0;
    let (ship, passed) = (Some(Bar::AtMost(0.0)), Some(false));
    let row = Row {
        workload,
        metric: "errors",
        nginx: Some(nginx),
        gateway: Some(gateway),
        ratio: None,
        ship,
        boast: None,
        passed,
    };
    wrong.then_some(row)
}

impl Bar {
    fn holds(self, gateway: f64, nginx: Option<f64>) -> Option<bool> {
        match self {
            Self::TimesNginx(times) => nginx.map(|nginx| gateway <= nginx * times),
            Self::AtMost(most) => Some(gateway <= most),
            Self::AtLeast(least) => Some(gateway >= least),
        }
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.get(values.len().wrapping_sub(1) / 2)?, values.get(values.len() / 2)?);
    Some(f64::midpoint(*low, *high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn a_ratio_needs_something_to_compare_with() {
        assert_eq!(Bar::TimesNginx(1.5).holds(18.0, Some(12.1)), Some(true));
        assert_eq!(Bar::TimesNginx(1.5).holds(18.2, Some(12.1)), Some(false));
        assert_eq!(Bar::TimesNginx(1.5).holds(18.2, None), None);
        assert_eq!(Bar::AtLeast(5_000.0).holds(4_999.0, None), Some(false));
    }
}
