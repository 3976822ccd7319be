//! From `libpg_query`'s typed tree to a [`Tree`], by way of `serde`.
//!
//! `libpg_query` has some 250 node types, and its Rust types derive `Serialize`. A serializer is
//! handed every struct, variant and field by the derived code, so none can be forgotten, also
//! none that a later grammar adds. It recurses as deep as the tree: run it on a large stack.

use std::cell::Cell;
use std::fmt;

use serde::ser::{Impossible, Serialize, SerializeSeq, SerializeStruct, Serializer};

use super::tree::{Tree, Value};

/// Deeper trees are refused. The server's own limits (`max_stack_depth`) and `libpg_query`'s are
/// met earlier by all that was measured; this keeps the stack safe if that should change.
const MAX_DEPTH: u32 = 12_000;

/// What is known of a tree as a whole.
#[derive(Debug, Default)]
pub(super) struct Extent {
    deepest: Cell<u32>,
    calls_in_from: Cell<bool>,
}

impl Extent {
    /// Nodes on the longest way from the root to a leaf.
    pub(super) const fn deepest(&self) -> u32 {
        self.deepest.get()
    }

    /// Whether a function stands in a FROM clause anywhere.
    pub(super) const fn calls_in_from(&self) -> bool {
        self.calls_in_from.get()
    }
}

/// The tree of a node. Fails if it is too deep, or holds what no parse tree holds.
pub(super) fn tree_of(node: &impl Serialize, extent: &Extent) -> Result<Value, Refused> {
    node.serialize(Grower { depth: 0, extent })
}

/// A tree that cannot be taken over.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("it is nested too deeply")]
    TooDeep,
    #[error("its parse tree holds {0}, which parse trees do not hold")]
    Foreign(&'static str),
    #[error("{0}")]
    Other(String),
}

impl serde::ser::Error for Refused {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Other(message.to_string())
    }
}

#[derive(Clone, Copy)]
struct Grower<'a> {
    depth: u32,
    extent: &'a Extent,
}

impl<'a> Serializer for Grower<'a> {
    type Ok = Value;
    type Error = Refused;
    type SerializeSeq = Items<'a>;
    type SerializeStruct = Fields<'a>;
    type SerializeTuple = Impossible<Value, Refused>;
    type SerializeTupleStruct = Impossible<Value, Refused>;
    type SerializeTupleVariant = Impossible<Value, Refused>;
    type SerializeMap = Impossible<Value, Refused>;
    type SerializeStructVariant = Impossible<Value, Refused>;

    fn serialize_bool(self, v: bool) -> Result<Value, Refused> {
        Ok(if v { Value::Yes } else { Value::Nothing })
    }

    fn serialize_i8(self, v: i8) -> Result<Value, Refused> {
        self.serialize_i64(v.into())
    }

    fn serialize_i16(self, v: i16) -> Result<Value, Refused> {
        self.serialize_i64(v.into())
    }

    fn serialize_i32(self, v: i32) -> Result<Value, Refused> {
        self.serialize_i64(v.into())
    }

    fn serialize_i64(self, v: i64) -> Result<Value, Refused> {
        Ok(if v == 0 { Value::Nothing } else { Value::Number(v) })
    }

    fn serialize_u8(self, v: u8) -> Result<Value, Refused> {
        self.serialize_i64(v.into())
    }

    fn serialize_u16(self, v: u16) -> Result<Value, Refused> {
        self.serialize_i64(v.into())
    }

    fn serialize_u32(self, v: u32) -> Result<Value, Refused> {
        self.serialize_i64(v.into())
    }

    fn serialize_u64(self, v: u64) -> Result<Value, Refused> {
        self.serialize_i64(i64::try_from(v).unwrap_or(i64::MAX))
    }

    /// Only the planner's nodes hold these; that they are not zero is all that could matter.
    fn serialize_f32(self, v: f32) -> Result<Value, Refused> {
        self.serialize_bool(v != 0.0)
    }

    fn serialize_f64(self, v: f64) -> Result<Value, Refused> {
        self.serialize_bool(v != 0.0)
    }

    fn serialize_char(self, v: char) -> Result<Value, Refused> {
        self.serialize_str(v.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, v: &str) -> Result<Value, Refused> {
        Ok(if v.is_empty() {
            Value::Nothing
        } else {
            Value::Text(v.into())
        })
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<Value, Refused> {
        Err(Refused::Foreign("bytes"))
    }

    fn serialize_none(self) -> Result<Value, Refused> {
        Ok(Value::Nothing)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, Refused> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Value, Refused> {
        Ok(Value::Nothing)
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<Value, Refused> {
        Ok(Value::Node(Tree::new(name, Vec::new())))
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Value, Refused> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Value, Refused> {
        value.serialize(self)
    }

    /// The payload of every variant is a struct of its own name, which says as much.
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<Value, Refused> {
        value.serialize(self)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Items<'a>, Refused> {
        Ok(Items {
            grower: self,
            items: Vec::with_capacity(len.unwrap_or(0)),
        })
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Fields<'a>, Refused> {
        let depth = self.depth + 1;
        if depth > MAX_DEPTH {
            return Err(Refused::TooDeep);
        }
        self.extent.deepest.set(self.extent.deepest.get().max(depth));
        if name == "RangeFunction" {
            self.extent.calls_in_from.set(true);
        }
        Ok(Fields {
            grower: Grower {
                depth: if name == WRAPPER { self.depth } else { depth },
                ..self
            },
            name,
            collected: Vec::new(),
        })
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Refused> {
        Err(Refused::Foreign("a tuple"))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Refused> {
        Err(Refused::Foreign("a tuple"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Refused> {
        Err(Refused::Foreign("a tuple"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Refused> {
        Err(Refused::Foreign("a map"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Refused> {
        Err(Refused::Foreign("a variant with fields"))
    }
}

/// The struct that `libpg_query` puts around each node.
const WRAPPER: &str = "Node";

struct Items<'a> {
    grower: Grower<'a>,
    items: Vec<Value>,
}

impl SerializeSeq for Items<'_> {
    type Ok = Value;
    type Error = Refused;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        self.items.push(value.serialize(self.grower)?);
        Ok(())
    }

    fn end(self) -> Result<Value, Refused> {
        Ok(if self.items.is_empty() {
            Value::Nothing
        } else {
            Value::List(self.items)
        })
    }
}

struct Fields<'a> {
    grower: Grower<'a>,
    name: &'static str,
    collected: Vec<(&'static str, Value)>,
}

impl SerializeStruct for Fields<'_> {
    type Ok = Value;
    type Error = Refused;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), Refused> {
        match value.serialize(self.grower)? {
            Value::Nothing => {}
            // Where in the text something stands is no part of what it is.
            Value::Number(_) if key == "location" => {}
            value => self.collected.push((key, value)),
        }
        Ok(())
    }

    fn end(mut self) -> Result<Value, Refused> {
        if self.name == WRAPPER {
            return Ok(self.collected.pop().map_or(Value::Nothing, |(_, value)| value));
        }
        Ok(Value::Node(Tree::new(self.name, self.collected)))
    }
}
