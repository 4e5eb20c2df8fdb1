//! The types that columns are of and that are not the server's own: enumerations, domains, composites, and those of
//! extensions.

use levada_core::backup::Object;
use levada_core::error::{Error, ErrorKind, Result};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use crate::postgres::error::Translate;
use crate::postgres::sql::{ident, literal, qualified};

/// Types in the order in which they can be made: a type comes after those it is made of. Arrays are made with their
/// elements, and so are multiranges with their ranges.
const TYPES: &str = "WITH RECURSIVE used(oid, depth) AS (
  SELECT DISTINCT a.atttypid, 0 FROM pg_catalog.pg_attribute a
  WHERE a.attrelid = ANY($1) AND a.attnum > 0 AND NOT a.attisdropped
  UNION
  SELECT p.part, u.depth + 1 FROM used u
  JOIN pg_catalog.pg_type t ON t.oid = u.oid
  CROSS JOIN LATERAL (
    SELECT t.typelem AS part WHERE t.typelem <> 0
    UNION ALL SELECT t.typbasetype WHERE t.typtype = 'd'
    UNION ALL SELECT a.atttypid FROM pg_catalog.pg_attribute a
      WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) p
  -- the row of a table may hold rows of that table
  WHERE u.depth < 16
), deepest AS (SELECT oid, max(depth) AS depth FROM used GROUP BY oid)
SELECT t.oid, n.nspname::text, t.typname::text, t.typtype::text, e.extname::text, en.nspname::text,
       (SELECT c.relkind = 'c' FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid),
       pg_catalog.format_type(t.typbasetype, t.typtypmod), t.typnotnull, pg_catalog.pg_get_expr(t.typdefaultbin, 0),
       (SELECT pg_catalog.quote_ident(ln.nspname) || '.' || pg_catalog.quote_ident(l.collname)
        FROM pg_catalog.pg_collation l JOIN pg_catalog.pg_namespace ln ON ln.oid = l.collnamespace
        JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype
        WHERE l.oid = t.typcollation AND t.typcollation <> b.typcollation)
FROM deepest u
JOIN pg_catalog.pg_type t ON t.oid = u.oid
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_type'::regclass AND d.objid = t.oid
  AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e'
LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
LEFT JOIN pg_catalog.pg_namespace en ON en.oid = e.extnamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND NOT (t.typelem <> 0 AND EXISTS (SELECT FROM pg_catalog.pg_type i WHERE i.typarray = t.oid))
ORDER BY e.extname IS NULL, u.depth DESC, t.oid";

/// What makes the types that the columns of relations need.
///
/// # Errors
/// `Unsupported` for a type that cannot be made again: a range, a row of a table, a type written in C.
pub async fn of(client: &Client, oids: &[u32]) -> Result<Vec<Object>> {
    let mut objects: Vec<Object> = Vec::new();
    for row in client.query_typed(TYPES, &[(&oids, Type::OID_ARRAY)]).await.pg()? {
        let (oid, schema, own): (u32, String, String) = (row.get(0), row.get(1), row.get(2));
        let name = qualified(&schema, &own);
        if let Some(extension) = row.get::<_, Option<String>>(4) {
            let name = ident(&extension);
            let home: String = row.get::<_, Option<String>>(5).unwrap_or_default();
            let create = format!("CREATE EXTENSION {name} WITH SCHEMA {}", ident(&home));
            if !objects.iter().any(|object| object.name == name && object.kind == "extension") {
                objects.extend(missing_schema(&home, &objects));
                objects.push(Object { kind: "extension".to_owned(), name, create, then: None });
            }
            continue;
        }
        objects.extend(missing_schema(&schema, &objects));
        let create = match row.get::<_, String>(3).as_str() {
            "e" => enumeration(client, oid, &name).await?,
            "d" => {
                let mut create = format!("CREATE DOMAIN {name} AS {}", row.get::<_, String>(7));
                if let Some(collation) = row.get::<_, Option<String>>(10) {
                    create.push_str(&format!(" COLLATE {collation}"));
                }
                if let Some(default) = row.get::<_, Option<String>>(9) {
                    create.push_str(&format!(" DEFAULT {default}"));
                }
                if row.get(8) {
                    create.push_str(" NOT NULL");
                }
                create.push_str(&domain_checks(client, oid).await?);
                create
            }
            "c" if row.get::<_, Option<bool>>(6) == Some(true) => composite(client, oid, &name).await?,
            _ => {
                let message = format!("the type {name} of a column cannot be made again from its definition");
                return Err(Error::new(ErrorKind::Unsupported, message).advise(
                    "Name the tables without it; enumerations, domains, composites and types of extensions can.",
                ));
            }
        };
        objects.push(Object { kind: "type".to_owned(), name, create, then: None });
    }
    Ok(objects)
}

fn missing_schema(schema: &str, objects: &[Object]) -> Option<Object> {
    let name = ident(schema);
    let known = objects.iter().any(|object| object.kind == "schema" && object.name == name);
    let create = format!("CREATE SCHEMA {name}");
    (!known).then(|| Object { kind: "schema".to_owned(), name, create, then: None })
}

async fn enumeration(client: &Client, oid: u32, name: &str) -> Result<String> {
    let query = "SELECT enumlabel::text FROM pg_catalog.pg_enum WHERE enumtypid = $1 ORDER BY enumsortorder";
    let rows = client.query_typed(query, &[(&oid, Type::OID)]).await.pg()?;
    let labels: Vec<String> = rows.iter().map(|row| literal(row.get(0))).collect();
    Ok(format!("CREATE TYPE {name} AS ENUM ({})", labels.join(", ")))
}

async fn domain_checks(client: &Client, oid: u32) -> Result<String> {
    let query = "SELECT conname::text, pg_catalog.pg_get_constraintdef(oid) FROM pg_catalog.pg_constraint
        WHERE contypid = $1 AND contype = 'c' ORDER BY conname";
    let rows = client.query_typed(query, &[(&oid, Type::OID)]).await.pg()?;
    let check = |row: &tokio_postgres::Row| format!(" CONSTRAINT {} {}", ident(row.get(0)), row.get::<_, String>(1));
    Ok(rows.iter().map(check).collect())
}

async fn composite(client: &Client, oid: u32, name: &str) -> Result<String> {
    let query = "SELECT a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_attribute a
        JOIN pg_catalog.pg_type t ON t.typrelid = a.attrelid
        WHERE t.oid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";
    let rows = client.query_typed(query, &[(&oid, Type::OID)]).await.pg()?;
    let fields: Vec<String> =
        rows.iter().map(|row| format!("{} {}", ident(row.get(0)), row.get::<_, String>(1))).collect();
    Ok(format!("CREATE TYPE {name} AS ({})", fields.join(", ")))
}
