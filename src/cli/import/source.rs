//! Where the old gateway keeps what it has recorded, and how it is read (protocol page "seed-api" §8).

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, bail};
use grok2api_entity::connect;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use zeroize::Zeroizing;

/// Where to read.
pub(super) enum Source {
    /// Its data folder, or the folder above.
    Folder(PathBuf),
    /// A token.json alone.
    File(PathBuf),
    /// A token.json on standard input.
    Input,
    /// Its tables.
    MySql(SecretString),
    /// Its keys.
    Redis(SecretString),
}

/// What the old gateway recorded.
pub(super) struct Old {
    /// The text of its token.json.
    pub(super) tokens: Option<Zeroizing<String>>,
    /// Its settings: an object of the sections `global` and `grok`.
    pub(super) settings: Option<Value>,
    /// When its numbers were true, in Unix milliseconds.
    pub(super) written_ms: i64,
    /// What was looked at, for people; no secrets.
    pub(super) looked_at: String,
}

impl Source {
    /// The place that `text` names.
    pub(super) fn parse(text: &str) -> Result<Self> {
        if let Some(name) = text.strip_prefix("env:") {
            #[expect(clippy::disallowed_methods, reason = "the operator names this variable on the command line")]
            let address = std::env::var(name).with_context(|| format!("the variable {name} is not set"))?;
            return Self::address(address).with_context(|| format!("the variable {name} holds no such address"));
        }
        if text == "-" {
            return Ok(Self::Input);
        }
        if text.contains("://") {
            return Self::address(text.to_owned());
        }
        let path = PathBuf::from(text);
        if path.is_dir() {
            return Ok(Self::Folder(path));
        }
        if path.is_file() {
            return Ok(Self::File(path));
        }
        bail!("there is no folder or file {text}");
    }

    fn address(address: String) -> Result<Self> {
        let scheme = address.split("://").next().unwrap_or_default().to_owned();
        match scheme.as_str() {
            "mysql" | "mariadb" => Ok(Self::MySql(address.replacen("mariadb://", "mysql://", 1).into())),
            "redis" | "rediss" => Ok(Self::Redis(address.into())),
            _ => bail!("an address of the old gateway begins with mysql:// or redis://"),
        }
    }

    /// Everything that is there; nothing is changed.
    pub(super) async fn read(&self, now_ms: i64) -> Result<Old> {
        match self {
            Self::Folder(folder) => read_folder(folder, now_ms),
            Self::File(file) => {
                let (tokens, written_ms) = read_file(file, now_ms)?;
                Ok(Old { tokens: Some(tokens), settings: None, written_ms, looked_at: file.display().to_string() })
            }
            Self::Input => {
                let mut text = Zeroizing::new(String::new());
                io::stdin().lock().read_to_string(&mut text).context("cannot read standard input")?;
                let looked_at = "standard input is empty".to_owned();
                let tokens = Some(text).filter(|text| !text.trim().is_empty());
                Ok(Old { tokens, settings: None, written_ms: now_ms, looked_at })
            }
            Self::MySql(url) => read_mysql(url, now_ms).await,
            Self::Redis(url) => read_redis(url, now_ms).await,
        }
    }
}

/// `token.json` and `setting.toml`, either of which may be missing.
fn read_folder(folder: &Path, now_ms: i64) -> Result<Old> {
    let has_files = |folder: &Path| folder.join("token.json").is_file() || folder.join("setting.toml").is_file();
    let below = folder.join("data");
    let folder = if !has_files(folder) && has_files(&below) { &below } else { folder };
    let mut old = Old {
        tokens: None,
        settings: None,
        written_ms: now_ms,
        looked_at: format!("{} has neither token.json nor setting.toml with anything in it", folder.display()),
    };
    let tokens = folder.join("token.json");
    if tokens.is_file() {
        let (text, written_ms) = read_file(&tokens, now_ms)?;
        old.tokens = Some(text).filter(|text| !text.trim().is_empty());
        old.written_ms = written_ms;
    }
    let settings = folder.join("setting.toml");
    if settings.is_file() {
        let (text, _) = read_file(&settings, now_ms)?;
        // The parser's own message would quote a line, which may hold a secret.
        let table: toml::Table =
            toml::from_str(&text).map_err(|error| anyhow::anyhow!(wrong_toml(&settings, &text, &error)))?;
        old.settings = Some(serde_json::to_value(table)?).filter(|sections| *sections != serde_json::json!({}));
    }
    Ok(old)
}

