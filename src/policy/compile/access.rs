//! `[[access]]`, from what is written to what can be asked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{hold, name, plain_names};
use crate::model::Effect;
use crate::policy::Access;
use crate::policy::error::PolicyProblem;
use crate::policy::file::{RawAccess, Reader};

/// Compiles those of a file, with the file and the line of each; those with a problem are missing from the result.
pub(in crate::policy) fn read_all(
    file: &Path,
    text: &str,
    raw: Vec<RawAccess>,
    problems: &mut Vec<PolicyProblem>,
) -> Vec<(Access, PathBuf, usize)> {
    let mut reader = Reader { file, text, problems };
    raw.into_iter().filter_map(|raw| read(&mut reader, raw)).collect()
}

fn read(reader: &mut Reader<'_, '_>, raw: RawAccess) -> Option<(Access, PathBuf, usize)> {
    let before = reader.problems.len();
    let line = reader.line(raw.name.span().start);
    let name: Option<Arc<str>> = name(reader, &raw.name);
    let when = raw.when.as_ref();
    let databases = plain_names(reader, "databases", when.and_then(|when| when.databases.as_ref()));
    let users = plain_names(reader, "users", when.and_then(|when| when.users.as_ref()));
    let groups = plain_names(reader, "groups", when.and_then(|when| when.groups.as_ref()));
    let not_groups = plain_names(
        reader,
        "not_groups",
        when.and_then(|when| when.not_groups.as_ref()),
    );
    let up_to = match raw.up_to.as_ref().parse::<Effect>() {
        Ok(effect) if effect > Effect::Read => Some(effect),
        Ok(effect) => {
            let message = format!("up_to: nobody need ask for \"{effect}\": name what would be held");
            reader.fail(raw.up_to.span().start, message);
            None
        }
        Err(error) => {
            reader.fail(raw.up_to.span().start, format!("up_to: {error}"));
            None
        }
    };
    let longest = hold::timeout(reader, &raw.longest);
    let approval = raw.approval;
    let place = approval.span().start;
    let raw_hold = approval.as_ref();
    let only_of_holds = raw_hold.exempt_admins || raw_hold.break_glass.is_some() || raw_hold.review.is_some();
    if only_of_holds {
        reader.fail(
            place,
            "`exempt_admins`, `break_glass` and `review` are for holds only",
        );
    }
    let asks = hold::read(reader, approval);
    if reader.problems.len() > before {
        return None;
    }
    let access = Access {
        name: name?,
        databases,
        users,
        groups,
        not_groups,
        up_to: up_to?,
        longest: longest?,
        asks: asks?,
        place: format!("{}:{line}", reader.file.display()),
    };
    Some((access, reader.file.to_owned(), line))
}
