//! Projects that are applied, compared and exported, on both stores; and those that are refused before anything runs.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use levada_testkit::services;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Database, LEVADA, psql, skipped};

/// A project in a folder, with its metadata in one of the two stores.
pub struct Project {
    pub folder: TempDir,
    database: Option<(Database, String)>,
}

/// Where the metadata of a project lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    Sqlite,
    Postgres,
}

pub const BOTH: [Kept; 2] = [Kept::Sqlite, Kept::Postgres];

impl Project {
    /// A project of these files. `name` is unique among all tests.
    pub fn new(kept: Kept, name: &str, files: &[(&str, &str)]) -> Self {
        let database = (kept == Kept::Postgres).then(|| {
            let database = Database::postgres(&format!("levada_{name}"));
            let joint = if database.url().contains('?') { '&' } else { '?' };
            let url = format!("{}{joint}schema=meta", database.url());
            (database, url)
        });
        let project = Self { folder: TempDir::new().unwrap(), database };
        files.iter().for_each(|(path, text)| project.write(path, text));
        project
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(LEVADA);
        command.args(arguments).current_dir(self.folder.path()).env_remove("LEVADA_DATA").env_remove("LEVADA_DATABASE");
        command.env_remove("LEVADA_SERVER").env_remove("LEVADA_TOKEN");
        if let Some((_, url)) = &self.database {
            command.env("LEVADA_DATABASE", url);
        }
        command
    }

    pub fn levada(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Standard output of a command that must end with this code.
    pub fn told(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.levada(arguments);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\nstdout: {out}\nstderr: {err}");
        out.into_owned()
    }

    /// Standard error of a command that must end with this code.
    pub fn refused(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.levada(arguments);
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{err}");
        err.into_owned()
    }

    /// What a command that must succeed tells programs.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let out = self.told(0, &[arguments, &["--output", "json"]].concat());
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {out}"))
    }

    /// A statement on the metadata itself.
    pub fn meta(&self, sql: &str) {
        match &self.database {
            Some((database, _)) => drop(psql(database, &format!("SET search_path TO meta; {sql}"))),
            None => {
                let store = rusqlite::Connection::open(self.path(".levada/levada.db")).unwrap();
                store.execute_batch(sql).unwrap();
            }
        }
    }