fn wrong_toml(file: &Path, text: &str, error: &toml::de::Error) -> String {
    let line = error.span().and_then(|span| text.get(..span.start)).map_or(1, |before| before.lines().count().max(1));
    format!("{} is not valid TOML, at or after line {line}", file.display())
}

fn read_file(file: &Path, now_ms: i64) -> Result<(Zeroizing<String>, i64)> {
    let failed = || format!("cannot read {}", file.display());
    let text = Zeroizing::new(std::fs::read_to_string(file).with_context(failed)?);
    let written = std::fs::metadata(file).and_then(|about| about.modified()).with_context(failed)?;
    let since = written.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok((text, i64::try_from(since.as_millis()).unwrap_or(now_ms).min(now_ms)))
}

/// The newest row of each table: the one that the old gateway read and wrote.
async fn read_mysql(url: &SecretString, now_ms: i64) -> Result<Old> {
    let db = connect::server(url.expose_secret())
        .await
        .context("is the server running, and are name and password right?")?;
    let newest = async |table: &str| -> Result<Option<(String, i64)>> {
        let exists = "SELECT COUNT(*) AS found FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?";
        let exists = Statement::from_sql_and_values(DbBackend::MySql, exists, [table.into()]);
        let row = db.query_one_raw(exists).await?.context("the server does not answer")?;
        if row.try_get::<i64>("", "found")? == 0 {
            return Ok(None);
        }
        let sql = format!(
            "SELECT CAST(data AS CHAR CHARACTER SET utf8mb4) AS data, CAST(UNIX_TIMESTAMP(updated_at) * 1000 AS SIGNED) AS written FROM {table} ORDER BY id DESC LIMIT 1"
        );
        let row = db.query_one_raw(Statement::from_string(DbBackend::MySql, sql)).await?;
        let read = row.map(|row| anyhow::Ok((row.try_get("", "data")?, row.try_get("", "written").unwrap_or(now_ms))));
        read.transpose()
    };
    let tokens = newest("grok_tokens").await.context("the table grok_tokens cannot be read")?;
    let settings = newest("grok_settings").await.context("the table grok_settings cannot be read")?;
    db.close().await?;
    Ok(Old {
        written_ms: tokens.as_ref().map_or(now_ms, |(_, written)| (*written).min(now_ms)),
        tokens: tokens.map(|(text, _)| Zeroizing::new(text)),
        settings: settings.map(|(text, _)| sections(&text)).transpose()?,
        looked_at: "the database has neither grok_tokens nor grok_settings with a row in it".to_owned(),
    })
}

async fn read_redis(url: &SecretString, now_ms: i64) -> Result<Old> {
    let refused = |_| anyhow::anyhow!("the Redis address is not valid");
    let client = redis::Client::open(url.expose_secret()).map_err(refused)?;
    let mut redis = client
        .get_multiplexed_async_connection()
        .await
        .context("is the Redis server running, and is its password right?")?;
    let mut get = async |key: &str| -> Result<Option<String>> {
        redis::cmd("GET")
            .arg(key)
            .query_async(&mut redis)
            .await
            .with_context(|| format!("the key {key} cannot be read"))
    };
    let (tokens, settings) = (get("grok:tokens").await?, get("grok:settings").await?);
    Ok(Old {
        tokens: tokens.map(Zeroizing::new),
        settings: settings.map(|text| sections(&text)).transpose()?,
        written_ms: now_ms,
        looked_at: "Redis has neither grok:tokens nor grok:settings".to_owned(),
    })
}

/// Settings as the databases hold them.
fn sections(text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        anyhow::anyhow!("the old gateway's settings are not valid JSON (line {line}, column {column})")
    })
}
