//! Every step of the schema goes up, down and up again on every database.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use grok2api_entity::testing::TestDatabase;
use grok2api_entity::{account, meta, setting};
use grok2api_migration::{MigrateError, Migrator, MigratorTrait, bring_up, is_current, status};
use sea_orm::{ConnectionTrait, DatabaseConnection, EntityTrait};

async fn goes_up_down_and_up(database: TestDatabase) {
    let db = &database.db;
    assert!(!is_current(db).await.unwrap());
    assert!(status(db).await.unwrap().iter().all(|step| !step.applied));

    let steps = Migrator::migrations().len();
    assert_eq!(bring_up(db).await.unwrap(), steps);
    assert!(is_current(db).await.unwrap());
    assert!(every_table_answers(db).await);
    assert_eq!(bring_up(db).await.unwrap(), 0);

    for _ in 0..steps {
        Migrator::down(db, Some(1)).await.unwrap();
        assert!(!is_current(db).await.unwrap());
    }
    assert!(!every_table_answers(db).await);

    assert_eq!(bring_up(db).await.unwrap(), steps);
    assert!(every_table_answers(db).await);
    database.remove().await.unwrap();
}

async fn every_table_answers(db: &DatabaseConnection) -> bool {
    account::load_page(db, None, 1).await.is_ok()
        && setting::Entity::find().all(db).await.is_ok()
        && meta::Entity::find().all(db).await.is_ok()
        && grok2api_entity::account_budget::Entity::find().all(db).await.is_ok()
}

/// Processes that start together: one migrates, the others wait for it.
async fn several_at_once_do_it_once(database: TestDatabase) {
    let db = &database.db;
    let (a, b, c) = tokio::join!(bring_up(db), bring_up(db), bring_up(db));
    assert_eq!(a.unwrap() + b.unwrap() + c.unwrap(), Migrator::migrations().len());
    assert!(is_current(db).await.unwrap());
    database.remove().await.unwrap();
}

async fn a_newer_schema_is_refused(database: TestDatabase) {
    let db = &database.db;
    bring_up(db).await.unwrap();
    let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29990101_000001_future', 0)";
    db.execute_unprepared(newer).await.unwrap();
    let error = bring_up(db).await.unwrap_err();
    assert!(matches!(&error, MigrateError::Newer { names } if names == &["m29990101_000001_future"]), "{error}");
    assert!(status(db).await.is_err());
    database.remove().await.unwrap();
}

mod sqlite {
    use super::*;

    #[tokio::test]
    async fn f40_goes_up_down_and_up() {
        super::goes_up_down_and_up(TestDatabase::sqlite().await.unwrap()).await;
    }

    #[tokio::test]
    async fn several_at_once_do_it_once() {
        super::several_at_once_do_it_once(TestDatabase::sqlite().await.unwrap()).await;
    }

    #[tokio::test]
    async fn a_newer_schema_is_refused() {
        super::a_newer_schema_is_refused(TestDatabase::sqlite().await.unwrap()).await;
    }
}

mod postgres {
    use super::*;

    #[tokio::test]
    async fn f40_goes_up_down_and_up() {
        super::goes_up_down_and_up(TestDatabase::postgres().await.unwrap()).await;
    }

    #[tokio::test]
    async fn several_at_once_do_it_once() {
        super::several_at_once_do_it_once(TestDatabase::postgres().await.unwrap()).await;
    }

    #[tokio::test]
    async fn a_newer_schema_is_refused() {
        super::a_newer_schema_is_refused(TestDatabase::postgres().await.unwrap()).await;
    }
}

mod mariadb {
    use super::*;

    #[tokio::test]
    async fn f40_goes_up_down_and_up() {
        super::goes_up_down_and_up(TestDatabase::mariadb().await.unwrap()).await;
    }

    #[tokio::test]
    async fn several_at_once_do_it_once() {
        super::several_at_once_do_it_once(TestDatabase::mariadb().await.unwrap()).await;
    }

    #[tokio::test]
    async fn a_newer_schema_is_refused() {
        super::a_newer_schema_is_refused(TestDatabase::mariadb().await.unwrap()).await;
    }
}
