//! `levada completions`: the script that teaches a shell the commands.

use clap::CommandFactory;

use super::Outcome;
use crate::cli::{Cli, CompletionsArgs};

/// Prints the script.
pub fn execute(args: &CompletionsArgs) -> Outcome {
    clap_complete::generate(args.shell, &mut Cli::command(), "levada", &mut std::io::stdout());
    Ok(0)
}
