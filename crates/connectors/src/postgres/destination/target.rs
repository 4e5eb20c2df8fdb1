//! The table a load writes: its name, and what the catalogues say of it.

use std::sync::Arc;

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::schema::with_computed;
use levada_core::source::StreamInfo;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use crate::postgres::catalog::{self, Wanted};
use crate::postgres::config::Settings;
use crate::postgres::error::Translate;
use crate::postgres::sql::{self, Name, qualified};

/// A table by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub table: String,
}

impl Target {
    /// Reads a target's name; without a schema it is in the connection's.
    ///
    /// # Errors
    /// `Config` for a text that is no name of a table.
    pub fn parse(settings: &Settings, name: &str) -> Result<Self> {
        match sql::parse_name(name)? {
            Name::Full(schema, table) => Ok(Self { schema, table }),
            Name::Bare(table) => Ok(Self { schema: settings.schema.clone(), table }),
            Name::Pattern(pattern) => {
                Err(Error::new(ErrorKind::Config, format!("`{pattern}` is a pattern, not the name of a table")))
            }
        }
    }

    /// Its name in SQL.
    pub fn quoted(&self) -> String {
        qualified(&self.schema, &self.table)
    }

    /// What is there now.
    pub async fn describe(&self, client: &Client) -> Result<Option<StreamInfo>> {
        let wanted = Wanted::One(&self.schema, &self.table);
        let Some(relation) = catalog::relations(client, &wanted).await?.into_iter().next() else { return Ok(None) };
        if !matches!(relation.kind, 'r' | 'p' | 'f') {
            return Err(Error::new(ErrorKind::Unsupported, "the target is a view")
                .at(self.quoted())
                .advise("Load into a table, or rename the stream."));
        }
        let mut columns = catalog::columns(client, &[relation.oid]).await?.remove(&relation.oid).unwrap_or_default();
        let computed: Vec<String> = columns.iter().filter(|c| c.generated).map(|c| c.field.name().clone()).collect();
        columns.retain(|column| !column.generated);
        let key = catalog::keys(client, &[relation.oid]).await?.remove(&relation.oid).unwrap_or_default();
        let mut info = catalog::stream_info(&relation, &columns, key);
        info.schema = Arc::new(with_computed(info.schema.as_ref().clone(), &computed));
        Ok(Some(info))
    }

    /// Whether foreign keys point at it.
    pub async fn is_referenced(&self, client: &Client) -> Result<bool> {
        let query = "SELECT EXISTS (SELECT FROM pg_catalog.pg_constraint f
            JOIN pg_catalog.pg_class c ON c.oid = f.confrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE f.contype = 'f' AND f.conrelid <> f.confrelid AND n.nspname = $1 AND c.relname = $2)";
        self.ask(client, query).await
    }

    /// Whether it is a partitioned table.
    pub async fn is_partitioned(&self, client: &Client) -> Result<bool> {
        let query = "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind = 'p' AND n.nspname = $1 AND c.relname = $2)";
        self.ask(client, query).await
    }

    /// Whether rows can only be judged with the whole load: constraints that may be deferred, references to itself.
    pub async fn has_late_constraints(&self, client: &Client) -> Result<bool> {
        let query = "SELECT EXISTS (SELECT FROM pg_catalog.pg_constraint k
            JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE (k.condeferrable OR k.contype = 'f' AND k.confrelid = c.oid) AND n.nspname = $1 AND c.relname = $2)";
        self.ask(client, query).await
    }

    /// Whether a unique index on just these columns can arbitrate `ON CONFLICT`.
    pub async fn has_unique(&self, client: &Client, key: &[String]) -> Result<bool> {
        let query = "SELECT EXISTS (SELECT FROM pg_catalog.pg_index i
            JOIN pg_catalog.pg_class c ON c.oid = i.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = $1 AND c.relname = $2 AND i.indisunique AND i.indisvalid AND i.indimmediate
            AND i.indpred IS NULL AND i.indexprs IS NULL
            AND (SELECT array_agg(a.attname::text ORDER BY a.attname::text) FROM pg_catalog.pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attnum = ANY((i.indkey::int2[])[0:i.indnkeyatts - 1]))
              = (SELECT array_agg(k ORDER BY k) FROM unnest($3::text[]) k))";
        let parameters: &[(&(dyn tokio_postgres::types::ToSql + Sync), Type)] =
            &[(&self.schema, Type::TEXT), (&self.table, Type::TEXT), (&key, Type::TEXT_ARRAY)];
        Ok(client.query_typed_one(query, parameters).await.pg()?.get(0))
    }

    /// The CHECK constraints over nothing but these columns, as `CHECK (..)`.
    pub async fn checks(&self, client: &Client, columns: &[&str]) -> Result<Vec<String>> {
        let query = "SELECT pg_catalog.pg_get_constraintdef(k.oid) FROM pg_catalog.pg_constraint k
            JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE k.contype = 'c' AND n.nspname = $1 AND c.relname = $2 AND k.conkey IS NOT NULL
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid
              AND a.attnum = ANY(k.conkey) AND a.attname::text <> ALL($3))";
        let parameters: &[(&(dyn tokio_postgres::types::ToSql + Sync), Type)] =
            &[(&self.schema, Type::TEXT), (&self.table, Type::TEXT), (&columns, Type::TEXT_ARRAY)];
        Ok(client.query_typed(query, parameters).await.pg()?.iter().map(|row| row.get(0)).collect())
    }

    /// The statement that creates a schema, if there is none.
    pub async fn missing_schema(client: &Client, schema: &str) -> Result<Option<String>> {
        let query = "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1)";
        let there: bool = client.query_typed_one(query, &[(&schema, Type::TEXT)]).await.pg()?.get(0);
        Ok((!there).then(|| format!("CREATE SCHEMA IF NOT EXISTS {}", sql::ident(schema))))
    }

    /// Creates the schema if there is none; true if it did.
    pub async fn create_schema(client: &Client, schema: &str) -> Result<bool> {
        let Some(create) = Self::missing_schema(client, schema).await? else { return Ok(false) };
        client.batch_execute(&create).await.pg()?;
        Ok(true)
    }

    async fn ask(&self, client: &Client, query: &str) -> Result<bool> {
        let parameters: &[(&(dyn tokio_postgres::types::ToSql + Sync), Type)] =
            &[(&self.schema, Type::TEXT), (&self.table, Type::TEXT)];
        Ok(client.query_typed_one(query, parameters).await.pg()?.get(0))
    }
}
