//! Pulls the plug: the real binary between real systems, killed at random moments. After every kill each table of the
//! target must be what one of two commits left, that of this round or that of the round before; after one more run it must
//! equal the source. Equal means: the target's own server finds no row in `EXCEPT ALL`, both ways.
//!
//! `LEVADA_KILL_ROUNDS` sets the number of rounds (20), `LEVADA_KILL_SEED` the moments.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use levada_testkit::services;
use object_store::ObjectStoreExt;

use crate::support::{Database, LEVADA, System, psql};

/// Shop tables with one table per write mode.
const SHOP: &str = "
    CREATE TABLE events(id bigint PRIMARY KEY, at timestamp(6) NOT NULL, what varchar(40) NOT NULL, amount numeric(12,2));
    CREATE TABLE customers(id int PRIMARY KEY, name varchar(60) NOT NULL, updated_at timestamp(6) NOT NULL);
    CREATE TABLE products(id int PRIMARY KEY, title varchar(60), price numeric(10,2));
    INSERT INTO events SELECT i, timestamp '2026-01-01' + i * interval '1 second', 'event ' || i, i * 0.01
      FROM generate_series(1, 40000) i;
    INSERT INTO customers SELECT i, 'customer ' || i, timestamp '2026-01-01' + i * interval '1 second'
      FROM generate_series(1, 20000) i;
    INSERT INTO products SELECT i, 'product ' || i, i * 1.5 FROM generate_series(1, 10000) i;";
/// What happens to the shop in round `{n}`.
const SHOP_CHANGES: &str = "
    INSERT INTO events SELECT top, timestamp '2026-06-01' + {n} * interval '1 second', 'new', NULL FROM
      (SELECT (SELECT max(id) FROM events) + i AS top FROM generate_series(1, 3000) i) fresh;
    UPDATE customers SET name = left(name || '.', 60), updated_at = timestamp '2026-06-01' + {n} * interval '1 second'
      WHERE id % 7 = {n} % 7;
    INSERT INTO customers SELECT 100000 + {n} * 100 + i, 'late', timestamp '2026-06-01' + {n} * interval '1 second'
      FROM generate_series(1, 50) i;
    DELETE FROM products WHERE id % 50 = {n} % 50;
    UPDATE products SET price = price + 1;";
const SHOP_STREAMS: &str = "
        public.events: { read: incremental, cursor: id, write: append }
        public.customers: { read: incremental, cursor: updated_at, key: [id] }
        public.products: {}";
const SHOP_TABLES: [Table; 3] = [
    Table { name: "events", columns: &[("id", "bigint"), ("at", TIME), ("what", TEXT), ("amount", "numeric(12,2)")] },
    Table { name: "customers", columns: &[("id", "int"), ("name", TEXT), ("updated_at", TIME)] },
    Table { name: "products", columns: &[("id", "int"), ("title", TEXT), ("price", "numeric(10,2)")] },
];
const TEXT: &str = "varchar(60)";
const TIME: &str = "timestamp(6)";

#[test]
fn postgres_to_postgres() {
    let source = Database::postgres("levada_kill_src");
    let target = Database::postgres("levada_kill_dst");
    psql(&source, SHOP);
    // The target's server reads the source's tables itself.
    let at = url::Url::parse(&source.url()).unwrap();
    psql(
        &target,
        &format!(
            "CREATE EXTENSION postgres_fdw; CREATE SCHEMA source;
             CREATE SERVER source FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '{}', port '{}', dbname 'levada_kill_src');
             CREATE USER MAPPING FOR CURRENT_USER SERVER source OPTIONS (user '{}', password_required 'false');
             IMPORT FOREIGN SCHEMA public FROM SERVER source INTO source",
            at.host_str().unwrap(),
            at.port().unwrap(),
            at.username()
        ),
    );
    let truth = Truth { target: &target, tables: &SHOP_TABLES, fetch: &|| {} };
    let see = || {
        truth.renew();
        for table in truth.tables {
            psql(&target, &format!("INSERT INTO wanted_{0} SELECT * FROM source.{0}", table.name));
        }
    };
    let change = |n: u64| {
        psql(&source, &SHOP_CHANGES.replace("{n}", &n.to_string()));
        see();
    };
    see();
    torture("pg-pg", &document(&source.connection(), &target.connection(), SHOP_STREAMS), &change, &truth);
}

#[test]
fn postgres_to_mariadb() {
    let source = Database::postgres("levada_kill_src_maria");
    let target = Database::mariadb("levada_kill_dst");
    psql(&source, SHOP);
    let truth = Truth { target: &target, tables: &SHOP_TABLES, fetch: &|| {} };
    let folder = tempfile::tempdir().unwrap();
    let see = || {
        truth.renew();
        for Table { name, .. } in truth.tables {
            // Both servers have one text format for files.
            let file = folder.path().join(name).display().to_string();
            psql(&source, &format!("\\copy {name} TO '{file}'"));
            target.sql(&format!("LOAD DATA LOCAL INFILE '{file}' INTO TABLE wanted_{name} CHARACTER SET utf8mb4"));
        }
    };
    let change = |n: u64| {
        psql(&source, &SHOP_CHANGES.replace("{n}", &n.to_string()));
        see();
    };
    see();
    torture("pg-maria", &document(&source.connection(), &target.connection(), SHOP_STREAMS), &change, &truth);
}

