//! Sessions: begun by a password, ended by time, by the one who began them, or by another password (A7).

use grok2api_config::Vault;
use grok2api_entity::admin_session::{self, Model};
use grok2api_entity::{admin, clock};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::token;

/// Milliseconds without use after which a session is over.
pub(crate) const IDLE_MS: i64 = 30 * 60_000;
/// Milliseconds after which a session is over in any case.
pub(crate) const LONGEST_MS: i64 = 12 * 3_600_000;
/// Milliseconds for which a password that was given counts as just given (A8).
pub(crate) const CONFIRMED_MS: i64 = 5 * 60_000;
/// Milliseconds for which a session that is over is remembered, so that who comes back is told so.
const REMEMBERED_MS: i64 = 24 * 3_600_000;
/// Uses within this many milliseconds are one use.
const SEEN_EVERY_MS: i64 = 60_000;

/// A session in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) id: Uuid,
    /// Who is logged in.
    pub(crate) admin: String,
    /// Whether the password must be changed before anything else.
    pub(crate) must_change: bool,
    pub(crate) created_at: i64,
    /// When the password was last given in it.
    pub(crate) confirmed_at: Option<i64>,
    /// The time of this request, at the database.
    pub(crate) now: i64,
}

/// What a token stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Known {
    InForce(Session),
    /// It was a session's.
    Over,
    /// It was none's, or its session was ended.
    Unknown,
}

impl Session {
    /// Whether the password was given just now.
    pub(crate) fn is_confirmed(&self) -> bool {
        self.confirmed_at.is_some_and(|at| self.now - at <= CONFIRMED_MS)
    }
}

/// Who begins a session, and from where.
#[derive(Debug, Clone)]
pub(crate) struct Beginning<'a> {
    pub(crate) admin: &'a str,
    pub(crate) ip: &'a str,
    pub(crate) agent: &'a str,
    /// When the password was given.
    pub(crate) confirmed_at: Option<i64>,
}

/// Begins a session; what has been over for long is forgotten on this occasion.
///
/// # Errors
/// The database refuses.
pub(crate) async fn begin(
    tx: &impl ConnectionTrait,
    vault: &Vault,
    token: &SecretString,
    beginning: Beginning<'_>,
    now: i64,
) -> Result<Uuid, DbErr> {
    let long_ago = now - REMEMBERED_MS;
    admin_session::delete_over(tx, long_ago - LONGEST_MS, long_ago - IDLE_MS, now).await?;
    let row = Model {
        id: Uuid::now_v7(),
        token_hash: token::hash(vault, token.expose_secret()),
        admin: beginning.admin.to_owned(),
        created_at: now,
        seen_at: now,
        confirmed_at: beginning.confirmed_at,
        redeem_by: None,
        ip: beginning.ip.to_owned(),
        agent: beginning.agent.to_owned(),
    };
    let id = row.id;
    admin_session::insert(tx, row).await?;
    Ok(id)
}

