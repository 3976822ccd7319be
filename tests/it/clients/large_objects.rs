//! Large objects: libpq and pgjdbc reach them by FunctionCall messages.

use super::dump::{pg_dump, pg_restore, plain, version};
use super::place::Place;
use super::program::Printed;
use super::psql::psql;
use super::{install, report};
use crate::relay::EVERYTHING_PASSES;
use crate::support::database::Database;
use crate::support::{Proxy, Role, folder};

#[tokio::test]
async fn psql_does_the_same_with_large_objects() {
    let script = psql()
        .args(["--command", r"\echo client: psql :VERSION_NAME", "--file"])
        .arg(report::source("psql/large_objects.sql"))
        .with_complaints();
    report::same(&script.prints_the_same().await);
}

#[tokio::test]
async fn psycopg2_does_the_same_with_large_objects() {
    if let Some(python) = report::or_skip("psycopg2", install::python().await) {
        report::same(&python.program("large_objects_program.py").prints_the_same().await);
    }
}

#[tokio::test]
async fn pgjdbc_does_the_same_with_large_objects() {
    if let Some(java) = report::or_skip("pgjdbc", install::java().await) {
        report::same(&java.program("LargeObjects").prints_the_same().await);
    }
}

#[tokio::test]
async fn pg_dump_and_pg_restore_do_the_same_with_large_objects() {
    if report::or_skip("pg_dump", install::tool("pg_dump")).is_none() {
        return;
    }
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
    let objects = "SET ROLE app; SELECT lo_from_bytea(0, decode(repeat(md5(g::text), 10000), 'hex')) FROM generate_series(1, 5) g";
    proxy.database.run(objects).await;
    let through = Place::through(&proxy);
    let directly = plain(&Place::directly(&proxy.database), &[]).await;
    assert!(directly.0.contains("lowrite"), "it has their data");
    plain(&through, &[]).await.assert_same(&directly);

    let archive = folder("dump").join("archive");
    let at = archive.display().to_string();
    pg_dump(&["--format=custom", "--file", &at])
        .prints(&through)
        .await;
    let there = Place {
        database: "target".to_owned(),
        ..through
    };
    let restore = pg_restore(&["--dbname=target", "--no-password", "--exit-on-error", &at]);
    assert_eq!(restore.prints(&there).await.0, "", "it complains of nothing");
    plain(&Place::directly(&target), &[]).await.assert_same(&directly);
    let _ = std::fs::remove_dir_all(archive.parent().expect("a folder"));
    let Printed(version) = version(&there).await;
    report::same(&Printed(format!("client: {version}== large objects\n")));
}