    /// All that the metadata has in PostgreSQL, as text.
    pub fn dump(&self) -> Option<String> {
        let (database, _) = self.database.as_ref()?;
        let url = database.url();
        let place = url.split('?').next().unwrap();
        let output = Command::new("pg_dump").args(["--inserts", place]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// `levada serve`, once it is ready.
    pub fn serve(&self) -> Served {
        self.serve_with(&[])
    }

    /// The same with more options.
    pub fn serve_with(&self, options: &[&str]) -> Served {
        use std::io::BufRead as _;
        let mut serve = self.command(&[&["serve", "--port", "0", "--workers", "4"], options].concat());
        let mut child = serve.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut lines = std::io::BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        loop {
            let Some(Ok(line)) = lines.next() else { panic!("serve ended: {said:?}") };
            said.push(line);
            if said.last().is_some_and(|line| line.starts_with("ready")) {
                break;
            }
        }
        std::thread::spawn(move || lines.for_each(drop));
        let ready = said.last().unwrap();
        let url = ready.trim_start_matches("ready: ").trim_end_matches("/healthz").to_owned();
        Served { child, url }
    }
}

/// A service that is stopped at the end.
pub struct Served {
    child: Child,
    /// Where it answers.
    pub url: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let deadline = Instant::now() + Duration::from_secs(15);
        while Instant::now() < deadline {
            if self.child.try_wait().unwrap().is_some() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const OWN: &str = "# what all share\nversion: 1\npools: { heavy: 2 }\nconnections: {}\n";
const A: &str = "# first\nversion: 1\nname: a   # a comment\ntasks:\n    t: { command: { argv: [echo, hi] } }\n";
const B: &str = "version: 1\nschedule: '0 6 * * *'\ntasks: { t: { command: { argv: [echo, hi] }, pool: heavy } }";

fn changes(applied: &Value) -> Vec<String> {
    let documents = applied["documents"].as_array().unwrap().iter();
    documents.map(|one| format!("{} {}", one["change"].as_str().unwrap(), one["path"].as_str().unwrap())).collect()
}

#[test]
fn documents_are_applied_compared_and_given_back() {
    for kept in BOTH {
        let name = format!("documents_{kept:?}").to_lowercase();
        let files = [("levada.yaml", OWN), ("pipelines/a.yaml", A), ("pipelines/deep/b.yml", B)];
        let project = Project::new(kept, &name, &files);
        assert!(project.told(1, &["diff"]).contains("+++ pipelines/deep/b.yml"));
        assert!(!project.path(".levada").exists(), "to compare makes no store");
        let all = |change: &str| files.map(|(path, _)| format!("{change} {path}")).to_vec();
        assert_eq!(changes(&project.json(&["apply"])), all("created"));
        assert_eq!(changes(&project.json(&["apply"])), all("unchanged"));
        assert_eq!(project.told(0, &["diff"]), "");

        project.write("pipelines/a.yaml", &A.replace("hi", "ho"));
        let diff = project.told(1, &["diff"]);
        let wanted = "--- pipelines/a.yaml\tversion 1\n+++ pipelines/a.yaml\n@@ -2,4 +2,4 @@\n version: 1\n name: a   # a comment\n \
                      tasks:\n-    t: { command: { argv: [echo, hi] } }\n+    t: { command: { argv: [echo, ho] } }\n";
        assert_eq!(diff, wanted);
        let refused = project.refused(3, &["export"]);
        assert!(refused.contains("pipelines/a.yaml") && refused.contains("--force"), "{refused}");
        project.told(0, &["export", "elsewhere"]);
        for (path, text) in files {
            let exported = std::fs::read_to_string(project.path("elsewhere").join(path)).unwrap();
            assert_eq!(exported, text, "{path} byte for byte");
        }

        std::fs::remove_file(project.path("pipelines/deep/b.yml")).unwrap();
        let applied = project.json(&["apply"]);
        assert_eq!(
            changes(&applied),
            ["unchanged levada.yaml", "changed pipelines/a.yaml", "removed pipelines/deep/b.yml"]
        );
        assert_eq!(applied["documents"][1]["version"], 2);
        let left = project.json(&["pipelines"]);
        assert_eq!((left["pipelines"].as_array().unwrap().len(), &left["pipelines"][0]["name"]), (1, &"a".into()));
        assert!(project.refused(1, &["start", "b"]).contains("there is no pipeline `b`"));
        project.write("pipelines/deep/b.yml", B);
        assert_eq!(changes(&project.json(&["apply"]))[2], "created pipelines/deep/b.yml");
    }
}

/// A document, and what must be told of it: place and words.
const WRONG: &[(&str, &str, &[&str])] = &[
    (
        "a circle",
        "version: 1\ntasks:\n  a: { command: { argv: [x] }, after: [b] }\n  b: { command: { argv: [x] }, after: [a] }\n",
        &["pipelines/bad.yaml:3:", "a -> b"],
    ),
    (
        "an unknown task",
        "version: 1\ntasks:\n  load: { command: { argv: [x] } }\n  b:\n    command: { argv: [x] }\n    after: [laod]\n",
        &["pipelines/bad.yaml:6:", "`laod`", "`load`"],
    ),
    (
        "30 February",
        "version: 1\nschedule: '0 0 30 2 *'\ntasks: { a: { command: { argv: [x] } } }\n",
        &["pipelines/bad.yaml:2:", "30 2"],
    ),
    (
        "an unknown zone",
        "version: 1\nschedule:\n  cron: '0 0 * * *'\n  timezone: America/Bogta\ntasks: { a: { command: { argv: [x] } } }\n",
        &["pipelines/bad.yaml:4:", "America/Bogota"],
    ),
    (
        "a parameter of the wrong type",
        "version: 1\nparams:\n  day: { type: date, default: yesterday }\ntasks: { a: { command: { argv: [x] } } }\n",
        &["pipelines/bad.yaml:3:", "`yesterday`", "2026-01-31"],
    ),
    (
        "two pipelines with one name",
        "version: 1\nname: a\ntasks: { t: { command: { argv: [x] } } }\n",
        &["pipelines/bad.yaml:2:", "pipelines/a.yaml", "`name`"],
    ),
    (
        "a pipeline that is not there",
        "version: 1\ntasks: { t: { pipeline: aa } }\n",
        &["pipelines/bad.yaml:2:", "`aa`", "did you mean `a`"],
    ),
];

#[test]
fn what_is_wrong_is_refused_with_its_place_before_anything_runs() {
    for kept in BOTH {
        let name = format!("wrong_{kept:?}").to_lowercase();
        let project = Project::new(kept, &name, &[("levada.yaml", OWN), ("pipelines/a.yaml", A)]);
        for (what, document, words) in WRONG {
            project.write("pipelines/bad.yaml", document);
            project.write("pipelines/a.yaml", &A.replace("hi", what));
            let err = project.refused(2, &["apply"]);
            for word in *words {
                assert!(err.to_lowercase().contains(&word.to_lowercase()), "{what}: `{word}` is missing in: {err}");
            }
            let error = err.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
            assert!(error.matches(". ").count() >= 1, "{what}: no remedy in: {err}");
            assert!(!project.path(".levada").exists(), "{what}: something was made");
        }
        std::fs::remove_file(project.path("pipelines/bad.yaml")).unwrap();
        project.told(0, &["apply"]);
        // of a later mistake nothing stays either
        project.write("pipelines/bad.yaml", WRONG[0].1);
        project.write("pipelines/a.yaml", A);
        project.refused(2, &["apply"]);
        assert_eq!(project.json(&["pipelines"])["pipelines"][0]["version"], 1);
        let parameters = "version: 1\nparams:\n  day: { type: date }\n  n: { type: int, default: 1 }\ntasks: { t: { command: { argv: [echo] } } }\n";
        project.write("pipelines/bad.yaml", parameters);
        project.told(0, &["apply"]);
        let err = project.refused(2, &["start", "bad", "--param", "day=2026-02-30"]);
        assert!(err.contains("pipelines/bad.yaml:3:") && err.contains("`2026-02-30`"), "{err}");
        assert!(project.refused(2, &["start", "bad"]).contains("the parameter `day` has no value"));
        assert!(project.refused(2, &["start", "a", "--param", "day=x"]).contains("no parameter `day`"));
        assert!(project.refused(2, &["start", "a", "--task", "tt"]).contains("Tasks: t."));
        assert_eq!(project.json(&["runs"])["runs"], serde_json::json!([]));
    }
}

#[test]
fn a_store_newer_than_the_program_is_refused() {
    for kept in BOTH {
        let name = format!("newer_{kept:?}").to_lowercase();
        let project = Project::new(kept, &name, &[("levada.yaml", OWN), ("pipelines/a.yaml", A)]);
        project.told(0, &["apply"]);
        project.meta("UPDATE meta SET value = '999' WHERE key = 'version'");
        for command in
            [&["apply"][..], &["runs"], &["start", "a"], &["serve", "--port", "0"], &["run", "pipelines/a.yaml"]]
        {
            let err = project.refused(3, command);
            assert!(err.contains("999") && err.contains("newer Levada"), "{command:?}: {err}");
        }
    }
}

#[test]
fn where_there_is_no_store_none_is_made_by_looking() {
    let project = Project::new(Kept::Sqlite, "none", &[("levada.yaml", OWN), ("pipelines/a.yaml", A)]);
    for command in [&["runs"][..], &["pipelines"], &["start", "a"], &["show", "1"], &["backfills", "list"], &["export"]]
    {
        let err = project.refused(1, command);
        assert!(err.contains("there is no metadata store") && err.contains("levada apply"), "{command:?}: {err}");
    }
    assert!(!project.path(".levada").exists());
    let elsewhere = Project::new(Kept::Sqlite, "nowhere", &[]);
    assert!(elsewhere.refused(2, &["apply"]).contains("there is no levada.yaml"));
}

#[test]
fn no_connection_of_a_project_leads_to_what_levada_keeps() {
    let own = "version: 1\nconnections:\n  data: { type: files, root: .levada }\n  \
               meta: { type: sqlite, path: .levada/levada.db }\n  other: { type: sqlite, path: other.db }\n  \
               login: { type: files, root: auth.yaml, format: csv }\n  \
               environment: { type: files, root: /proc/self, format: csv }\n  here: { type: files, root: . }\n";
    let load = "version: 1\nname: load\nsync: { from: meta, to: here, streams: [users] }\n";
    let files =
        [("levada.yaml", own), ("pipelines/load.yaml", load), ("a.csv", "id\n1\n"), ("auth.yaml", "version: 1\n")];
    let project = Project::new(Kept::Sqlite, "kept", &files);
    project.told(0, &["apply"]);
    for connection in ["data", "meta", "login", "environment"] {
        let err = project.refused(2, &["discover", connection]);
        assert!(err.contains("where Levada keeps its own"), "{connection}: {err}");
    }
    let output = project.levada(&["run", "pipelines/load.yaml"]);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(!output.status.success() && said.contains("where Levada keeps its own"), "{said}");
    // also where the store is a file outside of the data folder
    let elsewhere = ["--database", "other.db"];
    project.told(0, &[&["apply"][..], &elsewhere].concat());
    let err = project.refused(2, &[&["discover", "other"][..], &elsewhere].concat());
    assert!(err.contains("where Levada keeps its own"), "{err}");
    let streams = project.told(0, &["discover", "here"]);
    assert!(streams.contains("a.csv") && !streams.contains("levada.db"), "{streams}");
}

#[test]
fn a_project_that_names_no_connection_has_a_lake() {
    let load = "version: 1\nname: load\ntasks:\n  days:\n    sql:\n      query: SELECT 1 AS id, 'Monday' AS day\n      \
                to: { connection: lake, stream: days, write: merge, key: [id] }\n";
    let files = [("levada.yaml", "version: 1\n"), ("pipelines/load.yaml", load)];
    let project = Project::new(Kept::Sqlite, "lake", &files);
    project.told(0, &["apply"]);
    for _ in 0..2 {
        project.told(0, &["run", "pipelines/load.yaml"]);
    }
    assert!(project.path(".levada/lake/days/_delta_log").is_dir());
    let rows = project.told(0, &["sql", "SELECT day, count(*) OVER () AS n FROM lake.days"]);
    assert!(rows.contains("Monday") && rows.contains('1') && !rows.contains('2'), "{rows}");
    // the folder beside stays closed
    let err = project.refused(2, &["discover", "delta:./.levada"]);
    assert!(err.contains("where Levada keeps its own"), "{err}");
    // who names connections, names the lake too
    project.write("levada.yaml", "version: 1\nconnections: { other: ./other.db }\n");
    let err = project.refused(2, &["validate", "pipelines/load.yaml"]);
    assert!(err.contains("there is no connection `lake`") && err.contains(".levada/lake"), "{err}");
}

#[test]
fn a_full_disk_is_told_and_nothing_is_applied() {
    const NAME: &str = "project::a_full_disk_is_told_and_nothing_is_applied";
    let _ = services::postgres();
    let disk = TempDir::new().unwrap();
    let succeeds = |command: &mut Command| {
        command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    if !succeeds(Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(disk.path())) {
        return skipped(NAME, "`mount` may not make a small disk here");
    }
    let work = || {
        let project = Project::new(Kept::Sqlite, "full", &[("levada.yaml", OWN), ("pipelines/a.yaml", A)]);
        let data = disk.path().join("data").display().to_string();
        project.told(0, &["apply", "--data", &data]);
        fill(disk.path());
        project.write("pipelines/a.yaml", &format!("{A}# {}\n", "long ".repeat(400_000)));
        let err = project.refused(1, &["apply", "--data", &data]);
        assert!(err.contains("full"), "{err}");
        std::fs::remove_file(disk.path().join("ballast")).unwrap();
        let pipelines = project.json(&["pipelines", "--data", &data]);
        assert_eq!(pipelines["pipelines"][0]["version"], 1, "what was applied before is whole");
    };
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    Command::new("umount").arg("-l").arg(disk.path()).status().unwrap();
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}

/// Leaves no room on a small disk.
fn fill(disk: &Path) {
    use std::io::Write as _;
    let mut ballast = std::fs::File::create(disk.join("ballast")).unwrap();
    while ballast.write_all(&[0; 4_096]).is_ok() {}
}
