//! Names: the mapping of source names to names a destination can hold, wildcards, and the nearest word to a typing error.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

/// How names must look in a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameRules {
    /// The longest name allowed, in `unit`.
    pub length_max: usize,
    /// What `length_max` counts.
    pub unit: LengthUnit,
    /// Whether `A` and `a` are the same column.
    pub ignores_case: bool,
    /// Characters that cannot stand in a name even when quoted; each becomes `_`.
    pub forbidden: &'static [char],
}

/// What the length of a name is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LengthUnit {
    /// UTF-8 bytes (PostgreSQL: 63).
    Bytes,
    /// Unicode code points.
    Chars,
    /// Unicode code points of the basic plane; others become `_`, and so does a blank at the end (MySQL: 64).
    BasicChars,
}

impl NameRules {
    /// Maps every source name to a distinct legal name. A name that is legal and free keeps its spelling; any other is
    /// shortened and gets `_` and eight hex digits of its SHA-256, so that the result depends on the name alone.
    /// `known` holds mappings made by earlier loads (source name to final name): they are kept for ever, and a new
    /// source name never takes a final name that belongs to another.
    pub fn map(&self, names: &[String], known: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut mapped = BTreeMap::new();
        let mut taken: BTreeMap<String, String> =
            known.iter().map(|(source, target)| (self.fold(target), source.clone())).collect();
        let (legal, other): (Vec<&String>, Vec<&String>) = names.iter().partition(|name| self.legal(name) == **name);
        for name in legal.into_iter().chain(other) {
            if let Some(target) = known.get(name) {
                mapped.insert(name.clone(), target.clone());
                continue;
            }
            let mut target = self.legal(name);
            if target != *name || taken.get(&self.fold(&target)).is_some_and(|owner| owner != name) {
                target = self.suffixed(name, 8);
                if taken.get(&self.fold(&target)).is_some_and(|owner| owner != name) {
                    target = self.suffixed(name, 32);
                }
            }
            taken.insert(self.fold(&target), name.clone());
            mapped.insert(name.clone(), target);
        }
        mapped
    }

    fn fold(&self, name: &str) -> String {
        if self.ignores_case { name.to_lowercase() } else { name.to_owned() }
    }

    fn legal(&self, name: &str) -> String {
        let basic = self.unit == LengthUnit::BasicChars;
        let fits = |c: char| !(self.forbidden.contains(&c) || basic && c > '\u{ffff}');
        let mut clean: String = name.chars().map(|c| if fits(c) { c } else { '_' }).collect();
        if basic && clean.ends_with(' ') {
            clean.replace_range(clean.len() - 1.., "_");
        }
        let clean = if clean.is_empty() { "_".to_owned() } else { clean };
        self.shortened(&clean, self.length_max)
    }

    fn suffixed(&self, name: &str, digits: usize) -> String {
        let hash: String = Sha256::digest(name.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}_{}", self.shortened(&self.legal(name), self.length_max - digits - 1), &hash[..digits])
    }

    fn shortened(&self, name: &str, length_max: usize) -> String {
        let mut length = 0;
        name.chars()
            .take_while(|c| {
                length += if self.unit == LengthUnit::Bytes { c.len_utf8() } else { 1 };
                length <= length_max
            })
            .collect()
    }
}

/// Whether a name matches a pattern in which `*` stands for any run of characters and `?` for one.
pub fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if p < pattern.len() && pattern[p] == '*' {
            star = Some((p, n));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == '?' || pattern[p] == name[n]) {
            p += 1;
            n += 1;
        } else if let Some((star_p, star_n)) = star {
            star = Some((star_p, star_n + 1));
            p = star_p + 1;
            n = star_n + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// Whether a stream name is a pattern.
pub fn is_wildcard(name: &str) -> bool {
    name.contains(['*', '?'])
}

/// The known word closest to `word`, if one is close enough to be a typing error.
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1) + 1;
    known
        .iter()
        .map(|candidate| (distance(&word.to_lowercase(), &candidate.to_lowercase()), *candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The start of an advice: "Did you mean `x`? ", or nothing.
pub fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|word| format!("Did you mean `{word}`? ")).unwrap_or_default()
}

