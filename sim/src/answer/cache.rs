//! Which answers have been rendered already? The last few, so that a question that comes often costs nothing.

use std::collections::HashMap;
use std::hash::Hash;

use parking_lot::Mutex;

use super::rendered::Rendered;
use crate::identity::seed;

/// Answers kept.
const KEPT: usize = 256;
/// Longer answers are rendered each time.
const MAX_BYTES: usize = 4 << 20;

/// Rendered answers by what they depend on.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    answers: Mutex<HashMap<(u64, u64), Rendered>>,
}

impl Cache {
    /// The answer to a question, rendered now if it is new.
    pub(crate) fn get_or_render(&self, question: &impl Hash, render: impl FnOnce() -> Rendered) -> Rendered {
        let key = (seed(question), seed(&("second", question)));
        if let Some(rendered) = self.answers.lock().get(&key) {
            return rendered.clone();
        }
        let rendered = render();
        if rendered.whole().len() <= MAX_BYTES {
            let mut answers = self.answers.lock();
            if answers.len() >= KEPT {
                answers.clear();
            }
            answers.insert(key, rendered.clone());
        }
        rendered
    }
}
