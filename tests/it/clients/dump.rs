//! pg_dump and pg_restore: what is dumped through holdpoint is what is dumped directly, in each format; and what is
//! restored through holdpoint, by psql and by pg_restore alone and in parallel, is the same database again.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use futures_util::future::{Either, select};

use super::place::Place;
use super::program::{Printed, Program};
use super::psql::psql;
use super::{install, report};
use crate::relay::EVERYTHING_PASSES;
use crate::support::cluster::cluster;
use crate::support::database::Database;
use crate::support::{Proxy, Role, folder};

pub(super) fn pg_dump(arguments: &[&str]) -> Program {
    Program::new(cluster().program("pg_dump"))
        .args(["--no-password", "--no-sync"])
        .args(arguments)
        .with_complaints()
}

pub(super) fn pg_restore(arguments: &[&str]) -> Program {
    Program::new(cluster().program("pg_restore"))
        .args(arguments)
        .with_complaints()
}

/// Without the token that each plain dump has of its own, to keep psql from its own commands in the data.
fn without_token(Printed(dump): &Printed) -> Printed {
    let lines = dump
        .lines()
        .filter(|line| !line.starts_with("\\restrict ") && !line.starts_with("\\unrestrict "));
    Printed(lines.fold(String::with_capacity(dump.len()), |text, line| text + line + "\n"))
}

pub(super) async fn plain(place: &Place, arguments: &[&str]) -> Printed {
    without_token(&pg_dump(arguments).prints(place).await)
}

pub(super) async fn version(place: &Place) -> Printed {
    let program = Program::new(cluster().program("pg_dump")).arg("--version");
    program.prints(place).await
}

/// Dumps into files. Gives what `pg_restore` makes of them: a plain dump.
async fn archive(place: &Place, into: &Path, arguments: &[&str]) -> Printed {
    let at = into.display().to_string();
    let dumped = pg_dump(arguments).args(["--file", &at]).prints(place).await;
    assert_eq!(dumped.0, "", "it complains of nothing");
    without_token(&pg_restore(&["--file=-", &at]).prints(place).await)
}

/// A folder of a test's own, removed when it is over.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A database to dump and an empty one to restore into, both behind one holdpoint.
async fn databases() -> (Proxy, Database) {
    let target = Database::create().await;
    target.run("DROP TABLE items").await;
    let further = format!(
        "[databases.target]\nupstream = \"{}\"\n",
        Role::Scram.url(&target.name)
    );
    let proxy = Proxy::with()
        .policy(EVERYTHING_PASSES)
        .databases(&further)
        .start()
        .await;
    let schema = std::fs::read_to_string(report::source("dump/schema.sql")).expect("a file");
    proxy.database.run(&schema).await;
    (proxy, target)
}

#[tokio::test]
async fn pg_dump_and_pg_restore_do_the_same() {
    if report::or_skip("pg_dump", install::tool("pg_dump")).is_none() {
        return;
    }
    let (proxy, target) = databases().await;
    let direct = Place::directly(&proxy.database);
    let through = Place::through(&proxy);
    let scratch = Scratch(folder("dump"));
    let at = |name: &str| scratch.0.join(name);
    let mut said = format!("client: {}", version(&direct).await.0);

    let full = plain(&direct, &[]).await;
    assert!(full.0.contains("COPY public.parents"), "it has its data");
    for (what, arguments) in [
        ("plain", &[][..]),
        ("plain --inserts", &["--inserts", "--rows-per-insert=100"]),
        ("--serializable-deferrable", &["--serializable-deferrable"]),
        ("--schema-only", &["--schema-only", "--clean", "--if-exists"]),
        ("--table", &["--table=parents", "--data-only"]),
    ] {
        plain(&through, arguments)
            .await
            .assert_same(&plain(&direct, arguments).await);
        writeln!(said, "== {what}").unwrap();
    }
    for (what, arguments) in [
        ("custom", &["--format=custom"][..]),
        ("directory with --jobs", &["--format=directory", "--jobs=2"]),
        ("tar", &["--format=tar"]),
    ] {
        let name = what.split(' ').next().expect("a word");
        let directly = archive(&direct, &at(&format!("{name}-direct")), arguments).await;
        archive(&through, &at(name), arguments)
            .await
            .assert_same(&directly);
        writeln!(said, "== {what}").unwrap();
    }

    let there = Place {
        database: "target".to_owned(),
        ..through
    };
    let restored = async |what: &str| {
        let again = plain(&Place::directly(&target), &[]).await;
        assert!(again == full, "the database is another one after {what}");
    };
    std::fs::write(at("plain"), &full.0).expect("a file");
    psql()
        .args([
            "--quiet",
            "--set=ON_ERROR_STOP=1",
            "--single-transaction",
            "--file",
        ])
        .arg(at("plain"))
        .with_complaints()
        .prints(&there)
        .await;
    restored("psql").await;
    for (what, arguments) in [
        ("custom", &["--single-transaction"][..]),
        ("directory", &["--jobs=2"]),
        ("tar", &[]),
    ] {
        let complaints = pg_restore(&[
            "--dbname=target",
            "--no-password",
            "--clean",
            "--if-exists",
            "--exit-on-error",
        ])
        .args(arguments)
        .arg(at(what))
        .prints(&there)
        .await;
        assert_eq!(complaints.0, "", "it complains of nothing");
        restored(what).await;
    }
    said += "== restored by psql, by pg_restore --single-transaction and --jobs\n";
    report::same(&Printed(said));
}

#[tokio::test]
async fn pg_dump_waits_for_its_lock() {
    if report::or_skip("pg_dump", install::tool("pg_dump")).is_none() {
        return;
    }
    let proxy = Proxy::start().await;
    // Its notices are not of interest.
    let program = Program::new(cluster().program("pg_dump"));
    let through = Place::through(&proxy);
    let dumping = std::pin::pin!(program.prints(&through));
    let approving = std::pin::pin!(async {
        let mut approved = Vec::new();
        loop {
            let request = proxy.bob.approves_next().await;
            approved.push(request.statement().to_owned());
            proxy.bob.sees(&request, "executed").await;
            if request.statement().starts_with("LOCK TABLE") {
                // The one table that there is.
                break approved;
            }
        }
    });
    let (approved, dump) = match select(approving, dumping).await {
        Either::Left((approved, dumping)) => (approved, dumping.await),
        Either::Right((dump, _)) => panic!("it waited for nothing: {}", dump.0),
    };
    assert_eq!(approved, ["LOCK TABLE public.items IN ACCESS SHARE MODE"]);
    let directly = plain(&Place::directly(&proxy.database), &[]).await;
    without_token(&dump).assert_same(&directly);
    report::held("pg_dump", "approved");
}