/// Read by the package `deltalake` for Python, compared by PostgreSQL.
#[test]
fn postgres_to_a_lake() {
    const READ: &str = "
import sys, os, pyarrow.csv
from deltalake import DeltaTable
for name, columns in (table.split(':') for table in sys.argv[2:]):
    rows = DeltaTable(os.path.join(sys.argv[1], name)).to_pyarrow_table(columns=columns.split(','))
    pyarrow.csv.write_csv(rows, os.path.join(sys.argv[1], name + '.csv'))
sys.stdout.flush()
os._exit(0)
";
    let source = Database::postgres("levada_kill_src_lake");
    let target = Database::postgres("levada_kill_lake");
    psql(&source, SHOP);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(format!("{name}.txt")).display().to_string();
    for Table { name, columns } in &SHOP_TABLES {
        let columns =
            columns.iter().map(|(column, native)| format!("{column} {native}")).collect::<Vec<_>>().join(", ");
        psql(&target, &format!("CREATE TABLE {name} ({columns})"));
    }
    let fetch = || {
        let python = std::env::var("LEVADA_TEST_DELTALAKE").expect("LEVADA_TEST_DELTALAKE is not set");
        let tables = SHOP_TABLES.iter().map(|Table { name, columns }| {
            format!("{name}:{}", columns.iter().map(|(column, _)| *column).collect::<Vec<_>>().join(","))
        });
        let output = Command::new(python).args(["-c", READ]).arg(folder.path()).args(tables).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        for Table { name, .. } in &SHOP_TABLES {
            let copy = format!(
                "\\copy {name} FROM '{}' WITH (FORMAT csv, HEADER)",
                folder.path().join(format!("{name}.csv")).display()
            );
            psql(&target, &format!("TRUNCATE {name}"));
            psql(&target, &copy);
        }
    };
    let truth = Truth { target: &target, tables: &SHOP_TABLES, fetch: &fetch };
    let see = || {
        truth.renew();
        for Table { name, .. } in truth.tables {
            psql(&source, &format!("\\copy {name} TO '{}'", file(name)));
            psql(&target, &format!("\\copy wanted_{name} FROM '{}'", file(name)));
        }
    };
    let change = |n: u64| {
        psql(&source, &SHOP_CHANGES.replace("{n}", &n.to_string()));
        see();
    };
    see();
    let lake = format!("{{ type: delta, location: '{}' }}", folder.path().display());
    torture("pg-lake", &document(&source.connection(), &lake, SHOP_STREAMS), &change, &truth);
}

#[test]
fn files_on_s3_to_postgres() {
    let target = Database::postgres("levada_kill_files");
    let prefix = format!("kill-{}", std::process::id());
    let url = url::Url::parse(&services::s3()).unwrap();
    let setting = |name: &str| url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
    let (bucket, endpoint) = (url.host_str().unwrap().to_owned(), setting("endpoint"));
    let (access, secret, region) = (setting("access_key"), setting("secret_key"), setting("region"));
    let store = object_store::aws::AmazonS3Builder::new()
        .with_bucket_name(&bucket)
        .with_endpoint(&endpoint)
        .with_access_key_id(&access)
        .with_secret_access_key(&secret)
        .with_region(&region)
        .with_allow_http(true)
        .build()
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let put = |name: String, body: String| {
        let path = object_store::path::Path::from(format!("{prefix}/{name}"));
        runtime.block_on(store.put(&path, body.into())).unwrap();
    };
    let events = |n: u64| -> String {
        let rows = if n == 0 { 40_000 } else { 3_000 };
        (0..rows).map(|i| format!("{},\"event, {i}\",{}.25\n", n * 100_000 + i, i * 3)).collect()
    };
    let products = |n: u64| -> String { (0..5_000 + n * 10).map(|i| format!("{i},product {i} of {n}\n")).collect() };
    let tables = [
        Table { name: "events", columns: &[("id", "bigint"), ("what", TEXT), ("amount", "numeric")] },
        Table { name: "products", columns: &[("id", "bigint"), ("title", TEXT)] },
    ];
    let truth = Truth { target: &target, tables: &tables, fetch: &|| {} };
    let folder = tempfile::tempdir().unwrap();
    let change = |n: u64| {
        put(format!("events/{n:04}.csv"), format!("id,what,amount\n{}", events(n)));
        put("products.csv".to_owned(), format!("id,title\n{}", products(n)));
        truth.renew();
        for (name, rows) in [("events", (0..=n).map(events).collect()), ("products", products(n))] {
            let file = folder.path().join(name);
            std::fs::write(&file, rows).unwrap();
            psql(&target, &format!("\\copy wanted_{name} FROM '{}' WITH (FORMAT csv)", file.display()));
        }
    };
    let source = format!(
        "{{ type: files, root: 's3://{bucket}/{prefix}', endpoint: '{endpoint}', access_key: '{access}', \
         secret_key: '{secret}', region: '{region}', allow_http: true }}"
    );
    let streams = "
        'events/*.csv': { read: incremental, write: append, rename: events }
        products.csv: {}";
    change(0);
    torture("s3-pg", &document(&source, &target.connection(), streams), &change, &truth);
}

