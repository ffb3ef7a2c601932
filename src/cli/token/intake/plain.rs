//! One token a line; empty lines and lines that begin with `#` are left out.

use super::{Collector, Intake, Place};
use crate::cli::token::args::Marks;

/// Reads a plain list.
pub(super) fn read(text: &str, marks: &Marks) -> Intake {
    let mut collector = Collector::default();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if !line.is_empty() && !line.starts_with('#') {
            collector.paste(line, marks, Place::Line(index + 1));
        }
    }
    collector.finish()
}

#[cfg(test)]
mod tests {
    use grok2api_upstream::credential::CredentialError;

    use super::super::testing::{marks, tokens};
    use super::super::{Reason, Refused};
    use super::*;

    #[test]
    fn each_line_is_a_token_in_any_usual_form() {
        let text = "\r\n# my accounts\n  eyJ.one.sig \nsso=eyJ.two.sig; sso-rw=eyJ.two.sig\r\n\"eyJ.one.sig\"\n\n";
        let intake = read(text, &marks());
        assert_eq!(tokens(&intake), ["eyJ.one.sig", "eyJ.two.sig"]);
        assert_eq!((intake.repeated, intake.refused.len()), (1, 0));
        assert_eq!(
            (intake.entries[0].tags.as_slice(), intake.entries[0].note.as_str()),
            (["t".to_owned()].as_slice(), "n")
        );
    }

    #[test]
    fn a_line_that_is_no_token_is_named_without_telling_it() {
        let intake = read("good\ncanary with blanks\nacct-0192d3f0-0000-7000-8000-000000000000-abcd\n", &marks());
        let reason = Reason::Credential(CredentialError::ForbiddenCharacter);
        let handle = Refused { place: Place::Line(3), reason: Reason::Handle };
        assert_eq!(intake.refused, [Refused { place: Place::Line(2), reason }, handle]);
        assert!(!intake.refused[0].to_string().contains("canary"));
        assert_eq!(intake.entries.len(), 1);
    }
}
