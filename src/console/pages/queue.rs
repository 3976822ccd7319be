//! `/`: what waits for people, and its list alone for the script that keeps it fresh.

use askama::Template;
use askama_web::WebTemplate;
use axum::extract::State;
use axum::response::IntoResponse;

use super::super::ConsoleState;
use super::super::view::Card;
use super::FaultPage;
use super::frame::{Frame, Place};
use super::visitor::Visitor;
use crate::model::StateKind;
use crate::store::{RequestFilter, StoreError};

/// Rows shown; the oldest of more are left out, and the page says so.
const SHOWN: u32 = 200;

#[derive(Template, WebTemplate)]
#[template(path = "queue.html")]
struct QueuePage {
    frame: Frame,
    queue: Queue,
}

#[derive(Template, WebTemplate)]
#[template(path = "queue_list.html")]
struct QueueFragment {
    queue: Queue,
}

/// What waits, sorted by whom it waits for.
struct Queue {
    /// The viewer can decide on these; longest waiting first.
    yours: Vec<Card>,
    /// The viewer sees these, but others decide.
    others: Vec<Card>,
    /// Ran because the glass was broken, and nobody has looked at it; longest ago first.
    to_review: Vec<Card>,
    /// Approved, and not finished.
    running: Vec<Card>,
    is_cut: bool,
}

impl Queue {
    async fn load(state: &ConsoleState, visitor: &Visitor) -> Result<Self, StoreError> {
        let filter = RequestFilter {
            states: vec![StateKind::Pending, StateKind::Approved, StateKind::Running],
            to_review: false,
            visible_to: Some(visitor.principal.clone()),
            limit: SHOWN + 1,
            ..RequestFilter::default()
        };
        let mut requests = state.broker.requests(filter).await?;
        let is_cut = requests.len() > SHOWN as usize;
        requests.truncate(SHOWN as usize);
        let mut queue = Self {
            yours: Vec::new(),
            others: Vec::new(),
            to_review: Vec::new(),
            running: Vec::new(),
            is_cut,
        };
        let to_review = RequestFilter {
            to_review: true,
            visible_to: Some(visitor.principal.clone()),
            limit: SHOWN,
            ..RequestFilter::default()
        };
        for request in state.broker.requests(to_review).await?.iter().rev() {
            if state.broker.may_follow_up(request, &visitor.principal) || visitor.principal.admin {
                queue.to_review.push(Card::of(request, &visitor.principal));
            }
        }
        // The store gives the newest first; who waits longest comes first here.
        for request in requests.iter().rev() {
            let card = Card::of(request, &visitor.principal);
            if request.state.kind() != StateKind::Pending {
                queue.running.push(card);
            } else if state.broker.may_decide(request, &visitor.principal) {
                queue.yours.push(card);
            } else {
                queue.others.push(card);
            }
        }
        Ok(queue)
    }

    fn is_empty(&self) -> bool {
        [&self.yours, &self.others, &self.to_review, &self.running]
            .iter()
            .all(|cards| cards.is_empty())
    }
}

/// The page.
pub(super) async fn page(
    State(state): State<ConsoleState>,
    visitor: Visitor,
) -> Result<impl IntoResponse, FaultPage> {
    Ok(QueuePage {
        queue: Queue::load(&state, &visitor).await?,
        frame: Frame::of(&visitor, Place::Queue, &state),
    })
}

/// The list alone.
pub(super) async fn fragment(
    State(state): State<ConsoleState>,
    visitor: Visitor,
) -> Result<impl IntoResponse, FaultPage> {
    Ok(QueueFragment {
        queue: Queue::load(&state, &visitor).await?,
    })
}
