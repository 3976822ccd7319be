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

/// Those of `users`.
macro_rules! user_columns {
    () => {
        "users.name, users.group_names, users.admin, users.scram_verifier, users.disabled, users.created_at"
    };
}
pub(super) use user_columns;
