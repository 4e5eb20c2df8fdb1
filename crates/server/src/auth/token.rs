//! The text of an API token: `lvd_<number>_<secret>`. Scanners find it by its beginning, the store by its number.

use levada_core::id::TokenId;
use levada_core::secret::Secret;
use levada_store::Hash;

use super::random;

const PREFIX: &str = "lvd_";

/// The text of a token, shown once to whoever made it.
pub fn text(id: TokenId, secret: &Secret) -> Secret {
    Secret::new(format!("{PREFIX}{id}_{}", secret.expose()))
}

/// The number of a token and the hash of its secret; none where the text cannot be one.
pub fn parse(text: &str) -> Option<(TokenId, Hash)> {
    let (number, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
    let is_number = !number.is_empty() && !number.starts_with('0') && number.bytes().all(|byte| byte.is_ascii_digit());
    let id = number.parse().ok().filter(|_| is_number)?;
    Some((TokenId(id), random::hash(secret)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn text_there_and_back() {
        let secret = random::text().unwrap();
        let token = text(TokenId(17), &secret);
        assert_eq!(parse(token.expose()).unwrap(), (TokenId(17), random::hash(secret.expose()).unwrap()));
        let secret = "a".repeat(43);
        let long = format!("lvd_99999999999999999999_{secret}");
        for odd in ["", "lvd_", "lvd_1", "lvd_1_", "lvd_1_short", &secret, &long] {
            assert_eq!(parse(odd), None, "{odd}");
        }
        for number in ["", "-1", "+1", "01", "1 ", "x"] {
            assert_eq!(parse(&format!("lvd_{number}_{secret}")), None, "{number:?}");
        }
    }
}
