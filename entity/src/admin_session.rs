//! Table `admin_session`: who is logged in.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{Condition, QueryOrder, QuerySelect};

/// One row. All times are Unix milliseconds of the database's clock.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "admin_session")]
pub struct Model {
    /// Its id, version 7; opens nothing.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// A keyed hash of its token.
    pub token_hash: String,
    /// Who is logged in.
    pub admin: String,
    /// When it began.
    pub created_at: i64,
    /// When it was last used, give or take a minute.
    pub seen_at: i64,
    /// When the password was last given in it.
    pub confirmed_at: Option<i64>,
    /// Until when a login code may be exchanged for a session; null for what is a session already.
    pub redeem_by: Option<i64>,
    /// The address it began from; empty if that is unknown.
    pub ip: String,
    /// What the client called itself; cut.
    pub agent: String,
}

/// What a row is linked with: nothing that the database enforces.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Begins a session.
///
/// # Errors
/// When the database refuses.
pub async fn insert(db: &impl ConnectionTrait, row: Model) -> Result<(), DbErr> {
    let row = ActiveModel {
        id: Set(row.id),
        token_hash: Set(row.token_hash),
        admin: Set(row.admin),
        created_at: Set(row.created_at),
        seen_at: Set(row.seen_at),
        confirmed_at: Set(row.confirmed_at),
        redeem_by: Set(row.redeem_by),
        ip: Set(row.ip),
        agent: Set(row.agent),
    };
    Entity::insert(row).exec_without_returning(db).await.map(drop)
}

/// The session, or login code, whose token has this hash.
///
/// # Errors
/// When the database does not answer.
pub async fn find_by_token(db: &impl ConnectionTrait, token_hash: &str) -> Result<Option<Model>, DbErr> {
    Entity::find().filter(Column::TokenHash.eq(token_hash)).one(db).await
}

/// Sessions of somebody that began after `begun_after` and were used after `seen_after`, latest use first, at most `limit`.
///
/// # Errors
/// When the database does not answer.
pub async fn list(
    db: &impl ConnectionTrait,
    admin: &str,
    begun_after: i64,
    seen_after: i64,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let of = Entity::find().filter(Column::Admin.eq(admin)).filter(Column::RedeemBy.is_null());
    let alive = of.filter(Column::CreatedAt.gt(begun_after)).filter(Column::SeenAt.gt(seen_after));
    alive.order_by_desc(Column::SeenAt).limit(limit).all(db).await
}

/// Notes that a session was used, or that the password was given in it.
///
/// # Errors
/// When the database refuses.
pub async fn touch(db: &impl ConnectionTrait, id: Uuid, now: i64, confirmed: bool) -> Result<(), DbErr> {
    let mut change = Entity::update_many().col_expr(Column::SeenAt, Expr::value(now));
    if confirmed {
        change = change.col_expr(Column::ConfirmedAt, Expr::value(now));
    }
    change.filter(Column::Id.eq(id)).exec(db).await.map(drop)
}

/// Ends a session, of `admin` if that is given; returns whether there was one.
///
/// # Errors
/// When the database refuses.
pub async fn delete(db: &impl ConnectionTrait, id: Uuid, admin: Option<&str>) -> Result<bool, DbErr> {
    let mut of = Entity::delete_many().filter(Column::Id.eq(id));
    if let Some(admin) = admin {
        of = of.filter(Column::Admin.eq(admin));
    }
    Ok(of.exec(db).await?.rows_affected == 1)
}

/// Ends all sessions of somebody but one, and takes all login codes back; returns how many.
///
/// # Errors
/// When the database refuses.
pub async fn delete_others(db: &impl ConnectionTrait, admin: &str, but: Option<Uuid>) -> Result<u64, DbErr> {
    let mut of = Entity::delete_many().filter(Column::Admin.eq(admin));
    if let Some(but) = but {
        of = of.filter(Column::Id.ne(but));
    }
    Ok(of.exec(db).await?.rows_affected)
}

/// Forgets sessions that began before `begun_before` or were not used since `seen_before`, and codes nobody exchanged.
///
/// # Errors
/// When the database refuses.
pub async fn delete_over(
    db: &impl ConnectionTrait,
    begun_before: i64,
    seen_before: i64,
    now: i64,
) -> Result<u64, DbErr> {
    let session = Condition::all()
        .add(Column::RedeemBy.is_null())
        .add(Condition::any().add(Column::CreatedAt.lte(begun_before)).add(Column::SeenAt.lte(seen_before)));
    let over = Condition::any().add(session).add(Column::RedeemBy.lte(now));
    Ok(Entity::delete_many().filter(over).exec(db).await?.rows_affected)
}
