//! Test tools, never part of the product.

pub mod shop;
