//! The statements that make tables again, from what the catalogues say of them: columns, keys, checks, indexes, sequences,
//! partitions, foreign keys. The search path is `pg_catalog`, so that every other name is told with its schema.

use std::collections::{BTreeSet, HashMap};

use levada_core::backup::{ForeignKey, Object, Structure, Table};
use levada_core::error::{Error, ErrorKind, Result};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::types;
use crate::postgres::catalog::{self, Relation};
use crate::postgres::error::Translate;
use crate::postgres::sql::{ident, literal, qualified, stream_name};

/// What a table is beside its columns.
const TABLES: &str = "SELECT c.oid, c.relpersistence = 'u', pg_catalog.array_to_string(c.reloptions, ', '),
       CASE WHEN c.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(c.oid) END, c.relispartition,
       EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhrelid = c.oid)
FROM pg_catalog.pg_class c WHERE c.oid = ANY($1)";

const COLUMNS: &str = "SELECT a.attrelid, a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod),
       a.attnotnull, pg_catalog.pg_get_expr(d.adbin, d.adrelid), a.attidentity::text, a.attgenerated::text,
       (SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(l.collname)
        FROM pg_catalog.pg_collation l JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace
        WHERE l.oid = a.attcollation AND a.attcollation <> t.typcollation)
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = ANY($1) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum";

/// NOT NULL is told of the columns, foreign keys point at other tables.
const CONSTRAINTS: &str = "SELECT k.conrelid, k.conname::text, k.contype::text, pg_catalog.pg_get_constraintdef(k.oid),
       f.nspname::text, r.relname::text
FROM pg_catalog.pg_constraint k
LEFT JOIN pg_catalog.pg_class r ON r.oid = k.confrelid
LEFT JOIN pg_catalog.pg_namespace f ON f.oid = r.relnamespace
WHERE k.conrelid = ANY($1) AND k.contype IN ('p', 'u', 'x', 'c', 'f') AND k.conparentid = 0
ORDER BY k.conrelid, k.contype = 'c', k.contype <> 'p', k.conname";

/// Indexes that no constraint makes, and that no index of a parent makes.
const INDEXES: &str = "SELECT i.indrelid, pg_catalog.pg_get_indexdef(i.indexrelid)
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = ANY($1) AND i.indisvalid
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhrelid = i.indexrelid)
ORDER BY i.indrelid, c.relname";

/// The sequences that columns own, or take their defaults from.
const SEQUENCES: &str = "SELECT DISTINCT ON (c.oid) c.oid, n.nspname::text, c.relname::text,
       pg_catalog.format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle,
       o.refobjid, a.attname::text, coalesce(o.deptype = 'i', false)
FROM (SELECT d.objid AS sequence FROM pg_catalog.pg_depend d
      WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
        AND d.refobjid = ANY($1) AND d.deptype IN ('a', 'i')
      UNION
      SELECT d.refobjid FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attrdef f ON f.oid = d.objid
      WHERE d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
        AND f.adrelid = ANY($1)) used
JOIN pg_catalog.pg_class c ON c.oid = used.sequence AND c.relkind = 'S'
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid
LEFT JOIN pg_catalog.pg_depend o ON o.classid = 'pg_catalog.pg_class'::regclass AND o.objid = c.oid
  AND o.refclassid = 'pg_catalog.pg_class'::regclass AND o.refobjsubid > 0 AND o.deptype IN ('a', 'i')
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = o.refobjid AND a.attnum = o.refobjsubid
ORDER BY c.oid";

/// The partitions of a table, parents first.
const PARTITIONS: &str = "SELECT c.oid, n.nspname::text, c.relname::text, pn.nspname::text, p.relname::text,
       pg_catalog.pg_get_expr(c.relpartbound, c.oid),
       CASE WHEN c.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(c.oid) END
FROM pg_catalog.pg_partition_tree($1) t
JOIN pg_catalog.pg_class c ON c.oid = t.relid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_class p ON p.oid = t.parentrelid
JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
WHERE t.level > 0
ORDER BY t.level, c.relname";

/// Where a sequence of a column belongs.
struct Sequence {
    name: String,
    create: String,
    /// How it is told in the definition of an identity column.
    identity: String,
    then: String,
    owner: Option<(u32, String)>,
    is_identity: bool,
}

