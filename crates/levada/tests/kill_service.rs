//! Pulls the plug of the service: `levada serve` and `levada worker` are killed at random moments while they lead a pipeline of
//! thirty tasks, and started again at once. Every run must come to its end in a minute, every sync must have loaded what it
//! was to load once, every command must have run to its end, and never twice at one time.
//!
//! `LEVADA_KILL_ROUNDS` sets the number of rounds for each store (20), `LEVADA_KILL_SEED` the moments.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use levada_core::run::RunState;
use levada_testkit::shop::chance::Chance;

use crate::house::{House, Process};
use crate::support::{Database, psql};

/// After how long at most a run has ended.
const LIMIT: Duration = Duration::from_secs(60);
/// Kills of one round: a task that loses its worker more often than three times is given up.
const KILLS_MAX: u64 = 3;
/// Tables that syncs load.
const SYNCS: usize = 4;
/// Items of the task that is split.
const ITEMS: usize = 5;

/// Notes that it starts and ends, each in one write, and holds a lock that only the end of all its processes frees.
const STEP: &str = r#"
exec 9>>"lock.$LEVADA_TASK.$1"
flock -n 9 || printf 'twice %s.%s %s\n' "$LEVADA_TASK" "$1" "$LEVADA_ATTEMPT" >>steps
printf 'start %s.%s %s\n' "$LEVADA_TASK" "$1" "$LEVADA_ATTEMPT" >>steps
sleep 0.1
printf 'end %s.%s %s\n' "$LEVADA_TASK" "$1" "$LEVADA_ATTEMPT" >>steps
"#;

#[test]
fn serve_on_sqlite() {
    let house = House::sqlite();
    let serve = house.process(&["serve", "--port", "0", "--workers", "4"]);
    torture("sqlite", house, vec![serve]);
}

#[test]
fn serve_and_workers_on_postgres() {
    let house = House::postgres("levada_kill_service");
    let serve = house.process(&["serve", "--port", "0", "--workers", "0"]);
    let workers = [0, 1].map(|_| house.process(&["worker", "--slots", "2"]));
    torture("postgres", house, [serve].into_iter().chain(workers).collect());
}

/// Thirty tasks: a chain, a diamond, a fan-out, waits, and syncs after and beside them.
fn document() -> String {
    let mut text = "version: 1\nname: thirty\nretry: { attempts: 3, initial: 100ms }\ntasks:\n".to_owned();
    let mut tasks = 0;
    let mut add = |name: &str, after: &str, work: &str| {
        writeln!(text, "  {name}: {{ after: [{after}], {work} }}").unwrap();
        tasks += 1;
    };
    let step = "command: { argv: [sh, step.sh, '-'] }";
    for index in 0..8 {
        let before = if index == 0 { String::new() } else { format!("chain{}", index - 1) };
        add(&format!("chain{index}"), &before, step);
    }
    add("top", "", step);
    add("left", "top", &format!("pool: heavy, {step}"));
    add("right", "top", &format!("pool: heavy, slots: 2, {step}"));
    add("bottom", "left, right", step);
    let items = (0..ITEMS).map(|item| item.to_string()).collect::<Vec<_>>().join(", ");
    add(
        "items",
        "top",
        &format!("for_each: {{ list: [{items}], concurrency: 3 }}, command: {{ argv: [sh, step.sh, '${{item}}'] }}"),
    );
    for index in 0..3 {
        add(&format!("wait{index}"), "top", "wait: { for: 700ms }");
        add(&format!("waited{index}"), &format!("wait{index}"), &format!("pool: heavy, {step}"));
    }
    for index in 0..SYNCS {
        let streams = format!("public.events: {{ read: incremental, cursor: id, write: append, rename: copy{index} }}");
        let before = ["", "chain0", "bottom", "wait0"][index];
        add(&format!("sync{index}"), before, &format!("sync: {{ from: db, to: db, streams: {{ {streams} }} }}"));
        add(&format!("loaded{index}"), &format!("sync{index}"), step);
    }
    add("cleanup", "chain7, items", &format!("when: all_done, {step}"));
    add("never", "chain0", &format!("when: any_failed, {step}"));
    add("last", "bottom, items, chain7", step);
    assert_eq!(tasks, 30);
    text
}

