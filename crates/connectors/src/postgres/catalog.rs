//! What the system catalogues say of tables: names, sizes, columns, keys. A fixed, small number of queries whatever the
//! number of tables.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{Field, Schema};
use levada_core::batch::RawFormat;
use levada_core::error::Result;
use levada_core::schema::{self, HAS_DEFAULT, LABELS};
use levada_core::source::StreamInfo;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::error::Translate;
use super::sql::stream_name;
use super::types::{Kind, SYSTEM};

/// Rows of a binary COPY, without header and trailer.
pub const RAW: RawFormat = RawFormat("postgres-binary-copy");

/// A table, view or the like.
#[derive(Debug, Clone)]
pub struct Relation {
    /// Its object id.
    pub oid: u32,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub table: String,
    /// `pg_class.relkind`.
    pub kind: char,
    /// Rows, as far as statistics tell.
    pub rows: Option<u64>,
    /// Bytes on disk.
    pub bytes: Option<u64>,
}

/// A column of a relation.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its field, with native type and meaning.
    pub field: Field,
    /// Its number.
    pub number: i16,
    /// Whether the server computes it from other columns.
    pub generated: bool,
    /// Whether its binary form means the same in every database that has a type of this name.
    pub portable: bool,
}

/// Which relations are wanted.
pub enum Wanted<'a> {
    /// Every one that is not a system's or our own; partitions are left to their parent.
    All,
    /// One by name.
    One(&'a str, &'a str),
    /// The first one of this name in the given schema or on the search path.
    Bare(&'a str, &'a str),
}

const RELATIONS: &str = "SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text, s.tuples, s.bytes
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN LATERAL (
  SELECT sum(CASE WHEN z.size = 0 THEN 0
                  WHEN l.reltuples >= 0 AND l.relpages > 0
                  THEN l.reltuples::float8 / l.relpages * (z.size / current_setting('block_size')::int8) END) AS tuples,
         sum(z.full_size)::int8 AS bytes
  FROM (SELECT c.oid AS leaf WHERE c.relkind IN ('r', 'm')
        UNION ALL
        SELECT p.relid::oid FROM pg_catalog.pg_partition_tree(c.oid) p WHERE p.isleaf AND c.relkind = 'p') x
  JOIN pg_catalog.pg_class l ON l.oid = x.leaf AND l.relkind IN ('r', 'm')
  CROSS JOIN LATERAL (SELECT pg_catalog.pg_relation_size(l.oid) AS size, pg_catalog.pg_table_size(l.oid) AS full_size) z
) s ON true
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.nspname !~ '^pg_(toast|temp_)' AND ";

/// Finds relations.
pub async fn relations(client: &Client, wanted: &Wanted<'_>) -> Result<Vec<Relation>> {
    let rows = match wanted {
        Wanted::All => {
            let filter = "pg_catalog.left(c.relname, 8) <> '_levada_' AND NOT c.relispartition ORDER BY 2, 3";
            client.query_typed(&format!("{RELATIONS}{filter}"), &[]).await.pg()?
        }
        Wanted::One(schema, table) => {
            let query = format!("{RELATIONS} n.nspname = $1 AND c.relname = $2");
            client.query_typed(&query, &[(schema, Type::TEXT), (table, Type::TEXT)]).await.pg()?
        }
        Wanted::Bare(schema, table) => {
            let query = format!(
                "{RELATIONS} c.relname = $2 AND (n.nspname = $1 OR n.nspname = ANY(pg_catalog.current_schemas(false)))
                 ORDER BY n.nspname <> $1, pg_catalog.array_position(pg_catalog.current_schemas(false), n.nspname) LIMIT 1"
            );
            client.query_typed(&query, &[(schema, Type::TEXT), (table, Type::TEXT)]).await.pg()?
        }
    };
    Ok(rows.iter().map(relation).collect())
}

fn relation(row: &Row) -> Relation {
    Relation {
        oid: row.get(0),
        schema: row.get(1),
        table: row.get(2),
        kind: row.get::<_, String>(3).chars().next().unwrap_or('r'),
        rows: row.get::<_, Option<f64>>(4).map(|rows| rows.max(0.0) as u64),
        bytes: row.get::<_, Option<i64>>(5).map(|bytes| bytes.max(0).unsigned_abs()),
    }
}

/// The types whose values are numbers of catalogue objects, depend on the locale, or cannot be read back.
const NOT_PORTABLE: &str = "ARRAY[24, 194, 790, 1033, 2202, 2203, 2204, 2205, 2206, 3361, 3402, 3642, 3734, 3769, 4089, 4096, 4191, 5017]::oid[]";