fn document(source: &str, target: &str, streams: &str) -> String {
    format!(
        "version: 1\nname: torture\nconnections:\n  source: {source}\n  target: {target}\n\
         tasks:\n  load:\n    sync:\n      from: source\n      to: target\n      streams:{streams}\n"
    )
}

/// A table under test: its columns with the types they have in the source.
struct Table {
    name: &'static str,
    columns: &'static [(&'static str, &'static str)],
}

/// What the target has to hold, in tables of the same server: `wanted_..` has the source's rows, `before_..` those of the
/// round before.
struct Truth<'a> {
    target: &'a Database,
    tables: &'a [Table],
    /// Brings to that server what a target has that is none.
    fetch: &'a dyn Fn(),
}

impl Truth<'_> {
    /// What was wanted is from before, and nothing is wanted yet.
    fn renew(&self) {
        for Table { name, columns } in self.tables {
            let typed = |(column, native): &(&str, &str)| match self.target.system() {
                System::MariaDb => format!("{column} {}", native.replace("timestamp", "datetime")),
                _ => format!("{column} {native}"),
            };
            let columns = columns.iter().map(typed).collect::<Vec<_>>().join(", ");
            self.target.sql(&format!(
                "DROP TABLE IF EXISTS before_{name}; CREATE TABLE IF NOT EXISTS wanted_{name} ({columns});
                 ALTER TABLE wanted_{name} RENAME TO before_{name}; CREATE TABLE wanted_{name} ({columns})"
            ));
        }
    }

    /// Some of the rows that are only in one of two tables, or more often in one of them.
    fn difference(&self, table: &Table, kept: &str) -> String {
        let column = |(column, native): &(&str, &str)| match self.target.system() {
            // Its texts are compared by their bytes, whatever the collation of the column.
            System::MariaDb if native.starts_with("varchar") => format!("CAST({column} AS BINARY)"),
            _ => (*column).to_owned(),
        };
        let columns = table.columns.iter().map(column).collect::<Vec<_>>().join(", ");
        let only =
            |one: &str, other: &str| format!("(SELECT {columns} FROM {one} EXCEPT ALL SELECT {columns} FROM {other})");
        let (found, wanted) = (table.name, format!("{kept}_{}", table.name));
        let both = format!("{} UNION ALL {}", only(found, &wanted), only(&wanted, found));
        self.target.sql(&format!("SELECT * FROM ({both}) AS differs LIMIT 5"))
    }

    /// The target equals the source after a finished run; after a killed one each table may still be the one before.
    fn check(&self, finished: bool) {
        (self.fetch)();
        for table in self.tables {
            let differs = self.difference(table, "wanted");
            if !differs.is_empty() && (finished || !self.difference(table, "before").is_empty()) {
                panic!("{} is not what a commit left (finished: {finished}); some rows of it:\n{differs}", table.name);
            }
        }
    }
}

/// Changes the source, starts a run and kills it, checks, runs to the end, checks; for as many rounds as wanted.
fn torture(name: &str, document: &str, change: &dyn Fn(u64), truth: &Truth<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pipeline.yaml");
    std::fs::write(&file, document).unwrap();
    let number = |variable: &str, default: u64| std::env::var(variable).map_or(default, |text| text.parse().unwrap());
    let rounds = number("LEVADA_KILL_ROUNDS", 20);
    let mut seed = number("LEVADA_KILL_SEED", u64::from(std::process::id())) | 1;
    println!("{name}: {rounds} rounds, LEVADA_KILL_SEED={seed}");

    finish(start(&file));
    truth.check(true);
    let started = Instant::now();
    finish(start(&file));
    let typical = started.elapsed().mul_f64(1.2);
    let mut killed = 0;
    for round in 1..=rounds {
        change(round);
        let mut run = start(&file);
        std::thread::sleep(typical.mul_f64(random(&mut seed)));
        killed += u64::from(run.try_wait().unwrap().is_none());
        run.kill().unwrap();
        run.wait().unwrap();
        truth.check(false);
        finish(start(&file));
        truth.check(true);
    }
    println!("{name}: {killed} of {rounds} runs were killed before their end");
    assert!(rounds < 10 || killed > rounds / 4, "too few kills hit a running load to prove anything");
}

fn start(file: &Path) -> Child {
    Command::new(LEVADA).arg("run").arg(file).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

fn finish(run: Child) {
    let output = run.wait_with_output().unwrap();
    assert!(output.status.success(), "a run failed:\n{}", String::from_utf8_lossy(&output.stderr));
}

/// A number in 0..1 (xorshift64).
fn random(seed: &mut u64) -> f64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    (*seed >> 11) as f64 / (1_u64 << 53) as f64
}
