//! Which users `/people` shows, as its address says.

use url::form_urlencoded;

use super::super::fault::Fault;

/// What the address asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PeopleQuery {
    /// Only members of this group.
    pub(super) group: Option<String>,
    /// Only those who are kept out.
    pub(super) only_disabled: bool,
    /// Only those behind this name.
    pub(super) after: Option<String>,
}

impl PeopleQuery {
    /// Reads a raw query. An address that somebody decorated still works.
    pub(super) fn parse(query: &str) -> Result<Self, Fault> {
        let mut wanted = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "group" => wanted.group = Some(value.into_owned()),
                "after" => wanted.after = Some(value.into_owned()),
                "disabled" if value == "true" => wanted.only_disabled = true,
                "disabled" => {
                    return Err(Fault::malformed("\"disabled\" can only be \"true\" here."));
                }
                _ => {}
            }
        }
        Ok(wanted)
    }

    /// The members of a group.
    pub(super) fn of_group(group: &str) -> Self {
        Self {
            group: Some(group.to_owned()),
            ..Self::default()
        }
    }

    /// The next page of the same list.
    pub(super) fn behind(&self, name: &str) -> Self {
        Self {
            after: Some(name.to_owned()),
            ..self.clone()
        }
    }

    /// The address that asks for it.
    pub(super) fn address(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if let Some(group) = &self.group {
            query.append_pair("group", group);
        }
        if self.only_disabled {
            query.append_pair("disabled", "true");
        }
        if let Some(after) = &self.after {
            query.append_pair("after", after);
        }
        let query = query.finish();
        if query.is_empty() {
            "/people".to_owned()
        } else {
            format!("/people?{query}")
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "tests")]

    use super::*;

    #[test]
    fn an_address_leads_back_to_its_query() {
        for query in [
            PeopleQuery::default(),
            PeopleQuery::of_group("on call & \"more\"/é#?"),
            PeopleQuery {
                only_disabled: true,
                ..PeopleQuery::of_group("dba")
            }
            .behind("o'neil"),
        ] {
            let address = query.address();
            let raw = address.strip_prefix("/people").expect("the page");
            let parsed = PeopleQuery::parse(raw.trim_start_matches('?'));
            assert_eq!(parsed, Ok(query));
        }
        assert!(PeopleQuery::parse("disabled=maybe").is_err());
        assert_eq!(PeopleQuery::parse("utm=x"), Ok(PeopleQuery::default()));
    }
}
