//! What policy holds, and may run all the same.

use super::grants::{active, grant, like, standing, window};
use super::races::{all_at_once, employ_crowd};
use super::*;
use crate::model::{Basis, GrantState, Holder, NewGrant, RequestState, Shape};
use crate::store::{FollowedUp, GrantEnd, Grounds, Placed, RequestFilter};

async fn placed(store: &dyn Store, request: &NewRequest, member_of: &[&str]) -> Placed {
    let groups = groups(member_of);
    let grounds = Grounds {
        bypass: None,
        groups: &groups,
        counts_rows: false,
    };
    store.place(request, grounds).await.unwrap()
}

/// Whether nothing covers it.
async fn waits(store: &dyn Store, request: &NewRequest) -> bool {
    placed(store, request, &[]).await == Placed::Pending
}

fn by_window(number: u64) -> Placed {
    Placed::Running(Basis::Grant {
        id: id(number).to_string(),
    })
}

fn by_standing(number: u64) -> Placed {
    Placed::Running(Basis::StandingApproval {
        id: id(number).to_string(),
        max_rows: None,
    })
}

pub(crate) async fn what_nothing_covers_waits(subject: &dyn Subject) {
    let store = subject.open().await;
    store.insert_grant(&window(1), None).await.unwrap();
    assert!(waits(&*store, &like(2)).await, "nobody has approved it");
    let held = read(&*store, 2).await;
    assert_eq!((held.state, held.basis), (RequestState::Pending, None));
    assert_eq!(held.asked, like(2));
}

/// They may have come into the group since.
pub(crate) async fn who_has_given_it_is_not_covered(subject: &dyn Subject) {
    let store = subject.open().await;
    let of_all = NewGrant {
        holder: Holder::Group("developers".to_owned()),
        ..standing(1)
    };
    active(&*store, of_all).await;
    let mut asked = like(2);
    asked.origin.user = "bob".to_owned();
    assert_eq!(placed(&*store, &asked, &["developers"]).await, Placed::Pending);
    assert_eq!(placed(&*store, &like(3), &["developers"]).await, by_standing(1));
}

pub(crate) async fn a_bypass_runs_at_once_and_is_recorded(subject: &dyn Subject) {
    let store = subject.open().await;
    active(&*store, window(1)).await;
    for (number, basis) in [(2, Basis::AdminExempt), (3, Basis::BreakGlass)] {
        let grounds = Grounds {
            bypass: Some(&basis),
            groups: &[],
            counts_rows: false,
        };
        let placed = store.place(&like(number), grounds).await.unwrap();
        assert_eq!(placed, Placed::Running(basis.clone()));
        let held = read(&*store, number).await;
        assert_eq!((held.state, held.basis), (RequestState::Running, Some(basis)));
        assert!(store.finish(id(number), outcome(), at(40)).await.unwrap());
    }
    assert_eq!(grant(&*store, 1).await.used, 0, "no grant was looked for");
}

pub(crate) async fn a_window_covers_up_to_its_effect(subject: &dyn Subject) {
    let store = subject.open().await;
    active(&*store, window(1)).await;
    for (number, effect) in (2..).zip(Effect::ALL) {
        let asked = NewRequest {
            effect,
            shape: None,
            quorum: Quorum::each_of(["security"]),
            ..like(number)
        };
        let expected = if effect <= Effect::Write {
            by_window(1)
        } else {
            Placed::Pending
        };
        assert_eq!(placed(&*store, &asked, &[]).await, expected, "{effect}");
    }
    assert_eq!(grant(&*store, 1).await.used, 3);
}

pub(crate) async fn a_standing_approval_covers_what_differs_in_constants_alone(subject: &dyn Subject) {
    let store = subject.open().await;
    active(&*store, standing(1)).await;
    let others: [fn(&mut NewRequest); 8] = [
        |asked| asked.shape = None,
        |asked| asked.shape = Some(Shape::new([8; 32])),
        |asked| asked.effect = Effect::Read,
        |asked| asked.effect = Effect::Schema,
        |asked| asked.tables[0].schema = Some("archive".to_owned()),
        |asked| asked.functions.push("f".to_owned()),
        |asked| asked.command = "UPDATE".to_owned(),
        |asked| asked.quorum = Quorum::each_of(["dba", "security"]),
    ];
    for (number, change) in (2..).zip(others) {
        let mut asked = like(number);
        change(&mut asked);
        assert!(waits(&*store, &asked).await, "{asked:?}");
    }
    // Who may have given it to themselves has nothing to say where somebody else is asked.
    let own = NewGrant {
        self_approval: true,
        ..standing(10)
    };
    store
        .end_grant(id(1), GrantEnd::Revoked, "bob", "", at(20))
        .await
        .unwrap();
    active(&*store, own).await;
    assert!(waits(&*store, &like(11)).await);
    let mut own = like(12);
    own.self_approval = true;
    assert_eq!(placed(&*store, &own, &[]).await, by_standing(10));
    active(&*store, standing(13)).await;
    let mut same = like(20);
    same.statement = "DELETE FROM orders WHERE id > 0".to_owned();
    same.parameters.clear();
    assert_eq!(placed(&*store, &same, &[]).await, by_standing(13));
}

