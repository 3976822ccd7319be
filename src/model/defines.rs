//! What a statement gives a meaning to that it did not have.

/// What names may stand for something else by, once a statement has run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Defines {
    /// None does.
    #[default]
    Nothing,
    /// These, folded and without schema, of whatever kind.
    Names {
        /// The names.
        names: Vec<String>,
        /// Functions or operators are among them: what calls one of that name, or is one by another name, may do
        /// something else as well.
        is_code: bool,
    },
    /// Any may.
    Anything,
}

impl Defines {
    /// More names than this are any.
    const MOST: usize = 1000;

    /// Takes over what `other` defines.
    pub fn absorb(&mut self, other: &Self) {
        match (&mut *self, other) {
            (_, Self::Nothing) | (Self::Anything, _) => {}
            (Self::Nothing, _) => *self = other.clone(),
            (
                Self::Names { names, is_code },
                Self::Names {
                    names: more,
                    is_code: code,
                },
            ) if names.len() + more.len() <= Self::MOST => {
                names.extend_from_slice(more);
                *is_code |= code;
            }
            _ => *self = Self::Anything,
        }
    }

    /// Whether it may give this name a meaning.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::Nothing => false,
            // With a type comes the one of its arrays.
            Self::Names { names, .. } => {
                let bare = name.trim_start_matches('_');
                names
                    .iter()
                    .any(|defined| defined.trim_start_matches('_') == bare)
            }
            Self::Anything => true,
        }
    }

    /// Whether what is called may run something else.
    #[must_use]
    pub const fn is_code(&self) -> bool {
        match self {
            Self::Nothing => false,
            Self::Names { is_code, .. } => *is_code,
            Self::Anything => true,
        }
    }
}
