//! Replies against what was forwarded, as PostgreSQL pairs them.

#![expect(clippy::unwrap_used, reason = "tests")]
use super::*;
use crate::model::Facts;
use crate::wire::backend::ServerError;

fn prepared(why: &str) -> Prepared {
    Prepared::Protocol {
        judged: Arc::new(Judged::unknown(why)),
        source: None,
        sight: 0,
    }
}

fn parse(inflight: &mut Inflight, names: &mut Names, name: &[u8], segment: u64, why: &str) {
    names.announce(name, segment, prepared(why));
    let name = (!name.is_empty()).then(|| name.into());
    inflight
        .push(Expect::Parse {
            name,
            prepared: prepared(why),
        })
        .unwrap();
}

fn known(names: &Names, name: &[u8], segment: u64) -> Option<String> {
    match names.lookup(name, segment) {
        super::super::names::Lookup::Known(Prepared::Protocol { judged, .. }) => {
            judged.statements.first().map(|s| s.facts.signals.concat())
        }
        super::super::names::Lookup::Known(Prepared::Sql(sql, _)) => Some(sql.text.clone()),
        super::super::names::Lookup::Unanswered => Some("unanswered".to_owned()),
        super::super::names::Lookup::Missing => None,
    }
}

fn report() -> Report {
    Report::error("42501", "no")
}

fn bind() -> Expect {
    Expect::Bind { run: None }
}

fn execute() -> Expect {
    Expect::Execute {
        names: None,
        run: None,
        rows: 0,
    }
}

#[test]
fn a_name_is_committed_by_its_answer() {
    let (mut inflight, mut names) = (Inflight::default(), Names::default());
    parse(&mut inflight, &mut names, b"s", 1, "one");
    inflight.push_sync(1).unwrap();
    assert_eq!(
        known(&names, b"s", 1).as_deref(),
        Some("one"),
        "the same segment relies on it"
    );
    assert_eq!(
        known(&names, b"s", 2).as_deref(),
        Some("unanswered"),
        "another has to wait"
    );
    assert_eq!(inflight.parse_complete(&mut names), Ok(Relay::Pass));
    inflight.ready(&mut names).unwrap();
    assert_eq!(known(&names, b"s", 2).as_deref(), Some("one"));
    assert!(inflight.is_empty());
}

#[test]
fn a_failed_parse_leaves_the_old_statement() {
    let (mut inflight, mut names) = (Inflight::default(), Names::default());
    parse(&mut inflight, &mut names, b"s", 1, "delete");
    inflight.push_sync(1).unwrap();
    inflight.parse_complete(&mut names).unwrap();
    inflight.ready(&mut names).unwrap();
    // The server refuses: the name is taken. What it stands for is still the old text.
    parse(&mut inflight, &mut names, b"s", 2, "select");
    inflight.push_sync(1).unwrap();
    assert_eq!(
        inflight.error(&ServerError::default(), &mut names).relay,
        Relay::Pass
    );
    inflight.ready(&mut names).unwrap();
    assert_eq!(known(&names, b"s", 3).as_deref(), Some("delete"));
}

#[test]
fn an_error_ends_everything_up_to_sync_and_nothing_behind_it() {
    let (mut inflight, mut names) = (Inflight::default(), Names::default());
    parse(&mut inflight, &mut names, b"a", 1, "a");
    inflight.push(bind()).unwrap();
    parse(&mut inflight, &mut names, b"b", 1, "b");
    inflight.push_sync(1).unwrap();
    parse(&mut inflight, &mut names, b"c", 2, "c");
    inflight.push_sync(1).unwrap();
    inflight.parse_complete(&mut names).unwrap();
    inflight.error(&ServerError::default(), &mut names);
    assert_eq!(inflight.len(), 3, "Sync, Parse, Sync");
    inflight.ready(&mut names).unwrap();
    inflight.parse_complete(&mut names).unwrap();
    inflight.ready(&mut names).unwrap();
    assert!(inflight.is_empty());
    assert_eq!(known(&names, b"a", 9).as_deref(), Some("a"));
    assert_eq!(known(&names, b"b", 9), None);
    assert_eq!(known(&names, b"c", 9).as_deref(), Some("c"));
}

