//! What was found, in words that help.

use grok2api_config::StartUp;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// As it should.
    Good,
    /// It works, or will, but deserves a look.
    Doubtful,
    /// It does not work.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) name: &'static str,
    pub(super) standing: Standing,
    /// What was seen.
    pub(super) says: String,
    /// What to do; empty when nothing is to be done.
    pub(super) advice: String,
}

impl Finding {
    pub(super) fn good(name: &'static str, says: impl Into<String>) -> Self {
        Self { name, standing: Standing::Good, says: says.into(), advice: String::new() }
    }

    pub(super) fn doubtful(name: &'static str, says: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, standing: Standing::Doubtful, says: says.into(), advice: advice.into() }
    }

    pub(super) fn bad(name: &'static str, says: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, standing: Standing::Bad, says: says.into(), advice: advice.into() }
    }

    /// A line for people, and a second one if something is to be done.
    pub(super) fn lines(&self) -> String {
        let mark = match self.standing {
            Standing::Good => '✓',
            Standing::Doubtful => '!',
            Standing::Bad => '✗',
        };
        let line = format!("{mark} {:<14} {}", self.name, self.says);
        if self.advice.is_empty() { line } else { format!("{line}\n  → {}", self.advice) }
    }

    pub(super) fn json(&self) -> Value {
        let status = match self.standing {
            Standing::Good => "ok",
            Standing::Doubtful => "warning",
            Standing::Bad => "failed",
        };
        json!({"name": self.name, "status": status, "detail": self.says, "advice": self.advice})
    }

    /// Takes out whatever the configuration holds as a secret: errors of servers may repeat what they were sent.
    pub(super) fn without_secrets(mut self, startup: &StartUp) -> Self {
        for secret in secrets(startup) {
            self.says = self.says.replace(&secret, "***");
        }
        self
    }
}

fn secrets(startup: &StartUp) -> Vec<String> {
    let urls = [&startup.database_url, &startup.redis_url];
    let others = [&startup.secret_key, &startup.media.s3.secret_access_key, &startup.server.metrics_token];
    let mut secrets: Vec<String> =
        urls.into_iter().chain(others).flatten().map(|secret| secret.expose_secret().to_owned()).collect();
    secrets.push(startup.settings.grok.proxy_url.expose_secret().to_owned());
    let passwords: Vec<String> = secrets
        .iter()
        .filter_map(|secret| secret.split_once("://")?.1.rsplit_once('@')?.0.split_once(':'))
        .map(|(_, password)| password.to_owned())
        .collect();
    secrets.extend(passwords);
    secrets.retain(|secret| secret.len() > 3);
    secrets
}

/// An error with its causes, on one line.
pub(super) fn in_words(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut words: Vec<String> = Vec::new();
    for cause in causes.map(ToString::to_string) {
        if !words.iter().any(|word| word.contains(&cause)) {
            words.push(cause);
        }
    }
    words.join(": ").replace('\n', " ")
}