/// The first names of a list, and how many more there are: `a, b and 3 more`.
pub fn first_of(names: &[impl AsRef<str>], max: usize) -> String {
    let first = names.iter().take(max).map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(max) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substitution = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substitution.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const POSTGRES: NameRules =
        NameRules { length_max: 63, unit: LengthUnit::Bytes, ignores_case: false, forbidden: &['\0'] };
    const SQLITE: NameRules = NameRules { ignores_case: true, ..POSTGRES };

    fn map(rules: NameRules, names: &[&str]) -> BTreeMap<String, String> {
        rules.map(&names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>(), &BTreeMap::new())
    }

    #[test]
    fn of_many_names_the_first_are_told() {
        assert_eq!(first_of(&["a", "b"], 2), "a, b");
        assert_eq!(first_of(&["a", "b", "c", "d"], 2), "a, b and 2 more");
        assert_eq!(first_of(&Vec::<String>::new(), 2), "");
    }

    #[test]
    fn legal_names_keep_their_spelling() {
        let names = ["User Id", "user_id", "select", "größe", "a\"b", "😀"];
        assert!(map(POSTGRES, &names).iter().all(|(source, target)| source == target));
    }

    #[test]
    fn long_names_with_one_prefix_are_kept_apart_whatever_their_order() {
        let (a, b) = (format!("{}x", "é".repeat(40)), format!("{}y", "é".repeat(40)));
        let forth = map(POSTGRES, &[&a, &b]);
        assert_eq!(forth, map(POSTGRES, &[&b, &a]));
        assert_ne!(forth[&a], forth[&b]);
        assert!(forth.values().all(|name| name.len() <= 63));
    }

    #[test]
    fn names_that_differ_in_case_get_a_stable_suffix_that_never_meets_a_real_column() {
        let first = map(SQLITE, &["A", "a"]);
        assert_eq!(first["A"], "A");
        let suffixed = first["a"].clone();
        let second = map(SQLITE, &["A", "a", &suffixed]);
        let distinct: std::collections::BTreeSet<String> = second.values().map(|name| name.to_lowercase()).collect();
        assert_eq!(distinct.len(), 3);
    }

    #[test]
    fn known_mappings_are_kept_when_columns_come_and_go() {
        let known = BTreeMap::from([("a".to_owned(), "a_11111111".to_owned())]);
        let mapped = SQLITE.map(&["a".to_owned(), "A".to_owned()], &known);
        assert_eq!((mapped["a"].as_str(), mapped["A"].as_str()), ("a_11111111", "A"));
        let known = BTreeMap::from([("A".to_owned(), "A".to_owned())]);
        assert_ne!(SQLITE.map(&["a".to_owned()], &known)["a"].to_lowercase(), "a");
    }

    #[test]
    fn names_of_the_basic_plane_lose_what_it_has_not() {
        let rules = NameRules { length_max: 64, unit: LengthUnit::BasicChars, ..SQLITE };
        let mapped = map(rules, &["größe", "a😀", "a🙂", "a_", "a "]);
        assert_eq!(mapped["größe"], "größe");
        assert!(mapped.values().all(|name| name.chars().all(|c| c <= '\u{ffff}') && !name.ends_with(' ')));
        let distinct: std::collections::BTreeSet<&String> = mapped.values().collect();
        assert_eq!(distinct.len(), 5);
    }

    #[test]
    fn wildcards_match_whole_names() {
        assert!(matches("public.dim_*", "public.dim_date"));
        assert!(matches("*", "x") && matches("a?c*", "abcd") && matches("*a*b", "xaxb"));
        assert!(!matches("public.dim_*", "public.fact") && !matches("a", "ab"));
    }

    #[test]
    fn the_nearest_word_is_found_for_a_typing_error_only() {
        assert_eq!(nearest("postgers", &["mysql", "postgres"]), Some("postgres"));
        assert_eq!(nearest("kafka", &["mysql", "postgres"]), None);
    }
}
