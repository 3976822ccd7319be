//! Whether the process lives, and whether it can do its work: for probes, without a sign-in.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;

use super::ConsoleState;

/// How long the store may take to prove that it works.
const CHECK_LIMIT: Duration = Duration::from_secs(3);

#[derive(Debug, Serialize)]
pub(super) struct Health {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'static str>,
}

/// 200 while the process answers at all.
pub(super) async fn alive() -> Json<Health> {
    Json(Health {
        status: "alive",
        detail: None,
    })
}

/// 200 while statements can be held and decided on; 503 names what is missing.
pub(super) async fn ready(State(state): State<ConsoleState>) -> (StatusCode, Json<Health>) {
    let missing = if state.shutdown.is_cancelled() {
        Some("shutting down")
    } else {
        match crate::timer::timeout(CHECK_LIMIT, state.broker.check()).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => {
                tracing::warn!(%error, "not ready: the store does not work");
                Some("the store does not work")
            }
            Err(_) => {
                tracing::warn!(
                    limit_s = CHECK_LIMIT.as_secs(),
                    "not ready: the store does not answer"
                );
                Some("the store does not answer in time")
            }
        }
    };
    let (code, status) = match missing {
        None => (StatusCode::OK, "ready"),
        Some(_) => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
    };
    (
        code,
        Json(Health {
            status,
            detail: missing,
        }),
    )
}
