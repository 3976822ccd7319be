//! Whose decision counts, and that only one does.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::support::Proxy;

#[tokio::test]
async fn of_many_decisions_at_once_exactly_one_wins() {
    let proxy = Proxy::start().await;
    for round in 1..=5 {
        let mut alice = proxy.alice.psql().await;
        alice.types(&format!("DELETE FROM items WHERE id = {round};"));
        let request = proxy.bob.pending_one().await;
        let decisions = (0..20).map(|number| {
            let person = if number % 4 < 2 { &proxy.bob } else { &proxy.carol };
            let request = &request;
            async move {
                if number % 2 == 0 {
                    ("DELETE 1", person.approve(request).await)
                } else {
                    ("rejected by", person.reject(request, "no").await)
                }
            }
        });
        let answers = join_all(decisions).await;
        let winners: Vec<_> = answers.iter().filter(|(_, answer)| answer.is_taken()).collect();
        assert_eq!(winners.len(), 1, "{answers:?}");
        assert!(
            answers.iter().all(|(_, a)| a.is_taken() || a.status == 409),
            "{answers:?}"
        );
        let shown = alice.prompt().await;
        assert!(shown.contains(winners[0].0), "{} in {shown}", winners[0].0);
        assert_eq!(
            proxy
                .bob
                .request(request.id())
                .await
                .field("reviews")
                .as_array()
                .unwrap()
                .len(),
            1
        );
    }
}

#[tokio::test]
async fn only_those_who_may_decide_do() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.psql().await;
    alice.types("DELETE FROM items WHERE id = 3;");
    let request = proxy.bob.pending_one().await;

    assert_eq!(
        proxy.alice.approve(&request).await.status,
        403,
        "nobody decides on their own"
    );
    let nobody = proxy.bob.with_token("hp_wrong");
    assert_eq!(nobody.approve(&request).await.status, 401);
    let answer = proxy.bob.reject(&request, "  ").await;
    assert_eq!(answer.status, 422, "a rejection needs a reason: {answer:?}");
    assert_eq!(answer.content_type, "application/problem+json");
    assert_eq!(
        proxy
            .bob
            .decide("0000000000zz", "approve", &json!({}))
            .await
            .status,
        404
    );
    assert_eq!(
        proxy
            .bob
            .call(Method::GET, "/api/v1/requests/..", None)
            .await
            .status,
        404
    );
    assert_eq!(
        proxy.bob.request(request.id()).await.state(),
        "pending",
        "nothing of that counted"
    );

    assert!(proxy.bob.approve(&request).await.is_taken());
    assert!(alice.prompt().await.ends_with("DELETE 1\n"));
    let request = proxy.carol.sees(&request, "executed").await;
    let again = proxy.carol.reject(&request, "too late").await;
    assert_eq!(again.status, 409);
    assert_eq!(again.content_type, "application/problem+json");
}
