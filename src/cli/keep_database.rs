//! `weir keep-database`: the process that owns a private cluster. Weir starts it; people need not.

use crate::db::keep_cluster;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The data folder whose database is to be kept
    data_dir: PathBuf,
}

pub(super) fn run(args: &Args) -> ExitCode {
    keep_cluster(&args.data_dir)
}
