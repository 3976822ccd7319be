//! The console over real HTTP: from signing in to the result in psql.

use crate::support::browser::Browser;
use crate::support::poll::in_time;
use crate::support::psql::Psql;
use crate::support::request::Request;
use crate::support::{Proxy, eventually};

#[tokio::test]
async fn a_held_statement_is_approved_on_its_page() {
    let proxy = Proxy::start().await;
    let (mut alice, request) = ask(&proxy, "DELETE FROM items WHERE id = 3;").await;
    let bob = proxy.bob.browser().await;
    let queue = bob.open("/").await;
    let path = format!("/requests/{}", request.id());
    assert!(queue.html.contains(&path), "{}", queue.html);
    assert!(queue.html.contains("Waiting for your decision"), "{}", queue.html);

    let page = bob.open(&path).await;
    for said in ["alice", "shop", "writes need a DBA", "items"] {
        assert!(page.html.contains(said), "{said} in {}", page.html);
    }
    let approve = format!("{path}/approve");
    assert!(page.has_form(&approve));
    let done = bob
        .send_form(&approve, &[("csrf", page.csrf()), ("comment", "looks right")])
        .await;
    assert_eq!((done.status, done.location()), (303, Some(path.as_str())));

    let shown = alice.prompt().await;
    assert!(shown.contains("DETAIL:  bob: looks right\n"), "{shown}");
    assert!(shown.ends_with("DELETE 1\n"), "{shown}");
    proxy.bob.sees(&request, "executed").await;
    let page = bob.open(&path).await;
    assert!(!page.has_form(&approve), "it is settled");
    assert!(page.html.contains("looks right"));
    assert!(bob.open("/history").await.html.contains(&path));
}

#[tokio::test]
async fn a_rejection_needs_a_reason() {
    let proxy = Proxy::start().await;
    let (mut alice, request) = ask(&proxy, "DELETE FROM items WHERE id = 3;").await;
    let bob = proxy.bob.browser().await;
    let path = format!("/requests/{}", request.id());
    let page = bob.open(&path).await;
    let reject = format!("{path}/reject");
    let again = bob
        .send_form(&reject, &[("csrf", page.csrf()), ("reason", " ")])
        .await;
    assert_eq!(again.status, 422);
    assert!(again.has_form(&reject), "the form comes again");
    assert_eq!(proxy.bob.request(request.id()).await.state(), "pending");

    let done = bob
        .send_form(&reject, &[("csrf", page.csrf()), ("reason", "too much")])
        .await;
    assert_eq!(done.status, 303);
    let shown = alice.prompt().await;
    assert!(shown.contains("ERROR:  rejected by bob: too much\n"), "{shown}");
    let late = bob
        .send_form(&format!("{path}/approve"), &[("csrf", page.csrf())])
        .await;
    assert_eq!(late.status, 409);
}

#[tokio::test]
async fn a_form_from_elsewhere_decides_nothing() {
    let proxy = Proxy::start().await;
    let (mut alice, request) = ask(&proxy, "DELETE FROM items WHERE id = 3;").await;
    let bob = proxy.bob.browser().await;
    let carol = proxy.carol.browser().await;
    let path = format!("/requests/{}", request.id());
    let approve = format!("{path}/approve");
    let token = bob.open(&path).await.csrf().to_owned();
    let tokens_of_others = carol.open(&path).await.csrf().to_owned();

    assert_eq!(bob.send_form(&approve, &[]).await.status, 403);
    assert_eq!(bob.send_form(&approve, &[("csrf", "")]).await.status, 403);
    assert_eq!(
        bob.send_form(&approve, &[("csrf", &tokens_of_others)])
            .await
            .status,
        403
    );
    let fields = [("csrf", token.as_str())];
    assert_eq!(
        bob.send_form_from("https://evil.example", &approve, &fields)
            .await
            .status,
        403
    );
    let nobody = Browser::new(proxy.console());
    let sent = nobody.send_form(&approve, &fields).await;
    assert!(
        sent.location().is_some_and(|to| to.starts_with("/sign-in")),
        "{sent:?}"
    );
    // Who may ask may not decide.
    let own = proxy.alice.browser().await;
    let page = own.open(&path).await;
    assert!(!page.has_form(&approve));
    assert_eq!(
        own.send_form(&approve, &[("csrf", page.csrf())]).await.status,
        403
    );
    assert_eq!(proxy.bob.request(request.id()).await.state(), "pending");

    let ours = bob.send_form_from(&proxy.console(), &approve, &fields).await;
    assert_eq!(ours.status, 303);
    assert!(alice.prompt().await.ends_with("DELETE 1\n"));
}

