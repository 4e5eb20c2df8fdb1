//! Makes tables again from the statements of a backup, and puts their foreign keys up when the rows are there. These servers
//! commit every definition by itself: everything is looked at before anything is changed, and what was made goes again where
//! the rest fails.

use std::collections::{BTreeMap, HashMap};

use levada_core::backup::{ForeignKey, Found, Object, Structure, Table, rows_there};
use levada_core::error::{Context, Error, ErrorKind, Result};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::own_rows;
use crate::mysql::config::Config;
use crate::mysql::discover::{self, Attachments};
use crate::mysql::error::from_driver;
use crate::mysql::session::{self, execute, quoted};

/// What a prepare has changed so far.
#[derive(Default)]
struct Done {
    /// What undoes it, the last first.
    undo: Vec<String>,
}

/// Makes what is missing.
pub async fn prepare(config: &Config, structure: &Structure, replace: bool) -> Result<Vec<Found>> {
    let mut conn = session::open(config).await?;
    let there = Names::of(&mut conn).await?;
    let mut full = Vec::new();
    for table in &structure.tables {
        match there.kind(&table.table) {
            None => {}
            Some("BASE TABLE" | "SYSTEM VERSIONED") => {
                own_rows(there.engine(&table.table)).at(format!("table `{}`", table.table))?;
                if has_rows(&mut conn, &table.table).await? {
                    full.push(table.table.as_str());
                }
            }
            Some(_) => {
                return Err(Error::new(ErrorKind::Schema, "something else has the name of the table")
                    .at(format!("table `{}`", table.table)));
            }
        }
    }
    for object in &structure.objects {
        check_object(object, there.kind(&object.name)).at(format!("{} `{}`", object.kind, object.name))?;
    }
    if !full.is_empty() && !replace {
        return Err(rows_there(&full));
    }
    refuse_triggers(&mut conn, structure, &there).await?;
    let mut done = Done::default();
    let made = make(&mut conn, structure, &there, &full, &mut done).await;
    if made.is_err() {
        for undo in done.undo.iter().rev() {
            let _ = execute(&mut conn, undo).await;
        }
    }
    let _ = conn.disconnect().await;
    made
}

fn check_object(object: &Object, there: Option<&str>) -> Result<()> {
    match (object.kind.as_str(), there) {
        ("sequence", None | Some("SEQUENCE")) => Ok(()),
        ("sequence", Some(_)) => Err(Error::new(ErrorKind::Schema, "something else has the name of the sequence")),
        (other, _) => {
            let message = format!("the backup holds a `{other}`, which this version does not know");
            Err(Error::new(ErrorKind::Unsupported, message).advise("Restore it with a newer version of Levada."))
        }
    }
}

/// Rows that come back are as they were: what a trigger makes of them, or of other tables, would be something else.
async fn refuse_triggers(conn: &mut Conn, structure: &Structure, there: &Names) -> Result<()> {
    let sql = "SELECT EVENT_OBJECT_TABLE, TRIGGER_NAME FROM information_schema.TRIGGERS \
               WHERE EVENT_OBJECT_SCHEMA = DATABASE() ORDER BY EVENT_OBJECT_TABLE, TRIGGER_NAME";
    for (table, trigger) in conn.query::<(String, String), _>(sql).await.map_err(from_driver)? {
        if structure.tables.iter().any(|of| there.folded(&of.table) == there.folded(&table)) {
            let message = format!("the trigger `{trigger}` would change rows that are restored, or fire for them");
            return Err(Error::new(ErrorKind::Refused, message)
                .at(format!("table `{table}`"))
                .advise("Nothing was changed. Drop the triggers of the table before, and make them again after."));
        }
    }
    Ok(())
}

async fn make(
    conn: &mut Conn,
    structure: &Structure,
    there: &Names,
    full: &[&str],
    done: &mut Done,
) -> Result<Vec<Found>> {
    for object in &structure.objects {
        let place = || format!("{} `{}`", object.kind, object.name);
        if there.kind(&object.name).is_none() {
            execute(conn, &object.create).await.at(place())?;
            done.undo.push(format!("DROP SEQUENCE {}", quoted(&object.name)));
        }
        if let Some(then) = &object.then {
            execute(conn, then).await.at(place())?;
        }
    }
    for table in structure.tables.iter().filter(|table| there.kind(&table.table).is_none()) {
        for statement in &table.create {
            execute(conn, statement).await.at(format!("table `{}`", table.table))?;
        }
        done.undo.push(format!("DROP TABLE {}", quoted(&table.table)));
    }
    let present = foreign_keys(conn).await?;
    for table in &structure.tables {
        let own = present.get(&table.table).map(Vec::as_slice).unwrap_or_default();
        let known: Vec<&ForeignKey> = table.foreign_keys.iter().filter(|key| own.contains(&key.name)).collect();
        if !known.is_empty() {
            execute(conn, &take_down(table, &known)).await.at(format!("table `{}`", table.table))?;
            done.undo.push(put_up(table, &known));
        }
    }
    let mut found = Vec::new();
    for table in &structure.tables {
        for statement in &table.then {
            execute(conn, statement).await.at(format!("table `{}`", table.table))?;
        }
        let is_full = full.contains(&table.table.as_str());
        found.push(if is_full || swaps(conn, &table.table).await? { Found::Rows } else { Found::Empty });
    }
    Ok(found)
}

