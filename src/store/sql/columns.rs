//! The columns that rows are read with, by name: a newer release may add others while this one runs, and PostgreSQL would refuse to
//! go on with a statement that was prepared when `*` meant less.

/// Those of `requests`.
macro_rules! request_columns {
    ($statement:literal, $parameters:literal, $is_cut:literal) => {
        concat!(
            "requests.id, requests.state, note, outcome, settled_at, database_name, user_name, application_name, client_addr, \
             in_transaction, ",
            $statement,
            " AS statement, ",
            $parameters,
            " AS parameters, ",
            $is_cut,
            " AS is_cut, requests.digest, requests.command, requests.effect, tables, \
             functions, signals, unfiltered, rule, requests.group_names, created_at, expires_at, transaction_since, quorum, \
             self_approval, justification, ticket, shape, basis, earlier"
        )
    };
}
pub(super) use request_columns;

/// Those of `grants`.
macro_rules! grant_columns {
    () => {
        "grants.id, state, database_name, holder_kind, holder, scope, justification, ticket, length, times, used, rule, \
         quorum, self_approval, asked_by, created_at, expires_at, starts_at, ends_at, settled_at, settled_by, note, max_rows"
    };
}
pub(super) use grant_columns;

/// The groups that whoever decides is in, beside what they decide on: of the person named by `$2`; NULL where there is none, or
/// they are disabled.
macro_rules! decider_columns {
    () => {
        ", (SELECT users.group_names FROM users WHERE users.name = $2 AND NOT users.disabled) AS present_groups"
    };
}
pub(super) use decider_columns;

/// The same of whoever has written a review, as one more field of the object that is made of it.
macro_rules! present_field {
    ($reviews:literal) => {
        concat!(
            ", 'present', (SELECT users.group_names FROM users WHERE users.name = ",
            $reviews,
            ".reviewer AND NOT users.disabled)"
        )
    };
}
pub(super) use present_field;

/// Those of `users`.
macro_rules! user_columns {
    () => {
        "users.name, users.group_names, users.admin, users.scram_verifier, users.disabled, users.created_at"
    };
}
pub(super) use user_columns;
