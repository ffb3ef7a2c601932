//! A CSV file with a heading: `token`, and if wanted `type`, `tags` (separated by `;` or `|`) and `note`.

use csv::{ReaderBuilder, StringRecord, Trim};
use grok2api_config::Tier;

use super::{Collector, Entry, Intake, IntakeError, Place, Reason};
use crate::cli::token::args::Marks;

/// Headings of the column with the token.
const TOKEN_HEADINGS: &[&str] = &["token", "sso"];

/// Whether the first line is a heading with a column for the token.
pub(super) fn has_header(text: &str) -> bool {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let mut cells = first.split([',', '\t']).map(|cell| cell.trim().trim_matches('"').to_ascii_lowercase());
    cells.any(|cell| TOKEN_HEADINGS.contains(&cell.as_str()))
}

/// Reads a CSV file; columns with other headings are left out.
pub(super) fn read(text: &str, marks: &Marks) -> Result<Intake, IntakeError> {
    let tabs = text.lines().find(|line| !line.trim().is_empty()).is_some_and(|line| line.contains('\t'));
    let mut reader = ReaderBuilder::new()
        .delimiter(if tabs { b'\t' } else { b',' })
        .trim(Trim::All)
        .flexible(true)
        .from_reader(text.as_bytes());
    let head = reader.headers().map_err(|error| wrong(&error))?.clone();
    let columns = Columns::of(&head);
    let mut collector = Collector::default();
    for record in reader.records() {
        let record = record.map_err(|error| wrong(&error))?;
        columns.take(&record, marks, &mut collector);
    }
    Ok(collector.finish())
}

fn wrong(error: &csv::Error) -> IntakeError {
    IntakeError::Csv { line: error.position().map_or(1, csv::Position::line) }
}

/// Which column holds what.
struct Columns {
    token: Option<usize>,
    kind: Option<usize>,
    tags: Option<usize>,
    note: Option<usize>,
}

impl Columns {
    fn of(head: &StringRecord) -> Self {
        let column = |names: &[&str]| head.iter().position(|cell| names.contains(&cell.to_ascii_lowercase().as_str()));
        Self {
            token: column(TOKEN_HEADINGS),
            kind: column(&["type", "token_type", "kind", "tier"]),
            tags: column(&["tags", "tag"]),
            note: column(&["note", "notes"]),
        }
    }

    fn take(&self, record: &StringRecord, marks: &Marks, collector: &mut Collector) {
        let cell = |column: Option<usize>| column.and_then(|column| record.get(column)).filter(|cell| !cell.is_empty());
        let line = record.position().map_or(0, csv::Position::line);
        let place = Place::Line(usize::try_from(line).unwrap_or(usize::MAX));
        let Some(token) = collector.token(cell(self.token).unwrap_or_default(), place) else { return };
        let mut entry = Entry::new(token, marks);
        if let Some(kind) = cell(self.kind) {
            match Tier::parse(kind) {
                Some(tier) => entry.tier = tier,
                None => return collector.refuse(place, Reason::Type),
            }
        }
        if let Some(tags) = cell(self.tags) {
            entry.tags.extend(tags.split([';', '|']).map(str::to_owned));
        }
        if let Some(note) = cell(self.note) {
            note.clone_into(&mut entry.note);
        }
        collector.take(entry);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::super::testing::{marks, tokens};
    use super::*;

    #[test]
    fn columns_are_found_by_their_headings() {
        let text = "note,Token,type,tags,colour\n\"a, \"\"b\"\"\",eyJ.one,ssoSuper,x;y,red\n,eyJ.two\n";
        assert!(has_header(text));
        let intake = read(text, &marks()).unwrap();
        assert_eq!(tokens(&intake), ["eyJ.one", "eyJ.two"]);
        assert_eq!((intake.entries[0].tier, intake.entries[0].note.as_str()), (Tier::Super, "a, \"b\""));
        assert_eq!(intake.entries[0].tags, ["t", "x", "y"]);
        assert_eq!((intake.entries[1].tier, intake.entries[1].note.as_str()), (Tier::Basic, "n"));
    }

    #[test]
    fn wrong_rows_are_named_by_their_line() {
        let intake = read("token\ttype\neyJ.one\tgold\n\tsso\neyJ.two\tsso\n", &marks()).unwrap();
        let refused: Vec<String> = intake.refused.iter().map(ToString::to_string).collect();
        assert_eq!(refused, ["line 2: the type must be sso or ssoSuper", "line 3: the token is empty"]);
        assert_eq!(tokens(&intake), ["eyJ.two"]);
        assert!(!has_header("eyJ.one\ntoken\n"));
    }
}
