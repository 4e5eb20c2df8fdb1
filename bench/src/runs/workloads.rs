//! The workloads, each with its targets.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use levada_core::schedule::{Catchup, Every, Gap, Overlap, Rule, Schedule, Zone};
use levada_core::time::{Clock, Timestamp};
use levada_engine::house::{Scheduler, SystemClock};
use levada_store::{Commits, NewSchedule, RunFilter, Spec, When};
use tokio_util::sync::CancellationToken;

use super::probes::Floor;
use super::process::Process;
use super::stores::{self, Kind};
use super::world::{Sleeper, Timed, Times, World};
use super::{Figure, ms};
use crate::Result;
use crate::measure::median;
use crate::places::Places;

type Run = for<'a> fn(&'a Places, Kind, &'a Floor, usize) -> BoxFuture<'a, Result<Vec<Figure>>>;

/// Something to do, many times.
pub struct Workload {
    /// How the report calls it.
    pub name: &'static str,
    /// Does it, and gives figures.
    pub run: Run,
}

/// Every workload.
pub const ALL: &[Workload] = &[
    Workload { name: "40 tasks in sequence", run: |p, k, f, n| Box::pin(sequence(p, k, f, n)) },
    Workload { name: "200 runs of 3 tasks at once", run: |p, k, f, n| Box::pin(at_once(p, k, f, n)) },
    Workload { name: "400 commands on 2 slots", run: |p, k, f, n| Box::pin(commands(p, k, f, n)) },
    Workload { name: "10,000 tasks of 100 ms on 100 workers", run: |p, k, _, n| Box::pin(sleepers(p, k, n)) },
    Workload { name: "10,000 schedules, 1,000 due at once", run: |p, k, _, n| Box::pin(schedules(p, k, n)) },
    Workload { name: "tick with 3 million finished task runs", run: |p, k, _, n| Box::pin(history(p, k, n)) },
    Workload { name: "serve", run: |p, k, _, n| Box::pin(serve(p, k, n)) },
];

/// Tasks that do nothing, one after the other.
fn chain(name: &str, length: usize) -> String {
    chain_of(name, length, NOTHING)
}

/// The work of a task that does nothing.
pub const NOTHING: &str = "wait: { for: 0s }";

/// Tasks of one kind, one after the other.
pub fn chain_of(name: &str, length: usize, work: &str) -> String {
    let mut text = format!("version: 1\nname: {name}\ntasks:\n");
    for number in 0..length {
        let after = number.checked_sub(1).map(|before| format!(", after: [t{before}]")).unwrap_or_default();
        let _ = writeln!(text, "  t{number}: {{ {work}{after} }}");
    }
    text
}

async fn sequence(places: &Places, kind: Kind, floor: &Floor, runs: usize) -> Result<Vec<Figure>> {
    const TASKS: usize = 40;
    let mut walls = Vec::new();
    let mut world = World::new(places, kind).await?;
    let document = world.pipeline("chain", chain("chain", TASKS)).await?;
    let mut process = None;
    match kind {
        Kind::Sqlite => world.worker(4, world.executor()).await?,
        Kind::Postgres => process = Some(Process::start(places, &world.location, &["worker"])?),
    }
    for _ in 0..runs.max(3) + 1 {
        let start = Instant::now();
        let ids = world.fire("chain", document, 1).await?;
        world.until_done().await?;
        walls.push(ms(start.elapsed()));
        world.all_succeeded(&ids).await?;
    }
    drop(process);
    world.end().await;
    let costs = costs(places, kind, chain("chain", TASKS), TASKS).await?;
    // the first one warms up
    let wall = median(walls.into_iter().skip(1));
    let c = ms(floor.commit) * TASKS as f64;
    let (factor, what) = match kind {
        Kind::Sqlite => (1.5, "wall, in process, in units of 40 c"),
        Kind::Postgres => (4.0, "wall, one separate worker, in units of 40 c"),
    };
    let mut figures = vec![Figure::at_most(what, wall / c, factor, "x"), Figure::at_most("wall", wall, 300.0, "ms")];
    figures.extend(costs);
    Ok(figures)
}