#[test]
fn a_bind_that_succeeds_says_of_which_approved_statement() {
    let mut inflight = Inflight::default();
    for run in [None, Some(RunId(7))] {
        inflight.push(Expect::Bind { run }).unwrap();
        assert_eq!(inflight.bind_complete(), Ok((Relay::Pass, run)));
    }
    assert!(inflight.bind_complete().is_err(), "nothing is bound");
}

/// A pipeline may have ten thousand of them.
#[test]
fn no_entry_is_larger_than_that_of_a_parse() {
    let of_parse = size_of::<(Option<Box<[u8]>>, Prepared)>() + size_of::<usize>();
    assert!(size_of::<Expect>() <= of_parse, "{}", size_of::<Expect>());
}

#[test]
fn the_poison_is_replaced_and_only_where_it_is_reached() {
    let (mut inflight, mut names) = (Inflight::default(), Names::default());
    inflight.push(bind()).unwrap();
    inflight
        .push(Expect::Poison {
            report: Box::new(report()),
            simple: false,
            segment: 1,
        })
        .unwrap();
    inflight.push_sync(1).unwrap();
    inflight.bind_complete().unwrap();
    assert_eq!(
        inflight.error(&ServerError::default(), &mut names).relay,
        Relay::Replace(Box::new(report()))
    );
    inflight.ready(&mut names).unwrap();
    assert!(inflight.is_empty());

    // An error of the server's own before it: that is the client's, and the poison is never reached.
    inflight.push(bind()).unwrap();
    inflight
        .push(Expect::Poison {
            report: Box::new(report()),
            simple: false,
            segment: 1,
        })
        .unwrap();
    inflight.push_sync(1).unwrap();
    assert_eq!(
        inflight.error(&ServerError::default(), &mut names).relay,
        Relay::Pass
    );
    inflight.ready(&mut names).unwrap();
    assert!(inflight.is_empty());

    inflight
        .push(Expect::Poison {
            report: Box::new(report()),
            simple: true,
            segment: 1,
        })
        .unwrap();
    assert_eq!(
        inflight.error(&ServerError::default(), &mut names).relay,
        Relay::Replace(Box::new(report()))
    );
    assert_eq!(inflight.ready(&mut names).unwrap().0, Relay::Pass);
    assert!(inflight.is_empty());
}

#[test]
fn a_probe_is_invisible_unless_the_server_refuses() {
    let (mut inflight, mut names) = (Inflight::default(), Names::default());
    inflight
        .push(Expect::Probe {
            accepted: false,
            in_transaction: false,
        })
        .unwrap();
    assert_eq!(inflight.parse_complete(&mut names), Ok(Relay::Swallow));
    assert_eq!(inflight.ready(&mut names).unwrap().0, Relay::Swallow);
    inflight
        .push(Expect::Probe {
            accepted: false,
            in_transaction: false,
        })
        .unwrap();
    assert_eq!(
        inflight.error(&ServerError::default(), &mut names).relay,
        Relay::Pass
    );
    assert_eq!(inflight.ready(&mut names).unwrap().0, Relay::Pass);
    assert!(inflight.is_empty());
}

#[test]
fn syncs_inside_copy_data_are_not_answered() {
    let (mut inflight, mut names) = (Inflight::default(), Names::default());
    // As libpq does it: Sync behind Execute, and again behind CopyDone.
    inflight.push(bind()).unwrap();
    inflight.push(execute()).unwrap();
    inflight.push_sync(1).unwrap();
    inflight.bind_complete().unwrap();
    inflight.copy_in().unwrap();
    inflight.push_copy_end().unwrap();
    inflight.push_sync(1).unwrap();
    inflight.command_complete(&mut names).unwrap();
    inflight.ready(&mut names).unwrap();
    assert!(inflight.is_empty());
}

