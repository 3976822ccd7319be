//! `[policy]`: where the rules are.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// `[policy]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyConfig {
    /// The folder of the policy files.
    pub dir: PathBuf,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("policies"),
        }
    }
}

impl PolicyConfig {
    /// Makes the path start from the configuration file's folder.
    pub(super) fn resolve(&mut self, folder: &Path) {
        self.dir = folder.join(&self.dir);
    }
}
