//! Known answers, and what makes a mask one.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;

fn hex_of(bytes: &[u8]) -> String {
    let mut out = String::new();
    hex(&mut out, bytes);
    out
}

fn hmac(key: &[u8], data: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    let values: ArrayRef = Arc::new(arrow_array::BinaryArray::from(vec![data]));
    hex_of(&digest(mac, &[], &values, 0, &mut String::new()))
}

#[test]
fn keyed_digests_are_those_of_rfc_4231() {
    for (key, data, wanted) in [
        (vec![0x0b; 20], b"Hi There".to_vec(), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (
            b"Jefe".to_vec(),
            b"what do ya want for nothing?".to_vec(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (vec![0xaa; 20], vec![0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        (
            (1..=25).collect(),
            vec![0xcd; 50],
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
        ),
        (
            vec![0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First".to_vec(),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
        (
            vec![0xaa; 131],
            b"This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.".to_vec(),
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
        ),
    ] {
        assert_eq!(hmac(&key, &data), wanted);
    }
}

#[test]
fn the_middle_is_hidden_and_of_short_texts_all() {
    let masked = |text: &str, first, last| {
        let mut out = String::new();
        hide_middle(&mut out, text, first, last);
        out
    };
    assert_eq!(masked("4111111111111111", 0, 4), "************1111");
    assert_eq!(masked("ann@example.org", 1, 4), "a**********.org");
    assert_eq!(masked("😀élan", 1, 1), "😀***n");
    for short in ["abc", "ab", "a"] {
        assert_eq!(masked(short, 2, 1), "*".repeat(short.len()), "{short}");
    }
    assert_eq!(masked("", 1, 1), "");
    assert_eq!(masked("abc", 0, 0), "***");
}

#[test]
fn days_move_by_the_key_alone_within_the_bound_and_always() {
    let days: ArrayRef = Arc::new(arrow_array::Date32Array::from(vec![Some(0), None, Some(100)]));
    let mut seen = std::collections::BTreeSet::new();
    for key in 0..500 {
        let moved = shifted(&days, 3, |_| keyed(&format!("key {key}"))).unwrap();
        let moved = moved.as_primitive::<Date32Type>();
        let by = moved.value(0);
        assert_eq!((moved.is_null(1), moved.value(2)), (true, 100 + by));
        assert_eq!(shifted(&days, 3, |_| keyed(&format!("key {key}"))).unwrap().as_primitive::<Date32Type>(), moved);
        seen.insert(by);
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [-3, -2, -1, 1, 2, 3]);
    let instants: ArrayRef =
        Arc::new(arrow_array::TimestampMicrosecondArray::from(vec![Some(1), Some(i64::MAX)]).with_timezone("UTC"));
    let one = shifted(&instants.slice(0, 1), 3, |_| keyed("k")).unwrap();
    assert_eq!(one.data_type(), instants.data_type());
    let by = one.as_primitive::<TimestampMicrosecondType>().value(0) - 1;
    let day = shifted(&days, 3, |_| keyed("k")).unwrap().as_primitive::<Date32Type>().value(0);
    assert_eq!(by, i64::from(day) * 86_400_000_000);
    let far = |key: &str| shifted(&instants, 3, |_| keyed(key)).is_err();
    assert!((0..20).any(|key| far(&key.to_string())), "beyond the last instant");
}

#[test]
fn made_up_values_hang_on_value_and_seed() {
    let fake = |kind: &str, value: &str, seed: &str| {
        let values: ArrayRef = Arc::new(arrow_array::StringArray::from(vec![value]));
        let mut out = String::new();
        let digest = digest(keyed(seed).unwrap(), kind.as_bytes(), &values, 0, &mut String::new());
        fakes::write(&mut out, kind, &digest);
        out
    };
    for kind in fakes::KINDS {
        assert_eq!(fake(kind, "ann", "s"), fake(kind, "ann", "s"), "{kind}");
        let many: std::collections::BTreeSet<_> = (0..200).map(|n| fake(kind, &n.to_string(), "s")).collect();
        assert!(many.len() >= 30, "{kind}: {}", many.len());
        let others = (0..200).filter(|n| fake(kind, &n.to_string(), "s") != fake(kind, &n.to_string(), "t")).count();
        assert!(others > 150, "{kind}: {others}");
    }
    assert!(fake("email", "ann", "s").contains("@example."));
    assert!(fake("phone", "ann", "s").contains("-555-01"));
}

#[test]
fn a_key_that_is_none_hides_nothing() {
    assert!(keyed("").is_err());
    let none: ArrayRef = Arc::new(arrow_array::StringArray::from(vec![None::<&str>]));
    assert!(Key::Column(none).at(0).is_err());
}