/// What the store does for each task of a pipeline, counted in this process: the second run of it, in which every version
/// of a document is known.
async fn costs(places: &Places, kind: Kind, text: String, tasks: usize) -> Result<Vec<Figure>> {
    let mut world = World::new(places, kind).await?;
    let document = world.pipeline("chain", text).await?;
    world.worker(4, world.executor()).await?;
    let mut before = world.store.commits();
    for _ in 0..2 {
        before = world.store.commits();
        let ids = world.fire("chain", document, 1).await?;
        world.until_done().await?;
        world.all_succeeded(&ids).await?;
    }
    let figures = per_task(before, world.store.commits(), kind, tasks);
    world.end().await;
    Ok(figures)
}

/// What was written between two looks at the counters, for each of some tasks.
fn per_task(before: Commits, after: Commits, kind: Kind, tasks: usize) -> Vec<Figure> {
    let each = |what: &str, before: u64, after: u64| Figure::plain(what, (after - before) as f64 / tasks as f64, "");
    let mut figures = vec![
        each("durable commits per task", before.commits, after.commits),
        each("statements per task", before.statements, after.statements),
    ];
    if kind == Kind::Postgres {
        figures.push(each("answers waited for per task", before.trips, after.trips));
    }
    figures
}

async fn at_once(places: &Places, kind: Kind, floor: &Floor, runs: usize) -> Result<Vec<Figure>> {
    const RUNS: usize = 200;
    let (mut rates, mut commits, mut gaps) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..runs {
        let mut world = World::new(places, kind).await?;
        let document = world.pipeline("three", chain("three", 3)).await?;
        let times = Arc::new(Times::default());
        let inner = world.executor();
        world.worker(64, Arc::new(Timed { inner, times: times.clone() })).await?;
        let (before, start) = (world.store.commits(), Instant::now());
        let ids = world.fire("three", document, RUNS).await?;
        world.until_done().await?;
        rates.push(RUNS as f64 / start.elapsed().as_secs_f64());
        let after = world.store.commits();
        commits.push((after.commits - before.commits) as f64 / (RUNS * 3) as f64);
        let mut own = times.gaps_ms();
        own.sort_by(f64::total_cmp);
        gaps.push(own.get(own.len() * 99 / 100).copied().unwrap_or(f64::NAN));
        world.all_succeeded(&ids).await?;
        world.end().await;
    }
    let rate = median(rates);
    let rate = match kind {
        Kind::Sqlite => Figure::at_least("runs", rate, 700.0, "/s"),
        Kind::Postgres => Figure::plain("runs", rate, "/s"),
    };
    Ok(vec![
        Figure::at_most("durable commits per step", median(commits), 0.2, ""),
        rate,
        Figure::at_most("from one step to the next, p99, in units of c", median(gaps) / ms(floor.commit), 5.0, "x"),
    ])
}

