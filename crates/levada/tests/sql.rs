//! Queries over real systems: joined across them and loaded into a third, exactly once and proved; what is wrong is told before
//! anything moves, and what fails leaves the target as it was.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Database, LEVADA, Ran, System, peak_mb, psql};

/// A project of one pipeline.
struct Project {
    folder: TempDir,
    connections: String,
}

impl Project {
    fn new(connections: &[(&str, &str)]) -> Self {
        let connections = connections.iter().map(|(name, connection)| format!("  {name}: {connection}\n")).collect();
        Self { folder: TempDir::new().unwrap(), connections }
    }

    /// Makes it a pipeline of one query.
    fn query(&self, query: &str, to: &str) -> &Self {
        self.task(&format!("query: {query:?}\n      to: {to}"))
    }

    /// Makes it a pipeline of one task with these lines.
    fn task(&self, lines: &str) -> &Self {
        let text = format!(
            "version: 1\nname: p\nconnections:\n{}params: {{ word: {{}}, least: {{ type: int, default: 1 }} }}\ntasks:\n  q:\n    retry: \
             {{ attempts: 1 }}\n    sql:\n      {lines}\n",
            self.connections
        );
        let text = if lines.contains("${param.word}") { text } else { text.replace("word: {}, ", "") };
        self.put("p.yaml", &text);
        self
    }

    fn put(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn levada(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(LEVADA);
        command.args(arguments).current_dir(self.folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env("TMPDIR", self.folder.path());
        command
    }

    fn start(&self) -> Child {
        self.levada(&["run", "p.yaml", "--output", "json"]).spawn().unwrap()
    }

    /// Runs the pipeline, which must succeed; tells the rows written.
    fn done(&self) -> u64 {
        Ran::of(self.start()).done()[0]
    }

    fn failed(&self, code: i32) -> String {
        Ran::of(self.start()).failed(code)
    }

    /// Exit code, standard output and standard error.
    fn tells(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = self.levada(arguments).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    /// Nothing of what did not fit into memory is left.
    fn nothing_is_spilled(&self) {
        let mut open = vec![self.folder.path().to_path_buf()];
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                assert!(!name.contains("spill") && !name.starts_with("levada-sql"), "{}", path.display());
                open.extend(path.is_dir().then_some(path));
            }
        }
    }
}

#[test]
fn streams_of_two_systems_are_joined_into_a_third() {
    let (shop, crm, dw) = (Database::postgres("levada_sql_a"), Database::mariadb("levada_sql_a"), Database::sqlite());
    shop.sql(
        "CREATE TABLE orders(id int PRIMARY KEY, customer int NOT NULL, amount numeric(12,2), day date);
         INSERT INTO orders SELECT i, i % 4, i * 1.25, date '2026-01-01' + i % 3 FROM generate_series(1, 1000) i;
         INSERT INTO orders VALUES (1001, 9, NULL, NULL)",
    );
    crm.sql("CREATE TABLE customers(id int PRIMARY KEY, name varchar(40)); INSERT INTO customers VALUES (0, 'Ann'), (1, 'O''Hara'), (2, '😀')");
    let project = Project::new(&[("shop", &shop.connection()), ("crm", &crm.connection()), ("dw", &dw.connection())]);
    let query = "SELECT c.name, count(*) AS orders, sum(o.amount) AS amount, max(o.day) AS latest \
                 FROM shop.public.orders o JOIN crm.customers c ON c.id = o.customer WHERE o.amount > $least GROUP BY c.name";
    project.task(&format!(
        "query: {query:?}\n      params: {{ least: \"${{param.least}}\" }}\n      to: {{ connection: dw, stream: spending, write: merge, \
         key: [name], verify: checksum }}"
    ));
    let ran = Ran::of(project.start());
    assert_eq!(ran.done(), [3]);
    let proof = &ran.report["tasks"][0]["streams"][0]["proof"];
    assert_eq!((&proof["read"], &proof["rejected"], &proof["verified"]), (&3.into(), &0.into(), &3.into()), "{proof}");
    let wanted = shop.sql(
        "SELECT * FROM (
           SELECT CASE customer WHEN 0 THEN 'Ann' WHEN 1 THEN 'O''Hara' ELSE '😀' END AS name, count(*) AS orders, sum(amount), max(day)
           FROM orders WHERE customer < 3 AND amount > 1 GROUP BY 1) x ORDER BY orders, name COLLATE \"C\"",
    );
    assert_eq!(
        dw.sql("SELECT name, orders, printf('%.2f', amount), latest FROM spending ORDER BY orders, name"),
        wanted
    );
    // once more the same rows, in place
    assert_eq!(project.done(), 3);
    assert_eq!(dw.sql("SELECT count(*) FROM spending"), "3");
    project.nothing_is_spilled();
}

