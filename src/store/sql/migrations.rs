//! What makes the tables of a store and brings them up to date: the files of `migrations/`, built in.
//!
//! Imports sqlx. They are named here one by one, and not found by `sqlx::migrate!`: that macro brings sqlx with both databases a
//! second time, for the compiler. Invariants: every file is named, under its own number and title; a file that was released never changes.

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// A file: its number, its title and what is in it.
pub(in crate::store) type File = (i64, &'static str, &'static str);

/// Runs what of these was not run yet, in order of their numbers.
pub(in crate::store) fn migrator(files: &[File]) -> Migrator {
    let migrations = files.iter().map(|&(version, title, sql)| {
        Migration::new(
            version,
            title.into(),
            MigrationType::Simple,
            sql.into_sql_str(),
            false,
        )
    });
    Migrator::with_migrations(migrations.collect())
}

#[cfg(test)]
pub(in crate::store) mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::path::Path;

    use super::{File, Migrator, migrator};

    /// Number, title and checksum, as databases keep them.
    fn rows(migrator: &Migrator) -> Vec<(i64, String, Vec<u8>)> {
        migrator
            .iter()
            .map(|one| (one.version, one.description.to_string(), one.checksum.to_vec()))
            .collect()
    }

    /// What is named is what sqlx itself finds in the folder.
    pub(in crate::store) async fn are_those_of(files: &[File], folder: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("migrations")
            .join(folder);
        let found = Migrator::new(folder).await.unwrap();
        assert!(found.iter().all(|one| !one.no_tx), "not built in so");
        assert_eq!(rows(&migrator(files)), rows(&found));
    }
}