async fn commands(places: &Places, kind: Kind, floor: &Floor, runs: usize) -> Result<Vec<Figure>> {
    const TASKS: usize = 400;
    const SLOTS: u32 = 2;
    let mut text = "version: 1\nname: commands\ntasks:\n".to_owned();
    for number in 0..TASKS {
        let _ = writeln!(text, "  t{number}: {{ command: {{ argv: [/bin/true] }} }}");
    }
    let (mut walls, mut attempts, mut counted) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..runs {
        let mut world = World::new(places, kind).await?;
        let document = world.pipeline("commands", text.clone()).await?;
        let times = Arc::new(Times::default());
        let inner = world.executor();
        world.worker(SLOTS, Arc::new(Timed { inner, times: times.clone() })).await?;
        let (before, start) = (world.store.commits(), Instant::now());
        let ids = world.fire("commands", document, 1).await?;
        world.until_done().await?;
        walls.push(ms(start.elapsed()));
        attempts.push(times.attempt_ms());
        counted = per_task(before, world.store.commits(), kind, TASKS);
        world.all_succeeded(&ids).await?;
        world.end().await;
    }
    let (wall, attempt) = (median(walls), median(attempts));
    let ideal = TASKS as f64 * (ms(floor.fork) + ms(floor.commit)) / f64::from(SLOTS);
    let mut figures = vec![
        Figure::at_most("wall, in units of 400 (f + c) / 2", wall / ideal, 2.0, "x"),
        Figure::plain("a slot is taken for, per task", wall * f64::from(SLOTS) / TASKS as f64, "ms"),
        Figure::plain("of that an attempt takes, mean", attempt, "ms"),
    ];
    figures.append(&mut counted);
    Ok(figures)
}

async fn sleepers(places: &Places, kind: Kind, runs: usize) -> Result<Vec<Figure>> {
    const TASKS: usize = 10_000;
    const WORKERS: usize = 100;
    const SLEEP: Duration = Duration::from_millis(100);
    let mut text = "version: 1\nname: sleepers\ntasks:\n".to_owned();
    for number in 0..100 {
        let _ = writeln!(text, "  t{number}: {{ wait: {{ for: 0s }} }}");
    }
    let mut walls = Vec::new();
    for _ in 0..runs {
        let mut world = World::new(places, kind).await?;
        let document = world.pipeline("sleepers", text.clone()).await?;
        let ids = world.fire("sleepers", document, TASKS / 100).await?;
        let start = Instant::now();
        for _ in 0..WORKERS {
            world.worker(1, Arc::new(Sleeper(SLEEP))).await?;
        }
        world.until_done().await?;
        walls.push(start.elapsed().as_secs_f64());
        world.all_succeeded(&ids).await?;
        world.end().await;
    }
    let ideal = SLEEP.as_secs_f64() * (TASKS / WORKERS) as f64;
    Ok(vec![Figure::at_least("of the ideal", ideal / median(walls) * 100.0, 95.0, "%")])
}

/// Schedules that are due at once.
const DUE: usize = 1_000;

async fn schedules(places: &Places, kind: Kind, runs: usize) -> Result<Vec<Figure>> {
    let (mut fewest, mut most, mut late) = (usize::MAX, 0, Vec::new());
    for _ in 0..runs {
        let (fired, last) = fires(places, kind).await?;
        (fewest, most) = (fewest.min(fired), most.max(fired));
        late.push(last.as_secs_f64());
    }
    Ok(vec![
        Figure::at_least("fires, the fewest", fewest as f64, DUE as f64, ""),
        Figure::at_most("fires, the most", most as f64, DUE as f64, ""),
        Figure::at_most("the last one started after", median(late), 2.0, "s"),
    ])
}

