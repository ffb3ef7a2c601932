//! Making, changing and taking away keys; also for the commands on the host.

use grok2api_config::client_key::{self as form, NoRandom};
use grok2api_config::{ModelTable, Vault};
use grok2api_entity::audit::{self, Note};
use grok2api_entity::client_key::{self, Model};
use grok2api_entity::clock;
use grok2api_entity::connect::begin_write;
use sea_orm::{DatabaseConnection, DbErr};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::ring::now_ms;

/// Longest name, in characters.
pub const MAX_NAME: usize = 100;
/// Characters of a key that are shown afterwards.
const HINT: usize = 4;
/// Most models that a key is limited to.
const MAX_MODELS: usize = 100;

/// What may be said about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// What the operator calls it.
    pub name: String,
    /// Ids of the models it may use; none means all.
    pub models: Option<Vec<String>>,
    /// When it ends to be good, in Unix milliseconds.
    pub expires_at: Option<i64>,
    /// Whether it is switched off.
    pub disabled: bool,
}

/// Why a key cannot be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// There is another key of that name.
    #[error("there is another key of this name")]
    NameTaken,
    /// There is no such key.
    #[error("there is no such key")]
    Unknown,
    /// The system gives no random numbers.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
    /// The database does not answer or refuses.
    #[error(transparent)]
    Database(#[from] DbErr),
}

/// Terms that make no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{param}: {message}")]
pub struct BadTerms {
    /// The member at fault.
    pub param: String,
    /// What is wrong with it.
    pub message: &'static str,
}

impl Terms {
    /// Terms of a key that is switched on.
    ///
    /// # Errors
    /// The name is empty or too long, a model is not known, or the time is over.
    pub fn new(
        name: &str,
        models: Option<Vec<String>>,
        expires_at: Option<i64>,
        known: &ModelTable,
    ) -> Result<Self, BadTerms> {
        let bad = |param: &str, message| BadTerms { param: param.to_owned(), message };
        let name = name.trim();
        if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
            return Err(bad("name", "A name has 1 to 100 characters."));
        }
        if expires_at.is_some_and(|end| end <= now_ms()) {
            return Err(bad("expires_at_ms", "This time is over."));
        }
        let models = models.map(|models| ids(&models, known)).transpose()?;
        Ok(Self { name: name.to_owned(), models, expires_at, disabled: false })
    }

    fn models_text(&self) -> Option<String> {
        self.models.as_ref().map(|models| serde_json::Value::from(models.clone()).to_string())
    }
}

/// The ids of models, each once.
fn ids(names: &[String], known: &ModelTable) -> Result<Vec<String>, BadTerms> {
    if names.is_empty() || names.len() > MAX_MODELS {
        let message = "A key is limited to 1 to 100 models; without a list it may use all.";
        return Err(BadTerms { param: "models".to_owned(), message });
    }
    let mut models = Vec::with_capacity(names.len());
    for (place, name) in names.iter().enumerate() {
        let missing = || BadTerms { param: format!("models[{place}]"), message: "There is no such model." };
        let id = &known.get(name).ok_or_else(missing)?.id;
        if !models.contains(id) {
            models.push(id.clone());
        }
    }
    Ok(models)
}

/// Makes a key, which is shown only now, and notes who did it.
///
/// # Errors
/// As [`KeyError`].
pub async fn create(
    db: &DatabaseConnection,
    vault: &Vault,
    terms: &Terms,
    mut note: Note,
) -> Result<(Model, SecretString), KeyError> {
    let key = form::generate()?;
    let text = key.expose_secret();
    let tx = begin_write(db).await?;
    if client_key::find_by_name(&*tx, &terms.name).await?.is_some() {
        return Err(KeyError::NameTaken);
    }
    let now = clock::read(&*tx).await?;
    let row = Model {
        id: Uuid::now_v7(),
        name: terms.name.clone(),
        digest: vault.fingerprint(text.as_bytes()),
        hint: text.get(text.len() - HINT..).unwrap_or_default().to_owned(),
        models: terms.models_text(),
        expires_at: terms.expires_at,
        disabled: terms.disabled,
        created_at: now,
        changed_at: now,
    };
    client_key::insert(&*tx, row.clone()).await?;
    note.target = row.id.to_string();
    audit::insert(&*tx, &note).await?;
    tx.commit().await?;
    Ok((row, key))
}

/// Puts a key under other terms, and notes who did it.
///
/// # Errors
/// As [`KeyError`].
pub async fn update(db: &DatabaseConnection, id: Uuid, terms: &Terms, note: &Note) -> Result<Model, KeyError> {
    let tx = begin_write(db).await?;
    let row = client_key::find(&*tx, id).await?.ok_or(KeyError::Unknown)?;
    if client_key::find_by_name(&*tx, &terms.name).await?.is_some_and(|other| other.id != id) {
        return Err(KeyError::NameTaken);
    }
    let row = Model {
        name: terms.name.clone(),
        models: terms.models_text(),
        expires_at: terms.expires_at,
        disabled: terms.disabled,
        changed_at: clock::read(&*tx).await?,
        ..row
    };
    client_key::update(&*tx, row.clone()).await?;
    audit::insert(&*tx, note).await?;
    tx.commit().await?;
    Ok(row)
}

/// Takes a key away, and notes who did it. What its clients made stays.
///
/// # Errors
/// As [`KeyError`].
pub async fn delete(db: &DatabaseConnection, id: Uuid, note: &Note) -> Result<(), KeyError> {
    let tx = begin_write(db).await?;
    if !client_key::delete(&*tx, id).await? {
        return Err(KeyError::Unknown);
    }
    audit::insert(&*tx, note).await?;
    Ok(tx.commit().await?)
}
