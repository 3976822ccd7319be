//! SQLSTATE codes that holdpoint itself sends. Source: PostgreSQL manual, appendix "Error Codes".

/// `successful_completion`: notices without a class of their own.
pub const SUCCESSFUL_COMPLETION: &str = "00000";
/// `connection_failure`.
pub const CONNECTION_FAILURE: &str = "08006";
/// `sqlclient_unable_to_establish_sqlconnection`.
pub const UNABLE_TO_CONNECT: &str = "08001";
/// `protocol_violation`.
pub const PROTOCOL_VIOLATION: &str = "08P01";
/// `warning`.
pub const WARNING: &str = "01000";
/// `feature_not_supported`.
pub const FEATURE_NOT_SUPPORTED: &str = "0A000";
/// `read_only_sql_transaction`.
pub const READ_ONLY_TRANSACTION: &str = "25006";
/// `transaction_timeout`: a transaction has lasted for too long; ends the session.
pub const TRANSACTION_TIMEOUT: &str = "25P04";
/// `invalid_sql_statement_name`.
pub const INVALID_SQL_STATEMENT_NAME: &str = "26000";
/// `invalid_password`.
pub const INVALID_PASSWORD: &str = "28P01";
/// `invalid_authorization_specification`.
pub const INVALID_AUTHORIZATION: &str = "28000";
/// `invalid_catalog_name`: no such database.
pub const INVALID_CATALOG_NAME: &str = "3D000";
/// `insufficient_privilege`: rejected or denied.
pub const INSUFFICIENT_PRIVILEGE: &str = "42501";
/// `too_many_connections`.
pub const TOO_MANY_CONNECTIONS: &str = "53300";
/// `configuration_limit_exceeded`.
pub const LIMIT_EXCEEDED: &str = "53400";
/// `program_limit_exceeded`.
pub const PROGRAM_LIMIT_EXCEEDED: &str = "54000";
/// `query_canceled`: expired or withdrawn.
pub const QUERY_CANCELED: &str = "57014";
/// `invalid_parameter_value`.
pub const INVALID_PARAMETER_VALUE: &str = "22023";
/// `undefined_object`: no such setting.
pub const UNDEFINED_OBJECT: &str = "42704";
/// `admin_shutdown`.
pub const ADMIN_SHUTDOWN: &str = "57P01";
/// `cannot_connect_now`.
pub const CANNOT_CONNECT_NOW: &str = "57P03";
/// `io_error`: the store does not take what must be recorded.
pub const IO_ERROR: &str = "58030";
/// `internal_error`.
pub const INTERNAL_ERROR: &str = "XX000";
