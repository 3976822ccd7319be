//! The page of people from outside: who sees it, and what its forms do.

use axum::http::{Method, StatusCode, header};

use super::super::testing::{Answer, Browser, ORIGIN, PASSWORD, TestConsole, form};
use crate::model::Principal;
use crate::store::UserChange;

async fn principal(console: &TestConsole, name: &str) -> Principal {
    console
        .state
        .directory
        .user(name)
        .await
        .unwrap()
        .unwrap()
        .principal
}

/// Sends a form of the page with its token.
async fn send(browser: &Browser<'_>, path: &str, fields: &[(&str, &str)]) -> Answer {
    let csrf = browser.get("/people").await.csrf();
    let mut all = vec![("csrf", csrf.as_str())];
    all.extend(fields);
    browser.post(path, &all).await
}

#[track_caller]
fn assert_done(answer: &Answer, leads_to: &str) {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    assert_eq!(answer.header(header::LOCATION), leads_to);
}

#[tokio::test]
async fn only_administrators_find_it_and_get_in() {
    let console = TestConsole::start().await;
    let away = console.get("/people?group=dba").await;
    assert_done(&away, "/sign-in?next=%2Fpeople%3Fgroup%3Ddba");
    let (bob, ruth) = (console.browser("bob").await, console.browser("ruth").await);
    let link = r#"<a href="/people""#;
    let queue = bob.get("/").await;
    assert!(!queue.body.contains(link), "{}", queue.body);
    assert!(ruth.get("/").await.body.contains(link));
    let refused = bob.get("/people").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(!refused.body.contains("carol"), "{}", refused.body);
    let csrf = queue.csrf();
    for (path, fields) in [
        (
            "/people",
            vec![("name", "eve"), ("password", "x"), ("admin", "on")],
        ),
        ("/people/change", vec![("user", "bob"), ("admin", "on")]),
        ("/people/change", vec![("user", "bob"), ("join", "security")]),
        ("/people/revoke-tokens", vec![("user", "carol")]),
    ] {
        let mut fields = fields;
        fields.push(("csrf", &csrf));
        let answer = bob.post(path, &fields).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {}", answer.body);
        assert!(!answer.body.contains("carol"), "{}", answer.body);
    }
    assert!(!principal(&console, "bob").await.admin);
    assert!(console.state.directory.user("eve").await.unwrap().is_none());
}

#[tokio::test]
async fn forged_forms_change_nobody() {
    let console = TestConsole::start().await;
    let ruth = console.browser("ruth").await;
    let csrf = ruth.get("/people").await.csrf();
    for (token, origin) in [
        ("", ORIGIN),
        ("hp_guessed", ORIGIN),
        (csrf.as_str(), "https://evil.example"),
    ] {
        for (path, fields) in [
            ("/people", [("name", "eve"), ("password", "x")]),
            ("/people/change", [("user", "bob"), ("admin", "on")]),
            ("/people/revoke-tokens", [("user", "bob"), ("next", "")]),
        ] {
            let mut all = vec![("csrf", token)];
            all.extend(fields);
            let request = ruth
                .request(Method::POST, path)
                .header(header::ORIGIN, origin)
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form(&all))
                .unwrap();
            let answer = console.send(request).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {token}");
        }
    }
    assert!(!principal(&console, "bob").await.admin);
    assert!(console.state.directory.user("eve").await.unwrap().is_none());
}

#[tokio::test]
async fn a_user_is_added_and_signs_in() {
    let console = TestConsole::start().await;
    let ruth = console.browser("ruth").await;
    let fields = [
        ("name", " eve "),
        ("groups", "dba\r\n on call \r\n\r\n"),
        ("password", PASSWORD),
        ("next", "/people?group=dba"),
    ];
    let answer = send(&ruth, "/people", &fields).await;
    assert_done(&answer, "/people?group=dba");
    let eve = principal(&console, "eve").await;
    assert_eq!(
        (eve.groups, eve.admin),
        (vec!["dba".to_owned(), "on call".to_owned()], false)
    );
    console.browser("eve").await;
    let page = ruth.get("/people?group=on+call").await.body;
    assert!(
        page.contains("<h2>eve</h2>") && !page.contains("<h2>bob</h2>"),
        "{page}"
    );
}

#[tokio::test]
async fn a_form_with_a_mistake_comes_again_without_the_password() {
    let console = TestConsole::start().await;
    let ruth = console.browser("ruth").await;
    for (name, groups, password, status, why) in [
        ("bob", "dba", "hunter2", StatusCode::CONFLICT, "already"),
        (
            "",
            "dba",
            "hunter2",
            StatusCode::UNPROCESSABLE_ENTITY,
            "user name",
        ),
        (
            "eve",
            "a\u{200b}b",
            "hunter2",
            StatusCode::UNPROCESSABLE_ENTITY,
            "does not show",
        ),
        (
            "<eve>",
            "dba",
            "",
            StatusCode::UNPROCESSABLE_ENTITY,
            "password is empty",
        ),
    ] {
        let fields = [
            ("name", name),
            ("groups", groups),
            ("password", password),
            ("admin", "on"),
        ];
        let answer = send(&ruth, "/people", &fields).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        assert!(answer.body.contains(why), "{}", answer.body);
        assert!(answer.body.contains("role=\"alert\""), "{}", answer.body);
        assert!(answer.body.contains("value=\"on\" checked"), "{}", answer.body);
        assert!(
            answer.body.contains(&format!(">{groups}</textarea>")),
            "{}",
            answer.body
        );
        for never in ["hunter2", "<eve>"] {
            assert!(!answer.body.contains(never), "{}", answer.body);
        }
    }
    let users = console.state.directory.users().await.unwrap();
    assert_eq!(users.len(), 5);
}

