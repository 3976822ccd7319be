//! The judge as sessions use it.

use std::sync::Arc;

use bytes::Bytes;

use super::{USUAL, on_a_large_stack};
use crate::model::Effect;
use crate::sql::{INLINE_MAX, Judge, JudgeLimits, Meaning};

fn judge() -> Judge {
    Judge::new(JudgeLimits {
        max_text: 100_000,
        ..JudgeLimits::default()
    })
}

fn long(statement: &str) -> Bytes {
    Bytes::from(format!("{statement}{}", " ".repeat(INLINE_MAX)))
}

#[tokio::test]
async fn a_long_text_is_judged_on_the_pool_and_found_at_once_then() {
    let judge = judge();
    let text = long("DELETE FROM t");
    assert_eq!(judge.judge_inline(&text, USUAL), None);
    let judged = judge.judge(text.clone(), USUAL).await;
    assert_eq!(judged.effect(), Effect::Write);
    assert!(
        judge
            .judge_inline(&text, USUAL)
            .is_some_and(|found| Arc::ptr_eq(&found, &judged))
    );
}

#[tokio::test]
async fn what_is_not_judged_is_unknown_both_ways() {
    let judge = judge();
    let too_long = Bytes::from(" ".repeat(100_001));
    let nul = Bytes::from_static(b"SELECT 1\0");
    for text in [too_long, nul] {
        assert_eq!(
            judge.judge_inline(&text, USUAL).unwrap().effect(),
            Effect::Unknown
        );
        assert_eq!(judge.judge(text, USUAL).await.effect(), Effect::Unknown);
    }
    let foreign = Meaning {
        encoding_is_safe: false,
        ..USUAL
    };
    let text = Bytes::from_static(b"SELECT 1");
    assert_eq!(judge.judge(text.clone(), USUAL).await.effect(), Effect::Read);
    assert_eq!(judge.judge(text.clone(), foreign).await.effect(), Effect::Unknown);
    assert_eq!(
        judge.judge_inline(&text, foreign).unwrap().effect(),
        Effect::Unknown
    );
    assert_eq!(judge.judge(text, USUAL).await.effect(), Effect::Read);
}

#[test]
fn texts_that_differ_in_integers_share_a_judgement() {
    let judge = judge();
    on_a_large_stack(move || {
        let of = |text: &str| judge.judge_inline(text.as_bytes(), USUAL).unwrap();
        assert!(Arc::ptr_eq(
            &of("SELECT a FROM t WHERE b = 1"),
            &of("SELECT a FROM t WHERE b = 999")
        ));
        assert!(!Arc::ptr_eq(
            &of("SELECT a FROM t WHERE b = 1"),
            &of("SELECT a FROM u WHERE b = 1")
        ));
        // A text that holds the marker is not the masked text.
        assert_eq!(of("SELECT a FROM t WHERE b = \0").effect(), Effect::Unknown);
        let off = Meaning {
            standard_conforming_strings: false,
            ..USUAL
        };
        let other = judge.judge_inline(b"SELECT a FROM t WHERE b = 1", off).unwrap();
        assert!(!Arc::ptr_eq(&of("SELECT a FROM t WHERE b = 1"), &other));
    });
}

#[tokio::test]
async fn many_at_once_are_all_judged() {
    let judge = judge();
    let tasks: Vec<_> = (0..300)
        .map(|n| {
            let judge = judge.clone();
            let verb = ["SELECT * FROM", "DELETE FROM", "DROP TABLE"][n % 3];
            let text = long(&format!("{verb} t{n}"));
            tokio::spawn(async move { judge.judge(text, USUAL).await })
        })
        .collect();
    for (n, task) in tasks.into_iter().enumerate() {
        let judged = task.await.unwrap();
        assert_eq!(
            judged.effect(),
            [Effect::Read, Effect::Write, Effect::Schema][n % 3]
        );
        assert_eq!(judged.statements[0].facts.tables[0].name, format!("t{n}"));
    }
}

/// What the work left over from a dropped future does is to fill the cache.
#[tokio::test]
async fn a_dropped_future_harms_nothing() {
    let judge = judge();
    for n in 0..50 {
        let text = long(&format!("SELECT * FROM t{n}"));
        let mut future = Box::pin(judge.judge(text, USUAL));
        let _ = futures_util::poll!(&mut future);
    }
    assert_eq!(judge.judge(long("SELECT 1"), USUAL).await.effect(), Effect::Read);
}
