//! `POST /rest/app-chat/upload-file` (protocol page "grok-web-media" §1).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::attachment::Attachment;
use crate::error::{ErrorKind, UpstreamError};

/// Largest answer to an upload, in bytes; a real one has a few hundred.
pub(super) const MAX_ANSWER_BYTES: u64 = 256 * 1024;

/// Above this size a file is encoded on a blocking thread.
const BLOCKING_BYTES: usize = 256 * 1024;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    file_name: &'a str,
    file_mime_type: &'a str,
}

/// The members of the answer that matter. Later generations call the id `fileId`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Uploaded {
    file_metadata_id: Option<String>,
    file_id: Option<String>,
}

/// Writes the body of an upload.
pub(super) async fn request_body(file: &Attachment) -> Result<Vec<u8>, UpstreamError> {
    let unusable = || UpstreamError::new(ErrorKind::InvalidRequest, "the attachment cannot be sent");
    let head = Head { file_name: &file.file_name, file_mime_type: file.mime_type };
    let head = serde_json::to_vec(&head).map_err(|_| unusable())?;
    let bytes = file.bytes.clone();
    if bytes.len() < BLOCKING_BYTES {
        return Ok(with_content(head, &bytes));
    }
    tokio::task::spawn_blocking(move || with_content(head, &bytes)).await.map_err(|_| unusable())
}

/// The id that stands for the file in a chat call.
pub(super) fn file_id(answer: &[u8]) -> Result<String, UpstreamError> {
    let no_id = || UpstreamError::new(ErrorKind::Error, "the upstream took the attachment but gave it no id");
    let uploaded: Uploaded = serde_json::from_slice(answer).map_err(|_| no_id())?;
    let ids = [uploaded.file_metadata_id, uploaded.file_id];
    ids.into_iter().flatten().find(|id| !id.is_empty()).ok_or_else(no_id)
}

/// Adds the member `content` to an object. Base64 text needs no escaping.
fn with_content(mut object: Vec<u8>, bytes: &Bytes) -> Vec<u8> {
    object.pop();
    let mut text = String::with_capacity(bytes.len() / 3 * 4 + 4);
    STANDARD.encode_string(bytes, &mut text);
    object.reserve_exact(text.len() + 16);
    object.extend_from_slice(b",\"content\":\"");
    object.extend_from_slice(text.as_bytes());
    object.extend_from_slice(b"\"}");
    object
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;
    use serde_json::{Value, json};

    #[tokio::test]
    async fn small_and_large_files_are_written_alike() {
        for size in [0, 1, 2, 3, 1000, BLOCKING_BYTES, BLOCKING_BYTES + 1] {
            let bytes: Bytes = (0..size).map(|i| u8::try_from(i % 251).unwrap()).collect();
            let file = Attachment { file_name: "a \"b\".png".to_owned(), mime_type: "image/png", bytes: bytes.clone() };
            let body: Value = serde_json::from_slice(&request_body(&file).await.unwrap()).unwrap();
            let expected =
                json!({"fileName": "a \"b\".png", "fileMimeType": "image/png", "content": STANDARD.encode(&bytes)});
            assert_eq!(body, expected);
        }
    }

    #[test]
    fn the_first_id_that_is_there_counts() {
        assert_eq!(file_id(br#"{"fileMetadataId":"a","fileId":"b"}"#).unwrap(), "a");
        assert_eq!(file_id(br#"{"fileMetadataId":"","fileId":"b"}"#).unwrap(), "b");
        assert_eq!(file_id(br#"{"fileMetadataId":null,"fileId":"b","x":[]}"#).unwrap(), "b");
        for answer in [&b"{}"[..], b"", b"[]", br#"{"fileMetadataId":7}"#, br#"{"fileId":""}"#] {
            assert_eq!(file_id(answer).unwrap_err().kind, ErrorKind::Error);
        }
    }
}
