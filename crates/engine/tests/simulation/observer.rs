//! Looks at the store from outside, with a connection of its own, and checks after every step that all is as it must be:
//! the history against the state machine, and every counter against a count from scratch.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{Hash as _, Hasher as _};

use levada_core::run::{Event, Graph, Policy, RunState, State, Tally, advance};
use levada_core::time::Timestamp;

use super::eye::{Eye, Row};

/// What is known of a store, and how it came about.
pub struct Observer {
    eye: Eye,
    version: Option<i64>,
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
    pub fn new(eye: Eye) -> Self {
        Self {
            eye,
            version: None,
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
    pub async fn events(&self) -> i64 {
        self.eye.rows("SELECT COALESCE(MAX(id), 0) FROM events").await[0].int(0)
    }

    /// Looks, and checks everything.
    pub async fn check(&mut self, paused: &BTreeSet<String>) {
        let version = self.eye.version();
        if std::mem::replace(&mut self.version, version) == version && version.is_some() {
            return;
        }
        self.eye.stare().await;
        self.read().await;
        self.follow().await;
        let workers = self.living().await;
        self.eye.blink().await;
        self.check_tasks(&workers);
        self.check_runs(paused);
        self.check_pools().await;
    }

    /// Leaves nothing behind.
    pub async fn clear(&self) {
        self.eye.clear().await;
    }

    async fn read(&mut self) {
        self.looks += 1;
        let sql = "SELECT id, pipeline, document, identity, schedule, fire_time, state, admitted, open, ended_at, backfill \
                   FROM runs";
        let before: HashSet<i64> = self.open_runs().map(|run| run.id).collect();
        let runs = self.eye.rows(sql).await;
        self.runs = runs.iter().map(|row| (row.int(0), run(row))).collect();
        // what ended long ago is looked at now and then
        let all = self.looks.is_multiple_of(32);
        let known =
            |run: &&Run| !all && run.has_ended && !before.contains(&run.id) && self.fresh_once.contains(&run.id);
        let known: HashSet<i64> = self.runs.values().filter(known).map(|run| run.id).collect();
        self.fresh = self.runs.keys().copied().filter(|run| !known.contains(run)).collect();
        self.fresh_once.extend(&self.fresh);
        if self.fresh.is_empty() {
            return;
        }
        let fresh: Vec<String> = self.fresh.iter().map(i64::to_string).collect();
        let sql = format!(
            "SELECT id, run, task, item, state, wake_at, epoch, blockers, attempt, worker, wake_on, pool, slots, runs_on, \
             priority, outputs, version, failed, lost, ended_at, error FROM task_runs WHERE run IN ({})",
            fresh.join(", ")
        );
        for row in self.eye.rows(&sql).await {
            let task = task(&row);
            if task.state.is_terminal() {
                let seal = seal(&row);
                let sealed = *self.sealed.entry(task.id).or_insert(seal);
                assert_eq!(sealed, seal, "task run {} has ended, and was changed", task.id);
            }
            self.tasks.insert(task.id, task);
        }
    }

    /// Takes new lines of the history through the state machine.
    async fn follow(&mut self) {
        let sql = format!(
            "SELECT id, run, task_run, at, event, state, attempt FROM events WHERE id > {} ORDER BY id",
            self.last_event
        );
        for row in self.eye.rows(&sql).await {
            self.last_event = row.int(0);
            let (run, at): (i64, i64) = (row.int(1), row.int(3));
            let (event, state) = (row.word(4), row.word(5));
            let attempt: u32 = row.int(6);
            let Some(id) = row.number(2) else { continue };
            let node = &self.documents[&self.runs[&run].document].nodes[self.tasks[&id].task];
            let track = self.tracks.entry(id).or_insert(Track {
                state: State::Queued,
                attempt: 0,
                failed: 0,
                lost: 0,
                ended: 0,
            });
            assert!(!track.state.is_terminal(), "task run {id} ended as {:?}, and then {event}", track.state);
            let (failed, lost, seed) = (track.failed, track.lost, id.unsigned_abs());
            let policy = Policy { retry: node.retry, failed, lost, lost_max: node.lost_max, seed };
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

    async fn living(&self) -> HashSet<i64> {
        let rows = self.eye.rows("SELECT id FROM workers WHERE state <> 'gone'").await;
        rows.iter().map(|row| row.int(0)).collect()
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

    async fn check_pools(&mut self) {
        if self.pools.is_empty() {
            let rows = self.eye.rows("SELECT name, slots FROM pools").await;
            self.pools = rows.iter().map(|row| (row.word(0), row.int(1))).collect();
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
    pub async fn right(&self, id: i64) -> Option<(i64, bool)> {
        let rows = self.eye.rows(&format!("SELECT epoch, state FROM task_runs WHERE id = {id}")).await;
        let row = rows.first()?;
        Some((row.int(0), State::from_name(&row.word(1), None).unwrap().is_held()))
    }
}

fn run(row: &Row) -> Run {
    Run {
        id: row.int(0),
        pipeline: row.word(1),
        document: row.int(2),
        identity: row.word(3),
        schedule: row.text(4).map(str::to_owned),
        fire_time: row.number(5),
        state: RunState::from_name(&row.word(6)).unwrap(),
        is_admitted: row.int::<i64>(7) != 0,
        open: row.int(8),
        has_ended: row.number(9).is_some(),
        backfill: row.number(10),
    }
}

fn task(row: &Row) -> Task {
    Task {
        id: row.int(0),
        run: row.int(1),
        task: row.int(2),
        item: row.int(3),
        state: State::from_name(&row.word(4), row.number(5).map(Timestamp::from_micros)).unwrap(),
        epoch: row.int(6),
        blockers: row.int(7),
        attempt: row.int(8),
        worker: row.number(9),
        wake_on: row.text(10).map(str::to_owned),
        pool: row.text(11).map(str::to_owned),
        slots: row.int(12),
        runs_on: row.word(13),
        priority: row.int(14),
        outputs: row.text(15).map(str::to_owned),
    }
}

/// All columns of a row as one number.
fn seal(row: &Row) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    row.hash(&mut hasher);
    hasher.finish()
}
