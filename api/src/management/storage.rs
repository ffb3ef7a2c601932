//! `/api/storage/mode`: where records are kept.

use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use crate::access::Admin;
use crate::state::AppState;
use crate::tags::Tag;

/// Where records are kept.
pub(crate) struct StorageApi;

/// Where records are kept.
#[derive(Debug, Default, Object)]
#[oai(read_only_all)]
struct StorageAnswer {
    /// `true`
    success: bool,
    /// The answer.
    data: StorageMode,
}

/// Where records are kept.
#[derive(Debug, Default, Object)]
#[oai(read_only_all)]
struct StorageMode {
    /// `FILE`, `MYSQL`, `POSTGRES` or `REDIS`.
    mode: String,
}

#[OpenApi(prefix_path = "/api/storage", tag = "Tag::Management")]
impl StorageApi {
    /// Tell where records are kept.
    #[oai(path = "/mode", method = "get", operation_id = "get_storage_mode")]
    async fn mode(&self, state: Data<&AppState>, _admin: Admin) -> Json<StorageAnswer> {
        let mode = state.storage_mode.as_str().to_ascii_uppercase();
        Json(StorageAnswer { success: true, data: StorageMode { mode } })
    }
}
