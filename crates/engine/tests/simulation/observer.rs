//! Looks at the store from outside, with a connection of its own, and checks after every step that all is as it must be:
//! the history against the state machine, and every counter against a count from scratch.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{Hash as _, Hasher as _};
use std::path::Path;

use levada_core::run::{Event, Graph, Policy, RunState, State, Tally, advance};
use levada_core::time::Timestamp;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

/// What is known of a store, and how it came about.
pub struct Observer {
    connection: Connection,
    version: i64,
    last_event: i64,
    documents: HashMap<i64, Graph>,
    tracks: HashMap<i64, Track>,
    /// Rows that nothing may change any more, as hashes of all their columns.
    sealed: HashMap<i64, u64>,
    /// Runs that have been read anew.
    fresh: BTreeSet<i64>,
    /// Runs that have been read at some time.
    fresh_once: HashSet<i64>,
    pub runs: BTreeMap<i64, Run>,
    pub tasks: BTreeMap<i64, Task>,
    pools: BTreeMap<String, i64>,
    looks: u64,
}

/// A task run as its history has it.
struct Track {
    state: State,
    attempt: u32,
    failed: u32,
    lost: u32,
    /// The last attempt that has ended.
    ended: u32,
}

/// A row of `runs`.
pub struct Run {
    pub id: i64,
    pub pipeline: String,
    pub document: i64,
    pub identity: String,
    pub schedule: Option<String>,
    pub fire_time: Option<i64>,
    pub state: RunState,
    pub is_admitted: bool,
    pub open: i64,
    pub has_ended: bool,
    pub backfill: Option<i64>,
}

/// A row of `task_runs`.
pub struct Task {
    pub id: i64,
    pub run: i64,
    pub task: usize,
    pub item: i64,
    pub state: State,
    pub epoch: i64,
    pub blockers: i64,
    pub attempt: u32,
    pub worker: Option<i64>,
    pub wake_on: Option<String>,
    pub pool: Option<String>,
    pub slots: i64,
    pub runs_on: String,
    pub priority: i64,
    outputs: Option<String>,
}

impl Observer {
    pub fn new(path: &Path) -> Self {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
        Self {
            connection,
            version: -1,
            last_event: 0,
            documents: HashMap::new(),
            tracks: HashMap::new(),
            sealed: HashMap::new(),
            fresh: BTreeSet::new(),
            fresh_once: HashSet::new(),
            runs: BTreeMap::new(),
            tasks: BTreeMap::new(),
            pools: BTreeMap::new(),
            looks: 0,
        }
    }

    /// Tells of a version of a pipeline.
    pub fn knows(&mut self, document: i64, graph: &Graph) {
        self.documents.insert(document, graph.clone());
    }

    pub fn graph(&self, document: i64) -> &Graph {
        &self.documents[&document]
    }

