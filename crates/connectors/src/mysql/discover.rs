//! What the catalogue says of tables: columns with their types and meanings, keys, sizes, and what else stands on a
//! table (foreign keys, triggers). Few queries, whatever the number of tables.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow_schema::{Field, Schema};
use levada_core::error::Result;
use levada_core::naming::{is_wildcard, matches};
use levada_core::schema::{HAS_DEFAULT, field, with_computed};
use levada_core::source::StreamInfo;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Params, Row};

use super::error::from_driver;
use super::native::Native;
use super::note::Note;
use super::session::Flavor;

/// A table or view as the catalogue describes it.
#[derive(Debug, Clone)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// The storage engine; none for a view.
    pub engine: Option<String>,
    /// Whether rows are stored here at all.
    pub is_view: bool,
    /// Whether the server keeps old versions of its rows.
    pub is_versioned: bool,
    /// Rows, roughly.
    pub rows: Option<u64>,
    /// Bytes, roughly.
    pub bytes: Option<u64>,
    /// Its columns, in order.
    pub columns: Vec<Column>,
    /// Its unique keys, the primary key first; each with its columns.
    pub unique: Vec<UniqueKey>,
}

/// A column as the catalogue describes it.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its type.
    pub native: Native,
    /// Its character set, if it holds text.
    pub charset: Option<String>,
    /// Whether the server computes it.
    pub is_generated: bool,
    /// Whether it numbers rows by itself.
    pub is_auto_increment: bool,
    /// What it was elsewhere.
    pub note: Option<Note>,
    /// Its name, closed-set type, nullability and metadata.
    pub field: Field,
}

/// A unique key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UniqueKey {
    /// Its name; `PRIMARY` is the primary key's.
    pub name: String,
    /// Its columns, in order.
    pub columns: Vec<String>,
    /// Whether it takes whole values of columns that are never NULL.
    pub is_identity: bool,
}

impl Table {
    /// A column by name, as the server compares names.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.field.name().eq_ignore_ascii_case(name))
    }

    /// The columns of the primary key or another unique key without NULL.
    pub fn key(&self) -> Vec<String> {
        self.unique.iter().find(|key| key.is_identity).map(|key| key.columns.clone()).unwrap_or_default()
    }

    /// How its engine keeps its rows.
    pub fn storage(&self) -> Storage {
        Storage::of(self.engine.as_deref())
    }

    /// Whether changes to it can be rolled back.
    pub fn is_transactional(&self) -> bool {
        matches!(self.storage(), Storage::Transactional | Storage::Cluster)
    }

    /// The table as a stream to be read: with columns that the server computes, and what columns were elsewhere.
    pub fn source_stream(&self) -> StreamInfo {
        let restored = |c: &Column| c.note.as_ref().map_or_else(|| c.field.clone(), |note| note.restored(&c.field));
        self.stream(self.columns.iter().map(restored).collect())
    }

    /// The table as a stream to be written: without columns that the server computes.
    pub fn target_stream(&self) -> StreamInfo {
        let (computed, own): (Vec<&Column>, Vec<&Column>) = self.columns.iter().partition(|c| c.is_generated);
        let computed: Vec<String> = computed.iter().map(|c| c.field.name().clone()).collect();
        let mut info = self.stream(own.iter().map(|c| c.field.clone()).collect());
        info.schema = Arc::new(with_computed(info.schema.as_ref().clone(), &computed));
        info
    }

    fn stream(&self, fields: Vec<Field>) -> StreamInfo {
        StreamInfo {
            name: self.name.clone(),
            namespace: None,
            table: self.name.clone(),
            schema: Arc::new(Schema::new(fields)),
            key: self.key(),
            rows_estimate: self.rows,
            bytes_estimate: self.bytes,
            raw: None,
            typed_by_request: false,
        }
    }
}

/// How an engine keeps the rows of its tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// By themselves, with transactions.
    Transactional,
    /// In a cluster, with transactions.
    Cluster,
    /// By themselves, without transactions: a table made like one holds the same.
    Plain,
    /// In other tables, here or on other servers: a table made like one leads there as well.
    Elsewhere,
    /// In a way that is not known here, or not at all.
    Unknown,
}

impl Storage {
    /// That of an engine by its name.
    pub fn of(engine: Option<&str>) -> Self {
        match engine.unwrap_or_default().to_ascii_lowercase().as_str() {
            "innodb" | "rocksdb" => Self::Transactional,
            "ndbcluster" => Self::Cluster,
            "myisam" | "aria" | "memory" => Self::Plain,
            "mrg_myisam" | "federated" | "connect" | "spider" => Self::Elsewhere,
            _ => Self::Unknown,
        }
    }
}

