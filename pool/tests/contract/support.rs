//! A part of Redis for one test.

use grok2api_config::ModelTable;
use grok2api_pool::{Clock, Policy, RedisPool};
use uuid::Uuid;

const REDIS: &str = "redis://127.0.0.1:6379";

/// Keys of one test, removed at its end.
pub(crate) struct Keys(String);

impl Default for Keys {
    fn default() -> Self {
        Self(format!("test-{}", Uuid::new_v4().simple()))
    }
}

impl Keys {
    /// One process's view of the pool under these keys.
    pub(crate) async fn pool(&self, policy: Policy, clock: Clock) -> RedisPool {
        RedisPool::connect(REDIS, &self.0, &ModelTable::default(), policy, clock).await.expect("a running Redis")
    }

    /// Loses everything, as a Redis does that is started anew without a copy on disk.
    pub(crate) fn lose(&self) -> usize {
        let mut redis = redis::Client::open(REDIS).and_then(|client| client.get_connection()).expect("a running Redis");
        let mut lost = 0;
        let mut cursor = 0_u64;
        loop {
            let (next, keys): (u64, Vec<String>) = redis::cmd("SCAN")
                .arg(cursor)
                .arg("MATCH")
                .arg(format!("{}:*", self.0))
                .arg("COUNT")
                .arg(1000)
                .query(&mut redis)
                .expect("keys");
            if !keys.is_empty() {
                lost += keys.len();
                redis::cmd("DEL").arg(keys).exec(&mut redis).expect("removed");
            }
            if next == 0 {
                return lost;
            }
            cursor = next;
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.lose();
        }
    }
}
