//! What is wrong with a command line, told in the format that the same command line asks for; help and the version too,
//! which are text in every format.

use std::ffi::OsString;

use levada_core::error::{Error, ErrorKind};

use crate::cli::Format;
use crate::output::Output;

/// Tells what parsing ended with, and gives the exit code.
pub fn tell(error: &clap::Error, words: impl Iterator<Item = OsString>) -> u8 {
    if error.use_stderr() && asks_for_json(words) {
        return Output::new(Format::Json).errors(&[in_parts(&error.to_string())]);
    }
    // a reader that has gone away is no reason to complain
    let _ = error.print();
    if error.use_stderr() { ErrorKind::Usage.policy().exit_code } else { 0 }
}

/// Whether `--output json` is among the words, which could not be parsed as a whole.
fn asks_for_json(words: impl Iterator<Item = OsString>) -> bool {
    let words: Vec<OsString> = words.take_while(|word| word != "--").collect();
    let in_two = words.windows(2).any(|pair| pair[0] == "--output" && pair[1] == "json");
    in_two || words.iter().any(|word| word == "--output=json")
}

/// Paragraphs as the parser writes them: the mistake first, then what may have been meant and how it is used.
fn in_parts(told: &str) -> Error {
    let mut paragraphs = told.split("\n\n").map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "));
    let mistake = paragraphs.next().unwrap_or_default();
    let error = Error::new(ErrorKind::Usage, mistake.strip_prefix("error: ").unwrap_or(&mistake));
    let advice: Vec<String> = paragraphs
        .map(|paragraph| paragraph.trim_end_matches('.').to_owned())
        .filter(|paragraph| !paragraph.is_empty())
        .collect();
    if advice.is_empty() { error } else { error.advise(format!("{}.", advice.join(". "))) }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Cli;

    fn is_json(words: &[&str]) -> bool {
        asks_for_json(words.iter().map(OsString::from))
    }

    #[test]
    fn the_format_is_told_from_words_that_are_wrong_as_a_whole() {
        for words in [&["levada", "--output", "json", "rnu"][..], &["levada", "run", "--output=json", "--what"]] {
            assert!(is_json(words), "{words:?}");
        }
        for words in
            [&["levada", "run", "--output", "text"][..], &["levada", "json"], &["levada", "--", "--output=json"]]
        {
            assert!(!is_json(words), "{words:?}");
        }
    }

    #[test]
    fn a_mistake_and_what_to_do_are_apart() {
        let told = |words: &[&str]| in_parts(&Cli::try_parse_from(words).unwrap_err().to_string());
        let error = told(&["levada", "vaildate"]);
        assert_eq!(error.message(), "unrecognized subcommand 'vaildate'");
        assert!(error.advice().contains("'validate'. Usage: levada"), "{error}");
        let error = told(&["levada", "run"]);
        assert!(error.message().ends_with("<FILE>") && !error.message().contains('\n'), "{error}");
    }
}
