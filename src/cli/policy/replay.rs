//! `holdpoint policy replay`: what policies would have done with the traffic that was observed.
//!
//! Reads the store itself, as `holdpoint user` does, while holdpoint runs or not, and changes nothing in it.

mod report;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use secrecy::ExposeSecret as _;

use crate::config::Config;
use crate::model::{Clock, SystemClock, duration};
use crate::policy::Policy;
use crate::policy::replay::{Replay, Replayed};
use crate::store::{self, ObservationQuery, ObservationStore};

use super::super::output::print;
use super::super::{Failure, Global, block_on};

/// Rows that are read at once.
const PAGE: u32 = 1_000;

#[derive(Debug, Args)]
pub(in crate::cli) struct Options {
    /// How far back to look, as in 12h or 7d
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = duration::parse)]
    since: Duration,
    /// Only what was asked of this database
    #[arg(long, value_name = "DATABASE")]
    database: Option<String>,
    /// Only what this user asked
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Folder of policies [default: `policy.dir` of the configuration file]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// How many examples to show of each kind
    #[arg(long, value_name = "NUMBER", default_value_t = 3)]
    examples: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Replays and prints what came of it.
pub(super) fn run(options: Options, global: &Global) -> Result<(), Failure> {
    let config = Config::load(&global.config_path())?;
    let dir = options.dir.unwrap_or_else(|| config.policy.dir.clone());
    let policy = Policy::load(&dir)?;
    let since = SystemClock.now().checked_sub(options.since);
    let query = ObservationQuery {
        since: since.unwrap_or(Timestamp::UNIX_EPOCH),
        database: options.database,
        user: options.user,
        after: 0,
        limit: PAGE,
    };
    let replayed = block_on(async {
        let store = store::open(config.store.url.to_open().expose_secret()).await?;
        let replayed = replay(&*store, query, &policy).await?;
        store.close().await;
        Ok(replayed)
    })?;
    print(&if options.json {
        report::as_json(&replayed, options.examples)
    } else {
        report::as_text(&replayed, options.examples)
    })
}

async fn replay(
    store: &dyn ObservationStore,
    mut query: ObservationQuery,
    policy: &Policy,
) -> Result<Replayed, Failure> {
    let mut replay = Replay::new(policy);
    loop {
        let page = store.observations(&query).await?;
        let Some(last) = page.last() else {
            return Ok(replay.finish());
        };
        query.after = last.id;
        for stored in &page {
            replay.add(&stored.sightings);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::model::{Facts, Observation, ObservedDecision, Sightings};
    use crate::store::sqlite::SqliteStore;

    #[tokio::test]
    async fn every_page_is_read() {
        let store = SqliteStore::open("sqlite::memory:").await.unwrap();
        let rows = PAGE * 2 + 1;
        let batch: Vec<Sightings> = (0..rows)
            .map(|number| {
                let observation = Observation {
                    database: "shop".to_owned(),
                    user: "alice".to_owned(),
                    groups: Vec::new(),
                    application_name: String::new(),
                    client_addr: None,
                    statement: number.to_string(),
                    facts: vec![Facts::unknown("?")],
                    decision: ObservedDecision::Allow,
                    rules: Vec::new(),
                };
                Sightings::once(observation, Timestamp::UNIX_EPOCH)
            })
            .collect();
        store.record_observations(&batch, u64::from(rows)).await.unwrap();
        let query = ObservationQuery {
            since: Timestamp::UNIX_EPOCH,
            database: None,
            user: None,
            after: 0,
            limit: PAGE,
        };
        let policy = Policy::parse("default_groups = [\"dba\"]").unwrap();
        let replayed = replay(&store, query, &policy).await.unwrap();
        assert_eq!(replayed.statements, u64::from(rows));
        assert_eq!(replayed.decisions[&ObservedDecision::Hold], u64::from(rows));
    }
}
