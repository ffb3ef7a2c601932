//! `[media]`: where generated pictures and videos lie.

use std::fmt;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::StartUp;
use crate::spec::{Refusal, Shape, Spec, accept};

/// `[media]`: where generated pictures and videos lie.
#[derive(Debug, Clone)]
pub struct MediaConfig {
    /// Where they lie. Default `folder`.
    pub store: MediaStore,
    /// The folder, and that of temporary files in any case. Default `media` in `data_dir`.
    pub folder: Option<PathBuf>,
    /// The S3-compatible service; unused with the store `folder`.
    pub s3: S3Config,
    /// Largest picture, in bytes. Default 52 428 800; 1 024 to 1 073 741 824.
    pub max_image_bytes: u64,
    /// Largest video, in bytes. Default 524 288 000; 1 024 to 17 179 869 184.
    pub max_video_bytes: u64,
    /// Longest wait of a request for a picture or video that is still being fetched, in seconds. Default 30; 0 to 300.
    pub wait_secs: u64,
}

/// Where pictures and videos lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaStore {
    /// In a folder of this machine, or one that all machines share.
    Folder,
    /// With an S3-compatible service.
    S3,
}

/// `[media]`, the keys that begin with `s3_`: an S3-compatible service.
#[derive(Clone)]
pub struct S3Config {
    /// The bucket; must exist. Needed.
    pub bucket: String,
    /// Put before the names of our objects. Default none.
    pub prefix: String,
    /// Default `us-east-1`.
    pub region: String,
    /// Address of the service; empty for Amazon's own.
    pub endpoint: String,
    /// Needed, with its secret.
    pub access_key_id: String,
    /// Needed, with its id.
    pub secret_access_key: Option<SecretString>,
    /// Whether a plain `http` address is allowed: our signature would be in the clear. Default false.
    pub allow_http: bool,
}

impl Default for MediaConfig {
    fn default() -> Self {
        Self {
            store: MediaStore::Folder,
            folder: None,
            s3: S3Config::default(),
            max_image_bytes: 50 << 20,
            max_video_bytes: 500 << 20,
            wait_secs: 30,
        }
    }
}

impl Default for S3Config {
    fn default() -> Self {
        Self {
            bucket: String::new(),
            prefix: String::new(),
            region: "us-east-1".to_owned(),
            endpoint: String::new(),
            access_key_id: String::new(),
            secret_access_key: None,
            allow_http: false,
        }
    }
}

/// The secret stays out.
impl fmt::Debug for S3Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Config")
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .field("region", &self.region)
            .field("endpoint", &self.endpoint)
            .field("allow_http", &self.allow_http)
            .finish_non_exhaustive()
    }
}

impl MediaStore {
    const NAMES: &'static [&'static str] = &["folder", "s3"];

    /// The store of that name, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "folder" => Some(Self::Folder),
            "s3" => Some(Self::S3),
            _ => None,
        }
    }

    /// The name as the operator writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Folder => "folder",
            Self::S3 => "s3",
        }
    }
}

impl StartUp {
    /// The folder of pictures and videos, or of temporary files alone when they lie elsewhere.
    pub fn media_folder(&self) -> PathBuf {
        self.media.folder.clone().unwrap_or_else(|| self.data_dir.join("media"))
    }
}

impl MediaConfig {
    /// Keys that do not fit the others: each with what it must be, and while what.
    pub(super) fn misfits(&self) -> Vec<(&'static str, &'static str, &'static str)> {
        const S3: &str = "media.store is s3";
        let s3 = &self.s3;
        if self.store != MediaStore::S3 {
            return Vec::new();
        }
        let mut misfits = Vec::new();
        if s3.bucket.is_empty() {
            misfits.push(("media.s3_bucket", "set", S3));
        }
        if s3.access_key_id.is_empty() {
            misfits.push(("media.s3_access_key_id", "set", S3));
        }
        if s3.secret_access_key.is_none() {
            misfits.push(("media.s3_secret_access_key", "set", S3));
        }
        if s3.endpoint.starts_with("http://") && !s3.allow_http {
            misfits.push(("media.s3_endpoint", "an https address", "media.s3_allow_http is false"));
        }
        misfits
    }
}

/// A name of a bucket, a region or the like; empty for none.
fn plain_name(value: &Value) -> Result<String, Refusal> {
    let refusal = Refusal::Expected("letters, digits, and . _ - (at most 255)");
    let text = accept::text(value)?.trim();
    let plain = text.len() <= 255 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if plain { Ok(text.to_owned()) } else { Err(refusal) }
}

/// Names with slashes between them, none before and behind.
fn prefix(value: &Value) -> Result<String, Refusal> {
    let text = accept::text(value)?.trim().trim_matches('/');
    for segment in text.split('/').filter(|_| !text.is_empty()) {
        let name = plain_name(&json!(segment))?;
        if matches!(name.as_str(), "" | "." | "..") {
            return Err(Refusal::Expected("names with slashes between them"));
        }
    }
    Ok(text.to_owned())
}

