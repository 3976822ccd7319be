//! Drivers that wait: a statement is held and approved, another one is held and rejected, and the connection goes on.

use futures_util::future::join;

use super::place::Place;
use super::program::{Printed, Program};
use super::{install, report};
use crate::support::Proxy;

/// What a driver's program does.
struct Expected<'a> {
    /// Its error for what was rejected.
    refused: &'a str,
    /// Whether values are bound, or written into the text by the driver.
    binds: bool,
    /// What it prints behind its version; `REFUSED` stands for that error with its SQLSTATE and message.
    lines: &'a [&'a str],
}

/// Runs a program; the first statement that is held is approved, and the next ones, as many as it expects to be
/// refused, are rejected.
async fn waits(program: Program, expected: Expected<'_>) {
    let proxy = Proxy::start().await;
    let place = Place::through(&proxy);
    let rejections = expected.lines.iter().filter(|line| **line == "REFUSED").count();
    let decisions = async {
        let request = proxy.bob.approves_next().await;
        if expected.binds {
            assert_eq!(request.parameters(), [Some("11"), Some("élève")]);
        } else {
            assert!(request.statement().contains("(11, 'élève')"), "{request}");
        }
        proxy.bob.sees(&request, "executed").await;
        for _ in 0..rejections {
            proxy.bob.rejects_next("not today").await;
        }
    };
    let (Printed(printed), ()) = join(program.prints(&place), decisions).await;
    let (client, rest) = printed.split_once('\n').expect("several lines");
    let expected: Vec<String> = expected
        .lines
        .iter()
        .map(|line| match *line {
            "REFUSED" => format!("{} 42501 {}", expected.refused, "rejected by bob: not today"),
            line => line.to_owned(),
        })
        .collect();
    assert_eq!(rest.lines().collect::<Vec<_>>(), expected);
    assert_eq!(proxy.database.items().await, 11);
    let name = proxy.database.value("SELECT name FROM items WHERE id = 11").await;
    assert_eq!(name, "élève");
    report::held(client.trim_start_matches("client: "), "approved or rejected");
}

async fn python_waits(driver: &str, expected: Expected<'_>) {
    if let Some(python) = report::or_skip(driver, install::python().await) {
        waits(python.program("held.py").arg(driver), expected).await;
    }
}

#[tokio::test]
async fn psycopg_waits() {
    let expected = Expected {
        refused: "InsufficientPrivilege",
        binds: true,
        lines: &[
            "inserted 1",
            "told True",
            "REFUSED",
            "left 11",
            "REFUSED",
            "REFUSED",
            "before it 1",
            "left 11",
        ],
    };
    python_waits("psycopg", expected).await;
}

/// What most programs print.
const USUAL: &[&str] = &["inserted 1", "REFUSED", "left 11", "REFUSED", "left 11"];

#[tokio::test]
async fn asyncpg_waits() {
    let expected = Expected {
        refused: "InsufficientPrivilegeError",
        binds: true,
        lines: USUAL,
    };
    python_waits("asyncpg", expected).await;
}

#[tokio::test]
async fn psycopg2_waits() {
    let expected = Expected {
        refused: "InsufficientPrivilege",
        binds: false,
        lines: USUAL,
    };
    python_waits("psycopg2", expected).await;
}

#[tokio::test]
async fn pg8000_waits() {
    let expected = Expected {
        refused: "DatabaseError",
        binds: true,
        lines: USUAL,
    };
    python_waits("pg8000", expected).await;
}

#[tokio::test]
async fn sqlalchemy_waits() {
    let expected = Expected {
        refused: "ProgrammingError",
        binds: true,
        lines: USUAL,
    };
    python_waits("sqlalchemy", expected).await;
}

#[tokio::test]
async fn django_waits() {
    let expected = Expected {
        refused: "ProgrammingError",
        binds: false,
        lines: USUAL,
    };
    python_waits("django", expected).await;
}

/// What the programs print that also look for the notice, and at the transaction behind a rejection.
const WITH_NOTICE: &[&str] = &[
    "inserted 1",
    "told true",
    "REFUSED",
    "left 11",
    "REFUSED",
    "then 25P02",
    "left 11",
];

#[tokio::test]
async fn node_postgres_waits() {
    if let Some(node) = report::or_skip("node-postgres", install::node().await) {
        let expected = Expected {
            refused: "DatabaseError",
            binds: true,
            lines: WITH_NOTICE,
        };
        waits(node.program("held.cjs"), expected).await;
    }
}

#[tokio::test]
async fn pgjdbc_waits() {
    if let Some(java) = report::or_skip("pgjdbc", install::java().await) {
        let expected = Expected {
            refused: "PSQLException",
            binds: true,
            lines: WITH_NOTICE,
        };
        waits(java.program("Held"), expected).await;
    }
}