/// How many of many schedules fire at an instant, and how long after it the last one starts.
async fn fires(places: &Places, kind: Kind) -> Result<(usize, Duration)> {
    const ALL: usize = 10_000;
    const PER_PIPELINE: usize = 100;
    let mut world = World::new(places, kind).await?;
    let rule = |seconds: u64| -> Result<Spec> {
        let every = Every::new(Duration::from_secs(seconds)).map_err(|error| format!("{error:?}"))?;
        let schedule = Schedule {
            when: Rule::Every(every),
            timezone: Zone::default(),
            gap: Gap::default(),
            overlap: Overlap::default(),
        };
        Ok(Spec { when: When::Time(schedule), catchup: Catchup::None, params: serde_json::Map::new() })
    };
    // the thousand fire together every ten seconds, the others once a year
    for pipeline in 0..ALL / PER_PIPELINE {
        let interval = if pipeline * PER_PIPELINE < DUE { 10 } else { 3_600 * 24 * 365 };
        let schedule = |number| Ok(NewSchedule { name: format!("s{number}"), spec: rule(interval)?, paused: false });
        let schedules = (0..PER_PIPELINE).map(schedule).collect::<Result<Vec<_>>>()?;
        let name = format!("p{pipeline}");
        world.scheduled(&name, chain(&name, 1), schedules).await?;
    }
    let execute = world.executor();
    world.worker(64, execute).await?;
    let stop = CancellationToken::new();
    let scheduler = Scheduler::new(world.store.clone(), Arc::new(SystemClock), true);
    let until = stop.clone();
    let ticking = tokio::spawn(async move { scheduler.run(until).await });
    // through one fire of the ten second schedules, and not through the next
    let now = SystemClock.now();
    let next = Timestamp::from_secs((now.as_secs() / 10 + 1) * 10);
    let (first, last) = (next, next.plus(Duration::from_secs(9)));
    tokio::time::sleep(last.since(now)).await;
    stop.cancel();
    let _ = ticking.await;
    world.until_done().await?;
    let mut late = Duration::ZERO;
    let (mut fired, mut after) = (0, None);
    loop {
        let filter = RunFilter { after, limit: 1_000, ..RunFilter::default() };
        let page = world.store.runs(filter).await.map_err(|error| error.to_string())?;
        after = page.last().map(|run| run.id);
        for run in page.iter().filter(|run| run.fire_time == Some(first)) {
            fired += 1;
            late = late.max(run.started_at.map_or(Duration::MAX, |at| at.since(first)));
        }
        if page.is_empty() {
            break;
        }
    }
    world.end().await;
    Ok((fired, late))
}

/// Two stores with the same work that waits, one of them with a history; both are looked at in turns.
async fn history(places: &Places, kind: Kind, runs: usize) -> Result<Vec<Figure>> {
    let (mut worlds, mut seen) = (Vec::new(), [Vec::new(), Vec::new()]);
    for past in [0, 1_000_000] {
        let world = World::new(places, kind).await?;
        let document = world.pipeline("chain", chain("chain", 3)).await?;
        // so that a tick has something to look at
        world.fire("chain", document, 50).await?;
        if past > 0 {
            stores::fill(&world.location, "'chain'", document, past).await?;
        }
        ticks(&world).await?;
        worlds.push(world);
    }
    for _ in 0..runs {
        for (world, seen) in worlds.iter().zip(&mut seen) {
            seen.push(ticks(world).await?);
        }
    }
    for world in worlds {
        world.end().await;
    }
    let [empty, full] = seen.map(median);
    Ok(vec![Figure::at_most("tick, against none", full / empty, 1.1, "x"), Figure::plain("tick", full, "ms")])
}

/// How long a tick takes, in milliseconds.
async fn ticks(world: &World) -> Result<f64> {
    const TICKS: usize = 200;
    let scheduler = Scheduler::new(world.store.clone(), Arc::new(SystemClock), true);
    let mut times = Vec::new();
    for _ in 0..TICKS {
        let start = Instant::now();
        scheduler.tick(SystemClock.now()).await.map_err(|error| error.to_string())?;
        times.push(ms(start.elapsed()));
    }
    Ok(median(times))
}

async fn serve(places: &Places, kind: Kind, runs: usize) -> Result<Vec<Figure>> {
    let world = World::new(places, kind).await?;
    let mut starts = Vec::new();
    let mut memory = 0.0_f64;
    for _ in 0..runs.max(5) {
        let start = Instant::now();
        let process = Process::start(places, &world.location, &["serve", "--port", "17717"])?;
        starts.push(ms(start.elapsed()));
        tokio::time::sleep(Duration::from_secs(2)).await;
        memory = memory.max(process.resident_mb());
    }
    world.end().await;
    Ok(vec![
        Figure::at_most("from start to ready", median(starts), 300.0, "ms"),
        Figure::at_most("memory when idle", memory, 80.0, "MB"),
    ])
}
