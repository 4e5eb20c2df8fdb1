//! `levada completions`: the script that teaches a shell the commands.

use clap::CommandFactory;

use super::{Context, Outcome};
use crate::cli::{Cli, CompletionsArgs};

/// Prints the script.
pub fn execute(context: &Context, args: &CompletionsArgs) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "levada", &mut script);
    context.output.put(&String::from_utf8_lossy(&script));
    Ok(0)
}
