//! PostgreSQL's own regression files, through psql: directly and through holdpoint, they show the same bytes.
//!
//! `scripts/regress-files` brings the files. Without them the test says so and passes; with
//! `HOLDPOINT_EXPECT_REGRESS=1` it runs that script first, and fails where there are none.
//!
//! Two servers that `initdb` made alike get the same files in the same order, each file at the same time on
//! both. Nothing of what psql shows is normalised: PostgreSQL's authors have written the files so that they show
//! no times, process ids, OIDs or names of temporary files. Most of the direct side must be what they expect, too.

mod files;
mod side;

use std::io::Write as _;
use std::process::Stdio;

use crate::support::Proxy;
use files::Files;
use side::Side;

/// Files whose output is another through holdpoint, and why that is as it must be.
const DIFFERENT: &[(&str, &str)] = &[];

const EVERYTHING_PASSES: &str = r#"
    default_groups = ["dba"]
    [[rule]]
    name = "everything passes"
    when = { effects = ["session", "read", "write", "schema", "privilege", "server", "unknown"] }
    then = "allow"
"#;

#[tokio::test]
async fn postgresqls_own_regression_files_show_the_same() {
    let files = match Files::find() {
        Ok(files) => files,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    let direct = Side::start("regress-direct", &files);
    let mut through = Side::start("regress-through", &files);
    let proxy = Proxy::with()
        .policy(EVERYTHING_PASSES)
        // What is held all the same, against the policy, shows itself at once.
        .hold("timeout = \"1s\"")
        .databases(&through.as_database())
        .start()
        .await;
    add_user(&proxy, side::USER, side::PASSWORD);
    through.connect_to(proxy.address().port());

    let mut wrong = Vec::new();
    let mut expected = 0;
    for name in &files.names {
        let (one, other) = tokio::join!(direct.run(&files, name), through.run(&files, name));
        expected += usize::from(files.is_expected(name, &one));
        let reason = DIFFERENT.iter().find(|(file, _)| file == name);
        match (first_difference(&one, &other), reason) {
            (None, None) | (Some(_), Some(_)) => {}
            (None, Some(_)) => wrong.push(format!("{name}: no longer different")),
            (Some(difference), None) => wrong.push(format!("{name}: {difference}")),
        }
    }
    let count = files.names.len();
    assert!(
        wrong.is_empty(),
        "{} of {count} files differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(count > 150, "only {count} files");
    assert!(
        expected * 10 > count * 9,
        "only {expected} of {count} files show directly what PostgreSQL's authors expect"
    );
    let requests = proxy.bob.requests("").await;
    assert!(requests.is_empty(), "something was held or denied: {requests:?}");
}

fn add_user(proxy: &Proxy, name: &str, password: &str) {
    let mut added = proxy
        .command(&["user", "add", name, "--password-stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("holdpoint starts");
    writeln!(added.stdin.take().expect("a pipe"), "{password}").expect("holdpoint reads");
    assert!(added.wait().expect("a child").success());
}

/// Where two outputs part, in words.
fn first_difference(direct: &[u8], through: &[u8]) -> Option<String> {
    if direct == through {
        return None;
    }
    let lines = |output: &[u8]| -> Vec<String> {
        output
            .split(|b| *b == b'\n')
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect()
    };
    let (direct, through) = (lines(direct), lines(through));
    let same = direct.iter().zip(&through).take_while(|(a, b)| a == b).count();
    let part = |lines: &[String], mark: &str| -> String {
        let end = (same + 6).min(lines.len());
        let marked = lines[same.min(end)..end]
            .iter()
            .map(|line| format!("  {mark} {line}"));
        marked.collect::<Vec<_>>().join("\n")
    };
    let before = direct[same.saturating_sub(4)..same].join("\n    ");
    Some(format!(
        "from line {}\n    {before}\n{}\n{}",
        same + 1,
        part(&direct, "directly |"),
        part(&through, " through |")
    ))
}
