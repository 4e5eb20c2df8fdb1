//! A connection as a destination: names, descriptions, plans and stored commits. What a load does is in
//! [`super::load`], what it decides in [`super::design`].

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use levada_core::batch::Reject;
use levada_core::destination::{Destination, Load, LoadPlan, LoadSpec};
use levada_core::error::{Context, Error, ErrorKind, Result};
use levada_core::naming::{LengthUnit, NameRules};
use levada_core::position::{Commit, StreamKey};
use levada_core::source::StreamInfo;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::config::Config;
use super::design::{Design, Existing};
use super::discover::{self, Attachments};
use super::error::from_driver;
use super::load::TableLoad;
use super::session::{self, Flavor, quoted};
use super::state;
use crate::kit::state::REJECTS;

/// A connection as a destination.
pub struct MysqlDestination {
    /// How to connect.
    pub config: Arc<Config>,
}

impl MysqlDestination {
    async fn design(&self, spec: &LoadSpec) -> Result<Design> {
        let mut conn = session::open(&self.config).await?;
        let flavor = Flavor::of(&mut conn).await?;
        let existing = match &spec.existing {
            Some(_) => Some(existing(&mut conn, &spec.target).await?),
            None => None,
        };
        let _ = conn.disconnect().await;
        Design::new(spec, existing.as_ref(), flavor)
    }
}

async fn existing(conn: &mut Conn, target: &str) -> Result<Existing> {
    let table = discover::table(conn, target)
        .await?
        .ok_or_else(|| Error::new(ErrorKind::NotFound, format!("the table `{target}` is gone")))?;
    let attachments = Attachments::of(conn, target).await?;
    let create: Option<mysql_async::Row> =
        conn.query_first(format!("SHOW CREATE TABLE {}", quoted(target))).await.map_err(from_driver)?;
    let create = create.and_then(|mut row| row.take::<String, _>(1)).unwrap_or_default();
    Ok(Existing { table, attachments, create })
}

impl Destination for MysqlDestination {
    fn name_rules(&self) -> NameRules {
        NameRules { length_max: 64, unit: LengthUnit::BasicChars, ignores_case: true, forbidden: &['\0'] }
    }

    // InnoDB's limit, and the column that numbers the rows of a stage
    fn columns_max(&self) -> usize {
        1_016
    }

    fn target(&self, _namespace: Option<&str>, table: &str) -> String {
        table.to_owned()
    }

    fn describe<'a>(&'a self, target: &'a str) -> BoxFuture<'a, Result<Option<StreamInfo>>> {
        async move {
            let mut conn = session::open(&self.config).await?;
            let table = discover::table(&mut conn, target).await.at(target)?;
            let _ = conn.disconnect().await;
            Ok(table.map(|table| table.target_stream()))
        }
        .boxed()
    }

    fn plan<'a>(&'a self, spec: &'a LoadSpec) -> BoxFuture<'a, Result<LoadPlan>> {
        async move { Ok(self.design(spec).await.at(&spec.target)?.plan(spec)) }.boxed()
    }

    fn committed<'a>(&'a self, key: &'a StreamKey) -> BoxFuture<'a, Result<Option<Commit>>> {
        async move {
            let mut conn = session::open(&self.config).await?;
            let commit = state::committed(&mut conn, key).await?;
            let _ = conn.disconnect().await;
            Ok(commit)
        }
        .boxed()
    }

    fn commits(&self) -> BoxFuture<'_, Result<Vec<Commit>>> {
        async move {
            let mut conn = session::open(&self.config).await?;
            let commits = state::commits(&mut conn).await?;
            let _ = conn.disconnect().await;
            Ok(commits)
        }
        .boxed()
    }

    fn forget<'a>(&'a self, key: &'a StreamKey) -> BoxFuture<'a, Result<bool>> {
        async move {
            let mut conn = session::open(&self.config).await?;
            let forgotten = state::forget(&mut conn, key).await?;
            let _ = conn.disconnect().await;
            Ok(forgotten)
        }
        .boxed()
    }

    fn rejects<'a>(&'a self, load_id: &'a str, skip: usize, limit: usize) -> BoxFuture<'a, Result<Vec<Reject>>> {
        async move {
            let mut conn = session::open(&self.config).await?;
            let rejects = state::rejects(&mut conn, load_id, skip, limit).await?;
            let _ = conn.disconnect().await;
            Ok(rejects)
        }
        .boxed()
    }

    fn quarantine(&self, _target: &str, _load_id: &str) -> Option<String> {
        Some(REJECTS.to_owned())
    }

    fn begin<'a>(&'a self, spec: LoadSpec, _plan: LoadPlan) -> BoxFuture<'a, Result<Box<dyn Load>>> {
        async move {
            let target = spec.target.clone();
            let design = self.design(&spec).await.at(&target)?;
            let load = TableLoad::begin(self.config.clone(), spec, design).await.at(&target)?;
            Ok(Box::new(load) as Box<dyn Load>)
        }
        .boxed()
    }
}