/// Whether rows come in best by a table that takes the place of the target: filled by several writers, and all or nothing whatever
/// its engine. Only where others refer to the target, rows of an empty one are added.
async fn swaps(conn: &mut Conn, table: &str) -> Result<bool> {
    let is_transactional = discover::table(conn, table).await?.is_some_and(|table| table.is_transactional());
    Ok(!is_transactional || !Attachments::of(conn, table).await?.is_referenced)
}

async fn has_rows(conn: &mut Conn, table: &str) -> Result<bool> {
    let sql = format!("SELECT EXISTS (SELECT 1 FROM {})", quoted(table));
    Ok(conn.query_first::<i64, _>(sql).await.map_err(from_driver)? == Some(1))
}

/// Puts up the foreign keys; those that are up by now go again where one fails.
pub async fn finish(config: &Config, structure: &Structure) -> Result<Vec<String>> {
    let mut conn = session::open(config).await?;
    let present = foreign_keys(&mut conn).await?;
    let (mut left_out, mut done) = (Vec::new(), Done::default());
    for table in &structure.tables {
        let own = present.get(&table.table).map(Vec::as_slice).unwrap_or_default();
        let mut missing = Vec::new();
        for key in table.foreign_keys.iter().filter(|key| !own.contains(&key.name)) {
            match execute(&mut conn, &format!("SELECT 1 FROM {} LIMIT 0", key.references)).await {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    let (name, constraint, to) = (&table.table, &key.name, &key.references);
                    left_out.push(format!("{name}: the foreign key {constraint} points at {to}, which is not there"));
                }
                // whoever may not look at a table may still refer to it
                _ => missing.push(key),
            }
        }
        if missing.is_empty() {
            continue;
        }
        if let Err(error) = execute(&mut conn, &put_up(table, &missing)).await {
            for undo in done.undo.iter().rev() {
                let _ = execute(&mut conn, undo).await;
            }
            return Err(error.at(format!("table `{}`", table.table)));
        }
        done.undo.push(take_down(table, &missing));
    }
    let _ = conn.disconnect().await;
    Ok(left_out)
}

/// All foreign keys of a table in one statement, which looks at its rows once.
fn put_up(table: &Table, keys: &[&ForeignKey]) -> String {
    let add = |key: &&ForeignKey| format!("ADD CONSTRAINT {} {}", quoted(&key.name), key.definition);
    alter(table, keys.iter().map(add).collect())
}

fn take_down(table: &Table, keys: &[&ForeignKey]) -> String {
    alter(table, keys.iter().map(|key| format!("DROP FOREIGN KEY {}", quoted(&key.name))).collect())
}

fn alter(table: &Table, changes: Vec<String>) -> String {
    format!("ALTER TABLE {} {}", quoted(&table.table), changes.join(", "))
}

/// The foreign keys that are up, by their tables.
async fn foreign_keys(conn: &mut Conn) -> Result<HashMap<String, Vec<String>>> {
    let sql = "SELECT TABLE_NAME, CONSTRAINT_NAME FROM information_schema.TABLE_CONSTRAINTS \
               WHERE TABLE_SCHEMA = DATABASE() AND CONSTRAINT_TYPE = 'FOREIGN KEY'";
    let mut keys: HashMap<String, Vec<String>> = HashMap::new();
    for (table, key) in conn.query::<(String, String), _>(sql).await.map_err(from_driver)? {
        keys.entry(table).or_default().push(key);
    }
    Ok(keys)
}

/// What has a name in the database, and what it is.
struct Names {
    /// Its type, and the engine of a table.
    kinds: BTreeMap<String, (String, Option<String>)>,
    ignores_case: bool,
}

impl Names {
    async fn of(conn: &mut Conn) -> Result<Self> {
        let sql =
            "SELECT TABLE_NAME, TABLE_TYPE, ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()";
        let found: Vec<(String, String, Option<String>)> = conn.query(sql).await.map_err(from_driver)?;
        let lower: Option<i64> = conn.query_first("SELECT @@lower_case_table_names").await.map_err(from_driver)?;
        let mut names = Self { kinds: BTreeMap::new(), ignores_case: lower != Some(0) };
        for (name, kind, engine) in found {
            names.kinds.insert(names.folded(&name), (kind, engine));
        }
        Ok(names)
    }

    fn kind(&self, name: &str) -> Option<&str> {
        self.kinds.get(&self.folded(name)).map(|(kind, _)| kind.as_str())
    }

    /// The engine of a table.
    fn engine(&self, name: &str) -> Option<&str> {
        self.kinds.get(&self.folded(name)).and_then(|(_, engine)| engine.as_deref())
    }

    /// A name as the server compares it.
    fn folded(&self, name: &str) -> String {
        if self.ignores_case { name.to_lowercase() } else { name.to_owned() }
    }
}
