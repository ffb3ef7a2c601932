//! The model table: what is built in, with the operator's changes on top.

use std::sync::Arc;

use super::{ModelSpec, Tier};

/// `created` of every built-in model, in Unix seconds: 23 October 2025, the day the table was taken down.
pub const FIRST_SEEN: i64 = 1_761_177_600;

/// All models we offer, in the order in which they are listed.
#[derive(Debug, Clone)]
pub struct ModelTable {
    rows: Vec<Arc<ModelSpec>>,
}

impl Default for ModelTable {
    fn default() -> Self {
        Self::new(&[])
    }
}

impl ModelTable {
    /// The built-in models; a row of `overrides` replaces the one of the same id, others follow in their order.
    pub fn new(overrides: &[ModelSpec]) -> Self {
        let mut rows: Vec<Arc<ModelSpec>> = built_in().into_iter().map(Arc::new).collect();
        for changed in overrides {
            match rows.iter_mut().find(|row| row.id == changed.id) {
                Some(row) => *row = Arc::new(changed.clone()),
                None => rows.push(Arc::new(changed.clone())),
            }
        }
        Self { rows }
    }

    /// The model of that id, spelled exactly.
    pub fn get(&self, id: &str) -> Option<&Arc<ModelSpec>> {
        self.rows.iter().find(|row| row.id == id)
    }

    /// All models in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<ModelSpec>> {
        self.rows.iter()
    }

    /// The distinct budgets the models draw on, in the order of their first mention.
    pub fn budgets(&self) -> Vec<&str> {
        let mut budgets: Vec<&str> = Vec::new();
        for row in &self.rows {
            if !budgets.contains(&row.rate_limit_model.as_str()) {
                budgets.push(&row.rate_limit_model);
            }
        }
        budgets
    }
}

/// One line of the built-in table, in the words of the protocol page on quota, §5.
struct Line {
    id: &'static str,
    model_name: &'static str,
    model_mode: &'static str,
    cost: u32,
    tier: Tier,
    display_name: &'static str,
    description: &'static str,
    default_max_output_tokens: u32,
}

const LINES: [Line; 6] = [
    Line {
        id: "grok-3-fast",
        model_name: "grok-3",
        model_mode: "MODEL_MODE_FAST",
        cost: 1,
        tier: Tier::Basic,
        display_name: "Grok 3 Fast",
        description: "Answers at once, without visible reasoning; good for everyday questions and drawing.",
        default_max_output_tokens: 8192,
    },
    Line {
        id: "grok-4-fast",
        model_name: "grok-4-mini-thinking-tahoe",
        model_mode: "MODEL_MODE_GROK_4_MINI_THINKING",
        cost: 1,
        tier: Tier::Basic,
        display_name: "Grok 4 Fast",
        description: "A quick model of the fourth generation that thinks briefly before it answers.",
        default_max_output_tokens: 8192,
    },
    Line {
        id: "grok-4-fast-expert",
        model_name: "grok-4-mini-thinking-tahoe",
        model_mode: "MODEL_MODE_EXPERT",
        cost: 4,
        tier: Tier::Basic,
        display_name: "Grok 4 Fast Expert",
        description: "The quick model with more time to think, for questions with several steps.",
        default_max_output_tokens: 32_768,
    },
    Line {
        id: "grok-4-expert",
        model_name: "grok-4",
        model_mode: "MODEL_MODE_EXPERT",
        cost: 4,
        tier: Tier::Basic,
        display_name: "Grok 4 Expert",
        description: "The full model of the fourth generation, thinking at length.",
        default_max_output_tokens: 32_768,
    },
    Line {
        id: "grok-4-heavy",
        model_name: "grok-4-heavy",
        model_mode: "MODEL_MODE_HEAVY",
        cost: 1,
        tier: Tier::Super,
        display_name: "Grok 4 Heavy",
        description: "Several runs at once that compare their results; the slowest and most thorough, for Super accounts.",
        default_max_output_tokens: 65_536,
    },
    Line {
        id: "grok-imagine-0.9",
        model_name: "grok-3",
        model_mode: "MODEL_MODE_FAST",
        cost: 1,
        tier: Tier::Basic,
        display_name: "Grok Imagine 0.9",
        description: "Makes short videos from a picture or a text.",
        default_max_output_tokens: 8192,
    },
];

/// The built-in rows; budget and capabilities follow from the line.
pub(super) fn built_in() -> Vec<ModelSpec> {
    LINES
        .iter()
        .map(|line| {
            let video = line.id == "grok-imagine-0.9";
            ModelSpec {
                id: line.id.to_owned(),
                model_name: line.model_name.to_owned(),
                model_mode: line.model_mode.to_owned(),
                rate_limit_model: line.model_name.to_owned(),
                cost: line.cost,
                tier: line.tier,
                video,
                thinking: line.model_name != "grok-3",
                search: !video,
                image: true,
                display_name: line.display_name.to_owned(),
                description: line.description.to_owned(),
                default_max_output_tokens: line.default_max_output_tokens,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn the_table_has_the_old_gateways_models_in_its_order() {
        let table = ModelTable::default();
        let ids: Vec<&str> = table.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(
            ids,
            ["grok-3-fast", "grok-4-fast", "grok-4-fast-expert", "grok-4-expert", "grok-4-heavy", "grok-imagine-0.9"]
        );
        assert_eq!(table.budgets(), ["grok-3", "grok-4-mini-thinking-tahoe", "grok-4", "grok-4-heavy"]);
        assert_eq!(table.get("grok-imagine-0.9").unwrap().raw_model_path(), "xai/grok-imagine-0.9");
        assert_eq!(table.get("grok-4-fast").unwrap().raw_model_path(), "xai/grok-4-mini-thinking-tahoe");
        assert_eq!(table.get("grok-4-heavy").unwrap().tier, Tier::Super);
        assert!(table.get("grok-4").is_none());
    }

    #[test]
    fn an_override_takes_the_place_of_its_row() {
        let mut changed = built_in().remove(1);
        changed.model_name = "grok-4-new".to_owned();
        let mut added = changed.clone();
        added.id = "grok-9".to_owned();
        let table = ModelTable::new(&[added, changed]);
        assert_eq!(table.iter().nth(1).unwrap().model_name, "grok-4-new");
        assert_eq!(table.iter().last().unwrap().id, "grok-9");
    }
}
