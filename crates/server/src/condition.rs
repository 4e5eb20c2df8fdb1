//! Which versions of something a change may be made to, as `If-Match` says it (RFC 9110, section 13.1.1).

use axum::http::HeaderMap;
use axum::http::header::IF_MATCH;

use crate::problem::Problem;

/// What `If-Match` asks of something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// `*`: that it is there.
    There,
    /// That it has one of these tags, without their quotation marks. Weak tags are left out: they are like no other here.
    Tags(Vec<String>),
}

impl Condition {
    /// What a request asks; none if it asks nothing.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let lines: Vec<_> = headers.get_all(IF_MATCH).iter().map(|line| line.to_str().unwrap_or_default()).collect();
        match lines.as_slice() {
            [] => None,
            [line] if line.trim() == "*" => Some(Self::There),
            lines => Some(Self::Tags(lines.iter().flat_map(|line| tags(line)).collect())),
        }
    }

    /// Whether it may be changed that has this tag.
    pub fn allows(&self, tag: &str) -> bool {
        match self {
            Self::There => true,
            Self::Tags(tags) => tags.iter().any(|one| one == tag),
        }
    }

    /// Whether a document of this version may be changed.
    pub fn allows_version(&self, version: u32) -> bool {
        self.allows(&format!("v{version}"))
    }

    /// The version that has to be there still when something of this version is changed; none if any may be.
    ///
    /// # Errors
    /// `Stale` if it may not be changed.
    pub fn expects(&self, version: u32) -> Result<Option<u32>, Problem> {
        match self {
            Self::There => Ok(None),
            Self::Tags(_) if self.allows_version(version) => Ok(Some(version)),
            Self::Tags(_) => Err(Problem::Stale),
        }
    }
}

/// The tags of a list that are strong. One without quotation marks is taken as well.
fn tags(list: &str) -> Vec<String> {
    let (mut tags, mut rest) = (Vec::new(), list);
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (is_weak, opened) = match rest.strip_prefix("W/\"") {
            Some(weak) => (true, Some(weak)),
            None => (false, rest.strip_prefix('"')),
        };
        let (tag, behind) = match opened {
            Some(opened) => match opened.split_once('"') {
                Some(parts) => parts,
                None => return tags,
            },
            None => rest.split_at(rest.find(',').unwrap_or(rest.len())),
        };
        if opened.is_none() && tag.is_empty() {
            return tags;
        }
        tags.extend((!is_weak).then(|| tag.trim().to_owned()));
        rest = behind;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn asked(lines: &[&str]) -> Option<Condition> {
        Condition::of(&lines.iter().map(|line| (IF_MATCH, line.parse().unwrap())).collect())
    }

    #[test]
    fn a_condition_is_a_star_or_a_list_of_tags() {
        let tags = |tags: &[&str]| Some(Condition::Tags(tags.iter().map(|tag| (*tag).to_owned()).collect()));
        assert_eq!(asked(&[]), None);
        assert_eq!(asked(&[" * "]), Some(Condition::There));
        for (lines, expected) in [
            (&["\"v1\""][..], tags(&["v1"])),
            (&["v1"], tags(&["v1"])),
            (&["\"v1\", \"v2\" ,,\"v3\""], tags(&["v1", "v2", "v3"])),
            (&["\"v1\"", "\"v2\""], tags(&["v1", "v2"])),
            (&["\"a,v1,b\", v2"], tags(&["a,v1,b", "v2"])),
            (&["W/\"v1\", \"v2\""], tags(&["v2"])),
            (&["\"v1"], tags(&[])),
            (&[""], tags(&[])),
            (&["\"v1\", *"], tags(&["v1", "*"])),
        ] {
            assert_eq!(asked(lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_version_is_allowed_or_not() {
        let two = asked(&["\"v2\", \"v7\""]).unwrap();
        assert!(two.allows_version(7) && !two.allows_version(1));
        assert_eq!(two.expects(2).ok(), Some(Some(2)));
        assert!(two.expects(3).is_err());
        assert_eq!(Condition::There.expects(3).ok(), Some(None));
    }
}
