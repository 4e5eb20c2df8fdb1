//! What a source must do beyond the conformance suite.
