//! What a server tells of a database's own definitions.

use std::collections::HashSet;

/// The first OID that objects of users have (`FirstNormalObjectId`, `src/include/access/transam.h`).
const FIRST_OF_USERS: u32 = 16_384;

/// One thing in the catalogue, by its kind and OID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Node {
    /// Of `pg_proc`.
    Function(u32),
    /// Of `pg_class`.
    Relation(u32),
    /// Of `pg_operator`.
    Operator(u32),
    /// Of `pg_type`.
    Type(u32),
}

impl Node {
    /// Whether it comes with PostgreSQL.
    #[must_use]
    pub const fn is_own(self) -> bool {
        let (Self::Function(oid) | Self::Relation(oid) | Self::Operator(oid) | Self::Type(oid)) = self;
        oid < FIRST_OF_USERS
    }
}

/// Its OID, schema and name.
#[derive(Debug, Clone, Default)]
pub struct Object {
    /// Its OID.
    pub oid: u32,
    /// Its schema's name.
    pub schema: String,
    /// Its name.
    pub name: String,
}

/// A function, aggregate or window function that does not come with PostgreSQL.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub struct Function {
    /// What it is called.
    pub object: Object,
    /// Whether it is VOLATILE.
    pub is_volatile: bool,
    /// The language's name.
    pub language: String,
    /// What it runs, for SQL and PL/pgSQL; for `internal` the name of the C function.
    pub source: String,
    /// Its body was bound when it was defined (standard SQL): what it reaches is among [`Definitions::uses`].
    pub is_bound: bool,
    /// It sets a search path of its own, in which its body is read.
    pub has_path: bool,
    /// Its first argument can be a row.
    pub takes_row: bool,
    /// The least and the most arguments that it takes.
    pub arguments: (usize, usize),
}

/// A function that something calls.
#[derive(Debug, Clone)]
pub struct Callee {
    /// What it is called.
    pub object: Object,
}

/// An operator that does not come with PostgreSQL.
#[derive(Debug, Clone)]
pub struct Operator {
    /// What it is called.
    pub object: Object,
    /// The types of its operands; 0 where there is none.
    pub operands: [u32; 2],
    /// One of PostgreSQL's own has its name, and one of its operands in the same place.
    pub is_beside_own: bool,
}

/// SQL that reading something runs.
#[derive(Debug, Clone)]
pub struct Text {
    /// Whatever is read.
    pub of: Node,
    /// A query, or an expression.
    pub sql: String,
    /// Whether it is an expression.
    pub is_expression: bool,
}

/// That running or reading one thing may run another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Use {
    /// What is used by name.
    pub by: Node,
    /// What it reaches.
    pub of: Node,
}

/// All of it.
#[derive(Debug, Clone, Default)]
pub struct Definitions {
    /// The schemas that names without one are looked for in, by default and in this order.
    pub path: Vec<String>,
    /// Functions of users.
    pub functions: Vec<Function>,
    /// Operators of users.
    pub operators: Vec<Operator>,
    /// Tables, views, sequences of users.
    pub relations: Vec<Object>,
    /// Those that read from another server, or from a file or program.
    pub foreign: Vec<u32>,
    /// The C functions behind users' functions in the language `internal`, with PostgreSQL's own that they are
    /// behind as well.
    pub symbols: Vec<(String, Object)>,
    /// What has a text that could not be read, because somebody has a table of its locked.
    pub locked: Vec<Node>,
    /// Types of users.
    pub types: Vec<Object>,
    /// Those of them that values of others become without a word.
    pub open: HashSet<u32>,
    /// Those that have parts, which are made when a constant is read.
    pub composed: HashSet<u32>,
    /// Relations of which a change runs more than itself, and what.
    pub writing: Vec<(u32, String)>,
    /// Relations, and what is changed with them.
    pub changed_with: Vec<(u32, u32)>,
    /// Views, row security, checks of domains.
    pub texts: Vec<Text>,
    /// What reaches what.
    pub uses: Vec<Use>,
    /// Calls of functions, PostgreSQL's own among them.
    pub calls: Vec<(Node, Callee)>,
    /// Casts with a function: between which types.
    pub casts: Vec<([u32; 2], Callee)>,
    /// Schema and name of tables and views that come with PostgreSQL.
    pub system: Vec<(String, String)>,
}

impl Definitions {
    /// Whether no value comes to this operator but one that is of a type of a user's already, or a constant beside one: then
    /// what it does is what the type does, which is found wherever the value comes from.
    ///
    /// A constant is of any type that an operator asks for. Beside a value of a type of PostgreSQL's own, it is not of a user's where
    /// PostgreSQL has an operator for that value itself: it takes that one, or finds that there are several
    /// (`func_select_candidate` in `src/backend/parser/parse_func.c`).
    #[must_use]
    pub fn is_found_by_type(&self, operator: &Operator) -> bool {
        let operands = operator.operands.into_iter().filter(|oid| *oid != 0);
        let (own, of_users): (Vec<u32>, Vec<u32>) = operands.partition(|oid| Node::Type(*oid).is_own());
        !of_users.is_empty()
            && of_users.iter().all(|oid| !self.open.contains(oid))
            && (own.is_empty() || operator.is_beside_own)
    }

    /// Notes what reading `of` runs; `None` where that could not be read for somebody's lock.
    pub fn note(&mut self, of: Node, sql: Option<String>, is_expression: bool) {
        match sql {
            Some(sql) => self.texts.push(Text {
                of,
                sql,
                is_expression,
            }),
            None => self.locked.push(of),
        }
    }
}
