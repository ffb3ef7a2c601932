//! How is the result shown?

use std::fmt::Write as _;

use super::bars::{Bar, Row};

/// The rows as a table of text.
pub(crate) fn render(rows: &[Row]) -> String {
    let head = ["", "metric", "nginx", "gateway", "ratio", "ship", "boast", "verdict"].map(str::to_owned);
    let lines: Vec<[String; 8]> = std::iter::once(head).chain(rows.iter().map(cells)).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..8).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        for (column, cell) in line.iter().enumerate() {
            let pad = widths[column];
            // Names on the left, numbers on the right; writing to a string cannot fail.
            let _ =
                if (2..7).contains(&column) { write!(text, "{cell:>pad$}  ") } else { write!(text, "{cell:<pad$}  ") };
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

fn cells(row: &Row) -> [String; 8] {
    let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), short);
    let verdict = match row.passed {
        Some(true) => "pass",
        Some(false) => "FAIL",
        None => "",
    };
    [
        row.workload.name().to_owned(),
        row.metric.to_owned(),
        number(row.nginx),
        number(row.gateway),
        row.ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}x")),
        row.ship.map_or_else(String::new, bar),
        row.boast.map_or_else(String::new, bar),
        verdict.to_owned(),
    ]
}

fn bar(bar: Bar) -> String {
    match bar {
        Bar::TimesNginx(times) => format!("≤ {times}x"),
        Bar::AtMost(most) => format!("≤ {most}"),
        Bar::AtLeast(least) => format!("≥ {least}"),
    }
}

fn short(value: f64) -> String {
    let digits = if value >= 1_000.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::workload::Workload;

    #[test]
    fn columns_are_aligned() {
        let row = Row {
            workload: Workload::W3,
            metric: "cpu_us_per_chunk",
            nginx: Some(12.1),
            gateway: Some(14.5),
            ratio: Some(14.5 / 12.1),
            ship: Some(Bar::TimesNginx(1.5)),
            boast: None,
            passed: Some(true),
        };
        let expected = "    metric            nginx  gateway  ratio    ship  boast  verdict\n\
                        W3  cpu_us_per_chunk   12.1     14.5  1.20x  ≤ 1.5x         pass\n";
        assert_eq!(render(&[row]), expected);
    }
}
