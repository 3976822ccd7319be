//! Where the shield stands, and what is asked of the server next.

use super::*;
use crate::wire::{Header, frontend};

#[test]
fn moves_are_framed_as_they_say() {
    for one in [
        Move::RaiseDefault,
        Move::LowerDefault,
        Move::RaiseInBlock,
        Move::LowerInBlock,
    ] {
        let bytes = Shield::new(true, None, false, "x".into()).encode(one);
        let mut rest = &bytes[..];
        let mut tags = String::new();
        while let Ok(Some(header)) = Header::peek_frontend(rest) {
            let body = &rest[5..header.total()];
            match header.tag {
                b'P' => assert!(frontend::Parse::read(body).is_ok()),
                b'B' => assert!(frontend::Bind::read(body).is_ok()),
                b'E' => assert!(frontend::execute(body).is_ok()),
                b'C' => assert!(frontend::target(body).is_ok()),
                _ => assert!(body.is_empty()),
            }
            tags.push(char::from(header.tag));
            rest = &rest[header.total()..];
        }
        assert!(rest.is_empty());
        assert_eq!(tags, format!("{}S", "PBECC".repeat(one.tags().len())));
    }
}

fn at(shield: &mut Shield, status: TransactionStatus) {
    shield.ready(status, true);
}

#[test]
fn a_session_that_finds_it_up_does_not_ask() {
    let mut shield = Shield::new(true, Some("off"), true, "shield".into());
    assert!(shield.is_ready(Need::Up) && shield.is_up_by_default());
    assert_eq!(shield.next(Need::Modes), Some(Move::LowerDefault));
    assert_eq!(shield.next(Need::Down), Some(Move::LowerDefault));
    shield.moved(Move::LowerDefault);
    assert!(!shield.is_up_by_default());
    assert_eq!(shield.next(Need::Up), Some(Move::RaiseDefault));
    // Where policy wants none, it is taken down before anything.
    let shield = Shield::new(false, Some("off"), true, "shield".into());
    assert!(!shield.is_ready(Need::Up) && !shield.is_up_by_default());
    assert_eq!(shield.next(Need::Up), Some(Move::LowerDefault));
    assert_eq!(shield.next(Need::Down), Some(Move::LowerDefault));
}

#[test]
fn a_session_that_only_reads_asks_once() {
    let mut shield = Shield::new(true, Some("off"), false, "shield".into());
    assert_eq!(shield.next(Need::Up), Some(Move::RaiseDefault));
    shield.moved(Move::RaiseDefault);
    for _ in 0..3 {
        assert!(shield.is_ready(Need::Up) && shield.is_ready(Need::Nothing));
        at(&mut shield, TransactionStatus::Idle);
    }
    assert_eq!(shield.next(Need::Down), Some(Move::LowerDefault));
}

#[test]
fn a_block_is_shielded_by_a_savepoint_that_is_left_for_writes() {
    let mut shield = Shield::new(true, Some("off"), false, "shield".into());
    at(&mut shield, TransactionStatus::InTransaction);
    assert_eq!(shield.next(Need::Up), Some(Move::RaiseInBlock));
    shield.moved(Move::RaiseInBlock);
    assert!(shield.is_ready(Need::Up));
    assert_eq!(shield.next(Need::Down), Some(Move::LowerInBlock));
    shield.moved(Move::LowerInBlock);
    assert_eq!(shield.next(Need::Up), Some(Move::RaiseInBlock));
    shield.moved(Move::RaiseInBlock);
    at(&mut shield, TransactionStatus::Failed);
    assert!(shield.is_ready(Need::Down) && shield.is_ready(Need::Up));
    // ROLLBACK TO.
    at(&mut shield, TransactionStatus::InTransaction);
    assert_eq!(shield.next(Need::Up), Some(Move::RaiseInBlock));
    at(&mut shield, TransactionStatus::Idle);
    assert_eq!(shield.next(Need::Up), Some(Move::RaiseDefault));
}

#[test]
fn a_block_that_began_behind_the_shield_stays_read_only() {
    let mut shield = Shield::new(true, Some("off"), false, "shield".into());
    shield.moved(Move::RaiseDefault);
    at(&mut shield, TransactionStatus::InTransaction);
    assert!(shield.forbids_writes() && shield.is_ready(Need::Up));
    at(&mut shield, TransactionStatus::Idle);
    assert!(!shield.forbids_writes());
    assert!(shield.is_ready(Need::Up));
}

#[test]
fn a_client_that_is_read_only_by_itself_needs_no_shield() {
    let mut shield = Shield::new(true, Some("on"), false, "shield".into());
    assert!(shield.is_ready(Need::Up) && shield.is_ready(Need::Down));
    shield.reported(b"off");
    assert_eq!(shield.next(Need::Up), Some(Move::RaiseDefault));
    shield.moved(Move::RaiseDefault);
    // Some function has switched it off.
    shield.reported(b"off");
    assert_eq!(shield.next(Need::Up), Some(Move::RaiseDefault));
}

#[test]
fn without_a_shield_nothing_is_asked() {
    for shield in [
        Shield::new(false, Some("off"), false, "shield".into()),
        Shield::new(true, None, false, "shield".into()),
    ] {
        assert!(shield.is_ready(Need::Up) && shield.is_ready(Need::Down));
        assert_eq!(shield.ahead(false), None);
    }
}