    pub fn open_runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.values().filter(|run| !run.has_ended)
    }

    /// How many events there have been; it stays when nothing was written.
    pub fn events(&self) -> i64 {
        self.connection.query_row("SELECT COALESCE(MAX(id), 0) FROM events", [], |row| row.get(0)).unwrap()
    }

    /// Looks, and checks everything.
    pub fn check(&mut self, paused: &BTreeSet<String>) {
        let version: i64 = self.connection.query_row("PRAGMA data_version", [], |row| row.get(0)).unwrap();
        if std::mem::replace(&mut self.version, version) == version {
            return;
        }
        self.connection.execute_batch("BEGIN").unwrap();
        self.read();
        self.follow();
        let workers = self.living();
        self.connection.execute_batch("COMMIT").unwrap();
        self.check_tasks(&workers);
        self.check_runs(paused);
        self.check_pools();
    }

    fn read(&mut self) {
        self.looks += 1;
        let sql = "SELECT id, pipeline, document, identity, schedule, fire_time, state, admitted, open, ended_at, backfill \
                   FROM runs";
        let mut statement = self.connection.prepare_cached(sql).unwrap();
        let mut rows = statement.query([]).unwrap();
        let before: HashSet<i64> = self.open_runs().map(|run| run.id).collect();
        self.runs.clear();
        while let Some(row) = rows.next().unwrap() {
            let run = Run {
                id: row.get(0).unwrap(),
                pipeline: row.get(1).unwrap(),
                document: row.get(2).unwrap(),
                identity: row.get(3).unwrap(),
                schedule: row.get(4).unwrap(),
                fire_time: row.get(5).unwrap(),
                state: RunState::from_name(&row.get::<_, String>(6).unwrap()).unwrap(),
                is_admitted: row.get(7).unwrap(),
                open: row.get(8).unwrap(),
                has_ended: row.get::<_, Option<i64>>(9).unwrap().is_some(),
                backfill: row.get(10).unwrap(),
            };
            self.runs.insert(run.id, run);
        }
        // what ended long ago is looked at now and then
        let all = self.looks.is_multiple_of(32);
        let known =
            |run: &&Run| !all && run.has_ended && !before.contains(&run.id) && self.fresh_once.contains(&run.id);
        let known: HashSet<i64> = self.runs.values().filter(known).map(|run| run.id).collect();
        self.fresh = self.runs.keys().copied().filter(|run| !known.contains(run)).collect();
        self.fresh_once.extend(&self.fresh);
        let sql = "SELECT id, run, task, item, state, wake_at, epoch, blockers, attempt, worker, wake_on, pool, slots, runs_on, \
                   priority, outputs, version, failed, lost, ended_at, error FROM task_runs WHERE run = ?1";
        let mut statement = self.connection.prepare_cached(sql).unwrap();
        for run in &self.fresh {
            let mut rows = statement.query([run]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                let task = task(row).unwrap();
                if task.state.is_terminal() {
                    let seal = seal(row).unwrap();
                    let sealed = *self.sealed.entry(task.id).or_insert(seal);
                    assert_eq!(sealed, seal, "task run {} has ended, and was changed", task.id);
                }
                self.tasks.insert(task.id, task);
            }
        }
    }

    /// Takes new lines of the history through the state machine.
    fn follow(&mut self) {
        let sql = "SELECT id, run, task_run, at, event, state, attempt FROM events WHERE id > ?1 ORDER BY id";
        let mut statement = self.connection.prepare_cached(sql).unwrap();
        let mut rows = statement.query([self.last_event]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            self.last_event = row.get(0).unwrap();
            let (run, at): (i64, i64) = (row.get(1).unwrap(), row.get(3).unwrap());
            let (event, state): (String, String) = (row.get(4).unwrap(), row.get(5).unwrap());
            let attempt: u32 = row.get(6).unwrap();
            let Some(id) = row.get::<_, Option<i64>>(2).unwrap() else { continue };
            let node = &self.documents[&self.runs[&run].document].nodes[self.tasks[&id].task];
            let track = self.tracks.entry(id).or_insert(Track {
                state: State::Queued,
                attempt: 0,
                failed: 0,
                lost: 0,
                ended: 0,
            });
            assert!(!track.state.is_terminal(), "task run {id} ended as {:?}, and then {event}", track.state);
            let policy = Policy { retry: node.retry, failed: track.failed, lost: track.lost, lost_max: node.lost_max };
            let next = Event::ALL
                .into_iter()
                .filter(|candidate| candidate.name() == event)
                .filter_map(|candidate| advance(track.state, candidate, Timestamp::from_micros(at), &policy).ok())
                .find(|next| next.name() == state);
            let Some(next) = next else { panic!("task run {id}: {event} leads from {:?} to {state}", track.state) };
            track.attempt += u32::from(event == "claimed");
            assert_eq!(track.attempt, attempt, "task run {id}: the attempt of {event}");
            if track.state.is_held() && !next.is_held() {
                assert!(track.ended < attempt, "task run {id}: attempt {attempt} ended twice");
                track.ended = attempt;
            }
            track.failed += u32::from(event == "errored");
            track.lost += u32::from(event == "lease_lost");
            track.state = next;
        }
    }

    fn living(&self) -> HashSet<i64> {
        let mut statement = self.connection.prepare_cached("SELECT id FROM workers WHERE state <> 'gone'").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    /// Rows are what their history says; those that are held are held by who lives.
    fn check_tasks(&self, workers: &HashSet<i64>) {
        for task in self.tasks.values().filter(|task| self.fresh.contains(&task.run)) {
            let id = task.id;
            match self.tracks.get(&id) {
                Some(track) => {
                    assert_eq!(track.state.name(), task.state.name(), "task run {id}: history and row differ");
                    assert_eq!(track.attempt, task.attempt, "task run {id}: attempts");
                }
                None => assert!(
                    matches!(task.state, State::Queued | State::Succeeded | State::Skipped),
                    "task run {id} is {:?} without a history",
                    task.state
                ),
            }
            if task.state.is_held() {
                let worker = task.worker.unwrap_or_default();
                assert!(workers.contains(&worker), "task run {id} is held by worker {worker}, which is gone");
            }
            if let Some(outputs) = task.outputs.as_ref().filter(|_| task.attempt > 0) {
                assert_eq!(
                    *outputs,
                    format!("{{\"epoch\":{}}}", task.epoch),
                    "task run {id}: outputs of another attempt"
                );
            }
            let waits_for = task.wake_on.as_deref().and_then(|what| what.strip_prefix("run:"));
            if let (State::Waiting { .. }, Some(run)) = (task.state, waits_for) {
                let run = &self.runs[&run.parse::<i64>().unwrap()];
                assert!(!run.has_ended, "task run {id} waits for run {}, which has ended", run.id);
            }
        }
    }

    fn check_runs(&self, paused: &BTreeSet<String>) {
        let mut by_run: HashMap<i64, Vec<&Task>> = HashMap::new();
        self.tasks
            .values()
            .filter(|task| self.fresh.contains(&task.run))
            .for_each(|task| by_run.entry(task.run).or_default().push(task));
        for run in self.runs.values() {
            let Some(tasks) = by_run.get(&run.id) else { continue };
            let main: BTreeMap<usize, &Task> =
                tasks.iter().filter(|task| task.item < 0).map(|task| (task.task, *task)).collect();
            let tally: Tally = main.values().map(|task| task.state).collect();
            let open = main.values().filter(|task| !task.state.is_terminal()).count() as i64;
            assert_eq!(open, run.open, "run {}: open tasks", run.id);
            assert_eq!(open == 0, run.has_ended, "run {}: {open} tasks are open", run.id);
            let fold = tally.run_state();
            let begun = tasks.iter().any(|task| task.attempt > 0);
            match run.has_ended {
                true => assert_eq!(fold, run.state, "run {}", run.id),
                false => assert_eq!(begun, run.state == RunState::Running, "run {} is {:?}", run.id, run.state),
            }
            for (index, task) in &main {
                self.check_blockers(run, *index, task, &main, tasks);
            }
        }
        self.check_places(paused);
    }

    fn check_blockers(&self, run: &Run, index: usize, task: &Task, main: &BTreeMap<usize, &Task>, all: &[&Task]) {
        let node = &self.documents[&run.document].nodes[index];
        if task.state == State::Queued {
            let before = node.after.iter().filter_map(|index| main.get(index));
            let open = before.filter(|task| !task.state.is_terminal()).count() as i64;
            assert_eq!(open + i64::from(!run.is_admitted), task.blockers, "task run {}: blockers", task.id);
        }
        let items: Vec<&&Task> = all.iter().filter(|item| item.item >= 0 && item.task == index).collect();
        let open = items.iter().filter(|item| !item.state.is_terminal()).count() as i64;
        let waits = task.state == State::Waiting { until: None };
        assert_eq!(open > 0, waits, "task run {} is {:?} with {open} open items", task.id, task.state);
        if waits {
            assert_eq!(task.blockers, open, "task run {}: items that have not ended", task.id);
        }
        if let Some(limit) = node.fan_out.and_then(|fan_out| fan_out.concurrency) {
            let free = items.iter().filter(|item| item.blockers == 0 && !item.state.is_terminal()).count();
            let limit = (limit as usize).min(open as usize);
            assert_eq!(free, limit, "task run {}: {free} items may go", task.id);
        }
    }

    /// As many runs of a pipeline go on as there are places, and no place is free while another run waits for it.
    fn check_places(&self, paused: &BTreeSet<String>) {
        let mut open: HashMap<&str, (u32, u32, &Graph)> = HashMap::new();
        for run in self.open_runs() {
            let place = open.entry(&run.pipeline).or_insert((0, 0, &self.documents[&run.document]));
            if run.is_admitted { place.0 += 1 } else { place.1 += 1 }
        }
        for (pipeline, (admitted, waiting, graph)) in open {
            let limit = graph.concurrency.unwrap_or(u32::MAX);
            assert!(admitted <= limit, "{pipeline}: {admitted} runs at once, {limit} are allowed");
            let must_wait = admitted == limit || paused.contains(pipeline);
            assert!(waiting == 0 || must_wait, "{pipeline}: {waiting} runs wait, and {admitted} of {limit} go on");
        }
    }

    fn check_pools(&mut self) {
        if self.pools.is_empty() {
            let mut statement = self.connection.prepare("SELECT name, slots FROM pools").unwrap();
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
            self.pools = rows.map(Result::unwrap).collect();
        }
        let mut used: BTreeMap<&str, i64> = BTreeMap::new();
        for task in self.tasks.values().filter(|task| task.state.is_held()) {
            let Some(pool) = &task.pool else { continue };
            *used.entry(pool).or_default() += task.slots;
        }
        for (pool, slots) in used {
            assert!(slots <= self.pools[pool], "pool {pool}: {slots} slots are used");
        }
    }

    /// The epoch of a task run, and whether somebody holds it.
    pub fn right(&self, id: i64) -> Option<(i64, bool)> {
        let row = self.connection.query_row("SELECT epoch, state FROM task_runs WHERE id = ?1", [id], |row| {
            Ok((row.get(0)?, row.get::<_, String>(1)?))
        });
        let (epoch, state) = row.optional().unwrap()?;
        Some((epoch, State::from_name(&state, None).unwrap().is_held()))
    }
}

