//! pgbench, in each of its protocol modes. Its random numbers follow from a seed, so that the tables must be the same
//! afterwards, whatever ran in which order.

use std::fmt::Write as _;

use super::place::Place;
use super::program::{Printed, Program, both};
use super::psql::psql;
use super::{install, report};
use crate::support::cluster::cluster;

/// What is left of the changes; without the times of the history.
const SUMS: &str = "
SELECT count(*), sum(abalance), sum(abs(abalance)), md5(string_agg(abalance::text, ' ' ORDER BY aid)) FROM pgbench_accounts;
SELECT tid, tbalance FROM pgbench_tellers ORDER BY tid;
SELECT bid, bbalance FROM pgbench_branches ORDER BY bid;
SELECT count(*), sum(tid), sum(aid), sum(delta) FROM pgbench_history;
";

/// The lines that do not tell of speed.
fn without_times(Printed(printed): &Printed) -> String {
    const KEPT: &[&str] = &[
        "transaction type",
        "scaling factor",
        "query mode",
        "number of clients",
        "number of transactions actually processed",
        "number of failed transactions",
        " - number of transactions",
        "SQL script",
    ];
    printed
        .lines()
        .filter(|line| KEPT.iter().any(|kept| line.starts_with(kept)))
        .fold(String::new(), |text, line| text + line + "\n")
}

fn pgbench(arguments: &[&str]) -> Program {
    Program::new(cluster().program("pgbench")).args(arguments)
}

/// All runs, one after the other. Gives what they printed, and what became of the tables.
async fn all_modes(place: &Place) -> Printed {
    let script = |name: &str| report::source(&format!("pgbench/{name}")).display().to_string();
    let pipeline = format!("--file={}", script("pipeline.sql"));
    let variables = format!("--file={}", script("variables.sql"));
    let version = pgbench(&["--version"]).prints(place).await;
    let mut printed = format!("client: {}", version.0);
    pgbench(&["--initialize", "--init-steps=dtgvp", "--quiet"])
        .prints(place)
        .await;
    for mode in ["simple", "extended", "prepared"] {
        writeln!(printed, "== --protocol={mode}").unwrap();
        let protocol = format!("--protocol={mode}");
        let busy = [
            "--no-vacuum",
            "--random-seed=42",
            "--client=4",
            "--jobs=2",
            &protocol,
        ];
        for more in [
            // No mixture of scripts: which client gets which depends on how they interleave.
            &["--builtin=tpcb-like", "--transactions=60"][..],
            &["--builtin=simple-update", "--transactions=40"],
            &["--builtin=select-only", "--transactions=300"],
            &["--builtin=select-only", "--transactions=5", "--connect"],
            &[&variables, "--transactions=50"],
            &[&pipeline, "--transactions=50"],
        ] {
            // The simple protocol has no pipelines.
            if mode == "simple" && more[0] == pipeline {
                continue;
            }
            let run = pgbench(&busy).args(more).prints(place).await;
            printed += &without_times(&run);
        }
        let sums = psql().args(["--no-align", "--command", SUMS]).prints(place).await;
        printed += &sums.0;
    }
    printed += "== pipelines (\\startpipeline)\n";
    Printed(printed)
}

#[tokio::test]
async fn pgbench_does_the_same_in_every_mode() {
    if report::or_skip("pgbench", install::tool("pgbench")).is_some() {
        report::same(&both(all_modes).await);
    }
}