#[test]
fn files_are_joined_with_tables_and_written_as_files() {
    let dw = Database::postgres("levada_sql_files");
    dw.sql("CREATE TABLE rates(currency text PRIMARY KEY, rate numeric(10,4)); INSERT INTO rates VALUES ('EUR', 1.1), ('CHF', 1.05)");
    let project = Project::new(&[
        ("drop", "{ type: files, root: ./in }"),
        ("lake", "{ type: files, root: ./lake, format: parquet }"),
        ("dw", &dw.connection()),
    ]);
    project.put("in/sales.csv", "id,currency,amount\n1,EUR,10.50\n2,CHF,20\n3,USD,5\n");
    std::fs::create_dir(project.folder.path().join("lake")).unwrap();
    let query = "SELECT s.id, s.currency, CAST(s.amount AS DECIMAL(10,2)) * r.rate AS usd FROM drop.\"sales.csv\" s \
                 LEFT JOIN dw.public.rates r ON r.currency = s.currency";
    project.query(query, "{ connection: lake, stream: sales }");
    assert_eq!(project.done(), 3);
    // the Parquet files of one query are the stream of the next
    let (code, streams, err) = project.tells(&["discover", "lake", "--output", "json"]);
    assert_eq!(code, 0, "{err}");
    let streams: Value = serde_json::from_str(&streams).unwrap();
    let name = streams["streams"][0]["stream"].as_str().unwrap_or_else(|| panic!("{streams}")).to_owned();
    project.query(
        &format!("SELECT id, currency, usd FROM lake.\"{name}\" WHERE usd IS NOT NULL"),
        "{ connection: dw, stream: public.converted, key: [id] }",
    );
    assert_eq!(project.done(), 2);
    assert_eq!(
        dw.sql("SELECT id, currency, round(usd::numeric, 3) FROM converted ORDER BY id"),
        "1\tEUR\t11.550\n2\tCHF\t21.000"
    );
}

#[test]
fn a_query_may_read_what_it_writes() {
    for system in [System::Postgres, System::MariaDb, System::Sqlite] {
        let dw = Database::of(system, "levada_sql_self");
        let name = if system == System::Postgres { "public.t" } else { "t" };
        dw.sql("CREATE TABLE t(id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 10), (2, 20), (3, 30)");
        let project = Project::new(&[("dw", &dw.connection())]);
        let rows = || dw.sql("SELECT id, n FROM t ORDER BY id");
        let to = |write: &str| format!("{{ connection: dw, stream: {name}, {write} }}");
        project.query(&format!("SELECT id, n + 1 AS n FROM dw.{name} WHERE id > 1"), &to("write: merge, key: [id]"));
        assert_eq!(project.done(), 2, "{system:?}");
        assert_eq!(rows(), "1\t10\n2\t21\n3\t31", "{system:?}");
        project.query(&format!("SELECT id + 10 AS id, n FROM dw.{name}"), &to("write: append"));
        assert_eq!(project.done(), 3, "{system:?}");
        assert_eq!(rows(), "1\t10\n2\t21\n3\t31\n11\t10\n12\t21\n13\t31", "{system:?}");
        project.query(&format!("SELECT id, n FROM dw.{name} WHERE id > 10"), &to("write: replace"));
        assert_eq!(project.done(), 3, "{system:?}");
        assert_eq!(rows(), "11\t10\n12\t21\n13\t31", "{system:?}");
        assert_eq!(dw.stages(), "");
    }
}

#[test]
fn mistakes_are_told_before_anything_moves() {
    let project = Project::new(&[("shop", "{ type: files, root: ./in }"), ("dw", "{ type: sqlite, path: ./dw.db }")]);
    let to = "{ connection: dw, stream: t }";
    let told = |query: &str, more: &str| {
        project.task(&format!("query: {query:?}\n      to: {to}\n      {more}"));
        let (code, out, err) = project.tells(&["validate", "p.yaml"]);
        assert_eq!(code, 2, "{query}: {out}{err}");
        let (run, ..) = project.tells(&["run", "p.yaml"]);
        assert!(run == 2 || run == 3, "{query}: {run}");
        err
    };
    let err = told("SELECT *\nFROM shop.orders WERE id = 1", "");
    assert!(err.contains("p.yaml:11:14: line 2,") && err.contains("this is no SQL"), "{err}");
    assert!(
        told("SELECT * FROM shp.orders", "").contains("reads from `shp`, which is no connection. Did you mean `shop`?")
    );
    assert!(told("SELECT * FROM shop.a WHERE id > $since", "").contains("wants a value for `$since`"));
    assert!(told("SELECT * FROM shop.a", "params: { since: 1 }").contains("has no parameter `$since`"));
    for query in
        ["DELETE FROM shop.a", "DROP TABLE shop.a", "SELECT 1; SELECT 2", "COPY shop.a TO '/tmp/x'", "SET x = 1", ""]
    {
        told(query, "");
    }
    assert!(!project.folder.path().join("dw.db").exists());
    project.query("SELECT 1 AS n", to);
    let (code, out, err) = project.tells(&["validate", "p.yaml"]);
    assert_eq!(code, 0, "{out}{err}");
}

