//! Which streams a database has.

use levada_core::error::Result;
use levada_core::naming;
use levada_core::source::StreamInfo;
use tokio_postgres::Client;

use super::catalog::{self, Relation, Wanted};
use super::config::Settings;
use super::session::Session;
use super::sql::{self, Name};

/// Tables, views, materialised views, foreign and partitioned tables that match.
pub async fn discover(settings: &Settings, selector: Option<&str>) -> Result<Vec<StreamInfo>> {
    let session = Session::open(settings).await?;
    let relations = relations(&session.client, settings, selector).await?;
    let streams = streams(&session.client, &relations).await?;
    session.close().await;
    Ok(streams)
}

/// The relations that match.
pub async fn relations(client: &Client, settings: &Settings, selector: Option<&str>) -> Result<Vec<Relation>> {
    let name = selector.map(sql::parse_name).transpose()?;
    let wanted = match &name {
        None | Some(Name::Pattern(_)) => Wanted::All,
        Some(Name::Full(schema, table)) => Wanted::One(schema, table),
        Some(Name::Bare(table)) => Wanted::Bare(&settings.schema, table),
    };
    let mut relations = catalog::relations(client, &wanted).await?;
    if let Some(Name::Pattern(pattern)) = &name {
        let pattern = if pattern.contains('.') || pattern == "*" {
            pattern.clone()
        } else {
            format!("{}.{pattern}", settings.schema)
        };
        relations.retain(|r| {
            naming::matches(&pattern, &format!("{}.{}", r.schema, r.table))
                || naming::matches(&pattern, &sql::stream_name(&r.schema, &r.table))
        });
    }
    Ok(relations)
}

/// Relations as streams, ordered by name.
pub async fn streams(client: &Client, relations: &[Relation]) -> Result<Vec<StreamInfo>> {
    let oids: Vec<u32> = relations.iter().map(|relation| relation.oid).collect();
    let mut columns = catalog::columns(client, &oids).await?;
    let mut keys = catalog::keys(client, &oids).await?;
    let mut streams: Vec<StreamInfo> = relations
        .iter()
        .map(|relation| {
            let columns = columns.remove(&relation.oid).unwrap_or_default();
            catalog::stream_info(relation, &columns, keys.remove(&relation.oid).unwrap_or_default())
        })
        .collect();
    streams.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(streams)
}
