//! "Did you mean": the known word nearest to one that is not known.

/// The nearest of `known`, if it is near: a third of its letters differ at most.
#[must_use]
pub fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    nearest_within(word, known, |length| length.div_ceil(3))
}

/// The nearest of `known` with at most `limit` edits, by the number of its letters.
#[must_use]
pub fn nearest_within<'k>(word: &str, known: &[&'k str], limit: impl Fn(usize) -> usize) -> Option<&'k str> {
    known
        .iter()
        .map(|candidate| (distance(word, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= limit(candidate.chars().count()))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The number of letters to insert, delete, replace, or swap with their neighbour (optimal string
/// alignment), ignoring ASCII case.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_ascii_lowercase().chars().collect();
    let b: Vec<char> = b.to_ascii_lowercase().chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let mut best = (above[j] + usize::from(a[i] != b[j]))
                .min(above[j + 1] + 1)
                .min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_edits() {
        for (a, b, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("listen", "LISTEN", 0),
            ("listn", "listen", 1),
            ("lisetn", "listen", 1),
            ("upstraem", "upstream", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
            assert_eq!(distance(b, a), expected, "{b} {a}");
        }
    }

    #[test]
    fn only_what_is_near_is_suggested() {
        let known = ["listen", "public_url"];
        assert_eq!(nearest("listn", &known), Some("listen"));
        assert_eq!(nearest("public-url", &known), Some("public_url"));
        assert_eq!(nearest("colour", &known), None);
    }
}
