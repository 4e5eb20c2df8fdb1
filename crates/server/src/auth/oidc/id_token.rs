//! The ID token, in which a provider says who signed in: its signature, and that it was made for this server, for this
//! attempt and lately (OpenID Connect Core, section 3.1.3.7).

use std::time::Duration;

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::time::Timestamp;
use serde_json::{Map, Value as Json};

use super::signature;

/// How far the clock of the provider may be off.
const LEEWAY: Duration = Duration::from_secs(60);
/// Longest token, in bytes.
const BYTES_MAX: usize = 64 * 1024;

/// What a token is to say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected<'a> {
    pub issuer: &'a str,
    pub client_id: &'a str,
    pub nonce: &'a str,
    pub now: Timestamp,
}

/// How a token is signed, and by which key.
///
/// # Errors
/// `Auth` where it is no token, or signed in a way that is not accepted.
pub(super) fn signed_by(token: &str) -> Result<(Algorithm, Option<String>)> {
    if token.len() > BYTES_MAX {
        return Err(refused("is too long"));
    }
    // the library knows no `none`, and refuses it here
    let header =
        decode_header(token).map_err(|_| refused("cannot be read, or is signed in a way that is not known"))?;
    if !signature::ACCEPTED.contains(&header.alg) {
        return Err(refused("is not signed by RS256, ES256 or EdDSA"));
    }
    Ok((header.alg, header.kid))
}

/// What a token says, all of it checked.
///
/// # Errors
/// `Auth`, with what is wrong.
pub(super) fn claims(
    token: &str,
    key: &Jwk,
    algorithm: Algorithm,
    expected: Expected<'_>,
) -> Result<Map<String, Json>> {
    signature::install();
    let key = DecodingKey::from_jwk(key).map_err(|_| refused("is signed by a key that cannot be used"))?;
    let mut validation = Validation::new(algorithm);
    // the library reads the clock by itself, and lets pass what is not there
    (validation.validate_exp, validation.validate_aud) = (false, false);
    validation.required_spec_claims.clear();
    let data = decode::<Map<String, Json>>(token, &key, &validation);
    let claims = data.map_err(|_| refused("has a signature that is not the provider's"))?.claims;
    check(&claims, expected)?;
    Ok(claims)
}

fn check(claims: &Map<String, Json>, expected: Expected<'_>) -> Result<()> {
    let text = |name: &str| claims.get(name).and_then(Json::as_str);
    let instant = |name: &str| claims.get(name).and_then(Json::as_f64).map(|at| Timestamp::from_secs(at as i64));
    if text("iss") != Some(expected.issuer) {
        return Err(refused("comes from another issuer"));
    }
    let audiences: Vec<&str> = match claims.get("aud") {
        Some(Json::String(one)) => vec![one],
        Some(Json::Array(all)) => all.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    };
    let party = claims.get("azp").map(|party| party.as_str());
    let is_ours = audiences.contains(&expected.client_id)
        && party.is_none_or(|party| party == Some(expected.client_id))
        && (audiences.len() == 1 || party.is_some());
    if !is_ours {
        return Err(refused("is for somebody else"));
    }
    if instant("exp").is_none_or(|end| end.plus(LEEWAY) <= expected.now) {
        return Err(refused("is over"));
    }
    let is_later = |at: Timestamp| at.minus(LEEWAY) > expected.now;
    if instant("iat").is_none_or(is_later) || instant("nbf").is_some_and(is_later) {
        return Err(refused("is of a time to come"));
    }
    if text("nonce") != Some(expected.nonce) {
        return Err(refused("is not for this attempt to sign in"));
    }
    if text("sub").is_none_or(str::is_empty) {
        return Err(refused("names nobody"));
    }
    Ok(())
}