#[test]
fn ends_of_copy_data_outside_of_a_copy_are_ignored() {
    let (mut inflight, mut names) = (Inflight::default(), Names::default());
    inflight.push_copy_end().unwrap();
    inflight
        .push(Expect::Query {
            names: None,
            completed: 0,
            run: None,
            segment: 1,
        })
        .unwrap();
    inflight.command_complete(&mut names).unwrap();
    inflight.ready(&mut names).unwrap();
    assert!(inflight.is_empty());
}

#[test]
fn sql_names_commit_statement_by_statement() {
    let (mut inflight, mut names) = (Inflight::default(), Names::default());
    let statement = |name_op| crate::model::Statement {
        facts: Facts::unknown("x"),
        name_op,
        transaction_control: false,
    };
    let sql = |text: &str| {
        Arc::new(crate::model::PreparedSql {
            text: text.to_owned(),
            facts: Facts::unknown("x"),
            sight: 0,
        })
    };
    let prepare = |name: &str| {
        Some(crate::model::NameOp::Prepare {
            name: name.to_owned(),
            prepared: sql(name),
        })
    };
    let judged = Arc::new(Judged {
        statements: vec![statement(prepare("a")), statement(None), statement(prepare("b"))],
        gist: crate::model::Gist::None,
    });
    names.announce_all(&judged, 1);
    inflight
        .push(Expect::Query {
            names: Some(judged),
            completed: 0,
            run: None,
            segment: 1,
        })
        .unwrap();
    inflight.command_complete(&mut names).unwrap();
    inflight.command_complete(&mut names).unwrap();
    inflight.error(&ServerError::default(), &mut names);
    inflight.ready(&mut names).unwrap();
    assert_eq!(known(&names, b"a", 2).as_deref(), Some("a"));
    assert_eq!(known(&names, b"b", 2), None, "it failed");
    assert!(inflight.is_empty());
}

#[test]
fn a_pause_is_invisible_and_ends_only_what_the_server_skips() {
    let (mut inflight, mut names) = (Inflight::default(), Names::default());
    parse(&mut inflight, &mut names, b"s", 1, "one");
    inflight.push_own(Expect::pause(false));
    assert!(inflight.awaits_ready());
    inflight.parse_complete(&mut names).unwrap();
    assert_eq!(inflight.ready(&mut names).unwrap(), (Relay::Swallow, None));
    assert!(inflight.is_empty() && !inflight.awaits_ready());
    assert_eq!(known(&names, b"s", 1).as_deref(), Some("one"));

    parse(&mut inflight, &mut names, b"s", 1, "two");
    inflight.push_own(Expect::pause(false));
    let erred = inflight.error(&ServerError::default(), &mut names);
    assert!(erred.skipping, "the client's own Sync is still to come");
    assert_eq!(inflight.ready(&mut names).unwrap(), (Relay::Swallow, None));
    assert!(inflight.is_empty());
    assert_eq!(
        known(&names, b"s", 1).as_deref(),
        Some("one"),
        "the old one is what a Bind would find"
    );
}

#[test]
fn the_answer_to_our_copy_fail_tells_whether_the_copy_ran() {
    let answer = ServerError {
        sqlstate: "57014".to_owned(),
        routine: "CopyGetData".to_owned(),
        ..ServerError::default()
    };
    for (error, ran) in [(answer, true), (ServerError::default(), false)] {
        let (mut inflight, mut names) = (Inflight::default(), Names::default());
        inflight.push(execute()).unwrap();
        inflight.copy_in().unwrap();
        inflight.push_copy_data().unwrap();
        assert_eq!(inflight.push(bind()), Err(Desync::InCopy(b'B')));
        inflight.fail_copy();
        let erred = inflight.error(&error, &mut names);
        assert_eq!(erred.copy_failed, ran);
        assert!(!inflight.is_copying());
        if !ran {
            assert_eq!((erred.relay, erred.skipping), (Relay::Pass, true));
        }
    }
}

