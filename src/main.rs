//! The `weir` program. Everything is in the library, so that tests reach it too.

/// Pages and documents are many short-lived strings; the C library's allocator gives memory back and takes it again for
/// each of them.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    weir::cli::main()
}
