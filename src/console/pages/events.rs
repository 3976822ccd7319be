//! `/events`: tells an open page which requests changed, as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;

use super::super::ConsoleState;
use super::visitor::{Visitor, by_secret};
use crate::model::RequestId;

/// So often a comment keeps idle connections open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// So long a stream lasts; browsers connect again, and whoever was signed out is not let in.
const LIFETIME: Duration = Duration::from_mins(5);
/// So soon browsers connect again.
const RECONNECT: Duration = Duration::from_secs(2);
/// Events that wait for a slow browser.
const BACKLOG: usize = 16;

/// Opens a stream of `changed` events, each with a request's id, and `refresh` events without.
pub(super) async fn stream(State(state): State<ConsoleState>, visitor: Visitor) -> impl IntoResponse {
    // Before the first event is sent, so that no change falls between a page and its stream.
    let changes = state.broker.changes();
    let (sender, receiver) = mpsc::channel(BACKLOG);
    tokio::spawn(follow(state, visitor, changes, sender));
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        // Reverse proxies would otherwise collect events before they pass them on.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    let sse = Sse::new(ReceiverStream::new(receiver)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    (headers, sse)
}

/// Feeds a stream until the browser goes, its session ends, its time is over, or we stop.
async fn follow(
    state: ConsoleState,
    visitor: Visitor,
    mut changes: broadcast::Receiver<RequestId>,
    sender: mpsc::Sender<Result<Event, Infallible>>,
) {
    let over = crate::timer::sleep(LIFETIME);
    tokio::pin!(over);
    let mut next = Some(Event::default().event("refresh").retry(RECONNECT).data("-"));
    loop {
        if let Some(event) = next
            && sender.send(Ok(event)).await.is_err()
        {
            return;
        }
        let change = tokio::select! {
            () = state.shutdown.cancelled() => return,
            () = sender.closed() => return,
            () = &mut over => return,
            change = changes.recv() => change,
        };
        next = match change {
            Ok(id) => match event_of(&state, &visitor, id).await {
                Ok(event) => event,
                Err(Over) => return,
            },
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Event::default().event("refresh").data("-")),
            Err(broadcast::error::RecvError::Closed) => return,
        };
    }
}

/// The stream has to end.
struct Over;

/// The event for a change, if the visitor is still signed in and may see the request.
async fn event_of(state: &ConsoleState, visitor: &Visitor, id: RequestId) -> Result<Option<Event>, Over> {
    let Ok(Some(visitor)) = by_secret(state, visitor.secret.clone()).await else {
        return Err(Over);
    };
    match state.broker.request(id, &visitor.principal).await {
        Ok(seen) => Ok(seen.map(|_| Event::default().event("changed").data(id.as_str()))),
        Err(error) => {
            tracing::warn!(%error, request.id = %id, "a live page was not told of a change");
            Err(Over)
        }
    }
}
