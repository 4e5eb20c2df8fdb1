//! Names of rows in the metadata store, told apart by their type. They are whole numbers, given by the store in order.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[doc = $doc:literal] $name:ident)*) => {$(
        #[doc = $doc]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

id! {
    /// One execution of a pipeline.
    RunId
    /// One execution of a task in a run.
    TaskRunId
    /// A process that executes task runs, from its start to its end.
    WorkerId
    /// A series of runs over a range of time.
    BackfillId
    /// Somebody who may sign in.
    UserId
    /// What a program signs in with.
    TokenId
}
