//! A request as its own page shows it.

use super::super::sql_text::{Markup, Oddities, listing, shown, shown_name};
use super::change::{ChangeView, as_it_is};
use super::effect::EffectView;
use super::quorum::missing_after_one;
use super::when::{When, duration};
use crate::model::{Earlier, EarlierOutcome, HeldRequest, Parameter, Principal, RequestId, TableAccess};

/// The most of a statement that a page lists, in bytes; the whole can be downloaded.
const LISTED: usize = 512 * 1024;

/// What a standing approval covers, for whoever gives one.
pub(super) const COVERS: &str = "It covers every statement that differs in constants alone: other values, and so other \
     rows. Allowing DELETE … WHERE id > 1 allows DELETE … WHERE id > 0.";

/// What the viewer may do with a request.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a form on the page that is there or not"
)]
pub(in crate::console) struct Ways {
    pub(in crate::console) decide: bool,
    pub(in crate::console) follow_up: bool,
    pub(in crate::console) allow: bool,
    /// With a limit of rows.
    pub(in crate::console) limit_rows: bool,
}

/// A bound value.
#[derive(Debug)]
pub(in crate::console) struct ParameterView {
    pub(in crate::console) number: usize,
    /// `None` is NULL.
    pub(in crate::console) value: Option<Markup>,
    /// So many characters of it are not shown.
    pub(in crate::console) more: usize,
    pub(in crate::console) type_name: Option<Markup>,
}

/// A statement that the session sent before.
#[derive(Debug)]
pub(in crate::console) struct EarlierView {
    /// `None`: it was not kept.
    pub(in crate::console) text: Option<Markup>,
    /// Where it is a request of its own.
    pub(in crate::console) request: Option<RequestId>,
    pub(in crate::console) is_cut: bool,
    /// How long before.
    pub(in crate::console) before: String,
    pub(in crate::console) same_transaction: bool,
    pub(in crate::console) outcome: &'static str,
}

/// What the page shows that stays as it is; for what changes see [`Live`](super::live::Live).
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a line of the page that is there or not"
)]
pub(in crate::console) struct Detail {
    pub(in crate::console) id: RequestId,
    pub(in crate::console) effect: EffectView,
    pub(in crate::console) command: Markup,
    pub(in crate::console) commands: Vec<Markup>,
    pub(in crate::console) statement: Markup,
    /// Of what is listed.
    pub(in crate::console) lines: usize,
    pub(in crate::console) bytes: usize,
    /// Whether the listing stops before the text does.
    pub(in crate::console) is_cut: bool,
    /// Of what is listed.
    pub(in crate::console) oddities: Oddities,
    /// What an approver has made of it: tables, functions, signals and a missing WHERE are known only of what was asked.
    pub(in crate::console) change: Option<ChangeView>,
    pub(in crate::console) parameters: Vec<ParameterView>,
    pub(in crate::console) written: Vec<Markup>,
    pub(in crate::console) read: Vec<Markup>,
    pub(in crate::console) functions: Vec<Markup>,
    pub(in crate::console) signals: Vec<Markup>,
    /// Known only of a statement that is as it was asked.
    pub(in crate::console) unfiltered: bool,
    pub(in crate::console) in_transaction: bool,
    pub(in crate::console) transaction_since: Option<When>,
    /// What the session sent before, oldest first.
    pub(in crate::console) earlier: Vec<EarlierView>,
    pub(in crate::console) rule: Markup,
    /// Why it is to run, as the requester says.
    pub(in crate::console) justification: Option<Markup>,
    pub(in crate::console) ticket: Option<Markup>,
    pub(in crate::console) user: Markup,
    pub(in crate::console) database: Markup,
    pub(in crate::console) application: Option<Markup>,
    pub(in crate::console) client_addr: Markup,
    pub(in crate::console) created: When,
    /// Whether the viewer can allow what is like it beforehand.
    pub(in crate::console) can_allow: bool,
    /// Whether that can be with a limit of rows.
    pub(in crate::console) can_limit_rows: bool,
    /// What would be like it.
    pub(in crate::console) covers: &'static str,
    /// Who would have to agree with the viewer on that, in words.
    pub(in crate::console) missing_after_one: Option<String>,
}