fn refused(what: &str) -> Error {
    Error::new(ErrorKind::Auth, format!("the provider's ID token {what}"))
        .advise("Sign in again; if it goes on, check the provider's settings and the clocks of both.")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
    use ring::signature::{Ed25519KeyPair, KeyPair};
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
    const EXPECTED: Expected<'_> = Expected { issuer: "https://id.example", client_id: "levada", nonce: "n", now: NOW };

    fn pair() -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
    }

    fn key() -> Jwk {
        let x = BASE64.encode(pair().public_key().as_ref());
        serde_json::from_value(json!({ "kty": "OKP", "crv": "Ed25519", "x": x })).unwrap()
    }

    fn good() -> Json {
        let now = NOW.as_secs();
        json!({ "iss": "https://id.example", "aud": "levada", "exp": now + 60, "iat": now, "nonce": "n", "sub": "42" })
    }

    fn token(header: &Json, claims: &Json) -> String {
        let part = |json: &Json| BASE64.encode(json.to_string());
        let text = format!("{}.{}", part(header), part(claims));
        let signature = BASE64.encode(pair().sign(text.as_bytes()));
        format!("{text}.{signature}")
    }

    fn read(token: &str) -> Result<Map<String, Json>> {
        let (algorithm, _) = signed_by(token)?;
        claims(token, &key(), algorithm, EXPECTED)
    }

    #[test]
    fn a_good_token_says_who_it_is() {
        let header = json!({ "alg": "EdDSA", "kid": "k1" });
        assert_eq!(signed_by(&token(&header, &good())).unwrap(), (Algorithm::EdDSA, Some("k1".to_owned())));
        assert_eq!(read(&token(&header, &good())).unwrap()["sub"], "42");
        let mut several = good();
        several["aud"] = json!(["other", "levada"]);
        several["azp"] = json!("levada");
        assert!(read(&token(&header, &several)).is_ok());
        let mut off = good();
        (off["exp"], off["iat"]) = (json!(NOW.as_secs() - 59), json!(NOW.as_secs() + 59));
        assert!(read(&token(&header, &off)).is_ok());
    }

    #[test]
    fn what_is_for_others_or_another_time_is_refused() {
        let now = NOW.as_secs();
        let cases = [
            ("iss", json!("https://id.example/")),
            ("iss", Json::Null),
            ("aud", json!("other")),
            ("aud", json!(["other"])),
            ("aud", json!([])),
            ("aud", json!(["levada", "other"])),
            ("azp", json!("other")),
            ("azp", json!(7)),
            ("exp", json!(now - 60)),
            ("exp", json!("never")),
            ("exp", Json::Null),
            ("iat", json!(now + 61)),
            ("iat", Json::Null),
            ("nbf", json!(now + 61)),
            ("nonce", json!("m")),
            ("nonce", Json::Null),
            ("sub", json!("")),
            ("sub", json!(42)),
        ];
        for (claim, value) in cases {
            let mut claims = good();
            claims[claim] = value.clone();
            let error = read(&token(&json!({ "alg": "EdDSA" }), &claims)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Auth, "{claim}: {value}");
        }
    }

    #[test]
    fn what_is_not_signed_by_the_key_is_refused() {
        let header = json!({ "alg": "EdDSA" });
        let good_token = token(&header, &good());
        let (text, signature) = good_token.rsplit_once('.').unwrap();
        let mut other = good();
        other["sub"] = json!("43");
        let (changed, _) = token(&header, &other).rsplit_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        let part = |json: &Json| BASE64.encode(json.to_string());
        let unsigned = format!("{}.{}.", part(&json!({ "alg": "none" })), part(&good()));
        let forged = [
            format!("{changed}.{signature}"),
            format!("{text}."),
            text.to_owned(),
            unsigned,
            format!("{good_token}.x"),
            String::new(),
            "x".repeat(BYTES_MAX + 1),
        ];
        for token in forged {
            assert_eq!(read(&token).unwrap_err().kind(), ErrorKind::Auth, "{token}");
        }
        // the public key as the secret of a signature that anybody can make, and algorithms that do not fit the key
        for algorithm in ["HS256", "HS512", "RS256", "ES256", "PS256", "None", "NONE"] {
            let error = read(&token(&json!({ "alg": algorithm }), &good())).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Auth, "{algorithm}");
        }
    }
}
