//! Gathering accounts so that each token comes once.

use std::collections::HashMap;

use grok2api_config::Tier;
use grok2api_entity::account::Failures;
use grok2api_pool::handle::account_of;
use grok2api_upstream::credential::normalize_token;
use secrecy::{ExposeSecret, SecretString};

use super::{Entry, Intake, Place, Reason, Refused};
use crate::cli::token::args::Marks;

/// Gathers accounts.
#[derive(Default)]
pub(in crate::cli::token) struct Collector {
    intake: Intake,
    positions: HashMap<String, usize>,
}

impl Collector {
    /// Takes a token as it was pasted, with the marks of the command line.
    pub(in crate::cli::token) fn paste(&mut self, pasted: &str, marks: &Marks, place: Place) {
        if let Some(token) = self.token(pasted, place) {
            self.take(Entry::new(token, marks));
        }
    }

    /// The normal form of a pasted token; what is none is noted.
    pub(super) fn token(&mut self, pasted: &str, place: Place) -> Option<SecretString> {
        if account_of(pasted).is_some() {
            self.refuse(place, Reason::Handle);
            return None;
        }
        match normalize_token(pasted) {
            Ok(token) => Some(token),
            Err(error) => {
                self.refuse(place, Reason::Credential(error));
                None
            }
        }
    }

    /// Notes a piece of the input that cannot be used.
    pub(super) fn refuse(&mut self, place: Place, reason: Reason) {
        self.intake.refused.push(Refused { place, reason });
    }

    /// Takes an account. One that was there before is kept, as Super if either is, with the labels of both.
    pub(super) fn take(&mut self, entry: Entry) {
        let next = self.intake.entries.len();
        let position = *self.positions.entry(entry.token.expose_secret().to_owned()).or_insert(next);
        match self.intake.entries.get_mut(position) {
            Some(first) => {
                first.merge(entry);
                self.intake.repeated += 1;
            }
            None => self.intake.entries.push(entry),
        }
    }

    /// What was gathered.
    pub(in crate::cli::token) fn finish(self) -> Intake {
        self.intake
    }
}

impl Entry {
    /// An account of which nothing but the marks is known.
    pub(super) fn new(token: SecretString, marks: &Marks) -> Self {
        Self {
            token,
            tier: marks.token_type.tier(),
            tags: marks.tags.clone(),
            note: marks.note.clone(),
            created_at: None,
            expired: false,
            remaining: None,
            heavy_remaining: None,
            failures: Failures::default(),
        }
    }

    fn merge(&mut self, other: Self) {
        if other.tier == Tier::Super && self.tier == Tier::Basic {
            // The numbers of a pool are those of its tier.
            (self.tier, self.remaining, self.expired) = (Tier::Super, other.remaining, other.expired);
            self.failures = other.failures;
        }
        self.heavy_remaining = self.heavy_remaining.or(other.heavy_remaining);
        for tag in other.tags {
            if !self.tags.contains(&tag) {
                self.tags.push(tag);
            }
        }
        if self.note.trim().is_empty() {
            self.note = other.note;
        }
        self.created_at = match (self.created_at, other.created_at) {
            (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
            (ours, theirs) => ours.or(theirs),
        };
    }
}
