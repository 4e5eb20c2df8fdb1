//! `levada schedule`: what starts pipelines by itself, and when.

use std::path::Path;

use levada_core::error::{Error, ErrorKind};
use levada_core::naming::{did_you_mean, nearest};
use levada_core::time::Timestamp;
use levada_server::routes::schedules::{Fires, Item, Kind};
use levada_server::schedules::{Fire, fires, no_times};
use levada_store::{NewSchedule, When};
use serde_json::{Value as Json, json};

use super::{Context, Errors, Outcome, block_on, one, run};
use crate::cli::{RunArgs, ScheduleCommand};
use crate::output::{Cell, Table, instant};
use crate::service;

/// When a schedule fires.
struct Previewed {
    name: String,
    timezone: String,
    fires: Vec<Fire>,
}

/// Lists or previews schedules.
pub fn execute(context: &Context, command: &ScheduleCommand) -> Outcome {
    match command {
        ScheduleCommand::List { pipeline } => list(context, pipeline.as_deref()),
        ScheduleCommand::Preview { pipeline, name, count, from } => {
            let previewed = match is_file(pipeline) {
                true => of_file(context, pipeline, name.as_deref(), usize::from(*count), *from)?,
                false => block_on(of_applied(context, pipeline, name.as_deref(), *count, *from))?,
            };
            preview(context, &previewed);
            Ok(0)
        }
    }
}

/// Whether a file is meant, and not the name of an applied pipeline.
pub fn is_file(pipeline: &str) -> bool {
    pipeline.ends_with(".yaml") || pipeline.ends_with(".yml") || Path::new(pipeline).is_file()
}

fn list(context: &Context, pipeline: Option<&str>) -> Outcome {
    let input = json!({ "pipeline": pipeline });
    let schedules: Vec<Item> = block_on(async { context.client().await?.all("listSchedules", input).await })?;
    if context.output.is_json() {
        context.output.json(&json!({ "schedules": schedules.iter().map(as_json).collect::<Vec<_>>() }));
        return Ok(0);
    }
    let mut table = Table::new(&["pipeline", "schedule", "fires", "state", "next fire", "last fire"]);
    for schedule in &schedules {
        table.row([
            Cell::text(&schedule.pipeline),
            Cell::text(&schedule.schedule),
            Cell::text(&schedule.fires),
            Cell::text(state(schedule)),
            Cell::text(instant(schedule.next_at.filter(|_| schedule.kind == Kind::Time))),
            Cell::text(instant(schedule.last_at)),
        ]);
    }
    context.output.table(&table);
    Ok(0)
}

fn preview(context: &Context, schedules: &[Previewed]) {
    if context.output.is_json() {
        let as_json = |one: &Previewed| json!({ "schedule": one.name, "timezone": one.timezone, "fires": one.fires });
        context.output.json(&json!({ "schedules": schedules.iter().map(as_json).collect::<Vec<Json>>() }));
        return;
    }
    for Previewed { name, timezone, fires } in schedules {
        let mut table = Table::new(&["schedule", "UTC", timezone]);
        for fire in fires {
            table.row([Cell::text(name), Cell::text(instant(fire.utc)), Cell::text(&fire.local)]);
        }
        context.output.table(&table);
    }
}

/// The schedules by time of an applied pipeline, or the one of a name.
async fn of_applied(
    context: &Context,
    pipeline: &str,
    name: Option<&str>,
    count: u16,
    from: Option<Timestamp>,
) -> Result<Vec<Previewed>, Errors> {
    let client = context.client().await?;
    let names = match name {
        Some(name) => vec![name.to_owned()],
        None => {
            let all: Vec<Item> = client.all("listSchedules", json!({ "pipeline": pipeline })).await?;
            all.into_iter().filter(|item| item.kind == Kind::Time).map(|item| item.schedule).collect()
        }
    };
    if names.is_empty() {
        return Err(one(no_times()));
    }
    let mut previewed = Vec::new();
    for name in names {
        let input = json!({ "pipeline": pipeline, "schedule": name, "count": count, "from": from });
        let Fires { timezone, fires, .. } = client.call("listFires", input).await?;
        previewed.push(Previewed { name, timezone, fires });
    }
    Ok(previewed)
}

/// Those of the pipeline in a file, which is here, whichever server is asked.
fn of_file(
    context: &Context,
    file: &str,
    name: Option<&str>,
    count: usize,
    from: Option<Timestamp>,
) -> Result<Vec<Previewed>, Errors> {
    let (_, pipeline) = run::load(context, &RunArgs::of_file(file))?;
    let all: Vec<NewSchedule> = pipeline.schedules.iter().map(levada_server::project::schedule).collect();
    let known: Vec<&str> = all.iter().map(|schedule| schedule.name.as_str()).collect();
    if let Some(name) = name.filter(|name| !known.contains(name)) {
        let near = did_you_mean(nearest(name, &known));
        return Err(one(Error::new(ErrorKind::NotFound, format!("the pipeline has no schedule `{name}`"))
            .advise(format!("{near}Schedules: {}.", known.join(", ")))));
    }
    let chosen = all.iter().filter(|schedule| name.is_none_or(|name| schedule.name == name));
    let previewed: Vec<Previewed> = chosen
        .filter_map(|schedule| match &schedule.spec.when {
            When::Time(times) => Some(Previewed {
                name: schedule.name.clone(),
                timezone: times.timezone.name().to_owned(),
                fires: fires(times, from, service::now(), count),
            }),
            _ => None,
        })
        .collect();
    if previewed.is_empty() { Err(one(no_times())) } else { Ok(previewed) }
}

fn state(schedule: &Item) -> &'static str {
    if schedule.active { "active" } else { "paused" }
}

fn as_json(schedule: &Item) -> Json {
    json!({
        "pipeline": schedule.pipeline,
        "schedule": schedule.schedule,
        "fires": schedule.fires,
        "kind": schedule.kind,
        "timezone": schedule.timezone,
        "catchup": schedule.catchup,
        "params": schedule.params,
        "state": state(schedule),
        "is_paused": schedule.paused,
        "is_pipeline_paused": schedule.pipeline_paused,
        "next_at": schedule.next_at,
        "last_at": schedule.last_at,
    })
}
