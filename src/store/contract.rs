//! What every store must do, written against `dyn Store`. An implementation runs all of it with
//! [`store_contract!`] and a [`Subject`] of its own.

#![expect(clippy::unwrap_used, reason = "tests")]

pub(crate) mod grants;
pub(crate) mod leaving;
pub(crate) mod lists;
pub(crate) mod model;
pub(crate) mod observations;
pub(crate) mod placed;
pub(crate) mod races;
pub(crate) mod requests;
pub(crate) mod users;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{Abandoned, Actor, BoxFuture, Decided, Store, StoreError, UserRecord};
use crate::model::{
    Earlier, EarlierOutcome, Effect, HeldRequest, NewRequest, Origin, Outcome, Parameter, Principal, Quorum,
    RequestId, Review, StateKind, TableAccess, Verdict,
};

/// A database for one test, empty at first.
pub(crate) trait Subject: Send + Sync {
    /// Opens it once more: another proxy, the command line, or the same after a restart.
    fn open(&self) -> BoxFuture<'_, Arc<dyn Store>>;
}

/// Declares a test for each part of the contract; `$new` makes the [`Subject`].
macro_rules! store_contract {
    ($new:expr) => {
        $crate::store::contract::store_contract!(@ $new,
            requests: [
                a_pending_request_reads_back_as_written,
                a_denied_request_is_final_at_once,
                an_id_is_taken_once,
                odd_texts_survive,
                an_approval_settles_a_quorum_of_one,
                a_quorum_of_two_waits_for_the_second_person,
                a_rejection_settles_whatever_was_approved,
                who_approved_may_still_reject,
                an_expired_request_is_not_decided,
                a_verdict_on_nothing_is_not_found,
                a_settled_request_takes_no_verdict,
                every_transition_from_every_state,
                the_outcome_tells_executed_from_failed,
                expiry_takes_what_is_due_and_no_more,
                a_crash_leaves_nothing_unfinished,
                reopening_keeps_everything,
                another_opener_sees_changes_at_once,
                the_check_passes,
                a_call_dropped_half_way_leaves_the_store_usable,
            ],
            lists: [
                the_newest_comes_first,
                pages_join_without_gap_or_overlap,
                a_page_before_an_unknown_request_is_not_found,
                states_filter,
                who_asked_where_and_when_filters,
                people_see_what_concerns_them,
                lists_carry_reviews,
                a_list_cuts_what_is_long,
            ],
            users: [
                a_user_reads_back_as_written,
                a_name_is_taken_once,
                names_are_case_sensitive_and_listed_in_order,
                changes_of_nobody_are_not_found,
                a_new_password_ends_browser_sessions,
                disabling_ends_sessions_and_revokes_tokens,
                a_disabled_user_is_given_nothing,
                tokens_lead_to_their_user,
                a_session_ends_in_time_and_by_hand,
                a_change_is_whole_and_reads_back,
                only_administrators_change_users,
                nobody_locks_everybody_out,
                of_two_administrators_who_oust_each_other_one_is_left,
                revoking_takes_all_tokens_of_one_user,
                users_are_filtered_and_paged,
                the_secret_is_made_once,
                those_who_were_disabled_are_told_of_once,
            ],
            leaving: [
                who_has_left_decides_on_nothing,
                who_has_left_changes_nothing,
                a_verdict_is_for_the_groups_that_are_left,
                who_comes_back_counts_again,
                who_has_left_fills_no_seat,
                who_has_left_one_of_their_groups_sits_for_the_other,
                what_was_decided_stays_so,
                who_has_left_looks_at_nothing_afterwards,
                who_has_left_allows_nothing,
                who_has_left_fills_no_seat_of_a_grant,
            ],
            observations: [
                an_observation_reads_back_as_written,
                the_same_within_an_hour_is_one_row,
                whatever_differs_is_a_row_of_its_own,
                those_since_a_time_and_of_somebody,
                pages_of_observations_join,
                a_full_table_goes_on_counting_what_it_has,
                what_is_old_is_forgotten_by_the_hour,
            ],
            model: [
                random_lives_are_those_of_the_reference,
                many_people_at_once_run_nothing_that_was_not_approved,
                an_edit_drops_earlier_approvals,
            ],
            grants: [
                a_grant_reads_back_as_written,
                an_id_of_a_grant_is_taken_once,
                a_first_verdict_that_is_enough_makes_it_count,
                a_grant_waits_for_its_quorum_and_counts_from_then,
                a_grant_is_made_shorter_and_never_longer,
                a_settled_grant_takes_no_verdict,
                an_approver_counts_once_and_may_still_reject,
                a_grant_is_taken_back_in_its_state_only,
                what_has_had_its_time_is_swept,
                grants_are_filtered_and_paged,
                people_see_grants_that_concern_them,
            ],
            placed: [
                what_nothing_covers_waits,
                who_has_given_it_is_not_covered,
                a_bypass_runs_at_once_and_is_recorded,
                a_window_covers_up_to_its_effect,
                a_standing_approval_covers_what_differs_in_constants_alone,
                a_grant_is_for_its_holder_and_its_database,
                a_grant_covers_while_it_counts,
                a_window_is_used_before_a_standing_approval,
                the_last_use_ends_it,
                a_limit_of_rows_covers_what_is_counted,
                the_highest_limit_of_rows_is_used_first,
                of_fifty_uses_as_many_run_as_are_left,
                a_broken_glass_is_looked_at_once,
            ],
            races: [
                of_fifty_verdicts_one_wins,
                of_fifty_approvals_by_one_person_one_counts,
                a_request_is_settled_in_one_way,
                an_approved_request_starts_once_or_is_withdrawn,
                two_openers_race_for_a_quorum,
            ],
        );
    };
    (@ $new:expr, $($module:ident: [$($test:ident,)*],)*) => {
        $(mod $module {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $test() {
                    $crate::store::contract::$module::$test(&$new).await;
                }
            )*
        })*
    };
}
pub(crate) use store_contract;

