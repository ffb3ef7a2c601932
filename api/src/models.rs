//! `GET /v1/models`, `GET /v1/models/{id}`.

use grok2api_config::{FIRST_SEEN, ModelSpec, Tier};
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use crate::auth::ClientKey;
use crate::error::ApiError;
use crate::state::AppState;
use crate::tags::Tag;

/// Models.
pub(crate) struct ModelsApi;

/// A list of models.
#[derive(Debug, Default, Object)]
#[oai(read_only_all)]
pub(crate) struct ModelList {
    /// `list`
    pub object: String,
    /// The models on offer.
    pub data: Vec<Model>,
}

/// A model.
#[derive(Debug, Default, Object)]
#[oai(read_only_all)]
pub(crate) struct Model {
    /// What to send as `model`.
    pub id: String,
    /// `model`
    pub object: String,
    /// Unix seconds; constant.
    pub created: i64,
    /// `x-ai`
    pub owned_by: String,
    /// For people.
    pub display_name: String,
    /// One sentence.
    pub description: String,
    /// Provider and upstream name.
    pub raw_model_path: String,
    /// Told, not enforced.
    pub default_temperature: f64,
    /// Told, not enforced.
    pub default_max_output_tokens: u32,
    /// Told, not enforced.
    pub supported_max_output_tokens: u32,
    /// Told, not enforced.
    pub default_top_p: f64,
    /// What the model can do: `chat`, `thinking`, `web_search`, `image_generation`, `video`.
    pub capabilities: Vec<String>,
}

impl From<&ModelSpec> for Model {
    fn from(spec: &ModelSpec) -> Self {
        let capabilities = [
            ("chat", true),
            ("thinking", spec.thinking),
            ("web_search", spec.search),
            ("image_generation", spec.image),
            ("video", spec.video),
        ];
        Self {
            id: spec.id.clone(),
            object: "model".to_owned(),
            created: FIRST_SEEN,
            owned_by: "x-ai".to_owned(),
            display_name: spec.display_name.clone(),
            description: spec.description.clone(),
            raw_model_path: spec.raw_model_path(),
            default_temperature: 1.0,
            default_max_output_tokens: spec.default_max_output_tokens,
            supported_max_output_tokens: 131_072,
            default_top_p: 0.95,
            capabilities: capabilities.iter().filter(|(_, has)| *has).map(|(name, _)| (*name).to_owned()).collect(),
        }
    }
}

#[OpenApi(tag = "Tag::Models")]
impl ModelsApi {
    /// List models.
    ///
    /// Models that no account of the pool can serve are left out, and those that the key may not use; an empty pool lists
    /// all others.
    #[oai(path = "/v1/models", method = "get", operation_id = "list_models")]
    async fn list(&self, state: Data<&AppState>, key: ClientKey) -> Result<Json<ModelList>, ApiError> {
        let census = state.gateway.pool().state().census();
        let served = |spec: &ModelSpec| match spec.tier {
            Tier::Basic => true,
            Tier::Super => census.total() == 0 || census.paying > 0,
        };
        let data = state
            .gateway
            .models()
            .iter()
            .filter(|spec| served(spec) && key.may_use(&spec.id))
            .map(|spec| Model::from(&**spec))
            .collect();
        Ok(Json(ModelList { object: "list".to_owned(), data }))
    }

    /// Retrieve a model.
    #[oai(path = "/v1/models/:id", method = "get", operation_id = "retrieve_model")]
    async fn retrieve(
        &self,
        state: Data<&AppState>,
        key: ClientKey,
        id: Path<String>,
    ) -> Result<Json<Model>, ApiError> {
        state
            .gateway
            .models()
            .get(&id.0)
            .filter(|spec| key.may_use(&spec.id))
            .map(|spec| Json(Model::from(&**spec)))
            .ok_or_else(|| ApiError::unknown_model(&id.0))
    }
}