pub(crate) async fn a_grant_is_for_its_holder_and_its_database(subject: &dyn Subject) {
    let store = subject.open().await;
    active(&*store, window(1)).await;
    let mut other = like(2);
    other.origin.user = "eve".to_owned();
    assert!(waits(&*store, &other).await);
    let mut other = like(3);
    other.origin.database = "prod".to_owned();
    assert!(waits(&*store, &other).await);
    let of_group = NewGrant {
        holder: Holder::Group("developers".to_owned()),
        ..standing(4)
    };
    active(&*store, of_group).await;
    let mut other = like(5);
    other.origin.user = "eve".to_owned();
    assert_eq!(placed(&*store, &other, &["ops"]).await, Placed::Pending);
    other.id = id(6);
    let by = placed(&*store, &other, &["developers", "ops"]).await;
    assert_eq!(by, by_standing(4));
    // A user of the group's name is not the group.
    let mut other = like(7);
    other.origin.user = "developers".to_owned();
    assert!(waits(&*store, &other).await);
}

pub(crate) async fn a_grant_covers_while_it_counts(subject: &dyn Subject) {
    let store = subject.open().await;
    active(&*store, window(1)).await;
    let at_second = |number, second| NewRequest {
        created_at: at(second),
        expires_at: at(second + 600),
        ..like(number)
    };
    assert_eq!(placed(&*store, &at_second(2, 3_604), &[]).await, by_window(1));
    assert!(waits(&*store, &at_second(3, 3_605)).await, "though nobody swept");
    active(&*store, window(4)).await;
    let revoked = store.end_grant(id(4), GrantEnd::Revoked, "bob", "", at(20));
    assert!(revoked.await.unwrap());
    store
        .end_grant(id(1), GrantEnd::Revoked, "bob", "", at(20))
        .await
        .unwrap();
    assert!(waits(&*store, &like(5)).await);
}

pub(crate) async fn a_window_is_used_before_a_standing_approval(subject: &dyn Subject) {
    let store = subject.open().await;
    active(&*store, standing(1)).await;
    let longer = NewGrant {
        length: super::grants::HOUR * 2,
        ..window(2)
    };
    active(&*store, longer).await;
    active(&*store, window(3)).await;
    assert_eq!(
        placed(&*store, &like(4), &[]).await,
        by_window(3),
        "the one that ends first"
    );
    assert_eq!(grant(&*store, 1).await.used, 0);
}

pub(crate) async fn the_last_use_ends_it(subject: &dyn Subject) {
    let store = subject.open().await;
    active(&*store, standing(1)).await;
    for (number, used, state) in [(2, 1, GrantState::Active), (3, 2, GrantState::Ended)] {
        assert_eq!(placed(&*store, &like(number), &[]).await, by_standing(1));
        let grant = grant(&*store, 1).await;
        assert_eq!((grant.used, grant.state), (used, state));
    }
    assert!(waits(&*store, &like(4)).await);
}

fn of_rows(number: u64, max_rows: u32) -> NewGrant {
    NewGrant {
        max_rows: Some(max_rows),
        times: None,
        ..standing(number)
    }
}

fn by_rows(number: u64, max_rows: u32) -> Basis {
    Basis::StandingApproval {
        id: id(number).to_string(),
        max_rows: Some(max_rows),
    }
}

async fn counted(store: &dyn Store, request: &NewRequest) -> Placed {
    let grounds = Grounds {
        bypass: None,
        groups: &[],
        counts_rows: true,
    };
    store.place(request, grounds).await.unwrap()
}

