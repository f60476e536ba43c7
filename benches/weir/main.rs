//! `make bench`: Weir measured against the least that a program could do with the same bytes.
//!
//! Each goal is a ratio to a floor, taken in the same run, turn by turn. The floor programs and the scripted update
//! server are this very program, started again, so that each has a process of its own to be measured.

mod arguments;
mod bench;
mod databases;
mod files;
mod floor;
mod http;
mod jobs;
mod measure;
mod nginx;
mod opponents;
mod procfs;
mod product;
mod report;
mod server;
mod stage;
mod upstream;

use std::process::ExitCode;

use arguments::Role;

fn main() -> anyhow::Result<ExitCode> {
    match arguments::read()? {
        // Before any thread: the life of the database hangs on the thread that started it.
        Role::KeepDatabase(folder) => Ok(weir::db::keep_cluster(&folder)),
        Role::Upstream(what) => upstream::serve(what).map(|()| ExitCode::SUCCESS),
        Role::Floor(what) => floor::run(what).map(|()| ExitCode::SUCCESS),
        Role::FloorOfFiles(what) => floor::files::run(what).map(|()| ExitCode::SUCCESS),
        Role::Bench(options) => bench::run(options),
    }
}
