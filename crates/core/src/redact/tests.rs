//! Every spelling, every cut: nothing of a secret is left.

#![allow(clippy::unwrap_used)]
use serde_json::json;

use super::*;

const SECRET: &str = "p/s \"wörd\"+7?";

fn redactor() -> Redactor {
    Redactor::new([SECRET, "abc", "hunter22", "-----BEGIN-----\nMIIEabcd\n-----END-----\n"]).unwrap()
}

/// What a stream in pieces of `size` bytes gives out, and the longest piece.
fn through_lines(text: &[u8], size: usize) -> (String, usize) {
    let (redactor, mut lines) = (redactor(), Lines::default());
    let (mut out, mut longest) = (Vec::new(), 0);
    let mut give = |line: Line<'_>| {
        longest = longest.max(line.redacted.len());
        out.extend_from_slice(&line.redacted);
        if !line.cut {
            out.push(b'\n');
        }
    };
    for piece in text.chunks(size) {
        lines.push(&redactor, piece, &mut give);
    }
    lines.end(&redactor, &mut give);
    (String::from_utf8(out).unwrap(), longest)
}

#[test]
fn every_common_spelling_is_hidden() {
    let redactor = redactor();
    for text in [
        SECRET,
        "p%2Fs%20%22w%C3%B6rd%22%2B7%3F",
        "p%2fs%20%22w%c3%b6rd%22%2b7%3f",
        "p/s%20%22w%C3%B6rd%22%2B7%3F",
        "p%2Fs+%22w%C3%B6rd%22%2B7%3F",
        r#"p/s \"wörd\"+7?"#,
        r#"p\/s \"wörd\"+7?"#,
        r#"p/s \"w\u00f6rd\"+7?"#,
        "MIIEabcd",
        r"-----BEGIN-----\nMIIEabcd\n-----END-----\n",
    ] {
        assert_eq!(redactor.text(&format!("<{text}>")), "<***>", "{text}");
    }
    assert_eq!(redactor.text("abc, too short to be a secret"), "abc, too short to be a secret");
}

#[test]
fn base64_is_hidden_wherever_the_secret_starts() {
    let redactor = redactor();
    for before in ["", "u", "us", "use", "user:"] {
        for after in ["", "x", "xy", "xyz"] {
            let plain = format!("{before}{SECRET}{after}");
            for encoded in [STANDARD.encode(&plain), URL_SAFE.encode(&plain), URL_SAFE_NO_PAD.encode(&plain)] {
                let redacted = redactor.text(&encoded);
                assert!(redacted.contains(MASK), "{plain}: {redacted}");
                assert!(redacted.len() < MASK.len() + (before.len() + after.len()) * 4 / 3 + 6, "{plain}: {redacted}");
            }
        }
    }
}

#[test]
fn of_secrets_that_overlap_nothing_stays() {
    let redactor = Redactor::new(["abcdef", "defghi", "cd12"]).unwrap();
    assert_eq!(redactor.text("-abcdefghi-abcd12-"), "-***-ab***-");
}

#[test]
fn keys_values_and_numbers_of_json() {
    let mut value = json!({"hunter22": ["hunter22!", 1], "n": 12345678});
    Redactor::new(["hunter22", "345678"]).unwrap().json(&mut value);
    assert_eq!(value, json!({"***": ["***!", 1], "n": "12***"}));
}

#[test]
fn pieces_of_any_size_give_the_same_lines() {
    let text = format!("one {SECRET} two\r\n\n{SECRET}hunter22\nlast");
    for size in 1..text.len() {
        assert_eq!(through_lines(text.as_bytes(), size).0, "one *** two\n\n***\nlast\n", "pieces of {size}");
    }
}

#[test]
fn a_secret_across_the_cut_of_a_long_line() {
    for at in LINE_BYTES_MAX - 40..LINE_BYTES_MAX + 5 {
        let text = format!("{}{SECRET}{}", "ä".repeat(at / 2), "y".repeat(LINE_BYTES_MAX * 2));
        let expected = format!("{}***{}\n", "ä".repeat(at / 2), "y".repeat(LINE_BYTES_MAX * 2));
        for size in [1000, 300_000] {
            let (out, longest) = through_lines(text.as_bytes(), size);
            assert!(out == expected, "secret at {at}, pieces of {size}");
            assert!(longest <= LINE_BYTES_MAX + 100, "{longest}");
        }
    }
}
