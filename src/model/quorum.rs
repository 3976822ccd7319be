//! Whether the people who approved are enough.

/// What an approval needs: one member of each group, and every person for one group only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quorum<'a> {
    groups: &'a [String],
}

impl<'a> Quorum<'a> {
    /// The quorum of the given groups (sorted or not, without duplicates).
    #[must_use]
    pub fn of(groups: &'a [String]) -> Self {
        Self { groups }
    }

    /// Whether approvers with these memberships, each counted for one group, cover every group.
    /// No groups are never covered: what names nobody cannot be approved.
    #[must_use]
    pub fn is_met(&self, approvers: &[Vec<String>]) -> bool {
        !self.groups.is_empty() && self.missing(approvers).is_empty()
    }

    /// Groups that still wait for a member, after the best assignment of the approvers.
    /// A maximum bipartite matching (augmenting paths); both sides are small.
    #[must_use]
    pub fn missing(&self, approvers: &[Vec<String>]) -> Vec<&'a str> {
        let mut taken_by: Vec<Option<usize>> = vec![None; self.groups.len()];
        for person in 0..approvers.len() {
            let mut seen = vec![false; self.groups.len()];
            self.assign(person, approvers, &mut taken_by, &mut seen);
        }
        self.groups
            .iter()
            .zip(&taken_by)
            .filter(|(_, by)| by.is_none())
            .map(|(group, _)| group.as_str())
            .collect()
    }

    fn assign(
        &self,
        person: usize,
        approvers: &[Vec<String>],
        taken_by: &mut [Option<usize>],
        seen: &mut [bool],
    ) -> bool {
        for (g, group) in self.groups.iter().enumerate() {
            if seen[g] || !approvers[person].contains(group) {
                continue;
            }
            seen[g] = true;
            let free = match taken_by[g] {
                None => true,
                Some(other) => self.assign(other, approvers, taken_by, seen),
            };
            if free {
                taken_by[g] = Some(person);
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(names: &[&str]) -> Vec<String> {
        names.iter().map(|&n| n.to_owned()).collect()
    }

    #[test]
    fn one_group_takes_any_member() {
        let needed = groups(&["dba"]);
        let quorum = Quorum::of(&needed);
        assert!(!quorum.is_met(&[]));
        assert!(!quorum.is_met(&[groups(&["security"])]));
        assert!(quorum.is_met(&[groups(&["security", "dba"])]));
    }

    #[test]
    fn a_person_counts_for_one_group_only() {
        let needed = groups(&["dba", "security"]);
        let quorum = Quorum::of(&needed);
        assert!(!quorum.is_met(&[groups(&["dba", "security"])]));
        // Whoever came first: the second can only stand for dba, so the first stands for security.
        assert!(quorum.is_met(&[groups(&["dba", "security"]), groups(&["dba"])]));
        assert_eq!(
            quorum.missing(&[groups(&["dba"]), groups(&["dba"])]),
            ["security"]
        );
    }

    #[test]
    fn nobody_named_means_nobody_can_approve() {
        assert!(!Quorum::of(&[]).is_met(&[groups(&["dba"])]));
    }
}
