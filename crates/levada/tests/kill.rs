//! Pulls the plug: the real binary between real systems, killed at random moments. After every kill the target must be a
//! state that some commit left, and after one more run it must equal the source.
//!
//! `LEVADA_KILL_ROUNDS` sets the number of rounds (20), `LEVADA_KILL_SEED` the moments.

use std::cell::Cell;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use levada_testkit::services;
use object_store::ObjectStoreExt;

use crate::support::{Database, LEVADA, mariadb, psql};

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
/// The columns of each table as texts that both servers print alike.
const SHOP_COLUMNS: [(&str, &str, &str); 3] = [
    (
        "events",
        "id, to_char(at, 'YYYY-MM-DD HH24:MI:SS.US'), what, coalesce(amount::text, '-')",
        "id, date_format(at, '%Y-%m-%d %H:%i:%s.%f'), what, coalesce(cast(amount AS char), '-')",
    ),
    (
        "customers",
        "id, name, to_char(updated_at, 'YYYY-MM-DD HH24:MI:SS.US')",
        "id, name, date_format(updated_at, '%Y-%m-%d %H:%i:%s.%f')",
    ),
    ("products", "id, title, price::text", "id, title, cast(price AS char)"),
];

#[test]
fn postgres_to_postgres() {
    let source = Database::postgres("levada_kill_src");
    let target = Database::postgres("levada_kill_dst");
    psql(&source, SHOP);
    let change = |n: u64| drop(psql(&source, &SHOP_CHANGES.replace("{n}", &n.to_string())));
    let check = |finished: bool| {
        for (table, columns, _) in SHOP_COLUMNS {
            let query = format!("SELECT {columns} FROM {table} ORDER BY id");
            let found = exists(&target, table).then(|| psql(&target, &query));
            compare(finished, table, &psql(&source, &query), found.as_deref());
        }
    };
    torture("pg-pg", &document(&source.connection(), &target.connection(), SHOP_STREAMS), &change, &check);
}

#[test]
fn postgres_to_mariadb() {
    let source = Database::postgres("levada_kill_src_maria");
    let target = Database::mariadb("levada_kill_dst");
    psql(&source, SHOP);
    let change = |n: u64| drop(psql(&source, &SHOP_CHANGES.replace("{n}", &n.to_string())));
    let check = |finished: bool| {
        for (table, columns, target_columns) in SHOP_COLUMNS {
            let there = !mariadb(&target, &format!("SHOW TABLES LIKE '{table}'")).is_empty();
            let found = || mariadb(&target, &format!("SELECT {target_columns} FROM {table} ORDER BY id"));
            let wanted = psql(&source, &format!("SELECT {columns} FROM {table} ORDER BY id")).replace('|', "\t");
            compare(finished, table, &wanted, there.then(found).as_deref());
        }
    };
    torture("pg-maria", &document(&source.connection(), &target.connection(), SHOP_STREAMS), &change, &check);
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
    let events = |n: u64| -> Vec<String> {
        let rows = if n == 0 { 40_000 } else { 3_000 };
        (0..rows).map(|i| format!("{},\"event, {i}\",{}.25", n * 100_000 + i, i * 3)).collect()
    };
    let products = |n: u64| -> Vec<String> { (0..5_000 + n * 10).map(|i| format!("{i},product {i} of {n}")).collect() };
    let round = Cell::new(0);
    let change = |n: u64| {
        round.set(n);
        put(format!("events/{n:04}.csv"), format!("id,what,amount\n{}\n", events(n).join("\n")));
        put("products.csv".to_owned(), format!("id,title\n{}\n", products(n).join("\n")));
    };
    let check = |finished: bool| {
        let wanted = (0..=round.get()).flat_map(events).collect::<Vec<_>>().join("\n");
        let found = || psql(&target, "SELECT id || ',\"' || what || '\",' || amount FROM events ORDER BY id");
        compare(finished, "events", &wanted, exists(&target, "events").then(found).as_deref());
        let found = || psql(&target, "SELECT id || ',' || title FROM products ORDER BY id");
        let wanted = products(round.get()).join("\n");
        compare(finished, "products", &wanted, exists(&target, "products").then(found).as_deref());
    };
    let source = format!(
        "{{ type: files, root: 's3://{bucket}/{prefix}', endpoint: '{endpoint}', access_key: '{access}', \
         secret_key: '{secret}', region: '{region}', allow_http: true }}"
    );
    let streams = "
        'events/*.csv': { read: incremental, write: append, rename: events }
        products.csv: {}";
    change(0);
    torture("s3-pg", &document(&source, &target.connection(), streams), &change, &check);
}

fn exists(database: &Database, table: &str) -> bool {
    !psql(database, &format!("SELECT to_regclass('public.{table}')")).is_empty()
}

fn document(source: &str, target: &str, streams: &str) -> String {
    format!(
        "version: 1\nname: torture\nconnections:\n  source: {source}\n  target: {target}\n\
         tasks:\n  load:\n    sync:\n      from: source\n      to: target\n      streams:{streams}\n"
    )
}

/// Rows as lines in the order of their keys: equal after a finished run; after a killed one without a row twice.
fn compare(finished: bool, table: &str, source: &str, target: Option<&str>) {
    let Some(target) = target else {
        assert!(!finished, "{table} is missing after a finished run");
        return;
    };
    let keys: Vec<&str> = target.lines().map(|line| line.split(['|', '\t', ',']).next().unwrap()).collect();
    let repeated = keys.windows(2).find(|pair| pair[0] == pair[1]);
    assert!(repeated.is_none(), "{table} has a row twice: {repeated:?}");
    if finished && source != target {
        let differs = source.lines().zip(target.lines()).find(|(a, b)| a != b);
        panic!("{table} differs: {} and {} lines, first {differs:?}", source.lines().count(), target.lines().count());
    }
}

/// Changes the source, starts a run and kills it, checks, runs to the end, checks; for as many rounds as wanted.
fn torture(name: &str, document: &str, change: &dyn Fn(u64), check: &dyn Fn(bool)) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pipeline.yaml");
    std::fs::write(&file, document).unwrap();
    let number = |variable: &str, default: u64| std::env::var(variable).map_or(default, |text| text.parse().unwrap());
    let rounds = number("LEVADA_KILL_ROUNDS", 20);
    let mut seed = number("LEVADA_KILL_SEED", u64::from(std::process::id())) | 1;
    println!("{name}: {rounds} rounds, LEVADA_KILL_SEED={seed}");

    finish(start(&file));
    check(true);
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
        check(false);
        finish(start(&file));
        check(true);
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