pub(super) const SPECS: &[Spec<StartUp>] = &[
    Spec {
        key: "media.store",
        doc: "Where pictures and videos lie: in a folder, or with an S3-compatible service.",
        shape: Shape::Choice(MediaStore::NAMES),
        secret: false,
        read: |startup| json!(startup.media.store.as_str()),
        write: |startup, value| {
            startup.media.store =
                MediaStore::parse(accept::text(value)?).ok_or(Refusal::NotOneOf(MediaStore::NAMES))?;
            Ok(())
        },
    },
    Spec {
        key: "media.folder",
        doc: "The folder of pictures and videos, and of temporary files in any case.",
        shape: Shape::Text,
        secret: false,
        read: |startup| json!(startup.media_folder().display().to_string()),
        write: |startup, value| accept::path(value).map(|path| startup.media.folder = Some(path)),
    },
    Spec {
        key: "media.s3_bucket",
        doc: "The bucket; it must exist.",
        shape: Shape::Text,
        secret: false,
        read: |startup| json!(startup.media.s3.bucket),
        write: |startup, value| plain_name(value).map(|name| startup.media.s3.bucket = name),
    },
    Spec {
        key: "media.s3_prefix",
        doc: "Put before the names of our objects in the bucket.",
        shape: Shape::Text,
        secret: false,
        read: |startup| json!(startup.media.s3.prefix),
        write: |startup, value| prefix(value).map(|text| startup.media.s3.prefix = text),
    },
    Spec {
        key: "media.s3_region",
        doc: "The region of the bucket.",
        shape: Shape::Text,
        secret: false,
        read: |startup| json!(startup.media.s3.region),
        write: |startup, value| plain_name(value).map(|name| startup.media.s3.region = name),
    },
    Spec {
        key: "media.s3_endpoint",
        doc: "Address of the S3-compatible service; empty for Amazon's own.",
        shape: Shape::Text,
        secret: false,
        read: |startup| json!(startup.media.s3.endpoint),
        write: |startup, value| accept::base_url(value).map(|url| startup.media.s3.endpoint = url),
    },
    Spec {
        key: "media.s3_access_key_id",
        doc: "Id of the access key.",
        shape: Shape::Text,
        secret: false,
        read: |startup| json!(startup.media.s3.access_key_id),
        write: |startup, value| plain_name(value).map(|name| startup.media.s3.access_key_id = name),
    },
    Spec {
        key: "media.s3_secret_access_key",
        doc: "Secret of the access key.",
        shape: Shape::Text,
        secret: true,
        read: |startup| json!(startup.media.s3.secret_access_key.as_ref().map(ExposeSecret::expose_secret)),
        write: |startup, value| accept::secret(value).map(|secret| startup.media.s3.secret_access_key = secret),
    },
    Spec {
        key: "media.s3_allow_http",
        doc: "Let the S3 endpoint be a plain http address.",
        shape: Shape::Flag,
        secret: false,
        read: |startup| json!(startup.media.s3.allow_http),
        write: |startup, value| accept::flag(value).map(|on| startup.media.s3.allow_http = on),
    },
    Spec {
        key: "media.max_image_bytes",
        doc: "Largest picture that is stored, in bytes (1024 to 1073741824).",
        shape: Shape::Whole,
        secret: false,
        read: |startup| json!(startup.media.max_image_bytes),
        write: |startup, value| accept::whole(value, 1024, 1 << 30).map(|bytes| startup.media.max_image_bytes = bytes),
    },
    Spec {
        key: "media.max_video_bytes",
        doc: "Largest video that is stored, in bytes (1024 to 17179869184).",
        shape: Shape::Whole,
        secret: false,
        read: |startup| json!(startup.media.max_video_bytes),
        write: |startup, value| accept::whole(value, 1024, 1 << 34).map(|bytes| startup.media.max_video_bytes = bytes),
    },
    Spec {
        key: "media.wait_secs",
        doc: "Longest wait of a request for a picture or video that is still being fetched, in seconds (0 to 300).",
        shape: Shape::Whole,
        secret: false,
        read: |startup| json!(startup.media.wait_secs),
        write: |startup, value| accept::whole(value, 0, 300).map(|secs| startup.media.wait_secs = secs),
    },
];

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn s3_needs_a_bucket_and_both_halves_of_its_key() {
        let mut media = MediaConfig::default();
        assert!(media.misfits().is_empty());
        media.store = MediaStore::S3;
        let keys = |media: &MediaConfig| media.misfits().iter().map(|misfit| misfit.0).collect::<Vec<_>>();
        assert_eq!(keys(&media), ["media.s3_bucket", "media.s3_access_key_id", "media.s3_secret_access_key"]);
        media.s3.bucket = "pictures".to_owned();
        media.s3.access_key_id = "id".to_owned();
        media.s3.secret_access_key = Some(SecretString::from("canary"));
        assert!(media.misfits().is_empty());
        media.s3.endpoint = "http://10.0.0.1:9000".to_owned();
        assert_eq!(keys(&media), ["media.s3_endpoint"]);
        media.s3.allow_http = true;
        assert!(media.misfits().is_empty());
        assert!(!format!("{media:?}").contains("canary"));
    }

    #[test]
    fn a_prefix_stays_within_the_bucket() {
        assert_eq!(prefix(&json!("/a/b-c/")).unwrap(), "a/b-c");
        assert_eq!(prefix(&json!("")).unwrap(), "");
        for bad in ["a//b", "../x", "a/..", "a b", "a?b"] {
            assert!(prefix(&json!(bad)).is_err(), "{bad}");
        }
    }
}
