//! How the observer sees a store, whichever database it is in: the rows of a query as texts.

use std::time::Duration;

use levada_store::Location;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// A connection of its own to a store.
pub enum Eye {
    File(Connection),
    Server { client: Client, schema: String },
}

/// The values of a row.
#[derive(Hash)]
pub struct Row(Vec<Option<String>>);

impl Row {
    /// A text.
    pub fn text(&self, at: usize) -> Option<&str> {
        self.0[at].as_deref()
    }

    /// A whole number.
    pub fn number(&self, at: usize) -> Option<i64> {
        self.text(at).map(|text| text.parse().unwrap())
    }

    /// A text that is there.
    pub fn word(&self, at: usize) -> String {
        self.text(at).unwrap().to_owned()
    }

    /// A whole number that is there.
    pub fn int<T: TryFrom<i64, Error: std::fmt::Debug>>(&self, at: usize) -> T {
        self.number(at).unwrap().try_into().unwrap()
    }
}

impl Eye {
    pub async fn open(location: &Location) -> Self {
        match location {
            Location::File(path) => {
                let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
                connection.busy_timeout(Duration::from_secs(10)).unwrap();
                Self::File(connection)
            }
            Location::Url(url) => {
                let (base, schema) = url.expose().split_once("&schema=").unwrap();
                let (client, connection) =
                    tokio_postgres::connect(base.split('?').next().unwrap(), NoTls).await.unwrap();
                tokio::spawn(connection);
                client.batch_execute(&format!("SET search_path TO \"{schema}\"")).await.unwrap();
                Self::Server { client, schema: schema.to_owned() }
            }
        }
    }

    /// A number that stays while nobody writes, where the database tells of such a thing.
    pub fn version(&self) -> Option<i64> {
        match self {
            Self::File(connection) => Some(connection.query_row("PRAGMA data_version", [], |row| row.get(0)).unwrap()),
            Self::Server { .. } => None,
        }
    }

    /// From here to [`Self::blink`] everything is seen as of one moment.
    pub async fn stare(&self) {
        match self {
            Self::File(connection) => connection.execute_batch("BEGIN").unwrap(),
            Self::Server { client, .. } => {
                client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.unwrap();
            }
        }
    }

    pub async fn blink(&self) {
        match self {
            Self::File(connection) => connection.execute_batch("COMMIT").unwrap(),
            Self::Server { client, .. } => client.batch_execute("COMMIT").await.unwrap(),
        }
    }

    pub async fn rows(&self, sql: &str) -> Vec<Row> {
        match self {
            Self::File(connection) => {
                let mut statement = connection.prepare_cached(sql).unwrap();
                let columns = statement.column_count();
                let mut rows = statement.query([]).unwrap();
                let mut found = Vec::new();
                while let Some(row) = rows.next().unwrap() {
                    found.push(Row((0..columns).map(|at| shown(row.get_ref(at).unwrap())).collect()));
                }
                found
            }
            Self::Server { client, .. } => {
                let answers = client.simple_query(sql).await.unwrap();
                let row = |answer| match answer {
                    SimpleQueryMessage::Row(row) => {
                        Some(Row((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect()))
                    }
                    _ => None,
                };
                answers.into_iter().filter_map(row).collect()
            }
        }
    }

    /// Removes what no folder takes with it.
    pub async fn clear(&self) {
        if let Self::Server { client, schema } = self {
            client.batch_execute(&format!("DROP SCHEMA \"{schema}\" CASCADE")).await.unwrap();
        }
    }
}

fn shown(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
    }
}
