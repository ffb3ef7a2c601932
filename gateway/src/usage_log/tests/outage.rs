//! A database server that goes away in the middle of a commit and comes back.

use grok2api_entity::connect;
use grok2api_entity::testing::TestDatabase;
use sea_orm::{ConnectionTrait, Statement};
use tokio_util::sync::CancellationToken;

use super::super::UsageLog;
use super::lossy_link::LossyLink;
use super::{assert_stored, entry};

#[tokio::test]
async fn f36_postgres_away_in_mid_commit_loses_and_doubles_nothing() {
    let database = TestDatabase::postgres().await.unwrap();
    let link = LossyLink::to("127.0.0.1:5432".parse().unwrap()).await;
    let url = |name: &str| format!("postgres://postgres@{}/{name}?sslmode=disable", link.address);
    let name = name(&database, "SELECT current_database() AS name").await;
    story(database, &link, &url(&name)).await;
}

#[tokio::test]
async fn f36_mariadb_away_in_mid_commit_loses_and_doubles_nothing() {
    let database = TestDatabase::mariadb().await.unwrap();
    let link = LossyLink::to("127.0.0.1:3306".parse().unwrap()).await;
    let url = |name: &str| format!("mysql://root@{}/{name}?ssl-mode=disabled", link.address);
    let name = name(&database, "SELECT DATABASE() AS name").await;
    story(database, &link, &url(&name)).await;
}

async fn name(database: &TestDatabase, question: &str) -> String {
    let statement = Statement::from_string(database.db.get_database_backend(), question);
    database.db.query_one_raw(statement).await.unwrap().unwrap().try_get("", "name").unwrap()
}

async fn story(database: TestDatabase, link: &LossyLink, url: &str) {
    grok2api_migration::bring_up(&database.db).await.unwrap();
    let db = connect::server(url).await.unwrap();
    let (log, writer) = UsageLog::new(db.clone());
    let stop = CancellationToken::new();
    let writing = tokio::spawn(writer.run(stop.clone()));

    link.lose_next_commit();
    (0..700).for_each(|n| log.record(entry(n)));
    link.lost().await;
    link.refused(2).await;
    (700..1_000).for_each(|n| log.record(entry(n)));
    link.mend();
    stop.cancel();
    writing.await.unwrap();

    assert_stored(&database.db, 0..1_000).await;
    db.close().await.unwrap();
    database.remove().await.unwrap();
}
