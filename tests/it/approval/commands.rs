//! Access, standing approvals and broken glasses on the command line.

use std::process::Output;

use crate::support::Proxy;
use crate::support::cluster::cluster;
use crate::support::people::{DATABASE, Person};

const POLICY: &str = r#"
    default_groups = ["dba"]
    [[rule]]
    name = "reads pass"
    when = { effects = ["read", "session"] }
    then = "allow"
    [[rule]]
    name = "writes"
    then = { hold = { groups = ["dba"], justification = ["reason", "ticket"], break_glass = ["developers"] } }
    [[access]]
    name = "developers write for a while"
    when = { groups = ["developers"] }
    up_to = "write"
    longest = "2h"
    approval = { groups = ["dba"] }
"#;

fn call(proxy: &Proxy, person: &Person, line: &[&str]) -> Output {
    let output = proxy
        .command(line)
        .env("HOLDPOINT_URL", proxy.console())
        .env("HOLDPOINT_TOKEN", &person.token)
        .output();
    output.expect("it runs")
}

#[track_caller]
fn does(proxy: &Proxy, person: &Person, line: &[&str]) -> String {
    let output = call(proxy, person, line);
    assert!(output.status.success(), "{line:?}: {output:?}");
    String::from_utf8(output.stdout).expect("a text")
}

/// psql with one statement, in a session that begins with these options.
fn exec(proxy: &Proxy, options: &[&str], statement: &str) -> Output {
    let psql = cluster().psql();
    let psql = psql.to_str().expect("a path");
    let mut line = vec!["exec"];
    line.extend(options);
    line.extend(["--", psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", statement]);
    let address = proxy.address();
    let output = proxy
        .command(&line)
        .env("PGHOST", address.ip().to_string())
        .env("PGPORT", address.port().to_string())
        .env("PGUSER", proxy.alice.name)
        .env("PGPASSWORD", proxy.alice.password())
        .env("PGDATABASE", DATABASE)
        .output();
    output.expect("it runs")
}

#[tokio::test]
async fn access_is_asked_for_decided_on_and_ended() {
    let proxy = Proxy::with().policy(POLICY).start().await;
    let (alice, bob) = (&proxy.alice, &proxy.bob);
    let ask = [
        "access",
        "request",
        "--database",
        DATABASE,
        "--effect",
        "write",
        "--for",
        "1h",
        "--reason",
        "incident 42",
    ];
    let said = does(&proxy, alice, &ask);
    assert!(
        said.ends_with(" waits for approval by a member of dba\n"),
        "{said}"
    );
    let id = &said[..12];
    let list = does(&proxy, bob, &["access", "list"]);
    assert!(list.contains(id) && list.contains("up to write"), "{list}");
    let own = call(&proxy, alice, &["access", "approve", id]);
    assert_eq!(own.status.code(), Some(1));
    let said = does(
        &proxy,
        bob,
        &["access", "approve", id, "--for", "30m", "--comment", "half"],
    );
    assert!(said.contains("counts until"), "{said}");
    let shown = does(&proxy, alice, &["access", "show", id]);
    assert!(
        shown.contains("length       30m\n") && shown.contains("bob approved"),
        "{shown}"
    );
    let ran = exec(
        &proxy,
        &["--reason", "incident 42", "--ticket", "OPS-1"],
        "DELETE FROM items WHERE id = 1",
    );
    assert!(ran.status.success(), "{ran:?}");
    let said = does(&proxy, bob, &["access", "end", id, "--reason", "over"]);
    assert_eq!(said, format!("{id} is revoked now\n"));
    assert_eq!(does(&proxy, bob, &["access", "list"]), "None.\n");
    assert!(does(&proxy, bob, &["access", "list", "--all", "--json"]).contains("\"revoked\""));

    let said = does(&proxy, alice, &ask);
    let said = does(
        &proxy,
        bob,
        &["access", "reject", &said[..12], "--reason", "enough"],
    );
    assert!(said.ends_with("is rejected now\n"), "{said}");
}

#[tokio::test]
async fn statements_are_approved_beforehand() {
    let proxy = Proxy::with().policy(POLICY).start().await;
    let mut psql = proxy.alice.psql().await;
    psql.types("/* reason: x; ticket: y */ DELETE FROM items WHERE id = 1;");
    let request = proxy.bob.approves_next().await;
    psql.prompt().await;
    let add = [
        "standing",
        "add",
        request.id(),
        "--for",
        "8h",
        "--times",
        "1",
        "--rows",
        "5",
        "--user",
        "alice",
    ];
    let said = does(&proxy, &proxy.bob, &add);
    assert!(said.contains("counts until"), "{said}");
    let list = does(&proxy, &proxy.alice, &["standing", "list"]);
    assert!(
        list.contains("0 of 1  5     /* reason") && list.contains("DELETE FROM items"),
        "{list}"
    );
    let shown = psql
        .runs("/* reason: x; ticket: y */ DELETE FROM items WHERE id = 2;")
        .await;
    assert_eq!(shown, "DELETE 1\n");
    let shown = does(&proxy, &proxy.bob, &["standing", "show", &said[..12]]);
    assert!(
        shown.contains("· ended") && shown.contains("used         1 of 1"),
        "{shown}"
    );
}

#[tokio::test]
async fn exec_gives_what_is_asked_for_and_the_exit_code_back() {
    let proxy = Proxy::with().policy(POLICY).start().await;
    let statement = "DELETE FROM items WHERE id = 1";
    let refused = exec(&proxy, &["--reason", "only this"], statement);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let broken = exec(
        &proxy,
        &["--ticket", r"a\b", "--break-glass", "the shop is  down \\o/"],
        statement,
    );
    assert!(broken.status.success(), "{broken:?}");
    assert!(String::from_utf8_lossy(&broken.stderr).contains("the glass is broken"));
    let list = does(&proxy, &proxy.bob, &["requests", "list", "--to-review"]);
    let id = list.lines().nth(1).expect("one")[..12].to_owned();
    let shown = does(&proxy, &proxy.bob, &["requests", "show", &id]);
    for part in [
        "justified    the shop is down \\o/\n",
        "ticket       a\\b\n",
        "not held     the requester broke the glass\n",
    ] {
        assert!(shown.contains(part), "{part} is missing in {shown}");
    }
    let silent = call(&proxy, &proxy.bob, &["requests", "review", &id, "--object"]);
    assert_eq!(silent.status.code(), Some(1));
    let said = does(
        &proxy,
        &proxy.bob,
        &["requests", "review", &id, "--comment", "right so"],
    );
    assert_eq!(said, format!("accepted {id}\n"));
    assert_eq!(
        does(&proxy, &proxy.bob, &["requests", "list", "--to-review"]),
        "No requests.\n"
    );
    let shown = does(&proxy, &proxy.alice, &["requests", "show", &id]);
    assert!(shown.contains("afterwards   bob accepted it"), "{shown}");

    let codes = proxy
        .command(&["exec", "--reason", "x", "--", "/bin/sh", "-c", "exit 7"])
        .status();
    assert_eq!(codes.expect("it runs").code(), Some(7));
    let absent = proxy
        .command(&["exec", "--reason", "x", "--", "/nowhere/psql"])
        .output();
    let absent = absent.expect("it runs");
    assert_eq!(absent.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&absent.stderr).contains("cannot run /nowhere/psql"));
}
