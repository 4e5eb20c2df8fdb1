//! `levada schedule`: what starts pipelines by itself, and when.

use std::path::Path;

use levada_core::error::{Error, ErrorKind};
use levada_core::naming::{did_you_mean, nearest};
use levada_core::schedule::Schedule;
use levada_core::time::Timestamp;
use levada_server::schedules::{describe, fires, is_active, no_times};
use levada_store::{NewSchedule, Scheduled, When};
use serde_json::{Value as Json, json};

use super::{Context, Errors, Outcome, block_on, one, pipelines, run};
use crate::cli::{RunArgs, ScheduleCommand};
use crate::output::{Cell, Table, instant};
use crate::service;

/// Lists or previews schedules.
pub fn execute(context: &Context, command: &ScheduleCommand) -> Outcome {
    match command {
        ScheduleCommand::List { pipeline } => list(context, pipeline.as_deref()),
        ScheduleCommand::Preview { pipeline, name, count, from } => {
            preview(context, pipeline, name.as_deref(), usize::from(*count), *from)
        }
    }
}

fn list(context: &Context, pipeline: Option<&str>) -> Outcome {
    let schedules = block_on(async {
        let (_, store) = context.store().await?;
        if let Some(pipeline) = pipeline {
            pipelines::find(&store.project().await.map_err(one)?, pipeline).map_err(one)?;
        }
        store.schedules(pipeline.map(str::to_owned)).await.map_err(one)
    })?;
    if context.output.is_json() {
        context.output.json(&json!({ "schedules": schedules.iter().map(as_json).collect::<Vec<_>>() }));
        return Ok(0);
    }
    let mut table = Table::new(&["pipeline", "schedule", "fires", "state", "next fire", "last fire"]);
    for schedule in &schedules {
        let next = schedule.next_at.filter(|_| matches!(schedule.spec.when, When::Time(_)) && is_active(schedule));
        table.row([
            Cell::text(&schedule.pipeline),
            Cell::text(&schedule.name),
            Cell::text(describe(&schedule.spec.when)),
            Cell::text(if is_active(schedule) { "active" } else { "paused" }),
            Cell::text(instant(next)),
            Cell::text(instant(schedule.last_at)),
        ]);
    }
    context.output.table(&table);
    Ok(0)
}

fn preview(context: &Context, pipeline: &str, name: Option<&str>, count: usize, from: Option<Timestamp>) -> Outcome {
    let schedules = times(schedules(context, pipeline)?, name)?;
    if context.output.is_json() {
        let schedules: Vec<Json> = schedules
            .iter()
            .map(|(name, times)| {
                let fires = fires(times, from, service::now(), count);
                json!({ "schedule": name, "timezone": times.timezone.name(), "fires": fires })
            })
            .collect();
        context.output.json(&json!({ "schedules": schedules }));
        return Ok(0);
    }
    for (name, times) in &schedules {
        let mut table = Table::new(&["schedule", "UTC", times.timezone.name()]);
        for fire in fires(times, from, service::now(), count) {
            table.row([Cell::text(name), Cell::text(instant(fire.utc)), Cell::text(fire.local)]);
        }
        context.output.table(&table);
    }
    Ok(0)
}

/// The schedules of an applied pipeline, or of a file.
fn schedules(context: &Context, pipeline: &str) -> Result<Vec<NewSchedule>, Errors> {
    let looks_like_file = pipeline.ends_with(".yaml") || pipeline.ends_with(".yml") || Path::new(pipeline).is_file();
    if looks_like_file {
        let args = RunArgs::of_file(pipeline);
        let (_, pipeline) = run::load(context, &args)?;
        return Ok(pipeline.schedules.iter().map(levada_server::project::schedule).collect());
    }
    let known = block_on(async {
        let (_, store) = context.store().await?;
        pipelines::find(&store.project().await.map_err(one)?, pipeline).map_err(one)?;
        store.schedules(Some(pipeline.to_owned())).await.map_err(one)
    })?;
    let new = |known: Scheduled| NewSchedule { name: known.name, spec: known.spec, paused: known.is_paused };
    Ok(known.into_iter().map(new).collect())
}

/// The schedules by time among them, or the one of a name.
fn times(all: Vec<NewSchedule>, name: Option<&str>) -> Result<Vec<(String, Schedule)>, Errors> {
    let known: Vec<String> = all.iter().map(|schedule| schedule.name.clone()).collect();
    let chosen: Vec<NewSchedule> =
        all.into_iter().filter(|schedule| name.is_none_or(|name| schedule.name == name)).collect();
    if let Some(name) = name.filter(|_| chosen.is_empty()) {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let near = did_you_mean(nearest(name, &known));
        return Err(one(Error::new(ErrorKind::NotFound, format!("the pipeline has no schedule `{name}`"))
            .advise(format!("{near}Schedules: {}.", known.join(", ")))));
    }
    let times: Vec<(String, Schedule)> = chosen
        .into_iter()
        .filter_map(|schedule| match schedule.spec.when {
            When::Time(times) => Some((schedule.name, times)),
            _ => None,
        })
        .collect();
    if times.is_empty() {
        return Err(one(no_times()));
    }
    Ok(times)
}

fn as_json(schedule: &Scheduled) -> Json {
    json!({
        "pipeline": schedule.pipeline,
        "schedule": schedule.name,
        "fires": describe(&schedule.spec.when),
        "spec": schedule.spec,
        "state": if is_active(schedule) { "active" } else { "paused" },
        "is_paused": schedule.is_paused,
        "is_pipeline_paused": schedule.is_pipeline_paused,
        "next_at": schedule.next_at,
        "last_at": schedule.last_at,
    })
}
