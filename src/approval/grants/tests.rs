#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::model::{Clock, Edit, Effect, GrantState, NewRequest, Origin, Quorum, TableAccess};
use crate::policy::{Policy, Subject};
use crate::store::contract::employ;
use crate::store::sqlite::SqliteStore;
use crate::store::{Actor, Decided, RequestStore as _, UserChange, UserStore as _};

/// A clock that stands still.
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }
}

const POLICY: &str = r#"
    default_groups = ["dba"]
    [[access]]
    name = "developers write"
    when = { groups = ["developers"], databases = ["shop"] }
    up_to = "write"
    longest = "2h"
    approval = { groups = ["dba"] }
    [[access]]
    name = "with a ticket"
    when = { groups = ["developers"], not_groups = ["interns"] }
    up_to = "schema"
    longest = "1h"
    approval = { groups = ["dba"], self_approval = true, justification = ["ticket"], timeout = "5m" }
"#;

struct Fixture {
    broker: Broker,
    store: Arc<SqliteStore>,
    policy: Policy,
}

impl Fixture {
    async fn new() -> Self {
        let store = Arc::new(SqliteStore::open("sqlite::memory:").await.unwrap());
        employ(&*store, &["alice", "bob", "sue"]).await;
        let broker = Broker::new(store.clone(), Arc::new(Still), tokio::runtime::Handle::current());
        Self {
            broker,
            store,
            policy: Policy::parse(POLICY).unwrap(),
        }
    }

    fn access(&self, by: &Principal, up_to: Effect) -> Option<&Access> {
        self.policy
            .access_for(&Subject::new("shop", &by.name, &by.groups), up_to)
    }

    async fn ask(&self, by: &Principal, asked: AccessAsked) -> Result<Grant, AskError> {
        let access = self.access(by, asked.up_to).unwrap();
        self.broker.ask_access(by, asked, access).await
    }

    /// alice's request with a shape, which waits for a member of dba.
    async fn held(&self, number: u64, change: impl FnOnce(&mut NewRequest)) -> RequestId {
        let mut request = NewRequest {
            id: RequestId::from_random(number),
            origin: Origin {
                database: "shop".to_owned(),
                user: "alice".to_owned(),
                application_name: "psql".to_owned(),
                client_addr: "192.0.2.7:50123".to_owned(),
                in_transaction: false,
                transaction_since: None,
            },
            statement: "DELETE FROM orders WHERE id = 1".to_owned(),
            parameters: Vec::new(),
            digest: [0; 32],
            command: "DELETE".to_owned(),
            effect: Effect::Write,
            tables: vec![TableAccess {
                schema: Some("public".to_owned()),
                name: "orders".to_owned(),
                written: true,
            }],
            functions: Vec::new(),
            signals: Vec::new(),
            unfiltered: false,
            rule: "writes need a DBA".to_owned(),
            quorum: Quorum::each_of(["dba"]),
            self_approval: false,
            justification: None,
            ticket: None,
            shape: Some(Shape::new([9; 32])),
            earlier: Vec::new(),
            created_at: self.broker.now(),
            expires_at: self.broker.now() + Duration::from_mins(10),
        };
        change(&mut request);
        self.store.insert_pending(&request).await.unwrap();
        request.id
    }
}

fn person(name: &str, groups: &[&str]) -> Principal {
    Principal {
        name: name.to_owned(),
        groups: groups.iter().map(|&group| group.to_owned()).collect(),
        admin: name == "ruth",
    }
}

fn alice() -> Principal {
    person("alice", &["developers"])
}

fn bob() -> Principal {
    person("bob", &["dba"])
}

fn wish(up_to: Effect, minutes: u64) -> AccessAsked {
    AccessAsked {
        database: "shop".to_owned(),
        up_to,
        length: Duration::from_mins(minutes),
        justification: "incident 42".to_owned(),
        ticket: None,
    }
}

fn allowed(holder: Option<Holder>) -> StandingAsked {
    StandingAsked {
        holder,
        length: Duration::from_hours(8),
        times: Some(2),
        max_rows: None,
        justification: Some("the nightly clean-up".to_owned()),
    }
}

#[tokio::test]
async fn policy_says_who_may_ask_for_what() {
    let fixture = Fixture::new().await;
    let name = |by: &Principal, effect| fixture.access(by, effect).map(Access::name);
    assert_eq!(name(&alice(), Effect::Write), Some("developers write"));
    assert_eq!(name(&alice(), Effect::Schema), Some("with a ticket"));
    assert_eq!(name(&alice(), Effect::Server), None);
    assert_eq!(name(&bob(), Effect::Write), None);
    let intern = person("ian", &["developers", "interns"]);
    assert_eq!(name(&intern, Effect::Write), Some("developers write"));
    assert_eq!(name(&intern, Effect::Schema), None);
}

