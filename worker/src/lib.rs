//! How each kind of job is carried out.
//!
//! A handler gets a job that is its own for this epoch, puts every step on record before the next one begins, and returns
//! how it lets go. It never builds an answer for a client: what it leaves behind are rows.

mod archive;
mod bulk;
mod cache;
mod fetch;
mod generate;
mod outcome;
mod quota_reset;
mod rollup;
mod round;
mod sink;
mod submit;
mod token_test;

use std::sync::Arc;

use grok2api_config::WorkerConfig;
use grok2api_entity::job::Kind;
use grok2api_entity::keeper::Keeper;
use grok2api_gateway::Gateway;
use grok2api_media::Library;
use grok2api_pool::Clock;
use grok2api_queue::Lane;

pub use cache::CacheRequests;

/// What all handlers work with.
#[derive(Clone)]
pub struct Workshop {
    /// Serves the paid calls.
    pub gateway: Gateway,
    /// Keeps what they bring.
    pub media: Library,
    /// Whether other processes answer clients, and have to hear what is found out about accounts.
    pub tells_others: bool,
    /// What time it is for accounts: the database's, unless a test turns the hands.
    pub clock: Clock,
    /// Has a copy of what must outlive the disk, in the mode with one: work on accounts is done when it has them.
    pub keeper: Option<Arc<dyn Keeper>>,
}

impl Workshop {
    /// A lane for each kind of job.
    pub fn lanes(&self, config: &WorkerConfig) -> Vec<Lane> {
        let shop = Arc::new(self.clone());
        let generate = Arc::new(generate::Generate::new(Arc::clone(&shop)));
        let bulk = Arc::new(bulk::BulkWork::new(Arc::clone(&shop)));
        vec![
            Lane { kind: Kind::GenerateImage, concurrency: config.image_concurrency, handler: generate.clone() },
            Lane { kind: Kind::GenerateVideo, concurrency: config.video_concurrency, handler: generate },
            Lane {
                kind: Kind::CacheMedia,
                concurrency: config.cache_concurrency,
                handler: Arc::new(cache::CacheMedia::new(Arc::clone(&shop))),
            },
            Lane::alone(Kind::SweepMedia, Arc::new(cache::SweepMedia::new(Arc::clone(&shop)))),
            Lane::alone(Kind::TokenTest, Arc::new(token_test::TokenTest::new(Arc::clone(&shop)))),
            Lane::alone(Kind::QuotaReset, Arc::new(quota_reset::QuotaReset::new(Arc::clone(&shop)))),
            Lane::alone(Kind::StatsRollup, Arc::new(rollup::Rollup::new(Arc::clone(&shop)))),
            Lane::alone(Kind::BulkTest, bulk.clone()),
            Lane::alone(Kind::BulkImport, bulk.clone()),
            Lane::alone(Kind::BulkDelete, bulk.clone()),
            Lane::alone(Kind::BulkTag, bulk.clone()),
            Lane::alone(Kind::BulkEnable, bulk.clone()),
            Lane::alone(Kind::BulkDisable, bulk),
        ]
    }
}