/// The time at which the contract's requests arrive.
pub(crate) fn start() -> Timestamp {
    Timestamp::from_microsecond(1_800_000_000_123_456).unwrap()
}

/// `seconds` after [`start`].
pub(crate) fn at(seconds: i64) -> Timestamp {
    start() + SignedDuration::from_secs(seconds)
}

pub(crate) fn id(number: u64) -> RequestId {
    RequestId::from_random(number)
}

pub(crate) fn groups(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// A request by alice that dba must approve within ten minutes of [`start`].
pub(crate) fn request(number: u64) -> NewRequest {
    NewRequest {
        id: id(number),
        origin: Origin {
            database: "shop".to_owned(),
            user: "alice".to_owned(),
            application_name: "psql".to_owned(),
            client_addr: "192.0.2.7:50123".to_owned(),
            in_transaction: true,
            transaction_since: Some(start()),
        },
        statement: "DELETE FROM orders WHERE id = $1".to_owned(),
        parameters: vec![
            Parameter {
                value: Some("42".to_owned()),
                r#type: Some("int4".to_owned()),
            },
            Parameter {
                value: None,
                r#type: None,
            },
        ],
        digest: [7; 32],
        command: "DELETE".to_owned(),
        effect: Effect::Write,
        tables: vec![TableAccess {
            schema: Some("public".to_owned()),
            name: "orders".to_owned(),
            written: true,
        }],
        functions: vec!["now".to_owned()],
        signals: vec!["calls a volatile function".to_owned()],
        unfiltered: false,
        rule: "writes need a DBA".to_owned(),
        quorum: Quorum::each_of(["dba"]),
        self_approval: false,
        justification: None,
        ticket: None,
        shape: None,
        earlier: vec![Earlier {
            text: "SELECT total FROM orders WHERE id = ?".to_owned(),
            request: None,
            is_cut: false,
            seconds_before: 12,
            same_transaction: true,
            outcome: EarlierOutcome::Passed,
        }],
        created_at: start(),
        expires_at: at(600),
    }
}

pub(crate) fn review(reviewer: &str, stands_for: &[&str], verdict: Verdict) -> Review {
    Review {
        reviewer: reviewer.to_owned(),
        groups: groups(stands_for),
        verdict,
        comment: format!("{reviewer} has looked at it"),
        at: at(5),
        lapsed: Vec::new(),
    }
}

pub(crate) fn approval(reviewer: &str) -> Review {
    review(reviewer, &["dba"], Verdict::Approve)
}

pub(crate) fn rejection(reviewer: &str) -> Review {
    review(reviewer, &["dba"], Verdict::Reject)
}

pub(crate) fn outcome() -> Outcome {
    Outcome {
        tag: "DELETE 3".to_owned(),
        rows: Some(3),
        sqlstate: None,
        error: None,
        duration_ms: 12,
    }
}

pub(crate) fn person(name: &str, member_of: &[&str], admin: bool) -> Principal {
    Principal {
        name: name.to_owned(),
        groups: groups(member_of),
        admin,
    }
}

pub(crate) fn left_over(why: &str) -> Abandoned<'_> {
    Abandoned {
        before: why,
        running: "it ran",
    }
}