#[tokio::test]
async fn what_is_asked_for_keeps_to_its_rule() {
    let fixture = Fixture::new().await;
    let asked = fixture.ask(&alice(), wish(Effect::Write, 120)).await.unwrap();
    assert_eq!(asked.state, GrantState::Pending);
    assert_eq!(asked.asked.holder, Holder::User("alice".to_owned()));
    assert_eq!(
        asked.asked.expires_at,
        fixture.broker.now() + Duration::from_mins(30)
    );
    let silent = AccessAsked {
        justification: " \n".to_owned(),
        ..wish(Effect::Write, 60)
    };
    let ticket = AccessAsked {
        ticket: Some("OPS-42".to_owned()),
        ..wish(Effect::Schema, 60)
    };
    for (wish, why) in [
        (wish(Effect::Write, 121), "at most 2h"),
        (wish(Effect::Schema, 120), "at most 1h"),
        (wish(Effect::Write, 0), "at least a minute"),
        (silent, "say why"),
        (wish(Effect::Schema, 60), "asks for a ticket"),
    ] {
        let refused = fixture.ask(&alice(), wish).await.unwrap_err();
        assert!(
            matches!(&refused, AskError::Invalid(said) if said.contains(why)),
            "{refused}"
        );
    }
    let asked = fixture.ask(&alice(), ticket).await.unwrap();
    assert_eq!(
        asked.asked.expires_at,
        fixture.broker.now() + Duration::from_mins(5)
    );
}

#[tokio::test]
async fn one_person_does_not_fill_the_queue() {
    let fixture = Fixture::new().await;
    for _ in 0..20 {
        fixture.ask(&alice(), wish(Effect::Write, 60)).await.unwrap();
    }
    let refused = fixture.ask(&alice(), wish(Effect::Write, 60)).await;
    assert!(matches!(refused, Err(AskError::Forbidden(why)) if why.contains("20")));
    let other = person("dora", &["developers"]);
    let asked = fixture.ask(&other, wish(Effect::Write, 60)).await.unwrap();
    fixture
        .broker
        .end_grant(asked.asked.id, &other, "")
        .await
        .unwrap();
}

#[tokio::test]
async fn members_decide_but_not_for_themselves() {
    let fixture = Fixture::new().await;
    let both = person("alice", &["dba", "developers"]);
    let asked = fixture.ask(&both, wish(Effect::Write, 60)).await.unwrap();
    let id = asked.asked.id;
    let decide = |by: Principal, verdict, length, comment: &'static str| {
        let broker = fixture.broker.clone();
        async move { broker.decide_grant(id, &by, verdict, length, comment).await }
    };
    let approve = Verdict::Approve;
    assert!(!fixture.broker.may_decide_grant(&asked, &both));
    let own = decide(both.clone(), approve, None, "").await;
    assert!(matches!(own, Err(GrantError::Forbidden(_))));
    let stranger = decide(person("eve", &["ops"]), approve, None, "").await;
    assert!(matches!(stranger, Err(GrantError::NotFound)));
    let admin = decide(person("ruth", &[]), approve, None, "").await;
    assert!(
        matches!(admin, Err(GrantError::Forbidden(_))),
        "an admin sees, and has no say"
    );
    for length in [Duration::ZERO, Duration::from_mins(61)] {
        let refused = decide(bob(), approve, Some(length), "").await;
        assert!(matches!(refused, Err(GrantError::Invalid(_))));
    }
    let silent = decide(bob(), Verdict::Reject, None, " ").await;
    assert!(matches!(silent, Err(GrantError::Invalid(_))));
    assert!(fixture.broker.may_decide_grant(&asked, &bob()));
    let shorter = decide(bob(), approve, Some(Duration::from_mins(20)), "")
        .await
        .unwrap();
    let now = fixture.broker.now();
    assert_eq!(shorter.span, Some((now, now + Duration::from_mins(20))));
    let late = decide(bob(), approve, None, "").await;
    assert!(matches!(
        late,
        Err(GrantError::AlreadySettled(GrantState::Active))
    ));
}

#[tokio::test]
async fn a_rule_may_let_people_decide_for_themselves() {
    let fixture = Fixture::new().await;
    let both = person("alice", &["dba", "developers"]);
    let wish = AccessAsked {
        ticket: Some("OPS-42".to_owned()),
        ..wish(Effect::Schema, 60)
    };
    let asked = fixture.ask(&both, wish).await.unwrap();
    let id = asked.asked.id;
    let decided = fixture.broker.decide_grant(id, &both, Verdict::Approve, None, "");
    assert_eq!(decided.await.unwrap().state, GrantState::Active);
}

