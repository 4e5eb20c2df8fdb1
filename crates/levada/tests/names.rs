//! Names that break other tools: each table and each column keeps its own place, on the first run and on the second.

use std::collections::BTreeSet;

use crate::support::{Database, Pipeline, System};

/// Names that are legal in a SQLite file; every table and column holds its own name as its value.
fn names() -> Vec<String> {
    let long = "l".repeat(80);
    let mut names: Vec<String> = [
        "select",
        "order",
        "user",
        "a;drop table x",
        "with space",
        " lead",
        "quote\"d",
        "apos'trophe",
        "back`tick",
        "emoji 😀",
        "größe",
        "dollar$",
        "per%cent",
        "%",
        "under_score",
        "dash-ed",
        "back\\slash",
        "semi;--",
        "/* x */",
        "123",
        "日本語",
        "new\nline",
        "tab\there",
        "a.b",
        "[br]",
        "{b}",
        "${x}",
        "$1",
        "?",
        "@v",
        ":v",
        "null",
        "table",
    ]
    .iter()
    .map(ToString::to_string)
    .collect();
    names.extend(["a", "b"].map(|end| format!("{long}{end}")));
    names.extend(["a", "b"].map(|end| format!("{}{end}", "ü".repeat(40))));
    names
}

fn quoted(system: System, name: &str) -> String {
    if system == System::MariaDb {
        format!("`{}`", name.replace('`', "``"))
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

fn tables(database: &Database) -> Vec<String> {
    let sql = match database.system() {
        System::Postgres => {
            "SELECT encode(convert_to(tablename, 'utf8'), 'hex') FROM pg_tables WHERE schemaname = 'public'"
        }
        System::MariaDb => "SELECT hex(table_name) FROM information_schema.tables WHERE table_schema = database()",
        System::Sqlite => "SELECT hex(name) FROM sqlite_master WHERE type = 'table'",
    };
    let names = database.sql(sql);
    let mut names: Vec<String> = names.lines().map(unhex).filter(|name| !name.starts_with("_levada")).collect();
    names.sort();
    names
}

fn unhex(hex: &str) -> String {
    let bytes = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap());
    String::from_utf8(bytes.collect()).unwrap()
}

#[test]
fn hostile_names_keep_apart_and_stay() {
    let source = Database::sqlite();
    let names = names();
    for name in &names {
        let text = format!("'{}'", name.replace('\'', "''"));
        let table = quoted(System::Sqlite, name);
        source.sql(&format!("CREATE TABLE {table}(v text, id int); INSERT INTO {table} VALUES ({text}, 1)"));
    }
    let columns: Vec<String> = names.iter().map(|name| format!("{} text", quoted(System::Sqlite, name))).collect();
    let values: Vec<String> = names.iter().map(|name| format!("'{}'", name.replace('\'', "''"))).collect();
    source.sql(&format!("CREATE TABLE wide({}); INSERT INTO wide VALUES ({})", columns.join(", "), values.join(", ")));
    for system in [System::Postgres, System::MariaDb, System::Sqlite] {
        let target = Database::of(system, "levada_names");
        let pipeline = Pipeline::new(&source, &target, "  '*': {}");
        assert_eq!(pipeline.done().len(), names.len() + 1);
        let first = tables(&target);
        source.sql("INSERT INTO \"select\" VALUES ('select', 2)");
        pipeline.done();
        source.sql("DELETE FROM \"select\" WHERE id = 2");
        assert_eq!(tables(&target), first, "{system:?}: the names changed");
        assert_eq!(target.stages(), "", "{system:?}");
        assert_eq!(first.len(), names.len() + 1, "{system:?}: {first:?}");
        let found: BTreeSet<String> = first
            .iter()
            .filter(|name| *name != "wide")
            .map(|name| target.sql(&format!("SELECT min(v) FROM {}", quoted(system, name))))
            .collect();
        assert_eq!(found, names.iter().cloned().collect(), "{system:?}: a table holds the rows of another");
        let wide = target.sql("SELECT * FROM wide");
        assert_eq!(wide, names.join("\t"), "{system:?}: the columns of `wide`");
    }
}

/// A wildcard is about names as people write them and as streams are listed, quoted where they need it.
#[test]
fn wildcards_find_names_that_need_quotes() {
    let source = Database::postgres("levada_wild");
    source.sql("CREATE SCHEMA \"a.b\"; CREATE TABLE \"a.b\".\"c.d\" AS SELECT 1 AS id; CREATE TABLE \"Two Words\" AS SELECT 2 AS id");
    for (pattern, streams) in [("public.Two*", 1), ("'\"a.b\".*'", 1), ("a.b.*", 1), ("'*'", 2)] {
        let target = Database::sqlite();
        let pipeline = Pipeline::new(&source, &target, &format!("  {pattern}: {{}}"));
        assert_eq!(pipeline.done(), vec![1; streams], "{pattern}");
    }
}

#[test]
fn columns_that_differ_in_case_keep_apart() {
    let source = Database::postgres("levada_case_src");
    source.sql(
        r#"CREATE TABLE t("Id" int PRIMARY KEY, id int, "ID" int, "User Id" text, user_id text, "User id" text, "Ä" int, "ä" int, "id_1" int);
           INSERT INTO t VALUES (1, 2, 3, 'a', 'b', 'c', 4, 5, 6);
           CREATE TABLE "T"(id int PRIMARY KEY); INSERT INTO "T" VALUES (7)"#,
    );
    for system in [System::Postgres, System::MariaDb, System::Sqlite] {
        let target = Database::of(system, "levada_case_dst");
        let pipeline = Pipeline::new(&source, &target, "  public.t: {}\n  public.T: {}");
        for row in ["1\t2\t3\ta\tb\tc\t4\t5\t6", "1\t2\t4\ta\tb\tc\t4\t5\t6"] {
            pipeline.done();
            assert_eq!(target.sql("SELECT * FROM t"), row, "{system:?}");
            let other = tables(&target).into_iter().find(|name| name != "t").unwrap();
            assert_eq!(target.sql(&format!("SELECT id FROM {}", quoted(system, &other))), "7", "{system:?}");
            assert_eq!(tables(&target).len(), 2, "{system:?}");
            source.sql("UPDATE t SET \"ID\" = 4");
        }
        // A column that comes later and collides, too.
        source.sql("ALTER TABLE t ADD COLUMN iD_new int, ADD COLUMN \"iD\" int DEFAULT 9");
        pipeline.done();
        assert_eq!(target.sql("SELECT * FROM t"), "1\t2\t4\ta\tb\tc\t4\t5\t6\tNULL\t9", "{system:?}");
        source.sql("ALTER TABLE t DROP COLUMN id_new, DROP COLUMN \"iD\"; UPDATE t SET \"ID\" = 3");
    }
}

/// Two names of 63 bytes that a longer target name would cut to one.
#[test]
fn names_cut_to_the_limit_keep_apart() {
    let source = Database::postgres("levada_long_src");
    let (a, b) = (format!("{}a", "n".repeat(62)), format!("{}b", "n".repeat(62)));
    for (table, value) in [(&a, 1), (&b, 2)] {
        source.sql(&format!("CREATE TABLE {table}(id int PRIMARY KEY); INSERT INTO {table} VALUES ({value})"));
    }
    for system in [System::Postgres, System::MariaDb, System::Sqlite] {
        let target = Database::of(system, "levada_long_dst");
        let pipeline = Pipeline::new(&source, &target, "  'public.*': { rename: 'copy_of_{table}' }");
        for _ in 0..2 {
            pipeline.done();
            let found = tables(&target);
            let values: Vec<String> =
                found.iter().map(|table| target.sql(&format!("SELECT id FROM {}", quoted(system, table)))).collect();
            let mut values = values;
            values.sort();
            assert_eq!(values, ["1", "2"], "{system:?}: {found:?}");
        }
    }
}