fn task(row: &rusqlite::Row<'_>) -> rusqlite::Result<Task> {
    let until: Option<i64> = row.get(5)?;
    let state: String = row.get(4)?;
    let state = State::from_name(&state, until.map(Timestamp::from_micros)).unwrap();
    Ok(Task {
        id: row.get(0)?,
        run: row.get(1)?,
        task: row.get::<_, u32>(2)? as usize,
        item: row.get(3)?,
        state,
        epoch: row.get(6)?,
        blockers: row.get(7)?,
        attempt: row.get(8)?,
        worker: row.get(9)?,
        wake_on: row.get(10)?,
        pool: row.get(11)?,
        slots: row.get(12)?,
        runs_on: row.get(13)?,
        priority: row.get(14)?,
        outputs: row.get(15)?,
    })
}

/// All columns of a row as one number.
fn seal(row: &rusqlite::Row<'_>) -> rusqlite::Result<u64> {
    let mut hasher = std::hash::DefaultHasher::new();
    for column in 0..21 {
        match row.get_ref(column)? {
            ValueRef::Integer(number) => number.hash(&mut hasher),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.hash(&mut hasher),
            ValueRef::Null | ValueRef::Real(_) => column.hash(&mut hasher),
        }
    }
    Ok(hasher.finish())
}