#[test]
fn a_value_that_cannot_be_cast_leaves_the_target_as_it_was() {
    let dw = Database::postgres("levada_sql_cast");
    dw.sql(
        "CREATE TABLE s(id int PRIMARY KEY, v text); INSERT INTO s SELECT i, i::text FROM generate_series(1, 5000) i;
         UPDATE s SET v = 'x' WHERE id = 4999; CREATE TABLE t(id int, v bigint); INSERT INTO t VALUES (0, 0)",
    );
    let project = Project::new(&[("dw", &dw.connection())]);
    for write in ["replace", "append", "merge, key: [id]"] {
        project.query(
            "SELECT id, CAST(v AS BIGINT) AS v FROM dw.public.s",
            &format!("{{ connection: dw, stream: public.t, write: {write} }}"),
        );
        let message = project.failed(1);
        assert!(message.contains('x'), "{message}");
        assert_eq!((dw.sql("SELECT * FROM t"), dw.stages()), ("0\t0".to_owned(), String::new()), "{write}");
    }
}

#[test]
fn rows_that_the_target_does_not_take_go_into_the_quarantine() {
    let dw = Database::postgres("levada_sql_quarantine");
    dw.sql(
        "CREATE TABLE s(id int, v int); INSERT INTO s VALUES (1, 1), (2, NULL), (3, 3);
         CREATE TABLE t(id int PRIMARY KEY, v int NOT NULL)",
    );
    let project = Project::new(&[("dw", &dw.connection())]);
    let to = "{ connection: dw, stream: public.t, write: merge, key: [id], on_schema_change: freeze, on_bad_row: ";
    project.query("SELECT id, v FROM dw.public.s", &format!("{to} fail }}"));
    project.failed(1);
    assert_eq!(dw.sql("SELECT count(*) FROM t"), "0");
    project.query("SELECT id, v FROM dw.public.s", &format!("{to} quarantine }}"));
    let ran = Ran::of(project.start());
    assert_eq!(ran.done(), [2]);
    assert_eq!(ran.report["tasks"][0]["streams"][0]["proof"]["rejected"], 1);
    assert_eq!(dw.sql("SELECT id, v FROM t ORDER BY id"), "1\t1\n3\t3");
}

#[test]
fn parameters_are_bound_and_never_spliced() {
    let dw = Database::postgres("levada_sql_params");
    let word = "O'Hara\"; DROP TABLE s; --";
    dw.sql(&format!(
        "CREATE TABLE s(id int, v text); INSERT INTO s VALUES (1, 'a'), (9, $x${word}$x$), (10, $x${word}$x$)"
    ));
    let project = Project::new(&[("dw", &dw.connection())]);
    project.task(
        "query: \"SELECT id, v FROM dw.public.s WHERE v = $word AND id > $least\"\n      \
         params: { word: \"${param.word}\", least: \"${param.least}\" }\n      to: { connection: dw, stream: public.t }",
    );
    let word = format!("word={word}");
    // compared as numbers: as texts 10 would come before 9
    for (least, ids) in [("least=1", "9\n10"), ("least=9", "10"), ("least=10", "")] {
        let ran =
            project.levada(&["run", "p.yaml", "--output", "json", "--param", &word, "--param", least]).spawn().unwrap();
        Ran::of(ran).done();
        assert_eq!(dw.sql("SELECT id FROM t ORDER BY id"), ids, "{least}");
    }
    assert_eq!(dw.sql("SELECT count(*) FROM s"), "3");
}

