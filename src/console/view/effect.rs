//! Effects in words and colours.

use crate::model::Effect;

/// An effect as a badge and a sentence.
#[derive(Debug, Clone, Copy)]
pub(in crate::console) struct EffectView {
    /// The name, also of the style sheet's class.
    pub(in crate::console) name: &'static str,
    /// What it means.
    pub(in crate::console) sentence: &'static str,
}

impl EffectView {
    pub(super) fn of(effect: Effect) -> Self {
        Self {
            name: effect.as_str(),
            sentence: match effect {
                Effect::Session => "Changes settings of its own session only.",
                Effect::Read => "Reads data and changes nothing.",
                Effect::Write => "Changes data, locks rows, or sends notifications.",
                Effect::Schema => "Changes the definition of tables or other objects.",
                Effect::Privilege => "Changes who may do what, or as whom the session acts.",
                Effect::Server => {
                    "Reaches past the database: files, programs, other sessions, or the server's settings."
                }
                Effect::Unknown => {
                    "Could not be judged, so it may do anything. Approve it only if you know exactly what it does."
                }
            },
        }
    }
}
