//! The `weir` program. Everything is in the library, so that tests reach it too.

/// Pages and documents are many short-lived strings; the C library's allocator gives memory back and takes it again for
/// each of them.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Its options. A piece of a megabyte and more goes back to the system at once, and comes from there zeroed: the window of
/// 2 MB that each cabinet is unpacked in would otherwise be filled with zeros by us, and hardly used.
#[unsafe(export_name = "_rjem_malloc_conf")]
static ALLOCATOR_OPTIONS: &[u8; 27] = b"oversize_threshold:1048576\0";

fn main() -> std::process::ExitCode {
    weir::cli::main()
}
