//! Which models we offer, and what each is called upstream.

mod overrides;
mod table;

pub use overrides::ModelError;
pub use table::{FIRST_SEEN, ModelTable};

pub(crate) use overrides::parse;

/// A class of accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// A free account; `sso` in the admin API, `ssoNormal` in the old token file.
    Basic,
    /// A paying account; `ssoSuper` in both.
    Super,
}

/// Size and window of a budget that was never read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsualBudget {
    /// Units of a full window.
    pub total: i64,
    /// Length of the window in seconds.
    pub window_secs: i64,
}

/// One row of the model table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "capabilities are independent of each other")]
pub struct ModelSpec {
    /// The name clients use.
    pub id: String,
    /// `modelName` upstream.
    pub model_name: String,
    /// `modelMode` upstream.
    pub model_mode: String,
    /// The budget a call draws on: `modelName` of the rate limit call.
    pub rate_limit_model: String,
    /// Units of the budget one call costs.
    pub cost: u32,
    /// Lowest tier that may use the model.
    pub tier: Tier,
    /// Whether the answer is a video.
    pub video: bool,
    /// Whether the model shows its reasoning.
    pub thinking: bool,
    /// Whether the model can search the web.
    pub search: bool,
    /// Whether the model can draw and change pictures.
    pub image: bool,
    /// The name people read.
    pub display_name: String,
    /// One sentence on what the model is good for.
    pub description: String,
    /// Longest answer when the request does not say, in tokens; told to clients, not enforced.
    pub default_max_output_tokens: u32,
}

impl Tier {
    /// The tier of an account type as the admin API and people write it.
    ///
    /// Understands `sso`, `ssoNormal`, `basic` and `ssoSuper`, `sso_super`, `super`, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "sso" | "ssonormal" | "basic" => Some(Self::Basic),
            "ssosuper" | "sso_super" | "super" => Some(Self::Super),
            _ => None,
        }
    }

    /// What a budget of this tier holds when the upstream has not said (protocol page "grok-web-quota" §2).
    pub fn usual_budget(self, budget: &str) -> UsualBudget {
        match self {
            Self::Basic => UsualBudget { total: 80, window_secs: 72_000 },
            Self::Super if budget.ends_with("-heavy") => UsualBudget { total: 20, window_secs: 7200 },
            Self::Super => UsualBudget { total: 140, window_secs: 7200 },
        }
    }

    /// The tier's name in the model table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Super => "super",
        }
    }

    /// The account type in the admin API.
    pub fn token_type(self) -> &'static str {
        match self {
            Self::Basic => "sso",
            Self::Super => "ssoSuper",
        }
    }
}

/// Units that a turn costs in which pictures are drawn, where units are counted (protocol page "grok-web-media" §5).
const DRAWING_COST: u32 = 4;

impl ModelSpec {
    /// Units of the budget one drawing turn costs; `None` for a model that does not draw.
    pub fn drawing_cost(&self) -> Option<u32> {
        // The heavy model's budget counts calls, whatever they do.
        let counts_calls = self.rate_limit_model.ends_with("-heavy");
        let draws = self.image && !self.video;
        draws.then(|| if counts_calls { self.cost } else { self.cost.max(DRAWING_COST) })
    }

    /// The path clients of the old gateway see as `raw_model_path`.
    pub fn raw_model_path(&self) -> String {
        let name = if self.video { &self.id } else { &self.model_name };
        format!("xai/{name}")
    }
}
