//! Conformance of every connector against the real system.
