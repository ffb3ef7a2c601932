//! How often one may try a password (A6).
//!
//! Who logged in before from this browser has attempts of its own, which nobody else can use up. Everybody else shares
//! few: one address three at once and then one in 20 seconds, all addresses together five at once and then one in 12
//! seconds, which makes ten hashes a minute at most. Right passwords give their attempt back.

use std::collections::HashMap;
use std::time::Duration;

use grok2api_entity::login_limit::{self, Rate};
use parking_lot::Mutex;
use sea_orm::{ConnectionTrait, DbErr};
use tokio::time::Instant;

const ADDRESS: Rate = Rate { every_ms: 20_000, burst: 3 };
const EVERYBODY: Rate = Rate { every_ms: 12_000, burst: 5 };
const DEVICE: Rate = Rate { every_ms: 15_000, burst: 4 };
/// Whose attempts those are that come from nobody known.
const STRANGERS: &str = "strangers";
/// Most scopes that are remembered to have no attempt left.
const REMEMBERED: usize = 4096;

/// Who tries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trier {
    /// A browser that somebody logged in with before.
    Device(String),
    /// Anybody, by the neighbourhood of its address.
    Stranger(String),
}

/// An attempt that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempt(Vec<(String, Rate)>);

/// Refuses what would be refused anyway without asking the database: it need not bear what strangers send.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    used_up: Mutex<HashMap<String, Instant>>,
}

impl Trier {
    fn scopes(&self) -> Vec<(String, Rate)> {
        match self {
            Self::Device(id) => vec![(format!("device:{id}"), DEVICE)],
            // The address first: one alone must not use up what all share.
            Self::Stranger(near) => vec![(format!("address:{near}"), ADDRESS), (STRANGERS.to_owned(), EVERYBODY)],
        }
    }
}

impl Limits {
    /// Takes an attempt at the time `now` of the database; what is wrong is how long to wait.
    ///
    /// # Errors
    /// When the database refuses.
    pub(crate) async fn take(
        &self,
        db: &impl ConnectionTrait,
        trier: &Trier,
        now: i64,
    ) -> Result<Result<Attempt, Duration>, DbErr> {
        let scopes = trier.scopes();
        for (taken, (scope, rate)) in scopes.iter().enumerate() {
            if let Err(wait) = login_limit::take(db, scope, *rate, now).await? {
                // What was refused was no attempt.
                for (scope, rate) in scopes.iter().take(taken) {
                    login_limit::give_back(db, scope, *rate).await?;
                }
                let wait = Duration::from_millis(wait.unsigned_abs());
                self.remember(scope, wait);
                return Ok(Err(wait));
            }
        }
        Ok(Ok(Attempt(scopes)))
    }

    /// How long somebody has to wait, as far as that is known without asking.
    pub(crate) fn refused(&self, trier: &Trier) -> Option<Duration> {
        let used_up = self.used_up.lock();
        let now = Instant::now();
        let waits =
            trier.scopes().into_iter().filter_map(|(scope, _)| used_up.get(&scope)?.checked_duration_since(now));
        waits.max().filter(|wait| !wait.is_zero())
    }

    fn remember(&self, scope: &str, wait: Duration) {
        let mut used_up = self.used_up.lock();
        let now = Instant::now();
        if used_up.len() >= REMEMBERED {
            used_up.retain(|_, until| *until > now);
        }
        if used_up.len() < REMEMBERED {
            used_up.insert(scope.to_owned(), now + wait);
        }
    }

    /// Forgets that somebody has to wait.
    pub(crate) fn forget(&self, attempt: &Attempt) {
        let mut used_up = self.used_up.lock();
        for (scope, _) in &attempt.0 {
            used_up.remove(scope);
        }
    }
}

impl Attempt {
    /// Gives the attempt back: the password was right.
    ///
    /// # Errors
    /// When the database refuses.
    pub(crate) async fn give_back(&self, db: &impl ConnectionTrait) -> Result<(), DbErr> {
        for (scope, rate) in &self.0 {
            login_limit::give_back(db, scope, *rate).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use grok2api_entity::connect;

    use super::*;

    async fn database() -> (tempfile::TempDir, sea_orm::DatabaseConnection) {
        let folder = tempfile::tempdir().unwrap();
        let db = connect::file(&folder.path().join("grok2api.db")).await.unwrap();
        grok2api_migration::bring_up(&db).await.unwrap();
        (folder, db)
    }

    fn stranger(near: &str) -> Trier {
        Trier::Stranger(near.to_owned())
    }

    #[tokio::test]
    async fn a6_strangers_get_ten_attempts_in_any_minute_from_however_many_addresses() {
        let (_folder, db) = database().await;
        let limits = Limits::default();
        let mut granted = Vec::new();
        for step in 0..720_i64 {
            let (at, near) = (1_000_000 + step * 500, format!("10.0.{}.{}", step / 250, step % 250));
            if limits.take(&db, &stranger(&near), at).await.unwrap().is_ok() {
                granted.push(at);
            }
        }
        let most =
            granted.iter().map(|from| granted.iter().filter(|at| (*from..*from + 60_000).contains(*at)).count()).max();
        assert!(matches!(most, Some(9..=10)), "{most:?}");
        assert!(granted.len() >= 30, "{}", granted.len());
    }

    #[tokio::test]
    async fn a6_one_address_does_not_use_up_what_all_share() {
        let (_folder, db) = database().await;
        let limits = Limits::default();
        let mut granted = 0;
        for _ in 0..20 {
            granted += usize::from(limits.take(&db, &stranger("10.0.0.1"), 5_000).await.unwrap().is_ok());
        }
        assert_eq!(granted, 3);
        assert!(limits.take(&db, &stranger("10.0.0.2"), 5_000).await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn a6_a_known_device_tries_while_strangers_use_everything_up() {
        let (_folder, db) = database().await;
        let limits = Limits::default();
        for place in 0..50 {
            let _ = limits.take(&db, &stranger(&format!("10.0.0.{place}")), 5_000).await.unwrap();
        }
        let other = stranger("10.0.1.1");
        let wait = limits.take(&db, &other, 5_000).await.unwrap().unwrap_err();
        assert_eq!(wait, Duration::from_millis(12_000));
        assert!(limits.refused(&other).is_some());
        let device = Trier::Device("abc".to_owned());
        assert_eq!(limits.refused(&device), None);
        let attempt = limits.take(&db, &device, 5_000).await.unwrap().unwrap();
        attempt.give_back(&db).await.unwrap();
        for _ in 0..4 {
            assert!(limits.take(&db, &device, 5_000).await.unwrap().is_ok());
        }
        assert!(limits.take(&db, &device, 5_000).await.unwrap().is_err());
    }
}