/// After a kill anywhere and one more run the target has what one run would have left.
#[test]
fn a_killed_query_is_as_if_it_had_not_been() {
    let dw = Database::postgres("levada_sql_kill");
    dw.sql(
        "CREATE TABLE s(id int PRIMARY KEY, n int); INSERT INTO s SELECT i, i % 97 FROM generate_series(1, 60000) i",
    );
    dw.sql("CREATE TABLE t(id int PRIMARY KEY, n bigint); INSERT INTO t VALUES (0, -1)");
    let project = Project::new(&[("dw", &dw.connection())]);
    project.query(
        "SELECT s.id, count(*) AS n FROM dw.public.s s JOIN dw.public.s o ON o.n = s.n AND o.id <= 2000 GROUP BY s.id",
        "{ connection: dw, stream: public.t, write: merge, key: [id] }",
    );
    let started = Instant::now();
    project.done();
    let (typical, rows) = (started.elapsed(), || dw.sql("SELECT count(*), sum(n), min(n) FROM t"));
    let whole = rows();
    assert_eq!(whole, dw.sql("SELECT 60001, (SELECT count(*) FROM s JOIN s o ON o.n = s.n AND o.id <= 2000) - 1, -1"));
    let mut killed = 0;
    for round in 1..=5_u32 {
        dw.sql("DELETE FROM t WHERE id > 0");
        let mut run = project.start();
        std::thread::sleep(typical.mul_f64(f64::from(round) / 6.0));
        killed += u32::from(run.try_wait().unwrap().is_none());
        run.kill().unwrap();
        run.wait().unwrap();
        let left = rows();
        assert!(left == "1\t-1\t-1" || left == whole, "half a load is there: {left}");
        project.done();
        assert_eq!((rows(), dw.stages()), (whole.clone(), String::new()), "round {round}");
    }
    assert!(killed > 0, "no kill hit a running query");
}

#[test]
fn a_query_that_is_interrupted_ends_at_once() {
    let dw = Database::postgres("levada_sql_cancel");
    dw.sql("CREATE TABLE s(id int PRIMARY KEY); INSERT INTO s SELECT generate_series(1, 100000); CREATE TABLE t(n bigint); INSERT INTO t VALUES (7)");
    let project = Project::new(&[("dw", &dw.connection())]);
    project.query(
        "SELECT count(*) AS n FROM dw.public.s a CROSS JOIN dw.public.s b WHERE (CAST(a.id AS BIGINT) * b.id + a.id) % 7 = 3",
        "{ connection: dw, stream: public.t }",
    );
    let run = project.start();
    std::thread::sleep(Duration::from_secs(4));
    let asked = Instant::now();
    assert!(Command::new("kill").args(["-INT", &run.id().to_string()]).status().unwrap().success());
    let ran = Ran::of(run);
    assert_eq!(ran.code, 130, "{} {}", ran.err, ran.report);
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert_eq!((dw.sql("SELECT n FROM t"), dw.stages()), ("7".to_owned(), String::new()));
    project.nothing_is_spilled();
}

#[test]
fn what_does_not_fit_into_memory_goes_to_the_disk() {
    let dw = Database::postgres("levada_sql_memory");
    dw.sql("CREATE VIEW s AS SELECT i AS id, md5(i::text) || repeat('x', 468) AS v FROM generate_series(1, 300000) i");
    let project = Project::new(&[("dw", &dw.connection()), ("out", "{ type: files, root: ./out, format: csv }")]);
    std::fs::create_dir(project.folder.path().join("out")).unwrap();
    project.task("query: \"SELECT id, v FROM dw.public.s ORDER BY v\"\n      memory: 64MB\n      to: { connection: out, stream: sorted }");
    // 150 MB of rows
    let (peak, ran) = peak_mb(project.start());
    assert_eq!(ran.done(), [300_000]);
    assert!(peak < 400, "{peak} MB");
    project.nothing_is_spilled();
}

fn connected(project: &Project) {
    project.put("levada.yaml", &format!("version: 1\nconnections:\n{}", project.connections));
}

