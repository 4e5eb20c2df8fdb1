//! What an error of an S3 service means, in words for people: the service's own code decides where there is one, for the client
//! calls most of them by the same name.

use levada_core::error::{Error, ErrorKind};
use object_store::Error as StoreError;

/// Codes of keys that the service does not take (Amazon S3 API reference, "Error responses").
const KEYS_REFUSED: [&str; 6] = [
    "SignatureDoesNotMatch",
    "InvalidAccessKeyId",
    "ExpiredToken",
    "InvalidToken",
    "InvalidSecurity",
    "AuthorizationHeaderMalformed",
];

/// The error of a request about a path in a bucket.
pub fn error(error: &StoreError, bucket: &str, path: &str) -> Error {
    let text = cause(error);
    let code = code_in(&text);
    match (code, error) {
        (Some("NoSuchBucket"), _) => Error::new(ErrorKind::NotFound, format!("there is no bucket `{bucket}`"))
            .advise("Check the bucket's name, `endpoint` and `region`."),
        (Some(code), _) if KEYS_REFUSED.contains(&code) => {
            Error::new(ErrorKind::Auth, format!("S3 does not accept the keys ({code})"))
                .advise("Check `access_key` and `secret_key`, or what the machine's role gives.")
        }
        (Some("AccessDenied"), _) | (_, StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. }) => {
            Error::new(ErrorKind::Permission, format!("S3 denies access to bucket `{bucket}`"))
                .advise("Grant the missing right to the owner of the keys.")
        }
        (Some("SlowDown" | "ServiceUnavailable"), _) => {
            Error::new(ErrorKind::Busy, "S3 asks to be left alone for a while")
        }
        (_, StoreError::NotFound { .. }) => Error::new(ErrorKind::NotFound, format!("there is no object `{path}`")),
        (_, StoreError::NotSupported { .. } | StoreError::NotImplemented { .. }) => {
            Error::new(ErrorKind::Unsupported, format!("S3 cannot do what is needed: {text}"))
        }
        (Some(code), _) => Error::new(ErrorKind::Connect, format!("S3 answered {code}: {text}")),
        (None, _) => match text.split_once("HTTP error: ") {
            Some((_, why)) => Error::new(ErrorKind::Connect, format!("S3 cannot be reached: {why}"))
                .advise("Check `endpoint`, that the service runs, and the network."),
            None => Error::new(ErrorKind::Connect, format!("S3 answered: {text}")),
        },
    }
}

/// The error with all its causes in a line.
pub fn cause(error: &dyn std::error::Error) -> String {
    let mut reason = error;
    let mut text = reason.to_string();
    while let Some(source) = reason.source() {
        let inner = source.to_string();
        if !inner.is_empty() && !text.contains(&inner) {
            text = format!("{text}: {inner}");
        }
        reason = source;
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(400).collect()
}

fn code_in(text: &str) -> Option<&str> {
    text.split_once("<Code>")?.1.split_once("</Code>").map(|(code, _)| code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Error {
        error(&StoreError::Generic { store: "S3", source: text.to_owned().into() }, "lake", "a.csv")
    }

    #[test]
    fn the_code_of_the_service_decides() {
        let answer = |code: &str| of(&format!("status code: 403: <Error><Code>{code}</Code></Error>"));
        assert_eq!(answer("NoSuchBucket").kind(), ErrorKind::NotFound);
        assert_eq!(answer("SignatureDoesNotMatch").kind(), ErrorKind::Auth);
        assert_eq!(answer("AccessDenied").kind(), ErrorKind::Permission);
        assert_eq!(answer("SlowDown").kind(), ErrorKind::Busy);
        assert_eq!(answer("InternalError").kind(), ErrorKind::Connect);
        let unreachable = of("Error performing GET http://h:1/lake after 10 retries - HTTP error: tcp connect error");
        assert_eq!(unreachable.message(), "S3 cannot be reached: tcp connect error");
    }
}
