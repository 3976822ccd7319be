//! Portals bound to an SQL `EXECUTE`, whose name stands for something else later: only the unnamed portal
//! may be, and nothing that changes a name leaves that as it is.

use super::play::{DELETE, Part, Player, attack, query, send, stage, untouched};
use crate::support::raw::Frames;

/// Makes the name `s` stand for what is to be run.
fn renamed() -> [Part; 2] {
    [query("DEALLOCATE s"), query(&format!("PREPARE s AS {DELETE}"))]
}

#[tokio::test]
async fn a_fetch_runs_no_portal_that_stands_for_something_else() {
    let proxy = stage().await;
    let before = [
        query("PREPARE s AS SELECT 1"),
        query("BEGIN"),
        send(Frames::new().parse("e", "EXECUTE s").bind("p", "e", &[]).sync()),
    ];
    let after = [query("FETCH ALL FROM p"), query("COMMIT")];
    let told = attack(&proxy, before.into_iter().chain(renamed()).chain(after)).await;
    assert_eq!(
        told,
        [
            "C(PREPARE) Z(I)",
            "C(BEGIN) Z(T)",
            "1 E(0A000) Z(E)",
            "E(25P02) Z(E)",
            "E(25P02) Z(E)",
            "E(25P02) Z(E)",
            "C(ROLLBACK) Z(I)",
        ]
    );
}

#[tokio::test]
async fn a_failed_bind_forgets_no_portal_of_that_name() {
    let proxy = stage().await;
    let bound = Frames::new()
        .parse("e", "EXECUTE s")
        .parse("n", "select 2")
        .bind("p", "e", &[])
        .sync();
    let before = [
        query("PREPARE s AS SELECT 1"),
        query("BEGIN"),
        send(bound),
        query("SAVEPOINT a"),
        send(Frames::new().bind("p", "n", &[]).sync()),
        query("ROLLBACK TO a"),
    ];
    let after = [send(Frames::new().execute("p", 0).sync()), query("COMMIT")];
    let told = attack(&proxy, before.into_iter().chain(renamed()).chain(after)).await;
    assert_eq!(
        told,
        [
            "C(PREPARE) Z(I)",
            "C(BEGIN) Z(T)",
            "1 1 E(0A000) Z(E)",
            "E(25P02) Z(E)",
            "E(25P02) Z(E)",
            "E(3B001) Z(E)",
            "E(25P02) Z(E)",
            "E(25P02) Z(E)",
            "E(34000) Z(E)",
            "C(ROLLBACK) Z(I)",
        ]
    );
}

#[tokio::test]
async fn an_earlier_answer_forgets_no_portal() {
    let proxy = stage().await;
    let bound = Frames::new()
        .query("select 1")
        .statement("BEGIN")
        .parse("e", "EXECUTE s")
        .bind("p", "e", &[])
        .sync();
    let before = [query("PREPARE s AS SELECT 1"), send(bound).times(2)];
    let after = [send(Frames::new().execute("p", 0).sync()), query("COMMIT")];
    let told = attack(&proxy, before.into_iter().chain(renamed()).chain(after)).await;
    assert_eq!(
        told,
        [
            "C(PREPARE) Z(I)",
            "T D(1) C(SELECT 1) Z(I) 1 2 C(BEGIN) 1 E(0A000) Z(E)",
            "E(25P02) Z(E)",
            "E(25P02) Z(E)",
            "E(34000) Z(E)",
            "C(ROLLBACK) Z(I)",
        ]
    );
}

/// A name could change under the unnamed portal only through a named one.
#[tokio::test]
async fn no_name_changes_under_the_unnamed_portal() {
    for changes in ["DEALLOCATE s", "DEALLOCATE ALL", "DISCARD ALL"] {
        let proxy = stage().await;
        let bound = Frames::new().parse("e", "EXECUTE s").bind("", "e", &[]);
        let changed = bound.parse("c", changes).bind("q", "c", &[]).execute("q", 0);
        let renamed = changed
            .parse("n", &format!("PREPARE s AS {DELETE}"))
            .bind("r", "n", &[])
            .execute("r", 0)
            .execute("", 0)
            .sync();
        let told = attack(&proxy, [query("PREPARE s AS SELECT 1"), send(renamed)]).await;
        assert_eq!(told, ["C(PREPARE) Z(I)", "1 2 1 E(0A000) Z(I)"], "{changes}");
    }
}

/// An approval is for a text, not for all that differ from it in numbers.
#[tokio::test]
async fn what_was_approved_does_not_run_with_other_numbers() {
    let proxy = stage().await;
    let delete = |id: u32| format!("DELETE FROM t WHERE id = {id}");
    let mut alice = Player::alice(&proxy).await;
    let prepares = Frames::new().parse("k", &delete(3)).parse("s", &delete(1));
    let binds = Frames::new().bind("", "e", &[]).flush();
    let others = Frames::new().close_statement("s").parse("s", &delete(2));
    let told = alice
        .plays([
            query("SELECT FROM t LIMIT 0"),
            send(prepares.parse("e", "EXECUTE s").sync()),
            send(binds).until(b'2').approved(),
            send(others.execute("", 0).sync()),
        ])
        .await;
    assert_eq!(told[1..], ["1 1 1 Z(I)", "2", "3 1 E(42501) Z(I)"]);
    assert_eq!(
        alice.approved[0].statement(),
        format!("EXECUTE s\n\n-- which was prepared as:\n{}", delete(1))
    );
    untouched(&proxy, alice).await;
}