#[test]
fn one_statement_is_answered_on_the_command_line() {
    let dw = Database::postgres("levada_sql_cli");
    dw.sql("CREATE TABLE t(id int, v text); INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 30) i; INSERT INTO t VALUES (31, NULL)");
    let project = Project::new(&[("dw", &dw.connection()), ("drop", "{ type: files, root: ./in }")]);
    connected(&project);
    project.put("in/n.csv", "id,n\n1,10\n2,20\n");
    let (code, out, err) = project.tells(&["sql", "SELECT count(*) AS n, max(id) AS top FROM dw.public.t"]);
    assert_eq!((code, out.as_str(), err.as_str()), (0, " n  top\n--  ---\n31   31\n", ""));
    // a path where a name could stand
    let (code, out, err) = project.tells(&["sql", "SELECT sum(n) AS n FROM \"./in\".\"n.csv\""]);
    assert_eq!((code, out.trim_end().ends_with("30")), (0, true), "{out}{err}");
    let (code, out, err) =
        project.tells(&["sql", "SELECT id, v FROM dw.public.t ORDER BY id DESC", "--limit", "2", "--output", "json"]);
    let found: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (code, &found["cut"], &found["rows"][0]["v"], &found["rows"][1]["v"]),
        (0, &true.into(), &Value::Null, &"v30".into())
    );
    assert!(err.contains("the first 2 rows; there are more"), "{err}");
    let (code, out, _) = project.tells(&["sql", "SELECT v FROM dw.public.t WHERE id = $id;", "--param", "id=3"]);
    assert_eq!((code, out.as_str()), (0, "v\n--\nv3\n"));
    for (statement, wanted) in [
        ("SELEC 1", "this is no SQL"),
        ("DELETE FROM dw.public.t", ""),
        ("SELECT 1; SELECT 2", "there are 2 statements"),
        ("SELECT * FROM nowhere.t", "there is no connection `nowhere`"),
    ] {
        let (code, _, err) = project.tells(&["sql", statement]);
        assert!(code == 2 || code == 3, "{statement}: {code} {err}");
        assert!(err.contains(wanted), "{err}");
    }
    assert_eq!(psql(&dw, "SELECT count(*) FROM t"), "31");
    project.nothing_is_spilled();
}

#[test]
fn statements_can_be_piped_in() {
    let project = Project::new(&[("drop", "{ type: files, root: ./in }")]);
    connected(&project);
    project.put("in/n.csv", "id,n\n1,10\n2,20\n");
    let pipe = |text: &str| {
        let mut shell = project.levada(&["sql"]).stdin(Stdio::piped()).spawn().unwrap();
        shell.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = shell.wait_with_output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, out) = pipe("-- two; really\nSELECT ';' AS s;\nSELECT max(n) AS n FROM drop.\"n.csv\"");
    assert_eq!((code, out.as_str()), (0, "s\n-\n;\n n\n--\n20\n"));
    let (code, out) = pipe("SELECT 1 AS one; SELECT broken FROM; SELECT 2 AS two;");
    assert_eq!((code, out.contains("one"), out.contains("two")), (2, true, false), "{out}");
    assert_eq!(pipe(" ; "), (0, String::new()));
}

/// What a server was asked, by its own log.
fn logged(database: &Database, work: impl FnOnce()) -> String {
    let admin = Database::admin();
    let size = || psql(&admin, "SELECT size FROM pg_stat_file('server.log')").parse::<i64>().unwrap();
    database
        .sql("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET log_statement = ''all''', current_database()); END $$");
    let from = size();
    work();
    let log = psql(&admin, &format!("SELECT pg_read_file('server.log', {from}, {})", size() - from));
    log.lines().filter(|line| line.contains("COPY (")).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_source_is_asked_for_the_rows_and_columns_that_are_needed_only() {
    let (shop, dw) = (Database::postgres("levada_sql_pushed"), Database::sqlite());
    shop.sql(
        "CREATE TABLE pushed(id int PRIMARY KEY, name text, amount numeric(12,2), day date, at timestamptz);
         INSERT INTO pushed SELECT i, 'n' || i, i * 1.25, date '2026-01-01' + i % 30,
           timestamptz '2026-01-01 00:00Z' + i * interval '1 minute' FROM generate_series(1, 1000) i",
    );
    let project = Project::new(&[("shop", &shop.connection()), ("dw", &dw.connection())]);
    project.query(
        "SELECT id, amount FROM shop.public.pushed WHERE day >= '2026-01-20' AND name = 'n50' AND at < '2026-02-01T00:00:00Z' \
         AND amount > 1.5",
        "{ connection: dw, stream: found, write: replace }",
    );
    let log = logged(&shop, || assert_eq!(project.done(), 1));
    for condition in [
        "\"day\" >= '2026-01-20'::pg_catalog.text::pg_catalog.date",
        "\"name\" = 'n50'::pg_catalog.text::pg_catalog.text",
        "\"at\" < '2026-02-01T00:00:00Z'::pg_catalog.text::pg_catalog.timestamptz",
        "\"amount\" > '1.50'::pg_catalog.text::pg_catalog.numeric",
    ] {
        assert!(log.contains(condition), "{condition} is not in the log:\n{log}");
    }
    project.query("SELECT name FROM shop.public.pushed LIMIT 7", "{ connection: dw, stream: some, write: replace }");
    let log = logged(&shop, || assert_eq!(project.done(), 7));
    assert!(log.contains("COPY (SELECT \"name\" FROM ONLY \"public\".\"pushed\" LIMIT 7)"), "{log}");
}
