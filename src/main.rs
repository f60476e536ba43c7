//! The `weir` program. Everything is in the library, so that tests reach it too.

fn main() -> std::process::ExitCode {
    weir::cli::main()
}