#[tokio::test]
async fn it_is_taken_back_by_those_whom_it_concerns() {
    let fixture = Fixture::new().await;
    let end = |id, by: Principal| {
        let broker = fixture.broker.clone();
        async move { broker.end_grant(id, &by, " enough ").await }
    };
    let asked = fixture.ask(&alice(), wish(Effect::Write, 60)).await.unwrap();
    let id = asked.asked.id;
    // While it waits, approvers reject it instead.
    for by in [bob(), person("ruth", &[])] {
        assert!(!fixture.broker.may_end_grant(&asked, &by));
        assert!(matches!(end(id, by).await, Err(GrantError::Forbidden(_))));
    }
    assert_eq!(end(id, alice()).await.unwrap().state, GrantState::Withdrawn);
    assert!(matches!(
        end(id, alice()).await,
        Err(GrantError::AlreadySettled(GrantState::Withdrawn))
    ));
    for by in [alice(), person("dan", &["dba"]), person("ruth", &[])] {
        let asked = fixture.ask(&alice(), wish(Effect::Write, 60)).await.unwrap();
        let id = asked.asked.id;
        let approved = fixture
            .broker
            .decide_grant(id, &bob(), Verdict::Approve, None, "")
            .await
            .unwrap();
        assert!(fixture.broker.may_end_grant(&approved, &by));
        assert!(matches!(
            end(id, person("eve", &["ops"])).await,
            Err(GrantError::NotFound)
        ));
        let revoked = end(id, by.clone()).await.unwrap();
        assert_eq!(revoked.state, GrantState::Revoked);
        assert_eq!(revoked.settled_by, Some(by.name));
        assert_eq!(revoked.note.as_deref(), Some("enough"));
    }
}

#[tokio::test]
async fn approvers_allow_beforehand_what_they_could_approve() {
    let fixture = Fixture::new().await;
    let id = fixture.held(1, |_| ()).await;
    let allow = |id, by: Principal, asked: StandingAsked| {
        let broker = fixture.broker.clone();
        async move { broker.allow_like(id, &by, asked).await }
    };
    let given = allow(id, bob(), allowed(None)).await.unwrap();
    assert_eq!(given.state, GrantState::Active, "one approval is enough here");
    assert_eq!(given.asked.holder, Holder::User("alice".to_owned()));
    assert_eq!(given.reviews[0].reviewer, "bob");
    for by in [alice(), person("alice", &["dba"]), person("ruth", &[])] {
        let refused = allow(id, by, allowed(None)).await;
        assert!(matches!(refused, Err(AskError::Forbidden(_))));
    }
    let hidden = allow(id, person("eve", &["ops"]), allowed(None)).await;
    assert!(matches!(hidden, Err(AskError::NotFound)));
    let own = [Holder::User("bob".to_owned()), Holder::Group("dba".to_owned())];
    for holder in own {
        let refused = allow(id, bob(), allowed(Some(holder))).await;
        assert!(matches!(refused, Err(AskError::Forbidden(_))));
    }
    let group = Holder::Group("developers".to_owned());
    let given = allow(id, bob(), allowed(Some(group.clone()))).await.unwrap();
    assert_eq!(given.asked.holder, group);
    let mut wrong = [const { None }; 6].map(allowed);
    wrong[0].length = Duration::ZERO;
    wrong[1].length = LONGEST_STANDING + Duration::from_secs(1);
    wrong[2].times = Some(0);
    wrong[3].times = Some(MOST_TIMES + 1);
    wrong[4].max_rows = Some(0);
    wrong[5].max_rows = Some(MOST_ROWS + 1);
    for asked in wrong {
        let refused = allow(id, bob(), asked).await;
        assert!(matches!(refused, Err(AskError::Invalid(_))));
    }
    let few = StandingAsked {
        max_rows: Some(MOST_ROWS),
        ..allowed(None)
    };
    let given = allow(id, bob(), few.clone()).await.unwrap();
    assert_eq!(given.asked.max_rows, Some(MOST_ROWS));
    for (number, command) in (3..).zip(["SELECT", "DELETE, INSERT", "TRUNCATE"]) {
        let other = fixture
            .held(number, |asked| command.clone_into(&mut asked.command))
            .await;
        let refused = allow(other, bob(), few.clone()).await;
        assert!(matches!(refused, Err(AskError::Invalid(_))), "{command}");
    }
    let shapeless = fixture.held(2, |asked| asked.shape = None).await;
    let refused = allow(shapeless, bob(), allowed(None)).await;
    assert!(matches!(refused, Err(AskError::Invalid(_))));
}