#[test]
fn what_comes_behind_data_that_were_sent_ahead_waits() {
    let (mut inflight, mut names) = (Inflight::default(), Names::default());
    inflight.push(execute()).unwrap();
    assert!(!inflight.awaits_copy());
    inflight.push_copy_data().unwrap();
    assert!(inflight.awaits_copy());
    // It was no COPY: the data are forgotten.
    inflight.command_complete(&mut names).unwrap();
    inflight.trim();
    assert!(inflight.is_empty() && !inflight.awaits_copy());
}

fn timeout(routine: &str) -> ServerError {
    ServerError {
        sqlstate: "57014".to_owned(),
        message: "canceling statement due to statement timeout".to_owned(),
        routine: routine.to_owned(),
        ..ServerError::default()
    }
}

fn query() -> Expect {
    Expect::Query {
        names: None,
        completed: 0,
        run: None,
        segment: 2,
    }
}

#[test]
fn an_error_of_a_flush_skips_up_to_sync() {
    let (mut inflight, mut names) = (Inflight::default(), Names::default());
    parse(&mut inflight, &mut names, b"a", 1, "a");
    inflight.note_flush();
    assert!(!inflight.is_empty());
    inflight.parse_complete(&mut names).unwrap();
    assert!(inflight.is_empty(), "nothing answers a Flush");
    let erred = inflight.error(&timeout("ProcessInterrupts"), &mut names);
    assert!(erred.skipping && !erred.is_lost);
    // It says so once.
    assert!(inflight.error(&timeout("ProcessInterrupts"), &mut names).is_lost);
}

#[test]
fn an_error_behind_a_flush_is_lost_only_where_it_may_be_that_of_either() {
    type Reads = fn(&mut Inflight);
    let nothing: Reads = |_| {};
    let columns: Reads = |inflight| inflight.described().unwrap();
    let copy: Reads = |inflight| inflight.copy_in().unwrap();
    for (routine, reads, is_lost) in [
        ("ProcessInterrupts", nothing, true),
        ("ProcessInterrupts", columns, false),
        ("ProcessInterrupts", copy, false),
        ("exec_stmt_raise", nothing, false),
    ] {
        let (mut inflight, mut names) = (Inflight::default(), Names::default());
        parse(&mut inflight, &mut names, b"a", 1, "a");
        inflight.note_flush();
        inflight.push(query()).unwrap();
        inflight.parse_complete(&mut names).unwrap();
        reads(&mut inflight);
        let erred = inflight.error(&timeout(routine), &mut names);
        assert_eq!((erred.is_lost, erred.skipping), (is_lost, false), "{routine}");
    }
}

#[test]
fn an_error_where_nothing_can_have_failed_is_lost() {
    let (mut inflight, mut names) = (Inflight::default(), Names::default());
    assert!(inflight.error(&timeout("x"), &mut names).is_lost);
    // Data that no COPY took: the server may be ready behind them.
    parse(&mut inflight, &mut names, b"a", 1, "a");
    inflight.push_copy_data().unwrap();
    inflight.push_sync(1).unwrap();
    inflight.parse_complete(&mut names).unwrap();
    assert!(inflight.error(&timeout("ProcessInterrupts"), &mut names).is_lost);
}

#[test]
fn what_stands_for_a_statement_of_our_own_completes_as_that() {
    let mut inflight = Inflight::default();
    let own = Judged {
        statements: vec![crate::model::Statement {
            facts: Facts::unknown(""),
            name_op: Some(NameOp::Own { tag: "SET" }),
            transaction_control: false,
        }],
        ..Judged::default()
    };
    inflight
        .push(Expect::Execute {
            names: Some(Arc::new(own)),
            run: None,
            rows: 0,
        })
        .unwrap();
    assert!(inflight.tag_fits("SELECT 1"));
    assert!(!inflight.tag_fits("DELETE 1000"));
}