pub(crate) async fn a_limit_of_rows_covers_what_is_counted(subject: &dyn Subject) {
    let store = subject.open().await;
    active(&*store, of_rows(1, 10)).await;
    let uncounted = placed(&*store, &like(2), &[]).await;
    assert_eq!(uncounted, Placed::Uncounted(by_rows(1, 10)));
    let held = read(&*store, 2).await;
    assert_eq!((held.state, held.basis), (RequestState::Pending, None));
    assert_eq!(grant(&*store, 1).await.used, 0);
    let placed = counted(&*store, &like(3)).await;
    assert_eq!(placed, Placed::Running(by_rows(1, 10)));
    let held = read(&*store, 3).await;
    assert_eq!(
        (held.state, held.basis),
        (RequestState::Running, Some(by_rows(1, 10)))
    );
    assert_eq!(grant(&*store, 1).await.used, 1);
    let mut other = like(4);
    other.shape = Some(Shape::new([8; 32]));
    assert_eq!(counted(&*store, &other).await, Placed::Pending);
}

pub(crate) async fn the_highest_limit_of_rows_is_used_first(subject: &dyn Subject) {
    let store = subject.open().await;
    active(&*store, of_rows(1, 10)).await;
    let longer = NewGrant {
        length: super::grants::HOUR * 2,
        ..of_rows(2, 100)
    };
    active(&*store, longer).await;
    assert_eq!(counted(&*store, &like(3)).await, Placed::Running(by_rows(2, 100)));
    assert_eq!(
        placed(&*store, &like(4), &[]).await,
        Placed::Uncounted(by_rows(2, 100))
    );
    active(&*store, standing(5)).await;
    assert_eq!(
        counted(&*store, &like(6)).await,
        by_standing(5),
        "it has no limit"
    );
    assert_eq!(placed(&*store, &like(7), &[]).await, by_standing(5));
    // That was used up.
    assert_eq!(counted(&*store, &like(8)).await, Placed::Running(by_rows(2, 100)));
    active(&*store, window(9)).await;
    assert_eq!(counted(&*store, &like(10)).await, by_window(9));
}

pub(crate) async fn of_fifty_uses_as_many_run_as_are_left(subject: &dyn Subject) {
    let (one, other) = (subject.open().await, subject.open().await);
    let ten = NewGrant {
        times: Some(10),
        ..standing(1)
    };
    active(&*one, ten).await;
    let uses = (100..150).map(|number| {
        let store = if number % 2 == 0 {
            one.clone()
        } else {
            other.clone()
        };
        async move { placed(&*store, &like(number), &[]).await }
    });
    let placed = all_at_once(uses).await;
    let ran = placed.iter().filter(|one| **one == by_standing(1)).count();
    assert_eq!(ran, 10);
    let grant = grant(&*one, 1).await;
    assert_eq!((grant.used, grant.state), (10, GrantState::Ended));
    let mut running = 0;
    for number in 100..150 {
        running += usize::from(state(&*one, number).await == StateKind::Running);
    }
    assert_eq!(running, 10);
}

pub(crate) async fn a_broken_glass_is_looked_at_once(subject: &dyn Subject) {
    let store = staffed(subject).await;
    for (number, bypass) in [(1, Basis::BreakGlass), (2, Basis::AdminExempt)] {
        let grounds = Grounds {
            bypass: Some(&bypass),
            groups: &[],
            counts_rows: false,
        };
        store.place(&like(number), grounds).await.unwrap();
    }
    store.insert_pending(&like(3)).await.unwrap();
    let to_review = || {
        let filter = RequestFilter {
            to_review: true,
            limit: 10,
            ..RequestFilter::default()
        };
        let store = store.clone();
        async move {
            let found = store.requests(filter).await.unwrap();
            found
                .into_iter()
                .map(|request| request.asked.id)
                .collect::<Vec<_>>()
        }
    };
    assert_eq!(to_review().await, [id(1)]);
    for number in [2, 3, 4] {
        let followed = store.follow_up(id(number), &approval("bob")).await;
        assert_eq!(followed.unwrap(), FollowedUp::NotWaitedFor);
    }
    employ_crowd(&*store, 10).await;
    let words = (0..10).map(|i| {
        let store = store.clone();
        let word = rejection(&format!("person {i}"));
        async move { store.follow_up(id(1), &word).await.unwrap() }
    });
    let followed = all_at_once(words).await.into_iter();
    let taken = followed.filter(|&followed| followed == FollowedUp::Recorded);
    assert_eq!(taken.count(), 1);
    let followup = read(&*store, 1).await.followup.unwrap();
    assert_eq!(followup.verdict, Verdict::Reject);
    assert_eq!(to_review().await, []);
}
