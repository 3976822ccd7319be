//! A request and an answer, as the API shows them.

use std::fmt;

use serde_json::Value;

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Request(pub(super) Value);

impl Request {
    pub(crate) fn id(&self) -> &str {
        self.text("id")
    }

    pub(crate) fn state(&self) -> &str {
        self.text("state")
    }

    pub(crate) fn statement(&self) -> &str {
        self.text("statement")
    }

    pub(crate) fn url(&self) -> &str {
        self.text("url")
    }

    /// A field that is a text.
    pub(crate) fn text(&self, field: &str) -> &str {
        self.0[field]
            .as_str()
            .unwrap_or_else(|| panic!("no text {field} in {self}"))
    }

    /// What came of running it.
    pub(crate) fn outcome(&self) -> &Value {
        &self.0["outcome"]
    }

    /// Any field.
    pub(crate) fn field(&self, field: &str) -> &Value {
        &self.0[field]
    }

    /// The bound values, as people read them.
    pub(crate) fn parameters(&self) -> Vec<Option<&str>> {
        let values = self.0["parameters"].as_array().expect("a list");
        values.iter().map(|value| value["value"].as_str()).collect()
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.0)
    }
}

/// What the API answered to a decision.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) body: Value,
}

impl Answer {
    /// Whether the decision was taken.
    pub(crate) fn is_taken(&self) -> bool {
        self.status == 200
    }
}
