//! Conditions that cannot hold together, whatever the statement. Only what is certain is found.

use crate::model::Effect;
use crate::model::command::COMMANDS;
use crate::policy::condition::When;

/// Why no statement can match.
pub(super) fn find(when: &When) -> Option<String> {
    if let (Some(groups), Some(excluded)) = (&when.groups, &when.not_groups)
        && groups.iter().all(|group| excluded.contains(group))
    {
        return Some("each of `groups` is also in `not_groups`".to_owned());
    }
    let effects = when.effects?;
    if when.filtered == Some(false) && effects.all_below(Effect::Write) {
        return Some(
            "what has an UPDATE or DELETE in it is at least a write, and all `effects` are milder".to_owned(),
        );
    }
    if when.columns.is_some() && effects.all_below(Effect::Write) {
        return Some("what writes columns is at least a write, and all `effects` are milder".to_owned());
    }
    if when.limited == Some(false) && effects.all_below(Effect::Read) {
        return Some("what hands out rows is at least a read, and all `effects` are milder".to_owned());
    }
    let commands = when.commands.as_ref()?;
    let possible = COMMANDS
        .iter()
        .filter(|(name, _)| commands.iter().any(|glob| glob.matches(name)))
        .any(|(_, least)| !effects.all_below(*least));
    (!possible).then(|| "all `effects` are milder than any of `commands`".to_owned())
}
