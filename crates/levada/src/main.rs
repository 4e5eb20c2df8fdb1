//! The `levada` command: parses the arguments, dispatches, and turns the outcome into an exit code.

mod cli;
mod commands;
mod folder;
mod logins;
mod output;
mod progress;
mod project;
mod service;
mod typed;
mod usage;
mod vault;
mod wiring;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // nothing happens before this line: `levada --version` and a typing error answer at once
    ExitCode::from(match cli::Cli::try_parse() {
        Ok(cli) => commands::execute(cli),
        Err(error) => usage::tell(&error, std::env::args_os()),
    })
}