impl Detail {
    /// The page of a request, for `viewer`, who may do this much.
    pub(in crate::console) fn of(request: &HeldRequest, viewer: &Principal, may: Ways) -> Self {
        let asked = &request.asked;
        let origin = &asked.origin;
        let application = origin.application_name.trim();
        let statement = request.statement();
        let listed = &statement[..statement.floor_char_boundary(LISTED)];
        let (command, effect) = as_it_is(request);
        Self {
            id: asked.id,
            effect: EffectView::of(effect),
            command: shown(command),
            commands: command.split(", ").map(shown).collect(),
            statement: listing(listed),
            lines: listed.lines().count(),
            bytes: statement.len(),
            is_cut: listed.len() < statement.len(),
            oddities: Oddities::of(listed),
            change: ChangeView::of(request),
            parameters: parameter_views(&asked.parameters),
            written: tables(request, true),
            read: tables(request, false),
            functions: asked.functions.iter().map(|f| shown_name(f)).collect(),
            signals: asked.signals.iter().map(|s| shown(s)).collect(),
            unfiltered: asked.unfiltered && request.edits.is_empty(),
            in_transaction: origin.in_transaction,
            transaction_since: origin.transaction_since.map(When::ago),
            earlier: asked.earlier.iter().map(earlier_view).collect(),
            rule: shown(&asked.rule),
            justification: asked.justification.as_deref().map(shown),
            ticket: asked.ticket.as_deref().map(shown),
            user: shown(&origin.user),
            database: shown(&origin.database),
            application: (!application.is_empty()).then(|| shown(application)),
            client_addr: shown(&origin.client_addr),
            created: When::at(asked.created_at),
            can_allow: may.allow,
            can_limit_rows: may.limit_rows,
            covers: COVERS,
            missing_after_one: missing_after_one(request, viewer),
        }
    }
}

/// All of them, and of their values as much as a page can take: a character may become a hundred bytes of it.
fn parameter_views(parameters: &[Parameter]) -> Vec<ParameterView> {
    const SHOWN_IN_ALL: usize = 128 * 1024;
    let mut left = SHOWN_IN_ALL;
    let mut part = |value: &str| {
        let end = value.char_indices().nth(left).map_or(value.len(), |(at, _)| at);
        let more = value[end..].chars().count();
        left -= value[..end].chars().count();
        (shown(&value[..end]), more)
    };
    let numbered = parameters.iter().zip(1..);
    numbered
        .map(|(parameter, number)| {
            let (value, more) = parameter.value.as_deref().map(&mut part).unzip();
            ParameterView {
                number,
                value,
                more: more.unwrap_or(0),
                type_name: parameter.r#type.as_deref().map(shown),
            }
        })
        .collect()
}

fn earlier_view(earlier: &Earlier) -> EarlierView {
    EarlierView {
        text: (!earlier.text.is_empty()).then(|| shown(&earlier.text)),
        request: earlier.request,
        is_cut: earlier.is_cut,
        // The clock that it comes from goes by seconds.
        before: match earlier.seconds_before {
            0 => "less than 1 s".to_owned(),
            seconds => duration(seconds.saturating_mul(1000)),
        },
        same_transaction: earlier.same_transaction,
        outcome: match earlier.outcome {
            EarlierOutcome::Passed => "passed",
            EarlierOutcome::Held => "held, and ran",
            EarlierOutcome::Refused => "did not run",
        },
    }
}

fn tables(request: &HeldRequest, written: bool) -> Vec<Markup> {
    let tables = request.asked.tables.iter();
    tables
        .filter(|table| table.written == written)
        .map(TableAccess::qualified)
        .map(|name| shown_name(&name))
        .collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_page_has_as_much_of_the_parameters_as_it_can_take() {
        let value = |text: String| Parameter {
            value: Some(text),
            r#type: Some("text".to_owned()),
        };
        let null = Parameter {
            value: None,
            r#type: None,
        };
        let all = [
            value("é\u{1}".repeat(65_535)),
            value("éab".to_owned()),
            null,
            value("x".to_owned()),
        ];
        let views = parameter_views(&all);
        let more: Vec<usize> = views.iter().map(|view| view.more).collect();
        assert_eq!(more, [0, 1, 0, 1]);
        assert_eq!(views[1].value.as_ref().unwrap().to_string(), "éa");
        assert!(views[2].value.is_none());
        assert_eq!(views[3].value.as_ref().unwrap().to_string(), "");
    }
}
