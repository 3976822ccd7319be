//! The pages from outside: sign-in, forgery, what strangers' text can do, and decisions.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use futures_util::StreamExt;
use jiff::SignedDuration;

use super::super::testing::{PASSWORD, TestConsole, form};
use crate::model::{Outcome, Quorum, Verdict};
use crate::store::RequestStore;

#[tokio::test]
async fn nobody_sees_anything_without_signing_in() {
    let console = TestConsole::start().await;
    let id = console.hold(|_| ()).await;
    for (path, form) in [
        ("/".to_owned(), "/sign-in".to_owned()),
        ("/history".to_owned(), "/sign-in?next=%2Fhistory".to_owned()),
        (
            format!("/requests/{id}"),
            format!("/sign-in?next=%2Frequests%2F{id}"),
        ),
        (
            format!("/requests/{id}/statement.sql"),
            format!("/sign-in?next=%2Frequests%2F{id}%2Fstatement.sql"),
        ),
        ("/events".to_owned(), "/sign-in".to_owned()),
        ("/queue".to_owned(), "/sign-in".to_owned()),
    ] {
        let answer = console.get(&path).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
        assert_eq!(answer.header(header::LOCATION), form, "{path}");
    }
    let request = Request::post(format!("/requests/{id}/approve"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let answer = console.send(request.body(Body::from("csrf=x")).unwrap()).await;
    assert_eq!(
        answer.header(header::LOCATION),
        format!("/sign-in?next=%2Frequests%2F{id}")
    );
}

#[tokio::test]
async fn signing_in_leads_to_the_wanted_page_and_out_again() {
    let console = TestConsole::start().await;
    let request = Request::post("/sign-in").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let fields = [
        ("user", "bob"),
        ("password", PASSWORD),
        ("next", "/history?state=rejected"),
    ];
    let answer = console.send(request.body(form(&fields)).unwrap()).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(answer.header(header::LOCATION), "/history?state=rejected");
    let cookie = answer.header(header::SET_COOKIE);
    assert!(cookie.starts_with("__Host-holdpoint="), "{cookie}");
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Secure"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");

    let browser = console.browser("bob").await;
    let page = browser.get("/").await;
    assert!(page.body.contains("<b>bob</b>"), "{}", page.body);
    assert_eq!(browser.get("/sign-in").await.header(header::LOCATION), "/");
    let out = browser.post("/sign-out", &[("csrf", &page.csrf())]).await;
    assert_eq!(out.status, StatusCode::SEE_OTHER);
    assert!(out.header(header::SET_COOKIE).contains("Max-Age=0"));
    assert_eq!(
        browser.get("/").await.status,
        StatusCode::SEE_OTHER,
        "the session is over"
    );
}

#[tokio::test]
async fn signing_in_again_ends_the_session_from_before() {
    let console = TestConsole::start().await;
    let browser = console.browser("bob").await;
    let sign_in = |password| [("user", "dan"), ("password", password)];
    let failed = browser.post("/sign-in", &sign_in("wrong")).await;
    assert_eq!(failed.status, StatusCode::UNAUTHORIZED);
    assert_eq!(browser.get("/").await.status, StatusCode::OK);
    let again = browser.post("/sign-in", &sign_in(PASSWORD)).await;
    assert_eq!(again.status, StatusCode::SEE_OTHER);
    assert_eq!(
        browser.get("/").await.status,
        StatusCode::SEE_OTHER,
        "its cookie opens nothing any more"
    );
}

#[tokio::test]
async fn on_plain_http_the_cookie_goes_without_what_needs_https() {
    let mut console = TestConsole::start().await;
    console.reconfigure(|state| state.secure_cookies = false);
    let browser = console.browser("bob").await;
    assert!(browser.cookie.starts_with("holdpoint="), "{}", browser.cookie);
    assert_eq!(browser.get("/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_sign_in_leads_to_no_other_site() {
    let console = TestConsole::start().await;
    for next in [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "/\t/evil.example",
    ] {
        let page = console
            .get(&format!(
                "/sign-in?{}",
                url::form_urlencoded::Serializer::new(String::new())
                    .append_pair("next", next)
                    .finish()
            ))
            .await;
        assert!(!page.body.contains("evil"), "{}", page.body);
        let request =
            Request::post("/sign-in").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let fields = [("user", "bob"), ("password", PASSWORD), ("next", next)];
        let answer = console.send(request.body(form(&fields)).unwrap()).await;
        assert_eq!(answer.header(header::LOCATION), "/", "{next}");
    }
}

#[tokio::test]
async fn a_failed_sign_in_tells_nothing_and_is_throttled() {
    let console = TestConsole::start().await;
    let attempt = |user: &'static str| {
        let request =
            Request::post("/sign-in").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        console.send(
            request
                .body(form(&[("user", user), ("password", "wrong")]))
                .unwrap(),
        )
    };
    let (known, unknown) = (attempt("bob").await, attempt("eve").await);
    assert_eq!(known.status, StatusCode::UNAUTHORIZED);
    assert_eq!(known.status, unknown.status);
    assert_eq!(known.body.replace("bob", "eve"), unknown.body);
    assert!(known.headers.get(header::SET_COOKIE).is_none());

    let mut last = unknown;
    for _ in 0..20 {
        last = attempt("bob").await;
    }
    assert_eq!(last.status, StatusCode::TOO_MANY_REQUESTS);
    let wait: u32 = last.header(header::RETRY_AFTER).parse().unwrap();
    assert!((1..=60).contains(&wait));
    assert!(last.body.contains("Try again in"), "{}", last.body);
}

#[tokio::test]
async fn forged_forms_change_nothing() {
    let console = TestConsole::start().await;
    let id = console.hold(|_| ()).await;
    let browser = console.browser("bob").await;
    let token = browser.get(&format!("/requests/{id}")).await.csrf();
    let others_token = console
        .browser("dan")
        .await
        .get(&format!("/requests/{id}"))
        .await
        .csrf();
    assert_ne!(token, others_token);
    let path = format!("/requests/{id}/approve");
    for (csrf, site, origin) in [
        (None, "same-origin", "https://hold.example.com"),
        (Some(""), "same-origin", "https://hold.example.com"),
        (
            Some(others_token.as_str()),
            "same-origin",
            "https://hold.example.com",
        ),
        (Some(token.as_str()), "cross-site", "https://hold.example.com"),
        (Some(token.as_str()), "same-origin", "https://evil.example"),
        (Some(token.as_str()), "same-origin", "null"),
    ] {
        let fields: Vec<_> = csrf.iter().map(|csrf| ("csrf", *csrf)).collect();
        let request = browser
            .request(Method::POST, &path)
            .header("sec-fetch-site", site)
            .header(header::ORIGIN, origin)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form(&fields))
            .unwrap();
        let answer = console.send(request).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{csrf:?} {site} {origin}");
        assert!(answer.body.contains("Nothing was changed"), "{}", answer.body);
    }
    let request = Request::post("/sign-in")
        .header(header::ORIGIN, "https://evil.example")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(form(&[("user", "bob"), ("password", PASSWORD)]))
        .unwrap();
    assert_eq!(console.send(request).await.status, StatusCode::FORBIDDEN);
    let request = console.store.request(id).await.unwrap().unwrap();
    assert!(request.reviews.is_empty());
}

#[tokio::test]
async fn a_decision_by_form_is_taken_once() {
    let console = TestConsole::start().await;
    let id = console.hold(|_| ()).await;
    let (bob, dan) = (console.browser("bob").await, console.browser("dan").await);
    let page = format!("/requests/{id}");
    let (bobs, dans) = (bob.get(&page).await.csrf(), dan.get(&page).await.csrf());
    let approve = format!("{page}/approve");
    let answer = bob
        .post(&approve, &[("csrf", &bobs), ("comment", "looks right")])
        .await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(answer.header(header::LOCATION), page);
    let shown = bob.get(&page).await.body;
    assert!(shown.contains("bob (dba) approved"), "{shown}");
    assert!(shown.contains("looks right"), "{shown}");
    assert!(!shown.contains("<textarea"), "no forms any more");

    let again = bob.post(&approve, &[("csrf", &bobs)]).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert!(again.body.contains("approved by you"), "{}", again.body);
    let late = dan
        .post(&format!("{page}/reject"), &[("csrf", &dans), ("reason", "no")])
        .await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert!(late.body.contains("approved by bob"), "{}", late.body);
    assert!(late.body.contains(&format!("href=\"{page}\"")), "{}", late.body);
}

#[tokio::test]
async fn a_rejection_needs_a_reason_and_keeps_what_was_typed() {
    let console = TestConsole::start().await;
    let id = console.hold(|_| ()).await;
    let browser = console.browser("bob").await;
    let page = format!("/requests/{id}");
    let csrf = browser.get(&page).await.csrf();
    let blank = browser
        .post(&format!("{page}/reject"), &[("csrf", &csrf), ("reason", " ")])
        .await;
    assert_eq!(blank.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(blank.body.contains("id=\"reason-fault\""), "{}", blank.body);
    let long = format!("<b>{}", "x".repeat(4000));
    let answer = browser
        .post(&format!("{page}/approve"), &[("csrf", &csrf), ("comment", &long)])
        .await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        answer.body.contains("&#60;b&#62;xxx"),
        "what was typed is still there"
    );
    assert!(!answer.body.contains("<b>xxx"));
}

#[tokio::test]
async fn who_may_only_look_sees_no_forms_and_why() {
    let console = TestConsole::start().await;
    let id = console
        .hold(|r| r.quorum = Quorum::each_of(["dba", "security"]))
        .await;
    console.decide(id, "bob", Verdict::Approve, "").await;
    for (user, why) in [
        ("alice", "your own request"),
        ("ruth", "Only a member of dba or security"),
        (
            "bob",
            "You have approved it. It still waits for a member of security",
        ),
    ] {
        let browser = console.browser(user).await;
        let page = browser.get(&format!("/requests/{id}")).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.body.contains(why), "{user}: {}", page.body);
        assert!(!page.body.contains("<textarea"), "{user}");
    }
    let alice = console.browser("alice").await;
    let csrf = alice.get("/").await.csrf();
    let answer = alice
        .post(&format!("/requests/{id}/approve"), &[("csrf", &csrf)])
        .await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let hidden = console.hold(|r| r.quorum = Quorum::each_of(["security"])).await;
    for path in ["", "/live", "/statement.sql"] {
        let page = console
            .browser("bob")
            .await
            .get(&format!("/requests/{hidden}{path}"))
            .await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn strangers_text_stays_text() {
    let console = TestConsole::start().await;
    let script = "<script>alert(1)</script>\" onload='x' \u{202E}";
    let id = console
        .hold(|r| {
            r.statement = format!("SELECT '{script}' AS \"{script}\" -- {script}");
            r.origin.application_name = script.to_owned();
            r.origin.database = script.to_owned();
            r.parameters[0].value = Some(script.to_owned());
            r.parameters[0].r#type = Some(script.to_owned());
            r.command = script.to_owned();
            r.tables[0].name = script.to_owned();
            r.functions = vec![script.to_owned()];
            r.signals = vec![script.to_owned()];
            r.rule = script.to_owned();
        })
        .await;
    let bob = console.browser("bob").await;
    let pages = [
        "/",
        "/queue",
        &format!("/requests/{id}"),
        &format!("/requests/{id}/live"),
    ];
    for path in pages {
        assert_harmless(path, &bob.get(path).await.body);
    }
    console.decide(id, "bob", Verdict::Approve, script).await;
    let outcome = Outcome {
        tag: script.to_owned(),
        rows: None,
        sqlstate: Some(script.to_owned()),
        error: Some(script.to_owned()),
        duration_ms: 1,
    };
    console.run(id, outcome).await;
    for path in ["/history", &format!("/requests/{id}")] {
        assert_harmless(path, &bob.get(path).await.body);
    }
    let text = bob.get(&format!("/requests/{id}/statement.sql")).await;
    assert_eq!(text.header(header::CONTENT_TYPE), "text/plain; charset=utf-8");
    assert!(text.header(header::CONTENT_DISPOSITION).starts_with("attachment"));
    let page = console.get(&format!("/nothing/{}", "%3Cscript%3E")).await;
    assert!(!page.body.contains("<script>"), "{}", page.body);
}

#[track_caller]
fn assert_harmless(path: &str, body: &str) {
    assert!(body.contains("alert(1)"), "{path} shows it: {body}");
    assert!(!body.contains("<script>"), "{path}: {body}");
    assert!(!body.contains("\" onload"), "{path}: {body}");
    assert!(!body.contains('\u{202E}'), "{path}: {body}");
    assert!(body.contains("[U+202E]"), "{path}: {body}");
}

#[tokio::test]
async fn the_queue_is_sorted_by_whom_it_waits_for() {
    let console = TestConsole::start().await;
    let bob = console.browser("bob").await;
    let empty = bob.get("/").await;
    assert!(empty.body.contains("Nothing is waiting"), "{}", empty.body);
    assert!(empty.body.contains("<title>holdpoint</title>"), "{}", empty.body);
    let mine = console.hold(|_| ()).await;
    console.clock.advance(SignedDuration::from_secs(1));
    let own = console.hold(|r| r.origin.user = "bob".to_owned()).await;
    let approved = console.hold(|_| ()).await;
    console.decide(approved, "dan", Verdict::Approve, "").await;
    let hidden = console.hold(|r| r.quorum = Quorum::each_of(["security"])).await;
    let page = bob.get("/").await.body;
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("no {text} in {page}"));
    assert!(place("Waiting for your decision") < place(&format!("card-{mine}")));
    assert!(place(&format!("card-{mine}")) < place("Waiting for others"));
    assert!(place("Waiting for others") < place(&format!("card-{own}")));
    assert!(place(&format!("card-{own}")) < place("Approved, running"));
    assert!(place("Approved, running") < place(&format!("card-{approved}")));
    assert!(!page.contains(hidden.as_str()));
    assert!(page.contains("<title>(1) holdpoint</title>"));
    assert!(
        page.contains("http-equiv=\"refresh\""),
        "without a script it reloads itself"
    );
    let fragment = bob.get("/queue").await.body;
    assert!(fragment.starts_with("<div id=\"queue\""), "{fragment}");
    assert!(page.contains(fragment.trim()), "the page contains the same list");
}

#[tokio::test]
async fn the_history_is_filtered_and_paged() {
    let console = TestConsole::start().await;
    let bob = console.browser("bob").await;
    assert!(bob.get("/history").await.body.contains("Nothing settled yet"));
    let rejected = console.hold(|_| ()).await;
    console.decide(rejected, "dan", Verdict::Reject, "no").await;
    let mut withdrawn = Vec::new();
    for _ in 0..51 {
        console.clock.advance(SignedDuration::from_secs(1));
        let id = console.hold(|_| ()).await;
        let now = crate::model::Clock::now(&*console.clock);
        console.store.withdraw(id, "gone", now).await.unwrap();
        withdrawn.push(id);
    }
    let page = bob.get("/history?state=withdrawn").await.body;
    assert!(page.contains(withdrawn[50].as_str()) && !page.contains(withdrawn[0].as_str()));
    let next = format!("/history?state=withdrawn&amp;before={}", withdrawn[1]);
    assert!(page.contains(&next), "{page}");
    let older = bob.get(&next.replace("&amp;", "&")).await.body;
    assert!(older.contains(withdrawn[0].as_str()) && !older.contains(withdrawn[1].as_str()));
    let only = bob.get("/history?state=rejected").await.body;
    assert!(only.contains(rejected.as_str()) && !only.contains(withdrawn[50].as_str()));
    for wrong in ["/history?state=pending", "/history?before=x"] {
        assert_eq!(bob.get(wrong).await.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
}

#[tokio::test]
async fn a_live_page_hears_of_what_it_may_see_and_ends_with_the_session() {
    let console = TestConsole::start().await;
    let bob = console.browser("bob").await;
    let csrf = bob.get("/").await.csrf();
    let hidden = console.hold(|r| r.quorum = Quorum::each_of(["security"])).await;
    let id = console.hold(|_| ()).await;
    let request = bob.request(Method::GET, "/events").body(Body::empty()).unwrap();
    let response = console.respond(request).await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut events = response.into_body().into_data_stream();
    let mut next = async || {
        let event = events.next().await;
        event.map(|bytes| String::from_utf8(bytes.unwrap().to_vec()).unwrap())
    };
    assert!(next().await.unwrap().contains("event: refresh"));
    console.decide(hidden, "carol", Verdict::Reject, "no").await;
    console.decide(id, "dan", Verdict::Approve, "").await;
    let event = next().await.unwrap();
    assert!(
        event.contains("event: changed") && event.contains(id.as_str()),
        "{event}"
    );
    bob.post("/sign-out", &[("csrf", &csrf)]).await;
    let another = console.hold(|_| ()).await;
    console.decide(another, "dan", Verdict::Approve, "").await;
    assert_eq!(next().await, None, "nothing more for who has signed out");
}

#[tokio::test]
async fn live_pages_end_when_the_process_stops() {
    let console = TestConsole::start().await;
    let bob = console.browser("bob").await;
    let request = bob.request(Method::GET, "/events").body(Body::empty()).unwrap();
    let mut events = console.respond(request).await.into_body().into_data_stream();
    assert!(events.next().await.is_some());
    console.state.shutdown.cancel();
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn every_answer_is_fenced_in() {
    let console = TestConsole::start().await;
    let bob = console.browser("bob").await;
    for path in [
        "/",
        "/sign-in",
        "/nothing",
        "/api/v1/requests",
        "/healthz",
        "/static/console.css",
    ] {
        let answer = bob.get(path).await;
        let policy = answer.header(header::CONTENT_SECURITY_POLICY);
        assert!(
            policy.starts_with("default-src 'none'; style-src 'self'"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff", "{path}");
        assert_eq!(answer.header(header::REFERRER_POLICY), "same-origin", "{path}");
        assert_eq!(
            answer.header("cross-origin-opener-policy"),
            "same-origin",
            "{path}"
        );
        if !path.starts_with("/static") {
            assert_eq!(answer.header(header::CACHE_CONTROL), "no-store", "{path}");
        }
        for inline in [" style=", " onclick=", "<style", "javascript:"] {
            assert!(!answer.body.contains(inline), "{path} has {inline}");
        }
    }
}

#[tokio::test]
async fn assets_are_cached_by_what_is_in_them() {
    let console = TestConsole::start().await;
    let page = console.get("/sign-in").await.body;
    for (file, content_type) in [
        ("console.css", "text/css; charset=utf-8"),
        ("console.js", "text/javascript; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ] {
        let begin = page.find(&format!("/static/{file}?v=")).unwrap();
        let address = page[begin..].split('"').next().unwrap();
        let answer = console.get(address).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header(header::CONTENT_TYPE), content_type);
        assert!(answer.header(header::CACHE_CONTROL).contains("immutable"));
        let other = console.get(&format!("/static/{file}?v=other")).await;
        assert_eq!(other.header(header::CACHE_CONTROL), "no-cache");
        let request = Request::get(address).header(header::IF_NONE_MATCH, answer.header(header::ETAG));
        let known = console.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(
            (known.status, known.body.as_str()),
            (StatusCode::NOT_MODIFIED, "")
        );
    }
    assert_eq!(
        console.get("/static/nothing.js").await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        console.get("/static/..%2Fpages.rs").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn faults_are_pages_in_the_consoles_own_look() {
    let console = TestConsole::start().await;
    let bob = console.browser("bob").await;
    for (answer, status) in [
        (bob.get("/nothing").await, StatusCode::NOT_FOUND),
        (bob.get("/requests/not-an-id").await, StatusCode::NOT_FOUND),
        (bob.get("/sign-out").await, StatusCode::METHOD_NOT_ALLOWED),
        (bob.get("/requests/%ff").await, StatusCode::BAD_REQUEST),
        (bob.get("/access/%ff").await, StatusCode::BAD_REQUEST),
        (bob.get("/static/%ff").await, StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(answer.status, status);
        assert!(answer.header(header::CONTENT_TYPE).starts_with("text/html"));
        assert!(answer.body.contains("class=\"brand\""), "{}", answer.body);
    }
    console.store.close().await;
    let answer = bob.get("/").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.body.contains("Statements stay held"), "{}", answer.body);
}
