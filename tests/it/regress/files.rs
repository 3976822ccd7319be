//! The files: where they are, in which order they run, and what PostgreSQL's authors expect of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The regression files of a PostgreSQL.
#[derive(Debug)]
pub(super) struct Files {
    /// `src/test/regress` of its source.
    pub(super) source: PathBuf,
    /// The libraries that the files load.
    pub(super) libraries: PathBuf,
    /// Their names, in the order of `parallel_schedule`, which fits a serial run.
    pub(super) names: Vec<String>,
}

impl Files {
    /// Those that `scripts/regress-files` has fetched; else why there are none.
    ///
    /// # Panics
    /// Where they are expected and cannot be had.
    pub(super) fn find() -> Result<Self, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        // Beside what cargo has built.
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("postgresql-regress");
        let given = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        if given("HOLDPOINT_EXPECT_REGRESS") || given("HOLDPOINT_REGRESS_SRC") {
            let made = Command::new(root.join("scripts/regress-files"))
                .arg(&folder)
                .status()
                .expect("the script starts");
            assert!(
                made.success(),
                "scripts/regress-files failed; what it says stands above"
            );
        }
        if !folder.join("ready").exists() {
            return Err(
                "PostgreSQL's regression files are not here; scripts/regress-files fetches them, \
                        and HOLDPOINT_EXPECT_REGRESS=1 has this test do that"
                    .to_owned(),
            );
        }
        let source = folder.join("source/src/test/regress");
        let names = schedule(&source.join("parallel_schedule"));
        Ok(Self {
            source,
            libraries: folder.join("lib"),
            names,
        })
    }

    /// Whether the output is what PostgreSQL's authors expect: in one of several files, since it may depend
    /// on the platform.
    pub(super) fn is_expected(&self, name: &str, output: &[u8]) -> bool {
        let expected = self.source.join("expected");
        let numbered = (1..10).map(|n| format!("{name}_{n}.out"));
        [format!("{name}.out")]
            .into_iter()
            .chain(numbered)
            .any(|file| fs::read(expected.join(file)).is_ok_and(|text| text == output))
    }
}

fn schedule(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).expect("the script has looked for it");
    text.lines()
        .filter_map(|line| line.strip_prefix("test:"))
        .flat_map(str::split_whitespace)
        .map(str::to_owned)
        .collect()
}