/// The session of a token, which counts as used by this.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn find(db: &DatabaseConnection, vault: &Vault, text: &str) -> Result<Known, DbErr> {
    if !token::is_ours(vault, text) {
        return Ok(Known::Unknown);
    }
    let row = admin_session::find_by_token(db, &token::hash(vault, text)).await?;
    let Some(row) = row.filter(|row| row.redeem_by.is_none()) else { return Ok(Known::Unknown) };
    let now = clock::read(db).await?;
    if now - row.created_at >= LONGEST_MS || now - row.seen_at >= IDLE_MS {
        return Ok(Known::Over);
    }
    let Some(admin) = admin::find(db, &row.admin).await? else { return Ok(Known::Unknown) };
    if now - row.seen_at >= SEEN_EVERY_MS {
        admin_session::touch(db, row.id, now, false).await?;
    }
    Ok(Known::InForce(Session {
        id: row.id,
        admin: row.admin,
        must_change: admin.must_change,
        created_at: row.created_at,
        confirmed_at: row.confirmed_at,
        now,
    }))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use grok2api_entity::connect;
    use sea_orm::EntityTrait;
    use sea_orm::sea_query::Expr;

    use super::*;

    struct Ground {
        _folder: tempfile::TempDir,
        db: DatabaseConnection,
        vault: Vault,
    }

    impl Ground {
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let db = connect::file(&folder.path().join("grok2api.db")).await.unwrap();
            grok2api_migration::bring_up(&db).await.unwrap();
            let row = admin::Model {
                name: "admin".to_owned(),
                password_hash: "none".to_owned(),
                must_change: false,
                changed_at: 0,
                created_at: 0,
            };
            assert!(admin::insert(&db, row).await.unwrap());
            let vault = Vault::new(&SecretString::from("q8Jf0Zr3pXv7LkTn5WcYb2Hd9MsEa4GuRi6"), &[]).unwrap();
            Self { _folder: folder, db, vault }
        }

        async fn begin(&self) -> SecretString {
            let token = token::generate(&self.vault).unwrap();
            let now = clock::read(&self.db).await.unwrap();
            let beginning = Beginning { admin: "admin", ip: "", agent: "", confirmed_at: Some(now) };
            begin(&self.db, &self.vault, &token, beginning, now).await.unwrap();
            token
        }

        /// As if `ms` had gone by since.
        async fn age(&self, columns: &[admin_session::Column], ms: i64) {
            let mut change = admin_session::Entity::update_many();
            for column in columns {
                change = change.col_expr(*column, sea_orm::sea_query::ExprTrait::sub(Expr::col(*column), ms));
            }
            change.exec(&self.db).await.unwrap();
        }

        async fn find(&self, token: &SecretString) -> Known {
            find(&self.db, &self.vault, token.expose_secret()).await.unwrap()
        }
    }

    #[tokio::test]
    async fn a7_a_session_ends_after_half_an_hour_without_use_and_after_twelve_hours_in_any_case() {
        use admin_session::Column;

        let ground = Ground::new().await;
        let token = ground.begin().await;
        assert!(matches!(ground.find(&token).await, Known::InForce(session) if session.is_confirmed()));
        ground.age(&[Column::SeenAt], IDLE_MS - 5_000).await;
        assert!(matches!(ground.find(&token).await, Known::InForce(_)), "still in use");
        ground.age(&[Column::SeenAt], IDLE_MS - 5_000).await;
        assert!(matches!(ground.find(&token).await, Known::InForce(_)), "the last use was noted");
        ground.age(&[Column::SeenAt], IDLE_MS).await;
        assert_eq!(ground.find(&token).await, Known::Over);

        let token = ground.begin().await;
        ground.age(&[Column::CreatedAt], LONGEST_MS).await;
        assert_eq!(ground.find(&token).await, Known::Over);
        ground.begin().await;
        assert_eq!(ground.find(&token).await, Known::Over, "who comes back is told so");
        ground.age(&[Column::CreatedAt], REMEMBERED_MS).await;
        ground.begin().await;
        assert_eq!(ground.find(&token).await, Known::Unknown, "what has been over for long is forgotten");
    }

    #[tokio::test]
    async fn a8_a_password_counts_as_just_given_for_five_minutes() {
        let ground = Ground::new().await;
        let token = ground.begin().await;
        ground.age(&[admin_session::Column::ConfirmedAt], CONFIRMED_MS + 1).await;
        assert!(matches!(ground.find(&token).await, Known::InForce(session) if !session.is_confirmed()));
    }

    #[tokio::test]
    async fn a7_what_is_stored_opens_nothing() {
        let ground = Ground::new().await;
        ground.begin().await;
        let row = admin_session::Entity::find().one(&ground.db).await.unwrap().unwrap();
        assert_eq!(find(&ground.db, &ground.vault, &row.token_hash[..43]).await.unwrap(), Known::Unknown);
    }
}
