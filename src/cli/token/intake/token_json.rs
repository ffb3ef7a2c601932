//! The old gateway's token.json, or a bare JSON list of tokens (protocol page "seed-api" §8.1).

use grok2api_config::Tier;
use grok2api_entity::account::Failures;
use indexmap::IndexMap;
use serde_json::Value;
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::{Collector, Entry, Intake, IntakeError, Place};
use crate::cli::token::args::Marks;

/// Names of the pools, with the tier of each; the storage layer of the old gateway spelled the first one `sso`.
const POOLS: [(&str, Tier); 3] = [("ssoNormal", Tier::Basic), ("sso", Tier::Basic), ("ssoSuper", Tier::Super)];

/// Most characters of a reason that are kept.
const MAX_REASON: usize = 500;

/// The members of an object in the order of the file: the old gateway used and listed accounts in it.
type Members<T> = IndexMap<String, T>;

/// Reads a token.json or a list of tokens.
pub(super) fn read(text: &str, marks: &Marks) -> Result<Intake, IntakeError> {
    let mut collector = Collector::default();
    if text.trim_start().starts_with('[') {
        let tokens: Vec<Value> = serde_json::from_str(text).map_err(|error| wrong(text, &error))?;
        for (index, token) in tokens.iter().enumerate() {
            let token = token.as_str().ok_or(IntakeError::Form("a list must hold nothing but tokens"))?;
            collector.paste(token, marks, Place::Pool { pool: "list", entry: index + 1 });
        }
    } else {
        let pools: Members<&RawValue> = serde_json::from_str(text).map_err(|error| wrong(text, &error))?;
        read_pools(&pools, marks, &mut collector)?;
    }
    Ok(collector.finish())
}

/// An error at the very end is a cut, whatever the parser calls it: `-` and `nul` are wrong only because nothing follows.
fn wrong(text: &str, error: &serde_json::Error) -> IntakeError {
    let (line, column) = (error.line(), error.column());
    let last = text.trim_end().lines().enumerate().last().map_or((0, 0), |(index, line)| (index + 1, line.len()));
    if error.classify() == Category::Eof || (line, column) >= last {
        IntakeError::CutOff { line, column }
    } else {
        IntakeError::Json { line, column }
    }
}

fn read_pools(pools: &Members<&RawValue>, marks: &Marks, collector: &mut Collector) -> Result<(), IntakeError> {
    if !POOLS.iter().any(|(name, _)| pools.contains_key(*name)) {
        return Err(IntakeError::Form("it has neither ssoNormal nor ssoSuper"));
    }
    for (pool, tier) in POOLS {
        let Some(accounts) = pools.get(pool) else { continue };
        let accounts: Option<Members<Value>> =
            serde_json::from_str(accounts.get()).map_err(|_| IntakeError::Form("a pool is not an object of tokens"))?;
        for (index, (pasted, record)) in accounts.iter().flatten().enumerate() {
            let place = Place::Pool { pool, entry: index + 1 };
            if let Some(token) = collector.token(pasted, place) {
                let mut entry = Entry::new(token, marks);
                entry.tier = tier;
                entry.read_record(record);
                collector.take(entry);
            }
        }
    }
    Ok(())
}

impl Entry {
    /// Takes over what the old gateway knew; what it did not, or wrote in another form, stays unknown.
    fn read_record(&mut self, record: &Value) {
        self.created_at = record.get("createdTime").and_then(whole).filter(|at| *at > 0);
        self.expired = record.get("status").and_then(Value::as_str) == Some("expired");
        self.remaining = record.get("remainingQueries").and_then(whole).filter(|left| *left >= 0);
        self.heavy_remaining = record.get("heavyremainingQueries").and_then(whole).filter(|left| *left >= 0);
        self.failures = Failures {
            count: record
                .get("failedCount")
                .and_then(whole)
                .and_then(|count| i32::try_from(count).ok())
                .unwrap_or(0)
                .max(0),
            at: record.get("lastFailureTime").and_then(whole).filter(|at| *at > 0),
            reason: record
                .get("lastFailureReason")
                .and_then(Value::as_str)
                .map(|reason| reason.chars().take(MAX_REASON).collect()),
        };
        let tags = record.get("tags").and_then(Value::as_array).into_iter().flatten();
        self.tags.extend(tags.filter_map(Value::as_str).map(str::to_owned));
        if let Some(note) = record.get("note").and_then(Value::as_str).filter(|note| !note.trim().is_empty()) {
            note.clone_into(&mut self.note);
        }
    }
}

