//! Which rows are mirrored, and how each of them is read and written.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use anyhow::{Context, Result};
use grok2api_entity::{account, admin, client_key, meta, queue_control, schedule, setting};
use grok2api_migration::{Migrator, MigratorTrait};
use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseConnection, DatabaseTransaction,
    DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select,
};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::MirrorError;
use super::changes::Changed;
use super::remote::{Draft, Remote};
use crate::backup::rows::{self, Inbound};

/// Rows of one page.
const PAGE: u64 = 1000;

/// A table whose rows are mirrored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// Accounts, with their credentials as they lie there: sealed.
    Account,
    /// Settings, the client key among them; secrets sealed.
    Setting,
    /// Schedules, and whether they are paused.
    Schedule,
    /// By what a master key is known to be the right one.
    Meta,
    /// Administrators, with the hashes of their passwords.
    Admin,
    /// Keys of clients, by their hashes.
    ClientKey,
    /// What is said about the work of each kind.
    QueueControl,
}

/// All of them; their places are their numbers in scripts.
pub(super) const ALL: [Subject; 7] = [
    Subject::Account,
    Subject::Setting,
    Subject::Schedule,
    Subject::Meta,
    Subject::Admin,
    Subject::ClientKey,
    Subject::QueueControl,
];

/// A row as it is to be in the mirror; nothing if it is to go.
#[derive(Debug)]
pub(super) struct Copied {
    pub(super) subject: Subject,
    pub(super) row: String,
    pub(super) value: Option<String>,
}

impl Subject {
    /// The table's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Setting => "setting",
            Self::Schedule => "schedule",
            Self::Meta => "meta",
            Self::Admin => "admin",
            Self::ClientKey => "client_key",
            Self::QueueControl => "queue_control",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        ALL.into_iter().find(|subject| subject.name() == name)
    }

    /// SQL for the name of a row in the mirror.
    pub(super) fn id_in(self, row: &str) -> String {
        match self {
            Self::Account | Self::ClientKey => format!("lower(hex({row}.id))"),
            Self::Setting | Self::Meta => format!("{row}.key"),
            Self::Schedule | Self::Admin => format!("{row}.name"),
            Self::QueueControl => format!("{row}.kind"),
        }
    }

    /// What is noted: events, which row of them, and when.
    pub(super) fn triggers(self) -> [(&'static str, &'static str, &'static str); 3] {
        match self {
            Self::Account | Self::Setting | Self::Admin | Self::ClientKey | Self::QueueControl => {
                [("INSERT", "NEW", ""), ("UPDATE", "NEW", ""), ("DELETE", "OLD", "")]
            }
            // Schedulers touch their rows every two seconds.
            Self::Schedule => [
                ("INSERT", "NEW", ""),
                ("UPDATE", "NEW", "WHEN NEW.paused IS NOT OLD.paused OR NEW.after_ms IS NOT OLD.after_ms"),
                ("DELETE", "OLD", ""),
            ],
            Self::Meta => [
                ("INSERT", "NEW", "WHEN NEW.key = 'vault_check'"),
                ("UPDATE", "NEW", "WHEN NEW.key = 'vault_check'"),
                ("DELETE", "OLD", "WHEN OLD.key = 'vault_check'"),
            ],
        }
    }

    /// Copies all rows to a draft of the mirror; answers how many there were.
    pub(super) async fn write_all(self, db: &DatabaseConnection, draft: &Draft<'_>) -> Result<u64, MirrorError> {
        if self != Self::Account {
            let rows = self.few(db).await.map_err(MirrorError::Row)?;
            draft.add(self, &rows).await?;
            return Ok(rows.len() as u64);
        }
        let (mut count, mut after) = (0, None);
        loop {
            let mut query = account::Entity::find().order_by_asc(account::Column::Id).limit(PAGE);
            if let Some(after) = after {
                query = query.filter(account::Column::Id.gt(after));
            }
            let page = query.all(db).await?;
            let Some(last) = page.last() else { return Ok(count) };
            after = Some(last.id);
            let rows: Result<Vec<_>> = page
                .iter()
                .map(|row| Ok((account_name(row), rows::object::<account::Entity>(row)?.to_string())))
                .collect();
            draft.add(self, &rows.map_err(MirrorError::Row)?).await?;
            count += page.len() as u64;
        }
    }

    /// All rows of a table that has few.
    async fn few(self, db: &DatabaseConnection) -> Result<Vec<(String, String)>> {
        match self {
            Self::Account => named::<account::Entity>(db, account::Entity::find(), account_name).await,
            Self::Setting => named::<setting::Entity>(db, setting::Entity::find(), setting_name).await,
            Self::Schedule => named::<schedule::Entity>(db, schedule::Entity::find(), schedule_name).await,
            Self::Meta => {
                let check = meta::Entity::find().filter(meta::Column::Key.eq(meta::VAULT_CHECK));
                named::<meta::Entity>(db, check, meta_name).await
            }
            Self::Admin => named::<admin::Entity>(db, admin::Entity::find(), admin_name).await,
            Self::ClientKey => named::<client_key::Entity>(db, client_key::Entity::find(), key_name).await,
            Self::QueueControl => named::<queue_control::Entity>(db, queue_control::Entity::find(), control_name).await,
        }
    }

    /// Those of the rows that are there.
    async fn some(self, db: &DatabaseConnection, ids: &[&str]) -> Result<Vec<(String, String)>> {
        let ids = ids.iter().copied();
        match self {
            Self::Account => {
                let ids: Vec<Uuid> = ids.filter_map(|id| Uuid::parse_str(id).ok()).collect();
                let these = account::Entity::find().filter(account::Column::Id.is_in(ids));
                named::<account::Entity>(db, these, account_name).await
            }
            Self::Setting => {
                let these = setting::Entity::find().filter(setting::Column::Key.is_in(ids));
                named::<setting::Entity>(db, these, setting_name).await
            }
            Self::Schedule => {
                let names: Vec<_> = ids.filter_map(schedule::Name::parse).collect();
                let these = schedule::Entity::find().filter(schedule::Column::Name.is_in(names));
                named::<schedule::Entity>(db, these, schedule_name).await
            }
            Self::Meta | Self::Admin | Self::ClientKey | Self::QueueControl => self.few(db).await,
        }
    }

    /// Reads the rows of the mirror into the database; answers how many there were.
    pub(super) async fn restore(self, tx: &DatabaseTransaction, remote: &Remote) -> Result<u64> {
        let restored = match self {
            Self::Account => restore::<account::Entity>(self, tx, remote).await,
            Self::Setting => restore::<setting::Entity>(self, tx, remote).await,
            Self::Schedule => restore::<schedule::Entity>(self, tx, remote).await,
            Self::Meta => restore::<meta::Entity>(self, tx, remote).await,
            Self::Admin => restore::<admin::Entity>(self, tx, remote).await,
            Self::ClientKey => restore::<client_key::Entity>(self, tx, remote).await,
            Self::QueueControl => restore::<queue_control::Entity>(self, tx, remote).await,
        };
        restored.with_context(|| format!("the {} rows of the mirror cannot be read back", self.name()))
    }
}