/// What its program sends is what the approver has changed, and not what was approved.
#[tokio::test]
async fn what_was_changed_allows_nothing_beforehand() {
    let fixture = Fixture::new().await;
    let id = fixture.held(1, |_| {}).await;
    let edit = Edit {
        editor: "bob".to_owned(),
        statement: "DELETE FROM orders WHERE id = 1 AND paid".to_owned(),
        digest: [1; 32],
        command: "DELETE".to_owned(),
        effect: Effect::Write,
        comment: String::new(),
        reviews_before: 0,
        at: fixture.broker.now(),
    };
    let word = Review {
        reviewer: "bob".to_owned(),
        groups: vec!["dba".to_owned()],
        verdict: Verdict::Approve,
        comment: String::new(),
        at: fixture.broker.now(),
        lapsed: Vec::new(),
    };
    let store = &fixture.broker.shared.store;
    let edited = store.edit(id, edit, word, 0, false, fixture.broker.now()).await;
    assert!(matches!(edited, Ok(Decided::Recorded(_))), "{edited:?}");
    let request = fixture.broker.request(id, &bob()).await.unwrap().unwrap();
    assert!(!fixture.broker.may_allow_like(&request, &bob()));
    let refused = fixture.broker.allow_like(id, &bob(), allowed(None)).await;
    assert!(matches!(refused, Err(AskError::Invalid(_))));
}

#[tokio::test]
async fn a_standing_approval_waits_for_all_whom_the_rule_asks() {
    let fixture = Fixture::new().await;
    let two = |asked: &mut NewRequest| asked.quorum = Quorum::each_of(["dba", "security"]);
    let id = fixture.held(1, two).await;
    let request = fixture.broker.request(id, &bob()).await.unwrap().unwrap();
    assert!(fixture.broker.may_allow_like(&request, &bob()));
    assert!(!fixture.broker.may_allow_like(&request, &alice()));
    let given = fixture
        .broker
        .allow_like(id, &bob(), allowed(None))
        .await
        .unwrap();
    assert_eq!(given.state, GrantState::Pending);
    let id = given.asked.id;
    let decide = |by: Principal| fixture.broker.clone().decide_grant_as(id, by);
    assert!(matches!(decide(bob()).await, Err(GrantError::AlreadyReviewed)));
    let sue = person("sue", &["security"]);
    assert_eq!(decide(sue).await.unwrap().state, GrantState::Active);
}

/// What they may was read before, and they have left since.
#[tokio::test]
async fn who_has_left_meanwhile_has_no_say() {
    let fixture = Fixture::new().await;
    let asked = fixture.ask(&alice(), wish(Effect::Write, 60)).await.unwrap();
    let request = fixture.held(1, |_| ()).await;
    let leaves = UserChange {
        leave: vec!["dba".to_owned()],
        ..UserChange::default()
    };
    for change in [UserChange::disabled(true), leaves] {
        let left = fixture.store.change_user("bob", &change, Actor::CommandLine);
        left.await.unwrap();
        let decided = fixture
            .broker
            .clone()
            .decide_grant_as(asked.asked.id, bob())
            .await;
        assert!(
            matches!(&decided, Err(GrantError::Forbidden(why)) if why == "only a member of dba can decide on this"),
            "{decided:?}"
        );
        let given = fixture.broker.allow_like(request, &bob(), allowed(None)).await;
        assert!(
            matches!(&given, Err(AskError::Forbidden(why)) if why == "only a member of dba can allow this"),
            "{given:?}"
        );
        let enabled = UserChange::disabled(false);
        let back = fixture.store.change_user("bob", &enabled, Actor::CommandLine);
        back.await.unwrap();
    }
    let sue = person("sue", &["dba"]);
    let decided = fixture.broker.clone().decide_grant_as(asked.asked.id, sue).await;
    assert_eq!(decided.unwrap().state, GrantState::Active);
}

impl Broker {
    async fn decide_grant_as(self, id: RequestId, by: Principal) -> Result<Grant, GrantError> {
        self.decide_grant(id, &by, Verdict::Approve, None, "").await
    }
}

#[tokio::test]
async fn what_nobody_was_told_of_is_taken_back_however_it_stands() {
    let fixture = Fixture::new().await;
    let asked = fixture.ask(&alice(), wish(Effect::Write, 60)).await.unwrap();
    let request = fixture.held(1, |_| {}).await;
    let given = fixture
        .broker
        .allow_like(request, &bob(), allowed(None))
        .await
        .unwrap();
    assert_eq!(
        (asked.state, given.state),
        (GrantState::Pending, GrantState::Active)
    );
    for id in [asked.asked.id, given.asked.id, RequestId::from_random(99)] {
        fixture.broker.take_back_grant_later(id, "bob");
    }
    fixture.broker.drain().await;
    for (id, expected) in [
        (asked.asked.id, GrantState::Withdrawn),
        (given.asked.id, GrantState::Revoked),
    ] {
        let grant = fixture
            .broker
            .grant(id, &person("ruth", &[]))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(grant.state, expected);
    }
}
