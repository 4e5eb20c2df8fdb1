//! The server as its callers see it: requests go through the router to a real store.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod commands;
mod connections;
mod data;
mod datasets;
mod denied;
mod doors;
mod harness;
mod hr;
mod identifiers;
mod live;
mod loads;
mod logs;
mod openlineage;
mod overview;
mod paths;
mod pipelines;
mod progress;
mod query;
mod remembered;
mod roles;
mod runs;
mod schedules;
mod strangers;
mod ui;
mod verbs;