fn columns_query() -> String {
    format!(
        "WITH RECURSIVE domains(oid, base, typmod) AS (
  SELECT t.oid, t.typbasetype, t.typtypmod FROM pg_catalog.pg_type t WHERE t.typtype = 'd'
  UNION ALL
  SELECT d.oid, t.typbasetype, CASE WHEN d.typmod = -1 THEN t.typtypmod ELSE d.typmod END
  FROM domains d JOIN pg_catalog.pg_type t ON t.oid = d.base AND t.typtype = 'd'
), bases AS (
  SELECT d.oid, d.base, d.typmod FROM domains d
  JOIN pg_catalog.pg_type t ON t.oid = d.base AND t.typtype <> 'd'
)
SELECT a.attrelid, a.attname::text, a.attnotnull, a.attnum, a.attgenerated <> '',
       a.atthasdef OR a.attidentity <> '',
       pg_catalog.format_type(t.oid, coalesce(b.typmod, a.atttypmod)), t.typtype = 'e',
       t.typsend <> 0 AND t.typreceive <> 0 AND (t.typtype = 'e' OR t.typname IN ('citext', 'hstore')
         OR t.oid < 10000 AND t.oid <> ALL({NOT_PORTABLE}) AND t.typelem <> ALL({NOT_PORTABLE})),
       CASE WHEN t.typtype = 'e' THEN (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
         FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid) END
FROM pg_catalog.pg_attribute a
LEFT JOIN bases b ON b.oid = a.atttypid
JOIN pg_catalog.pg_type t ON t.oid = coalesce(b.base, a.atttypid)
WHERE a.attrelid = ANY($1) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum"
    )
}

/// The columns of relations, by object id.
pub async fn columns(client: &Client, oids: &[u32]) -> Result<HashMap<u32, Vec<Column>>> {
    // Only types of pg_catalog are then printed without their schema, whatever the user's search path is.
    let set = "SELECT pg_catalog.current_setting('search_path'), pg_catalog.set_config('search_path', $1, false)";
    let before = client.query_typed_one(set, &[(&"pg_catalog", Type::TEXT)]).await.pg()?.get::<_, String>(0);
    let rows = client.query_typed(&columns_query(), &[(&oids, Type::OID_ARRAY)]).await.pg();
    client.query_typed_one(set, &[(&before, Type::TEXT)]).await.pg()?;
    let mut columns: HashMap<u32, Vec<Column>> = HashMap::new();
    for row in rows? {
        let (name, not_null, native): (String, bool, String) = (row.get(1), row.get(2), row.get(6));
        let (data_type, logical) = Kind::of(&native, row.get(7)).arrow();
        let mut field = schema::field(&name, data_type, !not_null, &format!("{SYSTEM}:{native}"), logical);
        if row.get(5) {
            field.metadata_mut().insert(HAS_DEFAULT.to_owned(), "true".to_owned());
        }
        if let Some(labels) = row.get::<_, Option<Vec<String>>>(9) {
            field.metadata_mut().insert(LABELS.to_owned(), serde_json::json!(labels).to_string());
        }
        columns.entry(row.get(0)).or_default().push(Column {
            field,
            number: row.get(3),
            generated: row.get(4),
            portable: row.get(8),
        });
    }
    Ok(columns)
}

const KEYS: &str = "SELECT DISTINCT ON (i.indrelid) i.indrelid, k.names
FROM pg_catalog.pg_index i
CROSS JOIN LATERAL (
  SELECT array_agg(a.attname::text ORDER BY u.place) AS names, bool_and(a.attnotnull) AS complete
  FROM unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) WITH ORDINALITY u(number, place)
  JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.number
) k
WHERE i.indrelid = ANY($1) AND i.indisunique AND i.indisvalid AND i.indimmediate
  AND i.indpred IS NULL AND i.indexprs IS NULL AND k.complete
ORDER BY i.indrelid, i.indisprimary DESC, i.indnkeyatts, i.indexrelid";

/// The key columns of relations, by object id: the primary key, else the narrowest unique key without NULL.
pub async fn keys(client: &Client, oids: &[u32]) -> Result<HashMap<u32, Vec<String>>> {
    let rows = client.query_typed(KEYS, &[(&oids, Type::OID_ARRAY)]).await.pg()?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Whether a stream of these columns can be read raw.
pub fn raw_format(columns: &[Column]) -> Option<RawFormat> {
    columns.iter().all(|column| column.portable).then_some(RAW)
}

/// What the engine is told of a relation.
pub fn stream_info(relation: &Relation, columns: &[Column], key: Vec<String>) -> StreamInfo {
    let fields: Vec<Field> = columns.iter().map(|column| column.field.clone()).collect();
    StreamInfo {
        name: stream_name(&relation.schema, &relation.table),
        namespace: Some(relation.schema.clone()),
        table: relation.table.clone(),
        schema: Arc::new(Schema::new(fields)),
        key,
        rows_estimate: relation.rows,
        bytes_estimate: relation.bytes,
        raw: raw_format(columns),
        typed_by_request: false,
    }
}
