//! The `holdpoint` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    holdpoint::cli::main()
}
