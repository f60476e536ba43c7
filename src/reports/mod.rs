//! What reports gather from the tables of several modules. Reads only; no table is its own.

pub mod settings;
