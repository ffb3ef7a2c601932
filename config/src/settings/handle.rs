//! Where the whole process reads the current settings.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use super::Settings;

/// Shared access to the current settings: readers never wait, a change is seen whole or not at all (F55).
#[derive(Debug, Clone)]
pub struct SettingsHandle {
    current: Arc<ArcSwap<Settings>>,
}

impl SettingsHandle {
    /// A handle whose first snapshot is `settings`.
    pub fn new(settings: Settings) -> Self {
        Self { current: Arc::new(ArcSwap::from_pointee(settings)) }
    }

    /// The current snapshot, for a look that ends soon: nothing is counted or copied.
    pub fn load(&self) -> Guard<Arc<Settings>> {
        self.current.load()
    }

    /// The current snapshot, to keep for as long as a request lasts.
    pub fn snapshot(&self) -> Arc<Settings> {
        self.current.load_full()
    }

    /// Replaces the snapshot; requests under way keep the one they took.
    pub fn store(&self, settings: Settings) {
        self.current.store(Arc::new(settings));
    }
}