#[tokio::test]
async fn buttons_change_groups_and_rights() {
    let console = TestConsole::start().await;
    let ruth = console.browser("ruth").await;
    let id = console
        .hold(|r| r.quorum = crate::model::Quorum::each_of(["security"]))
        .await;
    let (bob, request) = (console.browser("bob").await, format!("/requests/{id}"));
    assert_eq!(bob.get(&request).await.status, StatusCode::NOT_FOUND);
    for (field, value) in [("join", " security "), ("leave", "dba"), ("admin", "on")] {
        let fields = [("user", "bob"), (field, value), ("next", "/people")];
        assert_done(&send(&ruth, "/people/change", &fields).await, "/people");
    }
    let changed = principal(&console, "bob").await;
    assert_eq!(
        (changed.groups, changed.admin),
        (vec!["security".to_owned()], true)
    );
    assert_eq!(bob.get(&request).await.status, StatusCode::OK, "at once");
    assert_eq!(bob.get("/people").await.status, StatusCode::OK);

    let token = console.token("bob").await;
    assert_done(
        &send(&ruth, "/people/revoke-tokens", &[("user", "bob")]).await,
        "/people",
    );
    assert!(console.state.directory.by_token(&token).await.unwrap().is_none());

    let fields = [("user", "bob"), ("disabled", "on")];
    assert_done(&send(&ruth, "/people/change", &fields).await, "/people");
    assert_eq!(
        bob.get("/people").await.status,
        StatusCode::SEE_OTHER,
        "signed out"
    );
    let page = ruth.get("/people?disabled=true").await.body;
    assert!(
        page.contains("<h2>bob</h2>") && !page.contains("<h2>dan</h2>"),
        "{page}"
    );
    let fields = [("user", "bob"), ("disabled", "off")];
    assert_done(&send(&ruth, "/people/change", &fields).await, "/people");
    console.browser("bob").await;

    let unfit = send(&ruth, "/people/change", &[("user", "bob"), ("join", " ")]).await;
    assert_eq!(unfit.status, StatusCode::UNPROCESSABLE_ENTITY);
    let nobody = send(&ruth, "/people/change", &[("user", "eve"), ("join", "x")]).await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn nobody_locks_themselves_out() {
    let console = TestConsole::start().await;
    let ruth = console.browser("ruth").await;
    console.change_user("carol", UserChange::admin(true)).await;
    let page = ruth.get("/people").await.body;
    // Five users: a button for each of the others alone.
    assert_eq!(page.matches(r#"name="disabled""#).count(), 4, "{page}");
    assert_eq!(
        page.matches(r#"name="admin" value="on">"#).count(),
        4,
        "three others, and the new one"
    );
    for fields in [
        [("user", "ruth"), ("admin", "off")],
        [("user", "ruth"), ("disabled", "on")],
    ] {
        let answer = send(&ruth, "/people/change", &fields).await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.body);
        assert!(answer.body.contains("another administrator"), "{}", answer.body);
    }
    assert!(principal(&console, "ruth").await.admin);
}

#[tokio::test]
async fn names_with_any_characters_are_changed_and_harmless() {
    let console = TestConsole::start().await;
    let ruth = console.browser("ruth").await;
    let name = r#"../a/?#&"'><b>x"#;
    let fields = [("name", name), ("groups", name), ("password", "x")];
    assert_done(&send(&ruth, "/people", &fields).await, "/people");
    let page = ruth.get("/people").await.body;
    assert!(!page.contains("<b>x"), "{page}");
    let filter = url::form_urlencoded::Serializer::new("/people?".to_owned())
        .append_pair("group", name)
        .finish()
        .replace("?&", "?");
    let list = ruth.get(&filter).await.body;
    assert_eq!(list.matches("<li class=\"card person\">").count(), 1, "{list}");
    let fields = [("user", name), ("leave", name), ("next", "//evil.example")];
    assert_done(&send(&ruth, "/people/change", &fields).await, "/people");
    assert_eq!(principal(&console, name).await.groups, [""; 0]);
}

#[tokio::test]
async fn a_long_list_has_pages() {
    let console = TestConsole::start().await;
    let ruth = console.browser("ruth").await;
    for number in 0..101 {
        let user = crate::store::UserRecord {
            principal: Principal {
                name: format!("member{number:03}"),
                groups: vec!["many".to_owned()],
                admin: false,
            },
            scram_verifier: String::new(),
            disabled: false,
            created_at: "2026-03-01T12:00:00Z".parse().unwrap(),
        };
        let store: &dyn crate::store::UserStore = &*console.store;
        store
            .add_user(&user, crate::store::Actor::CommandLine)
            .await
            .unwrap();
    }
    let first = ruth.get("/people?group=many").await.body;
    assert!(
        first.contains("member099") && !first.contains("member100"),
        "{first}"
    );
    assert!(
        first.contains(r#"href="/people?group=many&#38;after=member099""#),
        "{first}"
    );
    let last = ruth.get("/people?group=many&after=member099").await.body;
    assert!(
        last.contains("member100") && !last.contains(r#"rel="next""#),
        "{last}"
    );
}
