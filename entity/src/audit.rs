//! Table `audit`: who changed what, and when. Rows are added and never changed.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder, QuerySelect};
use serde_json::Value as Json;

use crate::clock;

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit")]
pub struct Model {
    /// Its id, version 7: later ones are greater.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Unix milliseconds of the database's clock.
    pub at: i64,
    /// Who did it: `admin:NAME`, `token` for the configured admin token, `cli`, `nobody` for who did not get in.
    pub actor: String,
    /// What was done, such as `settings.update`.
    pub action: String,
    /// What it was done to: an id or a name.
    pub target: String,
    /// The address it was done from; empty if there is none.
    pub ip: String,
    /// What else there is to say, as a JSON object. No secrets.
    #[sea_orm(column_type = "Text")]
    pub detail: String,
}

/// What a row is linked with: nothing that the database enforces.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Something to be taken down.
#[derive(Debug, Clone, PartialEq)]
pub struct Note {
    /// Who.
    pub actor: String,
    /// From where; empty if that is nowhere.
    pub ip: String,
    /// What.
    pub action: &'static str,
    /// To what.
    pub target: String,
    /// What else there is to say: a JSON object without secrets.
    pub detail: Json,
}

impl Note {
    /// What somebody at the machine itself did.
    pub fn by_hand(action: &'static str, target: impl Into<String>, detail: Json) -> Self {
        Self { actor: "cli".to_owned(), ip: String::new(), action, target: target.into(), detail }
    }
}

/// Which rows are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only this action, or, with a dot at its end, all that begin so: letters, dots and underscores.
    pub action: Option<String>,
    /// Only of this one.
    pub actor: Option<String>,
}

/// Takes something down; give it the transaction that does it.
///
/// # Errors
/// When the database refuses.
pub async fn insert(db: &impl ConnectionTrait, note: &Note) -> Result<(), DbErr> {
    let cut = |text: &str, most: usize| text.chars().take(most).collect::<String>();
    let row = ActiveModel {
        id: Set(Uuid::now_v7()),
        at: Set(clock::read(db).await?),
        actor: Set(cut(&note.actor, 80)),
        action: Set(note.action.to_owned()),
        target: Set(cut(&note.target, 200)),
        ip: Set(cut(&note.ip, 45)),
        detail: Set(note.detail.to_string()),
    };
    Entity::insert(row).exec_without_returning(db).await.map(drop)
}

/// The latest rows before `before`, latest first, at most `limit`.
///
/// # Errors
/// When the database does not answer.
pub async fn list(
    db: &impl ConnectionTrait,
    filter: &Filter,
    before: Option<Uuid>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let mut query = Entity::find().order_by_desc(Column::Id).limit(limit);
    if let Some(action) = &filter.action {
        let is_area = action.ends_with('.');
        query = query.filter(if is_area { Column::Action.starts_with(action) } else { Column::Action.eq(action) });
    }
    if let Some(actor) = &filter.actor {
        query = query.filter(Column::Actor.eq(actor));
    }
    if let Some(before) = before {
        query = query.filter(Column::Id.lt(before));
    }
    query.all(db).await
}

/// Deletes up to `limit` of the rows that were made before `at`, in Unix milliseconds; returns how many.
///
/// # Errors
/// When the database refuses.
pub async fn delete_before(db: &impl ConnectionTrait, at: i64, limit: u64) -> Result<u64, DbErr> {
    let old = Entity::find().filter(Column::At.lt(at)).order_by_asc(Column::Id).limit(limit).all(db).await?;
    let old: Vec<Uuid> = old.into_iter().map(|row| row.id).collect();
    if old.is_empty() {
        return Ok(0);
    }
    Ok(Entity::delete_many().filter(Column::Id.is_in(old)).exec(db).await?.rows_affected)
}
