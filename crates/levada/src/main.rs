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
mod vault;
mod wiring;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // nothing happens before this line: `levada --version` and a typing error answer at once
    let cli = cli::Cli::parse();
    ExitCode::from(commands::execute(cli))
}
