//! What a destination must do beyond the conformance suite.
