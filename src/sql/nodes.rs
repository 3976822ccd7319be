//! The kinds of nodes that do nothing by themselves: the allow-list of what a read consists of.

/// Whether nodes of this kind do nothing, whatever their fields hold; their children may.
#[expect(
    clippy::match_same_arms,
    reason = "an arm for each group, with why it is here"
)]
pub(super) fn is_plain(kind: &str) -> bool {
    match kind {
        // Lists, names and constants.
        "List" | "String" | "Integer" | "Float" | "Boolean" | "BitString" | "AStar" | "ParamRef"
        | "SetToDefault" | "Alias" | "ResTarget" => true,
        // Expressions.
        "AArrayExpr" | "AIndices" | "BoolExpr" | "BooleanTest" | "CaseExpr" | "CaseWhen" | "CoalesceExpr"
        | "CollateClause" | "GroupingFunc" | "MinMaxExpr" | "NamedArgExpr" | "NullTest" | "RowExpr"
        | "SqlValueFunction" | "TypeCast" | "XmlExpr" | "XmlSerialize" => true,
        // Parts of a query.
        "CommonTableExpr" | "CteCycleClause" | "CteSearchClause" | "GroupingSet" | "JoinExpr"
        | "RangeFunction" | "RangeSubselect" | "RangeTableFunc" | "RangeTableFuncCol" | "WindowDef"
        | "WithClause" => true,
        // The column definitions of a function in FROM (in a table's definition, the walk is not strict).
        "ColumnDef" => true,
        // SQL/JSON that older servers refuse as a syntax error, so that it means the same wherever it runs.
        "JsonAggConstructor"
        | "JsonArgument"
        | "JsonArrayQueryConstructor"
        | "JsonBehavior"
        | "JsonFormat"
        | "JsonIsPredicate"
        | "JsonKeyValue"
        | "JsonObjectAgg"
        | "JsonOutput"
        | "JsonReturning"
        | "JsonTable"
        | "JsonTableColumn"
        | "JsonTablePathSpec"
        | "JsonValueExpr" => true,
        // Parts of INSERT, UPDATE, DELETE and MERGE.
        "CurrentOfExpr" | "IndexElem" | "InferClause" | "MergeWhenClause" | "MultiAssignRef"
        | "OnConflictClause" | "ReturningClause" | "ReturningOption" => true,
        _ => false,
    }
}