/// The tables and views that a selector names; Levada's own tables are left out unless named exactly.
///
/// # Errors
/// `Connect`, `Permission`.
pub async fn tables(conn: &mut Conn, selector: Option<&str>) -> Result<Vec<Table>> {
    let exact = selector.filter(|s| !is_wildcard(s));
    let flavor = Flavor::of(conn).await?;
    let mut tables = table_rows(conn, exact).await?;
    tables.retain(|table| match selector {
        Some(_) if exact.is_some() => true,
        _ => !table.name.starts_with("_levada_") && selector.is_none_or(|pattern| matches(pattern, &table.name)),
    });
    if tables.is_empty() {
        return Ok(tables);
    }
    let json = if flavor.mariadb { json_columns(conn, exact).await? } else { HashSet::new() };
    let mut columns = column_rows(conn, exact, &json).await?;
    let mut unique = unique_keys(conn, exact).await?;
    for table in &mut tables {
        table.columns = columns.remove(&table.name).unwrap_or_default();
        table.unique = unique.remove(&table.name).unwrap_or_default();
    }
    Ok(tables)
}

/// One table by its exact name.
///
/// # Errors
/// As for [`tables`].
pub async fn table(conn: &mut Conn, name: &str) -> Result<Option<Table>> {
    Ok(tables(conn, Some(&escaped_selector(name))).await?.into_iter().find(|t| t.name.eq_ignore_ascii_case(name)))
}

/// Names may hold the wildcard characters themselves; then all tables are looked at.
fn escaped_selector(name: &str) -> String {
    if is_wildcard(name) { "*".to_owned() } else { name.to_owned() }
}

async fn rows(conn: &mut Conn, sql: &str, exact: Option<&str>) -> Result<Vec<Row>> {
    let (filter, params) = match exact {
        // no table is called so, and to compare with it is an error
        Some(name) if name.chars().any(|c| c > '\u{ffff}') => return Ok(Vec::new()),
        Some(name) => (" AND t.TABLE_NAME = ?", Params::Positional(vec![name.into()])),
        None => ("", Params::Empty),
    };
    conn.exec(sql.replace("{table}", filter), params).await.map_err(from_driver)
}

fn text(row: &mut Row, index: usize) -> Option<String> {
    row.take_opt::<Option<String>, _>(index).and_then(std::result::Result::ok).flatten()
}

fn number(row: &mut Row, index: usize) -> Option<u64> {
    row.take_opt::<Option<u64>, _>(index).and_then(std::result::Result::ok).flatten()
}

async fn table_rows(conn: &mut Conn, exact: Option<&str>) -> Result<Vec<Table>> {
    let sql = "SELECT t.TABLE_NAME, t.TABLE_TYPE, t.ENGINE, t.TABLE_ROWS, t.DATA_LENGTH FROM information_schema.TABLES t \
               WHERE t.TABLE_SCHEMA = DATABASE() AND t.TABLE_TYPE IN ('BASE TABLE', 'VIEW', 'SYSTEM VERSIONED'){table} \
               ORDER BY t.TABLE_NAME";
    let mut tables = Vec::new();
    for mut row in rows(conn, sql, exact).await? {
        let kind = text(&mut row, 1).unwrap_or_default();
        tables.push(Table {
            name: text(&mut row, 0).unwrap_or_default(),
            engine: text(&mut row, 2),
            is_view: kind == "VIEW",
            is_versioned: kind == "SYSTEM VERSIONED",
            rows: number(&mut row, 3),
            bytes: number(&mut row, 4),
            columns: Vec::new(),
            unique: Vec::new(),
        });
    }
    Ok(tables)
}

async fn column_rows(
    conn: &mut Conn,
    exact: Option<&str>,
    json: &HashSet<(String, String)>,
) -> Result<BTreeMap<String, Vec<Column>>> {
    let sql = "SELECT t.TABLE_NAME, t.COLUMN_NAME, t.COLUMN_TYPE, t.CHARACTER_SET_NAME, t.IS_NULLABLE, \
               t.EXTRA, t.COLUMN_DEFAULT, t.COLUMN_COMMENT FROM information_schema.COLUMNS t WHERE t.TABLE_SCHEMA = DATABASE(){table} \
               ORDER BY t.TABLE_NAME, t.ORDINAL_POSITION";
    let mut columns: BTreeMap<String, Vec<Column>> = BTreeMap::new();
    for mut row in rows(conn, sql, exact).await? {
        let table = text(&mut row, 0).unwrap_or_default();
        let name = text(&mut row, 1).unwrap_or_default();
        let column_type = text(&mut row, 2).unwrap_or_default();
        let charset = text(&mut row, 3);
        let nullable = text(&mut row, 4).as_deref() == Some("YES");
        let extra = text(&mut row, 5).unwrap_or_default().to_ascii_uppercase();
        let default = text(&mut row, 6).filter(|default| !default.eq_ignore_ascii_case("NULL"));
        let native = Native::parse(&column_type).unwrap_or_else(|| Native::plain("unknown"));
        let (data_type, logical) = native.canonical(json.contains(&(table.clone(), name.clone())));
        let mut described = field(&name, data_type, nullable, &format!("mysql:{column_type}"), logical);
        let is_auto_increment = extra.contains("AUTO_INCREMENT");
        if default.is_some() || is_auto_increment || extra.contains("DEFAULT_GENERATED") {
            let mut metadata = described.metadata().clone();
            metadata.insert(HAS_DEFAULT.to_owned(), "true".to_owned());
            described.set_metadata(metadata);
        }
        columns.entry(table).or_default().push(Column {
            native,
            charset,
            is_generated: extra.contains("VIRTUAL") || extra.contains("STORED") || extra.contains("PERSISTENT"),
            is_auto_increment,
            note: text(&mut row, 7).as_deref().and_then(Note::parse),
            field: described,
        });
    }
    Ok(columns)
}

