//! Rows of any table as JSON, alike on all databases, and back.

use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::TryStreamExt;
use sea_orm::sea_query::ColumnType;
use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, IdenStatic,
    Iterable, ModelTrait, PaginatorTrait, Value,
};
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// Rows written by one statement.
const BATCH: usize = 200;

/// Names of the columns, in the order of a row's values.
pub(crate) fn columns<E: EntityTrait>() -> Vec<&'static str> {
    E::Column::iter().map(|column| column.as_str()).collect()
}

/// Gives every row to `take`, in no particular order; answers how many there were.
pub(crate) async fn read<E>(tx: &DatabaseTransaction, take: &mut (dyn FnMut(Json) -> Result<()> + Send)) -> Result<u64>
where
    E: EntityTrait,
{
    let mut rows = E::find().stream(tx).await?;
    let mut count = 0;
    while let Some(row) = rows.try_next().await? {
        take(E::Column::iter().map(|column| to_json(row.get(column))).collect::<Result<Json>>()?)?;
        count += 1;
    }
    Ok(count)
}

/// A row with the names of its columns.
pub(crate) fn object<E: EntityTrait>(row: &E::Model) -> Result<Json> {
    E::Column::iter().map(|column| Ok((column.as_str().to_owned(), to_json(row.get(column))?))).collect()
}

/// Rows of one table on their way into a database.
pub(crate) struct Inbound<E: EntityTrait> {
    columns: Vec<E::Column>,
    waiting: Vec<E::ActiveModel>,
}

impl<E> Inbound<E>
where
    E: EntityTrait,
    E::ActiveModel: ActiveModelTrait<Entity = E> + ActiveModelBehavior + Send,
{
    /// For rows with these columns.
    pub(crate) fn new(names: &[String]) -> Result<Self> {
        let columns = names
            .iter()
            .map(|name| E::Column::from_str(name).ok().with_context(|| format!("this release knows no column {name}")));
        Ok(Self { columns: columns.collect::<Result<_>>()?, waiting: Vec::new() })
    }

    /// Takes a row; writes when there are enough.
    pub(crate) async fn take(&mut self, tx: &impl ConnectionTrait, row: Vec<Json>) -> Result<()> {
        ensure!(row.len() == self.columns.len(), "a row has {} values for {} columns", row.len(), self.columns.len());
        let mut model = <E::ActiveModel as ActiveModelTrait>::default();
        for (column, value) in self.columns.iter().zip(row) {
            let name = column.as_str();
            let value = from_json(column.def().get_column_type(), &value).with_context(|| format!("column {name}"))?;
            model.try_set(*column, value).with_context(|| format!("column {name}"))?;
        }
        self.waiting.push(model);
        if self.waiting.len() == BATCH { self.flush(tx).await } else { Ok(()) }
    }

    /// Writes what waits.
    pub(crate) async fn flush(&mut self, tx: &impl ConnectionTrait) -> Result<()> {
        if !self.waiting.is_empty() {
            E::insert_many(std::mem::take(&mut self.waiting)).exec_without_returning(tx).await?;
        }
        Ok(())
    }
}

/// Whether a table has no row.
pub(crate) async fn is_empty<E>(db: &impl ConnectionTrait) -> Result<bool>
where
    E: EntityTrait,
    E::Model: Sync,
{
    Ok(E::find().count(db).await? == 0)
}

/// The name of a table.
pub(crate) fn name<E: EntityTrait>() -> String {
    E::default().table_name().to_owned()
}

fn to_json(value: Value) -> Result<Json> {
    Ok(match value {
        Value::Bool(value) => json!(value),
        Value::TinyInt(value) => json!(value),
        Value::SmallInt(value) => json!(value),
        Value::Int(value) => json!(value),
        Value::BigInt(value) => json!(value),
        Value::Double(value) => json!(value),
        Value::String(value) => json!(value),
        Value::Uuid(value) => json!(value.map(|id| id.to_string())),
        Value::Bytes(value) => json!(value.map(|bytes| STANDARD.encode(bytes))),
        other => bail!("a value of a kind that copies do not know: {other:?}"),
    })
}

fn from_json(kind: &ColumnType, value: &Json) -> Result<Value> {
    let number = || if value.is_null() { Ok(None) } else { value.as_i64().map(Some).context("no whole number") };
    let text = || if value.is_null() { Ok(None) } else { value.as_str().map(Some).context("no text") };
    Ok(match kind {
        ColumnType::Boolean => Value::Bool(value.as_bool()),
        ColumnType::TinyInteger => Value::TinyInt(number()?.map(TryFrom::try_from).transpose()?),
        ColumnType::SmallInteger => Value::SmallInt(number()?.map(TryFrom::try_from).transpose()?),
        ColumnType::Integer => Value::Int(number()?.map(TryFrom::try_from).transpose()?),
        ColumnType::BigInteger => Value::BigInt(number()?),
        ColumnType::Double => Value::Double(value.as_f64()),
        ColumnType::Uuid => Value::Uuid(text()?.map(Uuid::from_str).transpose()?),
        ColumnType::Binary(_) | ColumnType::VarBinary(_) | ColumnType::Blob => {
            Value::Bytes(text()?.map(|text| STANDARD.decode(text)).transpose()?)
        }
        ColumnType::Char(_) | ColumnType::String(_) | ColumnType::Text => Value::String(text()?.map(str::to_owned)),
        other => bail!("a column of a kind that copies do not know: {other:?}"),
    })
}