#[tokio::test]
async fn only_the_right_password_signs_in() {
    let proxy = Proxy::start().await;
    let mut browser = Browser::new(proxy.console());
    let page = browser.open("/history").await;
    assert_eq!(
        (page.status, page.location()),
        (303, Some("/sign-in?next=%2Fhistory"))
    );
    let wrong = browser.sign_in("bob", "wrong").await;
    let unknown = browser.sign_in("nobody", "wrong").await;
    assert_eq!((wrong.status, unknown.status), (401, 401));
    assert_eq!(wrong.html.replace("bob", "nobody"), unknown.html);

    let page = browser.sign_in("bob", &proxy.bob.password()).await;
    let cookie = page.header("set-cookie").unwrap();
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(attribute), "{attribute} in {cookie}");
    }
    let page = browser.open("/").await;
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );

    let left = browser.send_form("/sign-out", &[("csrf", page.csrf())]).await;
    assert_eq!(left.status, 303);
    assert_eq!(
        browser.open("/").await.status,
        303,
        "the cookie that was kept is worth nothing"
    );
}

#[tokio::test]
async fn a_disabled_user_is_signed_out() {
    let proxy = Proxy::start().await;
    let bob = proxy.bob.browser().await;
    assert_eq!(bob.open("/").await.status, 200);
    let disabled = proxy.command(&["user", "disable", "bob"]).output().unwrap();
    assert!(disabled.status.success(), "{disabled:?}");
    assert_eq!(bob.open("/").await.status, 303);
}

#[tokio::test]
async fn what_a_statement_says_is_text_on_every_page() {
    let proxy = Proxy::start().await;
    let sql = "DELETE FROM items WHERE name = '<script>alert(1)</script><img src=x onerror=alert(2)>';";
    let (_alice, request) = ask(&proxy, sql).await;
    let bob = proxy.bob.browser().await;
    for path in [
        "/".to_owned(),
        format!("/requests/{}", request.id()),
        "/queue".to_owned(),
    ] {
        let page = bob.open(&path).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(page.html.contains("alert(1)"), "{path} shows the statement");
        for markup in ["<script>alert", "<img"] {
            assert!(!page.html.contains(markup), "{markup} on {path}");
        }
    }
    let download = bob
        .open(&format!("/requests/{}/statement.sql", request.id()))
        .await;
    assert_eq!(download.html, sql.trim_end_matches(';').to_owned() + ";");
    assert!(
        download.header("content-type").unwrap().starts_with("text/plain"),
        "{download:?}"
    );
}

#[tokio::test]
async fn an_open_page_hears_of_changes() {
    let proxy = Proxy::start().await;
    let bob = proxy.bob.browser().await;
    let mut events = bob.listen("/events").await;
    let (_alice, request) = ask(&proxy, "DELETE FROM items WHERE id = 3;").await;
    let mut heard = String::new();
    eventually("an event about the request", async || {
        let chunk = in_time("an event", events.chunk())
            .await
            .unwrap()
            .expect("the stream goes on");
        heard.push_str(&String::from_utf8_lossy(&chunk));
        heard.contains(request.id()).then_some(())
    })
    .await;
    assert!(
        heard.contains("event: changed") || heard.contains("event:changed"),
        "{heard}"
    );
}

/// Alice asks for something that is held.
async fn ask(proxy: &Proxy, sql: &str) -> (Psql, Request) {
    let mut alice = proxy.alice.psql().await;
    alice.types(sql);
    let request = proxy.bob.pending_one().await;
    (alice, request)
}
