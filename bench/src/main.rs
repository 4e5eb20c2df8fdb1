//! Side-by-side benchmarks: Levada and the usual tool, on the same data, in the same run.

fn main() {}