/// Kills processes while run after run goes on, and checks what each has done.
fn torture(name: &str, mut house: House, mut processes: Vec<Process>) {
    let number = |variable: &str, default: u64| std::env::var(variable).map_or(default, |text| text.parse().unwrap());
    let rounds = number("LEVADA_KILL_ROUNDS", 20);
    let seed = number("LEVADA_KILL_SEED", u64::from(std::process::id()));
    println!("{name}: {rounds} rounds, LEVADA_KILL_SEED={seed}");
    let mut chance = Chance::new(seed, name);
    let data = Database::postgres(&format!("levada_kill_service_{name}"));
    psql(&data, "CREATE TABLE events(id bigint PRIMARY KEY, what text NOT NULL)");
    std::fs::write(house.folder().join("step.sh"), STEP).unwrap();
    let told = "lineage: { file: events.jsonl }";
    let connections = format!("connections: {{ db: {} }}", data.connection());
    house.project(&format!("version: 1\npools: {{ heavy: 2 }}\n{connections}\n{told}\n"));
    await_receiver(&house);
    let document = house.pipeline("thirty", &document());
    let mut hits = 0;
    for round in 0..rounds {
        psql(
            &data,
            &format!("INSERT INTO events SELECT {round} * 100000 + i, 'round {round}' FROM generate_series(1, 5000) i"),
        );
        let run = house.start("thirty", document);
        for _ in 0..=chance.below(KILLS_MAX) {
            std::thread::sleep(Duration::from_millis(chance.below(1_500)));
            hits += u64::from(house.run(run).ended_at.is_none());
            let index = chance.below(processes.len() as u64) as usize;
            processes[index].kill();
            house.revive(&mut processes[index]);
        }
        let state = house.ended(run, LIMIT);
        assert_eq!(state, RunState::Succeeded, "round {round}: {:#?}", house.tasks(run));
        house.check(run);
        check_steps(&house);
        check_syncs(&data);
        assert!(
            house.eventually(Duration::from_secs(5), |house| house.orphans().is_empty()),
            "round {round}: processes are left: {:?}",
            house.orphans()
        );
    }
    check_told(&house, rounds);
    println!("{name}: {hits} kills hit a run");
    assert!(hits >= rounds / 2, "too few kills hit a run to prove anything");
}

/// Others are told of what happens from the moment on that the service knows of them.
fn await_receiver(house: &House) {
    let knows = |house: &House| !house.block_on(house.store.receivers()).unwrap().is_empty();
    assert!(house.eventually(LIMIT, knows), "nobody is told of runs");
}

/// Others were told of every run and every task in it that it began and how it ended, at least once.
fn check_told(house: &House, rounds: u64) {
    let file = house.folder().join(".levada/lineage/events.jsonl");
    let told = || -> Option<(usize, String)> {
        let (mut begun, mut ended, mut runs) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for line in std::fs::read_to_string(&file).ok()?.lines() {
            // a line that broke off comes again
            let Ok(event) = serde_json::from_str::<serde_json::Value>(line) else { continue };
            let text = |pointer: &str| event.pointer(pointer).unwrap().as_str().unwrap().to_owned();
            let key = (text("/job/name"), text("/run/runId"));
            match text("/eventType").as_str() {
                "START" => begun.insert(key),
                "RUNNING" => false,
                _ => {
                    if key.0 == "thirty" {
                        runs.insert(key.1.clone());
                    }
                    ended.insert(key)
                }
            };
        }
        let open: Vec<_> = begun.symmetric_difference(&ended).collect();
        // of thirty tasks one never begins
        let is_whole = ended.len() as u64 == rounds * 30 && open.is_empty();
        Some((
            runs.len(),
            if is_whole { String::new() } else { format!("{} of {}: {open:?}", ended.len(), rounds * 30) },
        ))
    };
    let whole = Some((usize::try_from(rounds).unwrap(), String::new()));
    assert!(house.eventually(LIMIT, |_| told() == whole), "{:?}", told());
}

/// Every command ran to its end, and no attempt while another was at work.
fn check_steps(house: &House) {
    let lines = house.lines("steps");
    std::fs::write(house.folder().join("steps"), "").unwrap();
    let words: Vec<Vec<&str>> = lines.iter().map(|line| line.split(' ').collect()).collect();
    let of =
        |kind: &str| words.iter().filter(|line| line[0] == kind).map(|line| (line[1], line[2])).collect::<Vec<_>>();
    assert!(of("twice").is_empty(), "two attempts at once: {:?}\n{lines:#?}", of("twice"));
    let starts = of("start");
    assert_eq!(starts.iter().collect::<BTreeSet<_>>().len(), starts.len(), "an attempt ran twice: {lines:#?}");
    let ended: BTreeSet<&str> = of("end").into_iter().map(|(task, _)| task).collect();
    // thirty tasks without the waits, the syncs and the one that is never to run; the split one counts by its items
    assert_eq!(ended.len(), 30 - 3 - SYNCS - 1 - 1 + ITEMS, "{ended:?}");
    assert!(!ended.contains("never.-"));
}

/// Every table holds every row of its source once.
fn check_syncs(data: &Database) {
    for index in 0..SYNCS {
        let columns = "id, what";
        let only =
            |one: &str, other: &str| format!("(SELECT {columns} FROM {one} EXCEPT ALL SELECT {columns} FROM {other})");
        let copy = format!("copy{index}");
        let both = format!("{} UNION ALL {}", only("events", &copy), only(&copy, "events"));
        let differs = psql(data, &format!("SELECT * FROM ({both}) AS differs LIMIT 5"));
        assert_eq!(differs, "", "{copy} is not its source");
    }
}