/// What makes relations again.
pub async fn of(client: &Client, relations: &[Relation]) -> Result<Structure> {
    let oids: Vec<u32> = relations.iter().map(|relation| relation.oid).collect();
    let sequences = sequences(client, &oids).await?;
    let mut parts = Parts::read(client, &oids).await?;
    let mut keys = catalog::keys(client, &oids).await?;
    let mut structure = Structure::default();
    let mut schemas: BTreeSet<&str> = BTreeSet::new();
    for relation in relations {
        if parts.partitions.contains(&relation.oid) {
            return Err(Error::new(ErrorKind::Unsupported, "this is a partition of another table")
                .at(stream_name(&relation.schema, &relation.table))
                .advise("Name that table: its partitions come with it."));
        }
        if parts.heirs.contains(&relation.oid) {
            let name = stream_name(&relation.schema, &relation.table);
            structure.left_out.push(format!("{name} inherits from another table: it is kept as one of its own"));
        }
        let own: Vec<&Sequence> =
            sequences.iter().filter(|s| s.owner.as_ref().is_some_and(|(table, _)| *table == relation.oid)).collect();
        let mut create = vec![parts.table(relation, &own)];
        // Indexes of a partitioned table are told as those of it `ONLY`: partitions that come later get theirs.
        create.extend(parts.indexes.remove(&relation.oid).unwrap_or_default());
        if relation.kind == 'p' {
            create.extend(partitions(client, relation).await?);
        }
        let name = qualified(&relation.schema, &relation.table);
        for sequence in own.iter().filter(|sequence| !sequence.is_identity) {
            if let Some((_, column)) = &sequence.owner {
                create.push(format!("ALTER SEQUENCE {} OWNED BY {name}.{}", sequence.name, ident(column)));
            }
        }
        schemas.insert(&relation.schema);
        structure.tables.push(Table {
            stream: stream_name(&relation.schema, &relation.table),
            namespace: Some(relation.schema.clone()),
            table: relation.table.clone(),
            key: keys.remove(&relation.oid).unwrap_or_default(),
            create,
            then: own.iter().filter(|s| s.is_identity).map(|s| s.then.clone()).collect(),
            foreign_keys: parts.foreign_keys.remove(&relation.oid).unwrap_or_default(),
        });
    }
    for schema in schemas {
        let name = ident(schema);
        let create = format!("CREATE SCHEMA {name}");
        structure.objects.push(Object { kind: "schema".to_owned(), name, create, then: None });
    }
    structure.objects.extend(types::of(client, &oids).await?);
    structure.objects.extend(sequences.into_iter().filter(|sequence| !sequence.is_identity).map(|sequence| Object {
        kind: "sequence".to_owned(),
        name: sequence.name,
        create: sequence.create,
        then: Some(sequence.then),
    }));
    Ok(structure)
}

/// What the catalogues say of all tables, by their object ids.
#[derive(Default)]
struct Parts {
    tables: HashMap<u32, (bool, Option<String>, Option<String>)>,
    columns: HashMap<u32, Vec<Column>>,
    constraints: HashMap<u32, Vec<String>>,
    foreign_keys: HashMap<u32, Vec<ForeignKey>>,
    indexes: HashMap<u32, Vec<String>>,
    /// Tables that are partitions of others.
    partitions: Vec<u32>,
    /// Tables that inherit from others without being partitions.
    heirs: Vec<u32>,
}

struct Column {
    name: String,
    native: String,
    not_null: bool,
    default: Option<String>,
    identity: String,
    generated: String,
    collation: Option<String>,
}

impl Parts {
    async fn read(client: &Client, oids: &[u32]) -> Result<Self> {
        let mut parts = Self::default();
        for row in client.query_typed(TABLES, &[(&oids, Type::OID_ARRAY)]).await.pg()? {
            parts.tables.insert(row.get(0), (row.get(1), row.get(2), row.get(3)));
            if row.get(4) {
                parts.partitions.push(row.get(0));
            } else if row.get(5) {
                parts.heirs.push(row.get(0));
            }
        }
        for row in client.query_typed(COLUMNS, &[(&oids, Type::OID_ARRAY)]).await.pg()? {
            parts.columns.entry(row.get(0)).or_default().push(Column {
                name: row.get(1),
                native: row.get(2),
                not_null: row.get(3),
                default: row.get(4),
                identity: row.get(5),
                generated: row.get(6),
                collation: row.get(7),
            });
        }
        for row in client.query_typed(CONSTRAINTS, &[(&oids, Type::OID_ARRAY)]).await.pg()? {
            let (table, name, kind, definition): (u32, String, String, String) =
                (row.get(0), row.get(1), row.get(2), row.get(3));
            if kind == "f" {
                let references = qualified(row.get(4), row.get(5));
                parts.foreign_keys.entry(table).or_default().push(ForeignKey { name, references, definition });
            } else {
                let constraint = format!("CONSTRAINT {} {definition}", ident(&name));
                parts.constraints.entry(table).or_default().push(constraint);
            }
        }
        for row in client.query_typed(INDEXES, &[(&oids, Type::OID_ARRAY)]).await.pg()? {
            parts.indexes.entry(row.get(0)).or_default().push(row.get(1));
        }
        Ok(parts)
    }