/// MariaDB's JSON is text with a check.
async fn json_columns(conn: &mut Conn, exact: Option<&str>) -> Result<HashSet<(String, String)>> {
    let sql = "SELECT t.TABLE_NAME, t.CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS t \
               WHERE t.CONSTRAINT_SCHEMA = DATABASE() AND t.CHECK_CLAUSE LIKE 'json_valid(%'{table}";
    let mut found = HashSet::new();
    for mut row in rows(conn, sql, exact).await? {
        let (table, clause) = (text(&mut row, 0).unwrap_or_default(), text(&mut row, 1).unwrap_or_default());
        let inside = clause.strip_prefix("json_valid(`").and_then(|rest| rest.strip_suffix("`)"));
        if let Some(name) = inside {
            found.insert((table, name.replace("``", "`")));
        }
    }
    Ok(found)
}

async fn unique_keys(conn: &mut Conn, exact: Option<&str>) -> Result<BTreeMap<String, Vec<UniqueKey>>> {
    let sql = "SELECT t.TABLE_NAME, t.INDEX_NAME, t.COLUMN_NAME, t.NULLABLE, t.SUB_PART \
               FROM information_schema.STATISTICS t WHERE t.TABLE_SCHEMA = DATABASE() AND t.NON_UNIQUE = 0{table} \
               ORDER BY t.TABLE_NAME, t.INDEX_NAME <> 'PRIMARY', t.INDEX_NAME, t.SEQ_IN_INDEX";
    let mut keys: BTreeMap<String, Vec<UniqueKey>> = BTreeMap::new();
    let mut last = (String::new(), String::new());
    for mut row in rows(conn, sql, exact).await? {
        let (table, index) = (text(&mut row, 0).unwrap_or_default(), text(&mut row, 1).unwrap_or_default());
        let (column, nullable) = (text(&mut row, 2), text(&mut row, 3).unwrap_or_default());
        let whole = number(&mut row, 4).is_none() && nullable != "YES" && column.is_some();
        let of_table = keys.entry(table.clone()).or_default();
        if last != (table.clone(), index.clone()) {
            of_table.push(UniqueKey { name: index.clone(), columns: Vec::new(), is_identity: true });
            last = (table, index);
        }
        if let Some(key) = of_table.last_mut() {
            key.columns.push(column.unwrap_or_default());
            key.is_identity &= whole;
        }
    }
    Ok(keys)
}

/// What else stands on a table and would not move with its name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attachments {
    /// Other tables refer to it by foreign keys.
    pub is_referenced: bool,
    /// It refers to other tables by foreign keys.
    pub refers: bool,
    /// It has triggers.
    pub has_triggers: bool,
}

impl Attachments {
    /// Asks the catalogue.
    ///
    /// # Errors
    /// `Connect`.
    pub async fn of(conn: &mut Conn, table: &str) -> Result<Self> {
        let sql = "SELECT \
            (SELECT COUNT(*) FROM information_schema.KEY_COLUMN_USAGE WHERE REFERENCED_TABLE_SCHEMA = DATABASE() \
             AND REFERENCED_TABLE_NAME = ?), \
            (SELECT COUNT(*) FROM information_schema.KEY_COLUMN_USAGE WHERE TABLE_SCHEMA = DATABASE() \
             AND TABLE_NAME = ? AND REFERENCED_TABLE_NAME IS NOT NULL), \
            (SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = DATABASE() \
             AND EVENT_OBJECT_TABLE = ?)";
        let found: Option<(u64, u64, u64)> = conn.exec_first(sql, (table, table, table)).await.map_err(from_driver)?;
        let (incoming, outgoing, triggers) = found.unwrap_or_default();
        Ok(Self { is_referenced: incoming > 0, refers: outgoing > 0, has_triggers: triggers > 0 })
    }
}
