//! Table `admin`: who may run the gateway.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, OnConflict};

/// One row. All times are Unix milliseconds.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "admin")]
pub struct Model {
    /// The name to log in with.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// The password as a PHC string of Argon2id.
    #[sea_orm(column_type = "Text")]
    pub password_hash: String,
    /// Whether another password must be chosen before anything else.
    pub must_change: bool,
    /// When the password was last changed.
    pub changed_at: i64,
    /// When the row was made.
    pub created_at: i64,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model")
            .field("name", &self.name)
            .field("must_change", &self.must_change)
            .finish_non_exhaustive()
    }
}

/// What a row is linked with: nothing that the database enforces.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Somebody of that name.
///
/// # Errors
/// When the database does not answer.
pub async fn find(db: &impl ConnectionTrait, name: &str) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(name.to_owned()).one(db).await
}

/// Whether there is anybody.
///
/// # Errors
/// When the database does not answer.
pub async fn any(db: &impl ConnectionTrait) -> Result<bool, DbErr> {
    Ok(Entity::find().one(db).await?.is_some())
}

/// Everybody, by name.
///
/// # Errors
/// When the database does not answer.
pub async fn all(db: &impl ConnectionTrait) -> Result<Vec<Model>, DbErr> {
    use sea_orm::QueryOrder;

    Entity::find().order_by_asc(Column::Name).all(db).await
}

/// Adds somebody unless there is one of that name; returns whether it did.
///
/// # Errors
/// When the database refuses.
pub async fn insert(db: &impl ConnectionTrait, row: Model) -> Result<bool, DbErr> {
    let keep = OnConflict::column(Column::Name).do_nothing_on([Column::Name]).to_owned();
    let row = ActiveModel {
        name: Set(row.name),
        password_hash: Set(row.password_hash),
        must_change: Set(row.must_change),
        changed_at: Set(row.changed_at),
        created_at: Set(row.created_at),
    };
    Ok(Entity::insert(row).on_conflict(keep).exec_without_returning(db).await? == 1)
}

/// Stores another password for somebody whose password is still `former_hash`; returns whether it was.
///
/// # Errors
/// When the database refuses.
pub async fn set_password(
    db: &impl ConnectionTrait,
    name: &str,
    former_hash: &str,
    new: (String, bool),
    now: i64,
) -> Result<bool, DbErr> {
    let (password_hash, must_change) = new;
    let change = Entity::update_many()
        .col_expr(Column::PasswordHash, Expr::value(password_hash))
        .col_expr(Column::MustChange, Expr::value(must_change))
        .col_expr(Column::ChangedAt, Expr::value(now));
    let of = change.filter(Column::Name.eq(name)).filter(Column::PasswordHash.eq(former_hash));
    Ok(of.exec(db).await?.rows_affected == 1)
}
