//! `/history`: what was settled, newest first.

use askama::Template;
use askama_web::WebTemplate;
use axum::extract::{RawQuery, State};
use axum::response::IntoResponse;
use url::form_urlencoded;

use super::super::ConsoleState;
use super::super::fault::Fault;
use super::super::view::{Card, StateView};
use super::FaultPage;
use super::frame::{Frame, Place};
use super::visitor::Visitor;
use crate::model::{RequestId, StateKind};
use crate::store::RequestFilter;

const PER_PAGE: u32 = 50;

#[derive(Template, WebTemplate)]
#[template(path = "history.html")]
struct HistoryPage {
    frame: Frame,
    cards: Vec<Card>,
    /// The states that can be chosen, and whether each is.
    choices: Vec<(StateView, bool)>,
    chosen: Option<StateView>,
    /// Whether this is not the newest page.
    is_later_page: bool,
    older: Option<RequestId>,
}

/// What the address asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    state: Option<StateKind>,
    before: Option<RequestId>,
}

impl Wanted {
    fn parse(query: &str) -> Result<Self, Fault> {
        let mut wanted = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "state" => {
                    let state = StateKind::parse(&value).filter(|state| state.is_final());
                    wanted.state = Some(state.ok_or_else(|| {
                        Fault::malformed(format!("\"{value}\" is not the name of a settled state."))
                    })?);
                }
                "before" => {
                    wanted.before = Some(
                        value
                            .parse()
                            .map_err(|error| Fault::malformed(format!("before=\"{value}\" is {error}.")))?,
                    );
                }
                // An address that somebody decorated still works.
                _ => {}
            }
        }
        Ok(wanted)
    }
}

/// The page.
pub(super) async fn page(
    State(state): State<ConsoleState>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, FaultPage> {
    let wanted = Wanted::parse(query.as_deref().unwrap_or_default())?;
    let settled = StateKind::ALL.into_iter().filter(|kind| kind.is_final());
    let filter = RequestFilter {
        states: wanted
            .state
            .map_or_else(|| settled.clone().collect(), |one| vec![one]),
        to_review: false,
        visible_to: Some(visitor.principal.clone()),
        before: wanted.before,
        limit: PER_PAGE + 1,
        ..RequestFilter::default()
    };
    let mut requests = state.broker.requests(filter).await?;
    let has_older = requests.len() > PER_PAGE as usize;
    requests.truncate(PER_PAGE as usize);
    Ok(HistoryPage {
        frame: Frame::of(&visitor, Place::History, &state),
        cards: requests.iter().map(|r| Card::of(r, &visitor.principal)).collect(),
        choices: settled
            .map(|kind| (StateView::of(kind), wanted.state == Some(kind)))
            .collect(),
        chosen: wanted.state.map(StateView::of),
        is_later_page: wanted.before.is_some(),
        older: requests.last().filter(|_| has_older).map(|last| last.asked.id),
    })
}
