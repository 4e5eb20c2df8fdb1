//! Labels that an enumerated type has at the source and not yet at the target. They are added before the load, as the
//! server lets no transaction use a label that it added itself; a load that fails leaves them there.

use levada_core::destination::LoadSpec;
use levada_core::error::Result;
use levada_core::schema::{OnSchemaChange, labels, native_of};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use crate::postgres::error::Translate;
use crate::postgres::sql::literal;
use crate::postgres::types::SYSTEM;

/// The statements that add the labels which are missing from types of the same name, where the user may.
pub async fn missing(client: &Client, spec: &LoadSpec) -> Result<Vec<String>> {
    let mut statements = Vec::new();
    let Some(existing) = spec.existing.as_ref().filter(|_| spec.on_schema_change == OnSchemaChange::Evolve) else {
        return Ok(statements);
    };
    for incoming in spec.incoming.fields() {
        let Ok(old) = existing.schema.field_with_name(incoming.name()) else { continue };
        let (wanted, known) = (labels(incoming), labels(old));
        let (Some(native), Some(theirs)) = (native_of(old, SYSTEM), native_of(incoming, SYSTEM)) else { continue };
        let is_known = wanted.iter().all(|label| known.contains(label));
        if is_known || known.is_empty() || bare(native) != bare(theirs) || !is_owned(client, native).await? {
            continue;
        }
        for (at, label) in wanted.iter().enumerate().filter(|(_, label)| !known.contains(label)) {
            // Every label before this one is there by now.
            let place = match at.checked_sub(1).map(|before| &wanted[before]) {
                Some(before) => format!("AFTER {}", literal(before)),
                None => format!("BEFORE {}", literal(&known[0])),
            };
            let add = format!("ALTER TYPE {native} ADD VALUE IF NOT EXISTS {} {place}", literal(label));
            if !statements.contains(&add) {
                statements.push(add);
            }
        }
    }
    Ok(statements)
}

/// The name of a type without its schema.
fn bare(native: &str) -> &str {
    native.rsplit_once('.').map_or(native, |(_, name)| name)
}

async fn is_owned(client: &Client, native: &str) -> Result<bool> {
    let query = "SELECT coalesce((SELECT pg_catalog.pg_has_role(t.typowner, 'USAGE') FROM pg_catalog.pg_type t
        WHERE t.oid = pg_catalog.to_regtype($1)), false)";
    Ok(client.query_typed_one(query, &[(&native, Type::TEXT)]).await.pg()?.get(0))
}
