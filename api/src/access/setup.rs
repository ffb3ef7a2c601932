//! The first administrator, and the ways back in for who is at the machine itself (A3, A12).

use grok2api_config::Vault;
use grok2api_entity::audit::Note;
use grok2api_entity::connect::begin_write;
use grok2api_entity::{admin, admin_session, audit, clock};
use sea_orm::{DatabaseConnection, DbErr};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use uuid::Uuid;

use super::password::{self, PasswordError, Unfit};
use super::token;

/// The name of the first administrator unless another is configured.
pub const FIRST_NAME: &str = "admin";
/// Milliseconds for which a login code is good.
pub const CODE_MS: i64 = 10 * 60_000;
/// Characters of a password that is made here: 5 random bits each, 130 in all.
const MADE_CHARS: usize = 26;
/// No letters that look alike.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Why an administrator cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// There is nobody of that name.
    #[error("there is no administrator {name}")]
    Unknown {
        /// The name.
        name: String,
    },
    /// The password is not fit to be one.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The password cannot be hashed.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    NoRandom,
    /// Somebody else changed the password at the same time.
    #[error("the password was changed by somebody else at the same time")]
    Changed,
    /// The database does not answer or refuses.
    #[error(transparent)]
    Database(#[from] DbErr),
}

/// An administrator's name, and a password that was made for them.
#[derive(Debug)]
pub struct Made {
    /// The name.
    pub name: String,
    /// The password; good until it is changed, which must happen first of all.
    pub password: SecretString,
}

/// Makes the first administrator, unless there is one: with the password given, or a random one, which is returned.
///
/// Of several processes that start at once, one makes it.
///
/// # Errors
/// As [`SetupError`].
pub async fn ensure_first(
    db: &DatabaseConnection,
    name: &str,
    password: Option<&SecretString>,
) -> Result<Option<Made>, SetupError> {
    if admin::any(db).await? {
        return Ok(None);
    }
    let made = match password {
        Some(password) => {
            password::check(password, name)?;
            None
        }
        None => Some(random_password()?),
    };
    let chosen = made.as_ref().or(password).cloned().unwrap_or_default();
    let password_hash = password::hash(chosen).await?;
    let tx = begin_write(db).await?;
    if admin::any(&*tx).await? {
        return Ok(None);
    }
    let now = clock::read(&*tx).await?;
    let must_change = made.is_some();
    let row = admin::Model { name: name.to_owned(), password_hash, must_change, changed_at: now, created_at: now };
    if !admin::insert(&*tx, row).await? {
        return Ok(None);
    }
    let from = if must_change { "random" } else { "configuration" };
    let note = Note { actor: "start".to_owned(), ..Note::by_hand("admin.create", name, json!({ "password": from })) };
    audit::insert(&*tx, &note).await?;
    tx.commit().await?;
    Ok(made.map(|password| Made { name: name.to_owned(), password }))
}

/// Gives an administrator (the only one, if no name is given) the password, or a random one that must be changed at once.
/// All of their sessions end.
///
/// # Errors
/// As [`SetupError`].
pub async fn reset_password(
    db: &DatabaseConnection,
    name: Option<&str>,
    password: Option<SecretString>,
) -> Result<Made, SetupError> {
    let who = find(db, name).await?;
    let must_change = password.is_none();
    let password = match password {
        Some(password) => {
            password::check(&password, &who.name)?;
            password
        }
        None => random_password()?,
    };
    let hash = password::hash(password.clone()).await?;
    let tx = begin_write(db).await?;
    let now = clock::read(&*tx).await?;
    if !admin::set_password(&*tx, &who.name, &who.password_hash, (hash, must_change), now).await? {
        return Err(SetupError::Changed);
    }
    let ended = admin_session::delete_others(&*tx, &who.name, None).await?;
    audit::insert(&*tx, &Note::by_hand("password.reset", who.name.clone(), json!({ "ended": ended }))).await?;
    tx.commit().await?;
    Ok(Made { name: who.name, password })
}

/// A code that logs an administrator (the only one, if no name is given) in, once, within ten minutes, however many
/// attempts others make.
///
/// # Errors
/// As [`SetupError`].
pub async fn login_code(
    db: &DatabaseConnection,
    vault: &Vault,
    name: Option<&str>,
) -> Result<(String, SecretString), SetupError> {
    let who = find(db, name).await?;
    let code = token::generate(vault).map_err(|_| SetupError::NoRandom)?;
    let tx = begin_write(db).await?;
    let now = clock::read(&*tx).await?;
    let row = admin_session::Model {
        id: Uuid::now_v7(),
        token_hash: token::hash(vault, code.expose_secret()),
        admin: who.name.clone(),
        created_at: now,
        seen_at: now,
        confirmed_at: None,
        redeem_by: Some(now + CODE_MS),
        ip: String::new(),
        agent: String::new(),
    };
    admin_session::insert(&*tx, row).await?;
    audit::insert(&*tx, &Note::by_hand("login_code.create", who.name.clone(), json!({}))).await?;
    tx.commit().await?;
    Ok((who.name, code))
}

async fn find(db: &DatabaseConnection, name: Option<&str>) -> Result<admin::Model, SetupError> {
    let found = match name {
        Some(name) => admin::find(db, name).await?,
        None => admin::all(db).await?.into_iter().next(),
    };
    found.ok_or_else(|| SetupError::Unknown { name: name.unwrap_or(FIRST_NAME).to_owned() })
}

/// 130 random bits in groups that can be read out.
fn random_password() -> Result<SecretString, SetupError> {
    let mut bytes = [0_u8; MADE_CHARS];
    getrandom::fill(&mut bytes).map_err(|_| SetupError::NoRandom)?;
    let mut text = String::with_capacity(MADE_CHARS + MADE_CHARS / 5);
    for (place, byte) in bytes.iter().enumerate() {
        if place > 0 && place % 5 == 0 {
            text.push('-');
        }
        text.push(char::from(ALPHABET[usize::from(byte % 32)]));
    }
    Ok(SecretString::from(text))
}
