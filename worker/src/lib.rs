//! How each kind of job is carried out.
//!
//! A handler gets a job that is its own for this epoch, puts every step on record before the next one begins, and returns
//! how it lets go. It never builds an answer for a client: what it leaves behind are rows.

mod archive;
mod cache;
mod fetch;
mod generate;
mod outcome;
mod periodic;
mod sink;
mod submit;

use std::sync::Arc;

use grok2api_config::WorkerConfig;
use grok2api_entity::job::Kind;
use grok2api_gateway::Gateway;
use grok2api_media::Library;
use grok2api_queue::Lane;

pub use cache::CacheRequests;
pub use periodic::keep_scheduling;

/// What all handlers work with.
#[derive(Clone)]
pub struct Workshop {
    /// Serves the paid calls.
    pub gateway: Gateway,
    /// Keeps what they bring.
    pub media: Library,
}

impl Workshop {
    /// A lane for each kind of job.
    pub fn lanes(&self, config: &WorkerConfig) -> Vec<Lane> {
        let shop = Arc::new(self.clone());
        let generate = Arc::new(generate::Generate::new(Arc::clone(&shop)));
        vec![
            Lane { kind: Kind::GenerateImage, concurrency: config.image_concurrency, handler: generate.clone() },
            Lane { kind: Kind::GenerateVideo, concurrency: config.video_concurrency, handler: generate },
            Lane {
                kind: Kind::CacheMedia,
                concurrency: config.cache_concurrency,
                handler: Arc::new(cache::CacheMedia::new(Arc::clone(&shop))),
            },
            Lane { kind: Kind::SweepMedia, concurrency: 1, handler: Arc::new(cache::SweepMedia::new(shop)) },
        ]
    }
}
