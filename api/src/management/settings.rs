//! `/api/settings`: the settings that the old gateway had, under its names.

use std::collections::BTreeMap;

use grok2api_config::{SeedChanges, SeedProblem};
use grok2api_entity::audit::Note;
use grok2api_entity::connect::begin_write;
use grok2api_gateway::settings_store::StoreError;
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use sea_orm::DatabaseConnection;
use serde::Deserialize;
use serde_json::Value;

use super::failure::Operation;
use crate::access::Admin;
use crate::body::JsonBody;
use crate::error::ApiError;
use crate::state::AppState;
use crate::tags::Tag;

/// The settings of the old gateway.
pub(crate) struct SettingsApi;

/// The settings of the old gateway.
#[derive(Debug, Default, Object)]
#[oai(read_only_all)]
struct SettingsAnswer {
    /// `true`
    success: bool,
    /// The answer.
    data: SeedSettings,
}

/// The settings of the old gateway, in its two sections. All others are those of `grok2api settings list`.
#[derive(Debug, Default, Deserialize, Object)]
#[oai(read_only_all)]
struct SeedSettings {
    /// How the gateway presents itself.
    global: GlobalSection,
    /// How it deals with the upstream, and who may use it.
    grok: GrokSection,
}

/// How the gateway presents itself.
#[derive(Debug, Default, Deserialize, Object)]
#[oai(read_only_all)]
struct GlobalSection {
    /// Our own public address, put before the paths of pictures and videos.
    base_url: String,
    /// `DEBUG`, `INFO`, `WARNING` or `ERROR`.
    log_level: String,
    /// `url` or `base64`.
    image_mode: String,
    /// Always `admin`.
    admin_username: String,
    /// Always the mask `********`.
    admin_password: String,
    /// Room for pictures.
    image_cache_max_size_mb: u64,
    /// Room for videos.
    video_cache_max_size_mb: u64,
}

/// How the gateway deals with the upstream, and who may use it. Secrets are shown as `********`, or empty when not set.
#[derive(Debug, Default, Deserialize, Object)]
#[oai(read_only_all)]
struct GrokSection {
    /// The key of clients.
    api_key: String,
    /// Proxy for calls to the upstream.
    proxy_url: String,
    /// Proxy for fetching pictures and videos.
    cache_proxy_url: String,
    /// Value of the clearance cookie.
    cf_clearance: String,
    /// Value of the header `x-statsig-id`.
    x_statsig_id: String,
    /// Elements kept out of answers, separated by commas.
    filtered_tags: String,
    /// Longest silence inside an answer, in seconds.
    stream_chunk_timeout: u64,
    /// Longest duration of an answer, in seconds; 0 for no limit.
    stream_total_timeout: u64,
    /// Longest wait for the first sign of an answer, in seconds.
    stream_first_response_timeout: u64,
    /// Keep conversations out of the accounts' history.
    temporary: bool,
    /// Show the model's reasoning.
    show_thinking: bool,
}

/// Settings to be changed; what is left out stays.
#[derive(Default, Deserialize, Object)]
#[oai(write_only_all)]
struct UpdateSettings {
    /// Members of the section `global`.
    #[serde(default)]
    #[oai(nullable)]
    global_config: Option<BTreeMap<String, Value>>,
    /// Members of the section `grok`. `********` means that a secret stays as it is.
    #[serde(default)]
    #[oai(nullable)]
    grok_config: Option<BTreeMap<String, Value>>,
}

/// Settings were changed.
#[derive(Debug, Default, Object)]
#[oai(read_only_all)]
struct UpdatedAnswer {
    /// `true`
    success: bool,
    /// In Chinese.
    message: String,
    /// Names that mean nothing to this gateway, if there were any.
    #[oai(skip_serializing_if_is_none)]
    ignored: Option<Vec<String>>,
}

#[OpenApi(prefix_path = "/api", tag = "Tag::Management")]
impl SettingsApi {
    /// Retrieve the settings that the old gateway had. Secrets are masked.
    #[oai(path = "/settings", method = "get", operation_id = "get_settings")]
    async fn get(&self, state: Data<&AppState>, _admin: Admin) -> Result<Json<SettingsAnswer>, ApiError> {
        let shown = state.settings.handle().load().to_seed();
        let data =
            serde_json::from_value(shown.into()).map_err(|_| Operation::GET_SETTINGS.failed(ApiError::internal()))?;
        Ok(Json(SettingsAnswer { success: true, data }))
    }

    /// Change settings: all that are sent, or none when one of them is not allowed. They are in force at once.
    #[oai(path = "/settings", method = "post", operation_id = "update_settings")]
    async fn update(
        &self,
        state: Data<&AppState>,
        admin: Admin,
        body: JsonBody<UpdateSettings>,
    ) -> Result<Json<UpdatedAnswer>, ApiError> {
        let SeedChanges { take, ignored } = understood(&state, body.0)?;
        if !take.is_empty() {
            write(&state, &take, admin.note("settings.update", "", Value::Null)).await?;
            tracing::info!(settings = ?take.keys().collect::<Vec<_>>(), "the operator changed settings");
        }
        state.kept().await?;
        let ignored = Some(ignored).filter(|names| !names.is_empty());
        Ok(Json(UpdatedAnswer { success: true, message: "配置更新成功".to_owned(), ignored }))
    }
}

/// What is to be changed; 400 names the member at fault.
fn understood(state: &AppState, body: UpdateSettings) -> Result<SeedChanges, ApiError> {
    let now = state.settings.handle().load();
    let mut changes = SeedChanges::default();
    for (section, form, members) in
        [("global", "global_config", body.global_config), ("grok", "grok_config", body.grok_config)]
    {
        let members = members.unwrap_or_default().into_iter().collect();
        let found = now.changes_of_seed(section, &members).map_err(|(key, problem)| {
            let name = key.strip_prefix(section).unwrap_or_default();
            refused(format!("{form}{name}"), &problem)
        })?;
        changes.take.extend(found.take);
        changes.ignored.extend(found.ignored);
    }
    Ok(changes)
}

fn refused(member: String, problem: &SeedProblem) -> ApiError {
    let message = match problem {
        SeedProblem::Password => "The password is no setting here: change it with `POST /api/password`.".to_owned(),
        SeedProblem::Username => "The operator of this gateway is called admin.".to_owned(),
        SeedProblem::Refused(error) => format!("{error}."),
    };
    ApiError::invalid(member, "invalid_value", message)
}

/// Writes the changes in one transaction, and puts them in force.
async fn write(state: &AppState, changes: &BTreeMap<String, Value>, note: Note) -> Result<(), ApiError> {
    let db: &DatabaseConnection = &state.db;
    let work = begin_write(db).await.map_err(|error| Operation::UPDATE_SETTINGS.failed(error))?;
    let written = state.settings.write(&*work, changes, note).await.map_err(not_stored)?;
    work.commit().await.map_err(|error| Operation::UPDATE_SETTINGS.failed(error))?;
    state.settings.put_in_force(written);
    Ok(())
}

fn not_stored(error: StoreError) -> ApiError {
    match error {
        StoreError::Refused(error) => ApiError::invalid("grok_config", "invalid_value", format!("{error}.")),
        StoreError::Sealed { .. } => {
            tracing::error!(%error, "settings cannot be changed");
            Operation::UPDATE_SETTINGS.failed(ApiError::internal())
        }
        StoreError::Database(error) => Operation::UPDATE_SETTINGS.failed(error),
        StoreError::NotKept(error) => error.into(),
    }
}
