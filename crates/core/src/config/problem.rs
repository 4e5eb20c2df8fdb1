//! Rules that a document breaks, with the keys that lead to the place; whoever has the text turns them into lines and
//! columns.

/// A rule that a document breaks, and the keys that lead to the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Keys from the sync down to the option at fault.
    pub path: Vec<String>,
    /// What is wrong, as one sentence.
    pub message: String,
    /// What to do.
    pub advice: String,
}

/// The rules that a document breaks, none twice.
#[derive(Default)]
pub(super) struct Problems(pub Vec<Problem>);

impl Problems {
    pub fn add(&mut self, path: &[&str], message: &str, advice: &str) {
        let path = path.iter().map(|key| (*key).to_owned()).collect();
        self.push(path, message.to_owned(), advice);
    }

    pub fn push(&mut self, path: Vec<String>, message: String, advice: &str) {
        let problem = Problem { path, message, advice: advice.to_owned() };
        if !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }
}
