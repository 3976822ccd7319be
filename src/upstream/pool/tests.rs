//! Who waits for room, and for how long. (What connections do is tested against a server.)

#![expect(clippy::unwrap_used, reason = "tests")]

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::*;
use crate::upstream::{Address, Demands, Encryption, ScramKeys};

fn pool(max_connections: usize) -> Arc<Pool> {
    let target = Target {
        address: Address::Tcp("127.0.0.1".to_owned(), 1),
        user: "app".to_owned(),
        dbname: "shop".to_owned(),
        password: None,
        scram_keys: ScramKeys::default(),
        encryption: Encryption::Never,
        demands: Demands::default(),
        connect_timeout: Duration::from_secs(1),
    };
    let limits = PoolLimits {
        max_idle: 1,
        min_idle: 0,
        max_connections,
        wait_timeout: Duration::from_mins(1),
        idle_timeout: Duration::from_mins(1),
        max_lifetime: Duration::from_mins(1),
    };
    Pool::new(Arc::new(target), limits)
}

#[tokio::test]
async fn who_comes_first_is_served_first() {
    let pool = pool(2);
    let beginning = Arc::new(Beginning {
        user: "alice".to_owned(),
        minor: 0,
        parameters: Vec::new(),
    });
    let mut cx = Context::from_waker(Waker::noop());
    let first = pool.room(&beginning).await.unwrap();
    let second = pool.room(&beginning).await.unwrap();
    let mut waits = pin!(pool.room(&beginning));
    let mut waits_too = pin!(pool.room(&beginning));
    assert!(waits.as_mut().poll(&mut cx).is_pending());
    assert!(waits_too.as_mut().poll(&mut cx).is_pending());
    drop(first);
    let mut newcomer = pin!(pool.room(&beginning));
    assert!(newcomer.as_mut().poll(&mut cx).is_pending(), "others wait");
    assert!(waits_too.as_mut().poll(&mut cx).is_pending(), "another waits");
    let Poll::Ready(third) = waits.as_mut().poll(&mut cx) else {
        panic!("there is room, and it is its turn");
    };
    drop((third, second));
    assert!(waits_too.as_mut().poll(&mut cx).is_ready());
    assert!(newcomer.as_mut().poll(&mut cx).is_ready(), "one left for it");
}