/// Those who review in most of the contract.
pub(crate) const STAFF: [&str; 6] = ["bob", "carol", "dan", "dave", "erin", "frank"];

/// Makes these people, members of every group that the contract's requests name, where they are not there yet.
pub(crate) async fn employ(store: &dyn Store, names: &[impl AsRef<str>]) {
    for name in names {
        let user = UserRecord {
            principal: person(name.as_ref(), &["dba", "owners", "security"], false),
            scram_verifier: "a verifier".to_owned(),
            disabled: false,
            created_at: start(),
        };
        match store.add_user(&user, Actor::CommandLine).await {
            Ok(()) | Err(StoreError::Exists(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// A store with [`STAFF`].
pub(crate) async fn staffed(subject: &dyn Subject) -> Arc<dyn Store> {
    let store = subject.open().await;
    employ(&*store, &STAFF).await;
    store
}

/// The request as the store has it now; it must be there.
pub(crate) async fn read(store: &dyn Store, number: u64) -> HeldRequest {
    store.request(id(number)).await.unwrap().unwrap()
}

pub(crate) async fn state(store: &dyn Store, number: u64) -> StateKind {
    read(store, number).await.state.kind()
}

/// A store with a Pending [`request`] of that number, and with [`STAFF`].
pub(crate) async fn with_pending(subject: &dyn Subject, number: u64) -> Arc<dyn Store> {
    let store = staffed(subject).await;
    store.insert_pending(&request(number)).await.unwrap();
    store
}

/// Brings a request that does not exist yet into a state, by the way that leads there: bob decides.
pub(crate) async fn bring_to(store: &dyn Store, number: u64, kind: StateKind) {
    employ(store, &["bob"]).await;
    let id = id(number);
    if kind == StateKind::Denied {
        return store.insert_denied(&request(number), "never").await.unwrap();
    }
    store.insert_pending(&request(number)).await.unwrap();
    if matches!(
        kind,
        StateKind::Approved | StateKind::Running | StateKind::Executed | StateKind::Failed
    ) {
        store.decide(id, approval("bob"), at(5)).await.unwrap();
    }
    if matches!(kind, StateKind::Running | StateKind::Executed | StateKind::Failed) {
        assert!(store.start(id, at(6)).await.unwrap());
    }
    let changed = match kind {
        StateKind::Executed => store.finish(id, outcome(), at(7)).await.unwrap(),
        StateKind::Failed => store.finish(id, failure(), at(7)).await.unwrap(),
        StateKind::Expired => store.expire(id, at(600)).await.unwrap(),
        StateKind::Withdrawn => store.withdraw(id, "gone", at(7)).await.unwrap(),
        StateKind::Abandoned => store.abandon(id, "stopping", at(7)).await.unwrap(),
        StateKind::Rejected => {
            let decided = store.decide(id, rejection("bob"), at(7)).await.unwrap();
            matches!(decided, Decided::Recorded(_))
        }
        StateKind::Pending | StateKind::Approved | StateKind::Running | StateKind::Denied => true,
    };
    assert!(changed);
    assert_eq!(state(store, number).await, kind);
}

pub(crate) fn failure() -> Outcome {
    Outcome {
        tag: String::new(),
        rows: None,
        sqlstate: Some("23503".to_owned()),
        error: Some("violates a foreign key".to_owned()),
        duration_ms: 3,
    }
}

pub(crate) fn is_not_found<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::NotFound(_)))
}
