//! What every page has around its content.

use askama::Template;
use askama_web::WebTemplate;
use jiff::Timestamp;

use super::super::ConsoleState;
use super::super::assets;
use super::super::fault::Fault;
use super::visitor::Visitor;

/// Which entry of the navigation a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Queue,
    History,
    Access,
    People,
    Elsewhere,
}

/// The frame of a page.
pub(super) struct Frame {
    /// Who is signed in.
    pub(super) who: Option<Who>,
    pub(super) place: Place,
    pub(super) style: String,
    pub(super) script: String,
    pub(super) icon: String,
}

/// Who is signed in, and the token of their forms.
pub(super) struct Who {
    pub(super) name: String,
    pub(super) groups: String,
    /// Whether there is a page of people for them.
    pub(super) admin: bool,
    pub(super) csrf: String,
    /// The server's time, so that the script can count by it.
    pub(super) now: Timestamp,
}

impl Frame {
    /// Around a page of somebody who is signed in.
    pub(super) fn of(visitor: &Visitor, place: Place, state: &ConsoleState) -> Self {
        let principal = &visitor.principal;
        Self {
            who: Some(Who {
                name: principal.name.clone(),
                groups: principal.groups.join(", "),
                admin: principal.admin,
                csrf: visitor.session.csrf.clone(),
                now: state.clock.now(),
            }),
            place,
            ..Self::outside()
        }
    }

    /// Around a page for anybody.
    pub(super) fn outside() -> Self {
        Self {
            who: None,
            place: Place::Elsewhere,
            style: assets::address("console.css"),
            script: assets::address("console.js"),
            icon: assets::address("icon.svg"),
        }
    }

    /// For the navigation.
    pub(super) fn is_queue(&self) -> bool {
        self.place == Place::Queue
    }

    /// For the navigation.
    pub(super) fn is_history(&self) -> bool {
        self.place == Place::History
    }

    /// For the navigation.
    pub(super) fn is_access(&self) -> bool {
        self.place == Place::Access
    }

    /// For the navigation.
    pub(super) fn is_people(&self) -> bool {
        self.place == Place::People
    }
}

/// The page of a fault.
#[derive(Template, WebTemplate)]
#[template(path = "fault.html")]
pub(super) struct FaultTemplate {
    frame: Frame,
    status: u16,
    title: &'static str,
    detail: String,
    /// Where to go from here, and what that is called.
    way_on: Option<(String, &'static str)>,
}

impl FaultTemplate {
    /// Tells a fault; with a way on other than the queue, if there is a better one.
    pub(super) fn of(fault: &Fault, way_on: Option<(String, &'static str)>) -> Self {
        Self {
            frame: Frame::outside(),
            status: fault.status().as_u16(),
            title: fault.title(),
            detail: fault.detail().to_owned(),
            way_on,
        }
    }
}