/// The rows that changed, as they are now.
pub(super) async fn read(db: &DatabaseConnection, changes: &[Changed]) -> Result<Vec<Copied>> {
    let mut copied = Vec::with_capacity(changes.len());
    for subject in ALL {
        let ids: Vec<&str> =
            changes.iter().filter(|change| change.subject == subject).map(|change| change.row.as_str()).collect();
        if ids.is_empty() {
            continue;
        }
        let mut there: BTreeMap<String, String> = subject.some(db, &ids).await?.into_iter().collect();
        let copy = |id: &&str| Copied { subject, row: (*id).to_owned(), value: there.remove(*id) };
        copied.extend(ids.iter().map(copy));
    }
    Ok(copied)
}

/// Whether the database has anything that is mirrored: then it is no fresh one.
pub(super) async fn any(db: &impl ConnectionTrait) -> Result<bool, DbErr> {
    let account = account::Entity::find().limit(1).one(db).await?;
    let setting = setting::Entity::find().limit(1).one(db).await?;
    Ok(account.is_some() || setting.is_some() || meta::get(db, meta::VAULT_CHECK).await?.is_some())
}

/// The steps of this release's schema.
pub(super) fn schema() -> Vec<String> {
    Migrator::migrations().iter().map(|step| step.name().to_owned()).collect()
}

fn account_name(row: &account::Model) -> String {
    row.id.simple().to_string()
}

fn setting_name(row: &setting::Model) -> String {
    row.key.clone()
}

fn schedule_name(row: &schedule::Model) -> String {
    row.name.as_str().to_owned()
}

fn meta_name(row: &meta::Model) -> String {
    row.key.clone()
}

fn key_name(row: &client_key::Model) -> String {
    row.id.simple().to_string()
}

fn control_name(row: &queue_control::Model) -> String {
    row.kind.clone()
}

fn admin_name(row: &admin::Model) -> String {
    row.name.clone()
}

async fn named<E: EntityTrait>(
    db: &DatabaseConnection,
    query: Select<E>,
    name: fn(&E::Model) -> String,
) -> Result<Vec<(String, String)>> {
    query.all(db).await?.iter().map(|row| Ok((name(row), rows::object::<E>(row)?.to_string()))).collect()
}

async fn restore<E>(subject: Subject, tx: &DatabaseTransaction, remote: &Remote) -> Result<u64>
where
    E: EntityTrait,
    E::ActiveModel: ActiveModelTrait<Entity = E> + ActiveModelBehavior + Send,
{
    // One of them, unless rows were written by several releases.
    let mut inbound: BTreeMap<Vec<String>, Inbound<E>> = BTreeMap::new();
    let mut scan = remote.rows(subject);
    let mut count = 0;
    while let Some(page) = scan.next().await? {
        for value in page {
            let row: Map<String, Json> = serde_json::from_str(&value).context("a row is damaged")?;
            let (columns, values): (Vec<String>, Vec<Json>) = row.into_iter().unzip();
            let inbound = match inbound.entry(columns) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    let columns = Inbound::new(new.key())?;
                    new.insert(columns)
                }
            };
            inbound.take(tx, values).await?;
            count += 1;
        }
    }
    for mut rest in inbound.into_values() {
        rest.flush(tx).await?;
    }
    Ok(count)
}
