//! The cookie of a session. Over TLS it has the prefix `__Host-`, so that no other host and no unencrypted page can set
//! one in its place (RFC 6265bis, section 4.1.3).

use levada_core::secret::Secret;
use levada_store::SESSION_MAX;

/// The name of the cookie over plain HTTP.
pub const COOKIE: &str = "levada_session";
/// The name of the cookie over TLS.
pub const COOKIE_TLS: &str = "__Host-levada_session";

/// The name of the cookie.
pub const fn name(is_tls: bool) -> &'static str {
    if is_tls { COOKIE_TLS } else { COOKIE }
}

/// The value of `Set-Cookie` that gives a browser its session.
pub fn set(text: &Secret, is_tls: bool) -> String {
    line(name(is_tls), text.expose(), SESSION_MAX.as_secs(), is_tls)
}

/// The value of `Set-Cookie` that takes it away.
pub fn clear(is_tls: bool) -> String {
    line(name(is_tls), "", 0, is_tls)
}

/// A cookie that scripts cannot read, and that other sites send only where somebody follows a link.
pub(super) fn line(name: &str, value: &str, age_s: u64, is_tls: bool) -> String {
    let secure = if is_tls { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; Max-Age={age_s}; HttpOnly; SameSite=Lax{secure}")
}

/// The value of a cookie among the lines of `Cookie`; none where there are several, one of which somebody else has set.
pub fn find<'a>(lines: impl Iterator<Item = &'a str>, name: &str) -> Option<&'a str> {
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut found = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value);
    found.next().filter(|_| found.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_for_this_host_alone() {
        let text = Secret::new("abc");
        let plain = "levada_session=abc; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax";
        assert_eq!(set(&text, false), plain);
        assert_eq!(set(&text, true), format!("__Host-{plain}; Secure"));
        assert_eq!(clear(false), "levada_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    }

    #[test]
    fn one_cookie_is_found_and_two_are_none() {
        let found = |lines: &[&'static str]| find(lines.iter().copied(), COOKIE);
        assert_eq!(found(&["a=b; levada_session=x=y; c=d"]), Some("x=y"));
        assert_eq!(found(&["a=b", "levada_session=x"]), Some("x"));
        assert_eq!(found(&["levada_session=x; levada_session=y"]), None);
        assert_eq!(found(&["levada_session=x", "levada_session=x"]), None);
        assert_eq!(found(&["xlevada_session=x", "__Host-levada_session=z", "levada_session"]), None);
        assert_eq!(found(&[]), None);
    }
}
