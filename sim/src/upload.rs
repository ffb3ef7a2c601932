//! What becomes of an uploaded file? It gets an id that only this account may use.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Response;
use serde::Deserialize;
use serde_json::json;

use crate::body::SimBody;
use crate::dispatch::Call;
use crate::identity::{upload_id, user_id};
use crate::refusal::{bad_request, respond};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UploadBody {
    file_name: String,
    file_mime_type: String,
    content: String,
}

/// Answers an upload.
pub(crate) fn answer(call: &Call) -> Response<SimBody> {
    let Ok(upload) = serde_json::from_slice::<UploadBody>(&call.body) else {
        return bad_request("The body is not the expected JSON object");
    };
    if !STANDARD.decode(&upload.content).is_ok_and(|bytes| !bytes.is_empty()) {
        return bad_request("The content is not base64");
    }
    let id = upload_id(&call.account.name, call.number);
    let answer = json!({
        "fileMetadataId": id.to_string(),
        "fileMimeType": upload.file_mime_type,
        "fileName": upload.file_name,
        "fileUri": format!("users/{}/{id}/content", user_id(&call.account.name)),
        "parsedFileUri": "",
        "createTime": "2025-10-23T03:20:00Z",
    });
    respond(200, "application/json", answer.to_string())
}
