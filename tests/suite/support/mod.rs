//! What tests share: a database of their own.

#![allow(dead_code)] // each helper is used by some tests, none by all

mod database;
mod server;

pub use database::TestDatabase;
