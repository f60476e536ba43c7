//! What tests share: a database of their own, a whole server of their own, a visitor to its pages.

#![allow(dead_code)] // each helper is used by some tests, none by all

mod app;
pub mod bench;
mod browser;
pub mod bucket;
mod chain;
pub mod cluster;
pub mod database;
pub mod documents;
pub mod file_server;
pub mod link;
pub mod lzx;
pub mod nginx;
pub mod ntlm;
pub mod old_tls;
pub mod options;
mod page;
pub mod process;
mod server;
pub mod squid;
pub mod tls;
pub mod upstream;
mod visitor;
mod watchdog;

#[allow(unused_imports)]
pub use app::{PASSWORD, TestApp};
#[allow(unused_imports)]
pub use browser::{Browser, Look, Scripts};
pub use database::TestDatabase;
#[allow(unused_imports)]
pub use page::Page;
#[allow(unused_imports)]
pub use visitor::Visitor;
#[allow(unused_imports)]
pub use watchdog::watch;

/// Are the long tests to run in their full length (`make torture`)?
pub fn is_torture() -> bool {
    std::env::var_os("WEIR_TORTURE").is_some()
}
