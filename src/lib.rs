//! Weir: an update server for Windows administrators, on Linux.
//!
//! The modules in reading order; `ARCHITECTURE.md` has the map, and which may use which.

pub mod app;
pub mod cli;

pub mod web;

pub mod downstream;

pub mod reports;
pub mod sync;

pub mod approvals;

pub mod accounts;
pub mod catalog;
pub mod content;
pub mod settings;

pub mod jobs;
pub mod upstream;

pub mod db;

pub mod config;
pub mod listen;
pub mod protocol;
pub mod sample;
pub mod secret;