    fn table(&mut self, relation: &Relation, sequences: &[&Sequence]) -> String {
        let columns = self.columns.remove(&relation.oid).unwrap_or_default();
        let mut items: Vec<String> = columns.iter().map(|column| column.definition(sequences)).collect();
        items.extend(self.constraints.remove(&relation.oid).unwrap_or_default());
        let (unlogged, options, partitioned) = self.tables.remove(&relation.oid).unwrap_or_default();
        let mut create = format!(
            "CREATE {}TABLE {} ({})",
            if unlogged { "UNLOGGED " } else { "" },
            qualified(&relation.schema, &relation.table),
            items.join(", ")
        );
        if let Some(by) = partitioned {
            create.push_str(&format!(" PARTITION BY {by}"));
        }
        if let Some(options) = options {
            create.push_str(&format!(" WITH ({options})"));
        }
        create
    }
}

impl Column {
    fn definition(&self, sequences: &[&Sequence]) -> String {
        let mut definition = format!("{} {}", ident(&self.name), self.native);
        if let Some(collation) = &self.collation {
            definition.push_str(&format!(" COLLATE {collation}"));
        }
        let own = |s: &&&Sequence| s.owner.as_ref().is_some_and(|(_, column)| *column == self.name);
        let options = sequences.iter().find(own).map_or("", |sequence| sequence.identity.as_str());
        match (self.identity.as_str(), self.generated.as_str(), &self.default) {
            ("a", ..) => definition.push_str(&format!(" GENERATED ALWAYS AS IDENTITY{options}")),
            ("d", ..) => definition.push_str(&format!(" GENERATED BY DEFAULT AS IDENTITY{options}")),
            (_, "s", Some(expression)) => {
                definition.push_str(&format!(" GENERATED ALWAYS AS ({expression}) STORED"));
            }
            (_, "v", Some(expression)) => {
                definition.push_str(&format!(" GENERATED ALWAYS AS ({expression}) VIRTUAL"));
            }
            (_, _, Some(expression)) => definition.push_str(&format!(" DEFAULT {expression}")),
            (_, _, None) => {}
        }
        if self.not_null {
            definition.push_str(" NOT NULL");
        }
        definition
    }
}

async fn sequences(client: &Client, oids: &[u32]) -> Result<Vec<Sequence>> {
    let mut sequences = Vec::new();
    for row in client.query_typed(SEQUENCES, &[(&oids, Type::OID_ARRAY)]).await.pg()? {
        let name = qualified(row.get(1), row.get(2));
        let native: String = row.get(3);
        let [start, by, min, max, cache] = [4, 5, 6, 7, 8].map(|at: usize| row.get::<_, i64>(at));
        let cycle = if row.get(9) { "CYCLE" } else { "NO CYCLE" };
        let options =
            format!("START WITH {start} INCREMENT BY {by} MINVALUE {min} MAXVALUE {max} CACHE {cache} {cycle}");
        // Its number is no part of the snapshot: it is at least as far as the rows are.
        let at = client.query_typed_one(&format!("SELECT last_value, is_called FROM {name}"), &[]).await.pg()?;
        let (last, called): (i64, bool) = (at.get(0), at.get(1));
        let behind = if by > 0 { "<" } else { ">" };
        let then = format!(
            "SELECT pg_catalog.setval({}::pg_catalog.regclass, {last}, {called}) FROM {name} \
             WHERE last_value {behind} {last} OR last_value = {last} AND NOT is_called",
            literal(&name)
        );
        let owner = row.get::<_, Option<u32>>(10).zip(row.get::<_, Option<String>>(11));
        sequences.push(Sequence {
            create: format!("CREATE SEQUENCE {name} AS {native} {options}"),
            identity: format!(" (SEQUENCE NAME {name} {options})"),
            name,
            then,
            owner,
            is_identity: row.get(12),
        });
    }
    Ok(sequences)
}

async fn partitions(client: &Client, relation: &Relation) -> Result<Vec<String>> {
    let rows = client.query_typed(PARTITIONS, &[(&relation.oid, Type::OID)]).await.pg()?;
    let oids: Vec<u32> = rows.iter().map(|row| row.get(0)).collect();
    let mut indexes: HashMap<u32, Vec<String>> = HashMap::new();
    for row in client.query_typed(INDEXES, &[(&oids, Type::OID_ARRAY)]).await.pg()? {
        indexes.entry(row.get(0)).or_default().push(row.get(1));
    }
    let mut create = Vec::new();
    for row in &rows {
        let (own, parent) = (qualified(row.get(1), row.get(2)), qualified(row.get(3), row.get(4)));
        let by = row.get::<_, Option<String>>(6).map(|by| format!(" PARTITION BY {by}")).unwrap_or_default();
        create.push(format!("CREATE TABLE {own} PARTITION OF {parent} {}{by}", row.get::<_, String>(5)));
        create.extend(indexes.remove(&row.get(0)).unwrap_or_default());
    }
    Ok(create)
}
