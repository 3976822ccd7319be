//! FunctionCall, the fast path: one function, named by its OID, and its arguments.
//!
//! libpq's interface to large objects consists of it (`lo_open`, …; psql's `\lo_import`). Those functions have the
//! same OIDs in every PostgreSQL, and are judged and shown as the SELECT that they stand for. What another number
//! stands for is not known here: it passes only where policy lets pass what is unknown, and is else refused, since
//! nobody could review it.
//!
//! Source: PostgreSQL manual, "Function Call" in "Message Flow"; `HandleFunctionRequest` in
//! `src/backend/tcop/fastpath.c`; `src/include/catalog/pg_proc.dat`.

use bytes::Bytes;

use super::refusals::not_reviewable;
use super::{Gated, Joined, Pass, Ruled};
use crate::model::{Facts, Judged};
use crate::session::inflight::{Desync, Expect, RunId};
use crate::session::intake::{Misstep, Step, Stop};
use crate::session::relay::Session;
use crate::session::values;
use crate::wire::frontend::FunctionCall;

impl Session {
    /// FunctionCall.
    pub(in crate::session) fn step_call(&mut self, body: &[u8], frame: usize) -> Result<Step, Misstep> {
        let call = FunctionCall::read(body)?;
        if let Some(step) = self.step_approved() {
            return Ok(step);
        }
        let known = of_large_objects(call.function);
        let judged = known
            .and_then(|(text, _)| self.shared.judge.judge_inline(text.as_bytes(), self.meaning))
            .unwrap_or_else(|| {
                let unknown = Judged::from_facts([Facts::unknown("it names its function by number")]);
                let text = format!("-- a call of the function with the OID {}", call.function);
                std::sync::Arc::new(unknown.with_text(text.as_bytes()))
            });
        Ok(match self.rule(&judged) {
            Ruled::Passes(proof, _, observed) => {
                if let Some(stop) = self.shield_stop(self.need(&judged)) {
                    return Ok(Step::Stop(stop));
                }
                let text = known.map_or("-- a function call by number", |(text, _)| text);
                self.note_observed(text.as_bytes(), &[], observed);
                self.note_cleared(&judged);
                self.record(&judged, &Joined::default());
                self.note_call(None)?;
                Step::Allowed(proof)
            }
            Ruled::Stops(ruling, facts, joined) => match known {
                Some((text, types)) => Step::Stop(Stop::Held(Box::new(Gated {
                    tag: b'F',
                    frame,
                    ruling,
                    text: Bytes::from_static(text.as_bytes()),
                    parameters: values::parameters(&call.arguments, types),
                    facts: *facts,
                    source: None,
                    probed: false,
                    pass: Pass {
                        judged,
                        portal: None,
                        joined,
                    },
                }))),
                None => Step::Refuse(not_reviewable()),
            },
            Ruled::Missing(_) => Step::Refuse(not_reviewable()),
            Ruled::Refused(report) => Step::Refuse(report),
            Ruled::Unanswered => Step::Stop(Stop::Drain),
            Ruled::Unrecorded => Step::Stop(self.without_room()),
        })
    }

    pub(super) fn note_call(&mut self, run: Option<RunId>) -> Result<(), Desync> {
        let segment = self.intake.segment;
        self.inflight.push(Expect::Call { run, segment })
    }
}

const INT4: u32 = 23;
const INT8: u32 = 20;
const OID: u32 = 26;
const BYTEA: u32 = 17;
const TEXT: u32 = 25;

/// What a call of this function stands for, and the types of its arguments.
const fn of_large_objects(function: u32) -> Option<(&'static str, &'static [u32])> {
    Some(match function {
        715 => ("SELECT pg_catalog.lo_create($1)", &[OID]),
        764 => ("SELECT pg_catalog.lo_import($1)", &[TEXT]),
        765 => ("SELECT pg_catalog.lo_export($1, $2)", &[OID, TEXT]),
        767 => ("SELECT pg_catalog.lo_import($1, $2)", &[TEXT, OID]),
        952 => ("SELECT pg_catalog.lo_open($1, $2)", &[OID, INT4]),
        953 => ("SELECT pg_catalog.lo_close($1)", &[INT4]),
        954 => ("SELECT pg_catalog.loread($1, $2)", &[INT4, INT4]),
        955 => ("SELECT pg_catalog.lowrite($1, $2)", &[INT4, BYTEA]),
        956 => ("SELECT pg_catalog.lo_lseek($1, $2, $3)", &[INT4, INT4, INT4]),
        957 => ("SELECT pg_catalog.lo_creat($1)", &[INT4]),
        958 => ("SELECT pg_catalog.lo_tell($1)", &[INT4]),
        964 => ("SELECT pg_catalog.lo_unlink($1)", &[OID]),
        1004 => ("SELECT pg_catalog.lo_truncate($1, $2)", &[INT4, INT4]),
        3170 => ("SELECT pg_catalog.lo_lseek64($1, $2, $3)", &[INT4, INT8, INT4]),
        3171 => ("SELECT pg_catalog.lo_tell64($1)", &[INT4]),
        3172 => ("SELECT pg_catalog.lo_truncate64($1, $2)", &[INT4, INT8]),
        3457 => ("SELECT pg_catalog.lo_from_bytea($1, $2)", &[OID, BYTEA]),
        3458 => ("SELECT pg_catalog.lo_get($1)", &[OID]),
        3459 => ("SELECT pg_catalog.lo_get($1, $2, $3)", &[OID, INT8, INT4]),
        3460 => ("SELECT pg_catalog.lo_put($1, $2, $3)", &[OID, INT8, BYTEA]),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Effect;
    use crate::sql::{Judge, JudgeLimits, Meaning};

    #[test]
    fn calls_are_judged_as_the_select_that_they_stand_for() {
        let judge = Judge::new(JudgeLimits::default());
        let meaning = Meaning {
            standard_conforming_strings: true,
            encoding_is_safe: true,
        };
        for (function, effect) in [
            (957, Effect::Write),
            (952, Effect::Write),
            (955, Effect::Write),
            (964, Effect::Write),
            (3172, Effect::Write),
            (3460, Effect::Write),
            (764, Effect::Server),
            (765, Effect::Server),
            (3458, Effect::Read),
        ] {
            let (text, _) = of_large_objects(function).unwrap_or_default();
            let judged = judge.judge_inline(text.as_bytes(), meaning);
            assert_eq!(judged.map(|j| j.effect()), Some(effect), "{function}: {text}");
        }
        assert_eq!(of_large_objects(0), None);
    }

    #[test]
    fn every_argument_has_a_type() {
        for (text, types) in (0..4000).filter_map(of_large_objects) {
            assert_eq!(text.matches('$').count(), types.len(), "{text}");
        }
    }
}