/// A whole number, also one written as text.
fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::super::testing::{marks, tokens};
    use super::*;

    const WHOLE: &str = r#"{
      "ssoNormal": {
        " eyJ.one \n": {"createdTime": 1761189611000, "remainingQueries": 76, "heavyremainingQueries": -1,
          "status": "active", "failedCount": 2, "lastFailureTime": 1761189700000, "lastFailureReason": "403: blocked", "tags": ["team a"], "note": "spare"},
        "eyJ.two": {"createdTime": "1761189612000", "remainingQueries": -1, "status": "expired"},
        "eyJ.both": {"createdTime": "yesterday", "remainingQueries": 5, "status": "odd", "tags": ["b"], "note": ""}
      },
      "ssoSuper": {"eyJ.both": {"createdTime": null, "remainingQueries": 100, "heavyremainingQueries": 20, "tags": ["s"]}}
    }"#;

    #[test]
    fn both_pools_are_read_and_a_token_in_both_is_super() {
        let intake = read(WHOLE, &marks()).unwrap();
        assert_eq!(tokens(&intake), ["eyJ.one", "eyJ.two", "eyJ.both"]);
        let [one, two, both] = intake.entries.as_slice() else { panic!("three accounts") };
        assert_eq!((one.tier, one.created_at, one.remaining), (Tier::Basic, Some(1_761_189_611_000), Some(76)));
        assert_eq!((one.heavy_remaining, one.expired, one.note.as_str()), (None, false, "spare"));
        let failures = Failures { count: 2, at: Some(1_761_189_700_000), reason: Some("403: blocked".to_owned()) };
        assert_eq!((&one.failures, &two.failures), (&failures, &Failures::default()));
        assert_eq!((two.created_at, two.remaining, two.expired), (Some(1_761_189_612_000), None, true));
        assert_eq!((both.tier, both.created_at, both.expired), (Tier::Super, None, false));
        assert_eq!((both.remaining, both.heavy_remaining), (Some(100), Some(20)));
        assert_eq!(both.tags, ["t", "b", "s"]);
        assert_eq!(intake.repeated, 1);
    }

    #[test]
    fn the_first_pool_has_two_spellings() {
        let intake = read(r#"{"sso": {"eyJ.one": {}}, "ssoSuper": {}}"#, &marks()).unwrap();
        assert_eq!((tokens(&intake), intake.entries[0].tier), (vec!["eyJ.one"], Tier::Basic));
        let intake = read(r#"{"ssoNormal": {"eyJ.one": null}, "sso": {"eyJ.two": {}}}"#, &marks()).unwrap();
        assert_eq!(tokens(&intake), ["eyJ.one", "eyJ.two"]);
        assert_eq!(tokens(&read(r#"["eyJ.one"]"#, &marks()).unwrap()), ["eyJ.one"]);
    }

    #[test]
    fn a_file_that_was_cut_off_anywhere_is_told_so() {
        for end in 1..WHOLE.len() - 1 {
            let error = read(&WHOLE[..end], &marks()).unwrap_err();
            assert!(matches!(error, IntakeError::CutOff { .. }), "{end}: {error}");
        }
        let text = read("{\n  \"sso\": {\"canary", &marks()).unwrap_err().to_string();
        assert!(text.starts_with("the file ends in the middle (line 2, column 17)"), "{text}");
        assert!(text.ends_with("use a backup of it") && !text.contains("canary"));
    }

    #[test]
    fn other_json_is_refused_without_quoting_it() {
        let text = |input| read(input, &marks()).unwrap_err().to_string();
        assert_eq!(text(r#"{"canary": {}}"#), "this JSON is no token.json: it has neither ssoNormal nor ssoSuper");
        assert_eq!(text(r#"{"sso": ["canary"]}"#), "this JSON is no token.json: a pool is not an object of tokens");
        assert_eq!(text("{\"sso\": canary}"), "the file is not valid JSON (line 1, column 9)");
        assert_eq!(text("[1]"), "this JSON is no token.json: a list must hold nothing but tokens");
    }
}
