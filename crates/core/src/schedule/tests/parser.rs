//! What is a cron expression, what it means, and what is said about one that is none.

use super::*;

/// An expression, an instant, and the fires after it (UTC, `T` and seconds as they are).
const MEANINGS: &[(&str, &str, &[&str])] = &[
    ("*/15 * * * *", "2026-01-01T00:00:00Z", &["2026-01-01T00:15:00", "2026-01-01T00:30:00"]),
    ("0 6 * * *", "2026-01-01T06:00:00Z", &["2026-01-02T06:00:00"]),
    ("0 6 * * *", "2026-01-01T05:59:59.999999Z", &["2026-01-01T06:00:00"]),
    ("5/20 * * * *", "2026-01-01T00:00:00Z", &["2026-01-01T00:05:00", "2026-01-01T00:25:00", "2026-01-01T00:45:00"]),
    ("10-40/15 8 * * *", "2026-01-01", &["2026-01-01T08:10:00", "2026-01-01T08:25:00", "2026-01-01T08:40:00"]),
    ("*/20 0 12 * * *", "2026-01-01", &["2026-01-01T12:00:00", "2026-01-01T12:00:20", "2026-01-01T12:00:40"]),
    ("30 59 23 31 12 *", "2026-01-01", &["2026-12-31T23:59:30", "2027-12-31T23:59:30"]),
    ("0 0 1 jan,Jul *", "2026-01-01", &["2026-07-01T00:00:00", "2027-01-01T00:00:00"]),
    ("0 0 * * mon-WED", "2026-11-21", &["2026-11-23T00:00:00", "2026-11-24T00:00:00", "2026-11-25T00:00:00"]),
    ("0 0 * * 0", "2026-11-21", &["2026-11-22T00:00:00", "2026-11-29T00:00:00"]),
    ("0 0 * * 7", "2026-11-21", &["2026-11-22T00:00:00", "2026-11-29T00:00:00"]),
    ("0 0 * * FRI-SUN", "2026-11-21", &["2026-11-22T00:00:00", "2026-11-27T00:00:00", "2026-11-28T00:00:00"]),
    ("0 0 * * 5-7", "2026-11-21", &["2026-11-22T00:00:00", "2026-11-27T00:00:00", "2026-11-28T00:00:00"]),
    (
        "0 0 * * 1/2",
        "2026-11-21",
        &["2026-11-23T00:00:00", "2026-11-25T00:00:00", "2026-11-27T00:00:00", "2026-11-30T00:00:00"],
    ),
    ("0 0 * * 7/2", "2026-11-21", &["2026-11-22T00:00:00", "2026-11-29T00:00:00"]),
    // Either day field, if both say something; both, if one begins with `*`.
    ("0 0 13 * FRI", "2026-11-10", &["2026-11-13T00:00:00", "2026-11-20T00:00:00", "2026-11-27T00:00:00"]),
    ("0 0 13 * FRI", "2026-12-05", &["2026-12-11T00:00:00", "2026-12-13T00:00:00", "2026-12-18T00:00:00"]),
    ("0 0 */2 * MON", "2026-11-01", &["2026-11-09T00:00:00", "2026-11-23T00:00:00"]),
    ("0 0 13 * ?", "2026-11-10", &["2026-11-13T00:00:00", "2026-12-13T00:00:00"]),
    ("0 0 ? * FRI", "2026-11-10", &["2026-11-13T00:00:00", "2026-11-20T00:00:00"]),
    ("0 0 L * *", "2026-01-31T12:00:00Z", &["2026-02-28T00:00:00", "2026-03-31T00:00:00", "2026-04-30T00:00:00"]),
    ("0 0 L-2 2 *", "2027-01-01", &["2027-02-26T00:00:00", "2028-02-27T00:00:00"]),
    // 15 August 2026 is a Saturday, 15 November a Sunday.
    ("0 0 15W 8,11 *", "2026-01-01", &["2026-08-14T00:00:00", "2026-11-16T00:00:00"]),
    // 1 August 2026 is a Saturday, 31 May a Sunday: the month is not left.
    ("0 0 1W 8 *", "2026-01-01", &["2026-08-03T00:00:00"]),
    ("0 0 31W 5 *", "2026-01-01", &["2026-05-29T00:00:00"]),
    ("0 0 LW * *", "2026-05-01", &["2026-05-29T00:00:00", "2026-06-30T00:00:00"]),
    ("0 0 L-3W 10 *", "2029-01-01", &["2029-10-29T00:00:00"]),
    ("0 0 * * 1#1", "2026-11-21", &["2026-12-07T00:00:00", "2027-01-04T00:00:00"]),
    ("0 0 * * FRI#5", "2026-11-21", &["2027-01-29T00:00:00", "2027-04-30T00:00:00"]),
    ("0 0 * * 5L", "2026-11-21", &["2026-11-27T00:00:00", "2026-12-25T00:00:00"]),
    ("0 0 * * sunL,7#1", "2026-11-21", &["2026-11-29T00:00:00", "2026-12-06T00:00:00", "2026-12-27T00:00:00"]),
    ("0 0 1,15,L * *", "2026-11-21", &["2026-11-30T00:00:00", "2026-12-01T00:00:00", "2026-12-15T00:00:00"]),
    ("0 0 29 2 *", "2026-01-01", &["2028-02-29T00:00:00", "2032-02-29T00:00:00"]),
    ("0 0 29 2 *", "2096-03-01", &["2104-02-29T00:00:00"]),
    // 29 February on a Monday, by the fields of which one begins with `*`.
    ("0 0 */28 2 MON#5", "2026-01-01", &["2044-02-29T00:00:00", "2072-02-29T00:00:00"]),
    ("@hourly", "2026-01-01", &["2026-01-01T01:00:00"]),
    ("@Daily", "2026-01-01", &["2026-01-02T00:00:00"]),
    ("@midnight", "2026-01-01", &["2026-01-02T00:00:00"]),
    ("@weekly", "2026-11-21", &["2026-11-22T00:00:00"]),
    ("@monthly", "2026-01-01", &["2026-02-01T00:00:00"]),
    ("@yearly", "2026-01-01", &["2027-01-01T00:00:00"]),
    ("@annually", "2026-01-01", &["2027-01-01T00:00:00"]),
    ("0  0\t1 1 *", "2026-01-01", &["2027-01-01T00:00:00"]),
];

#[test]
fn expressions_mean_what_the_manual_says() {
    for (text, after, wanted) in MEANINGS {
        let schedule = schedule(text, "UTC");
        let fires = local(&schedule, after, wanted.len());
        let wanted: Vec<String> = wanted.iter().map(|fire| format!("{fire}+00:00")).collect();
        assert_eq!(fires, wanted, "{text} after {after}");
    }
}

const MISTAKES: &[(&str, &str)] = &[
    (
        "",
        "`` has 0 fields, and a cron expression has five (minute, hour, day of month, month, day of week), or six with seconds first. For instance, `30 6 * * MON-FRI` is 06:30 on working days.",
    ),
    (
        "daily",
        "`daily` has 1 field, and a cron expression has five (minute, hour, day of month, month, day of week), or six with seconds first. For instance, `30 6 * * MON-FRI` is 06:30 on working days.",
    ),
    (
        "0 0 0 1 1 * 2027",
        "`0 0 0 1 1 * 2027` has 7 fields, and a cron expression has five (minute, hour, day of month, month, day of week), or six with seconds first. Leave out the seventh field: years are not supported.",
    ),
    (
        "61 * * * *",
        "`61` in the minute field of `61 * * * *` is not between 0 and 59. Write for instance `0`, `0,30`, `10-20`, `*/15` or `*`.",
    ),
    (
        "0 24 * * *",
        "`24` in the hour field of `0 24 * * *` is not between 0 and 23. Write for instance `6`, `6,18`, `8-17`, `*/4` or `*`.",
    ),
    (
        "60 0 0 * * *",
        "`60` in the second field of `60 0 0 * * *` is not between 0 and 59. Write for instance `0`, `0,30` or `*/15`.",
    ),
    (
        "0 0 0 * *",
        "`0` in the day-of-month field of `0 0 0 * *` is not between 1 and 31. Write for instance `1`, `1,15`, `1-7`, `L`, `15W`, `LW` or `*`.",
    ),
    (
        "0 0 1 13 *",
        "`13` in the month field of `0 0 1 13 *` is not between 1 and 12. Write for instance `1`, `JAN`, `JAN,JUL`, `3-5` or `*`.",
    ),
    (
        "0 0 * * 8",
        "`8` in the day-of-week field of `0 0 * * 8` is not between 0 and 7. Write for instance `MON`, `MON-FRI`, `6,7`, `FRI#2`, `5L` or `*`.",
    ),
    (
        "99999999999999999999 * * * *",
        "`99999999999999999999` in the minute field of `99999999999999999999 * * * *` is not between 0 and 59. Write for instance `0`, `0,30`, `10-20`, `*/15` or `*`.",
    ),
    (
        "0 0 1 JNA *",
        "`JNA` in the month field of `0 0 1 JNA *` is not a month. Did you mean `JAN`? Write 1 to 12 or JAN to DEC.",
    ),
    (
        "0 0 1 january *",
        "`january` in the month field of `0 0 1 january *` is not a month. Did you mean `JAN`? Write 1 to 12 or JAN to DEC.",
    ),
    (
        "0 0 * * THUR",
        "`THUR` in the day-of-week field of `0 0 * * THUR` is not a day-of-week. Did you mean `THU`? Write 0 to 7 or SUN to SAT.",
    ),
    ("x * * * *", "`x` in the minute field of `x * * * *` is not a minute. Write 0 to 59."),
    ("-5 * * * *", "`-5` in the minute field of `-5 * * * *` is not a minute. Write 0 to 59."),
    (
        "1,,2 * * * *",
        "`` in the minute field of `1,,2 * * * *` is empty where a value should stand. Write for instance `0`, `0,30`, `10-20`, `*/15` or `*`.",
    ),
    (
        "1- * * * *",
        "`` in the minute field of `1- * * * *` is empty where a value should stand. Write for instance `0`, `0,30`, `10-20`, `*/15` or `*`.",
    ),
    (
        "*/0 * * * *",
        "`*/0` in the minute field of `*/0 * * * *` has a step that is not a number from 1 to 59. Write for instance `0`, `0,30`, `10-20`, `*/15` or `*`.",
    ),
    (
        "*/90 * * * *",
        "`*/90` in the minute field of `*/90 * * * *` has a step that is not a number from 1 to 59. Write for instance `0`, `0,30`, `10-20`, `*/15` or `*`.",
    ),
    (
        "*/ * * * *",
        "`*/` in the minute field of `*/ * * * *` has a step that is not a number from 1 to 59. Write for instance `0`, `0,30`, `10-20`, `*/15` or `*`.",
    ),
    (
        "0 22-2 * * *",
        "`22-2` in the hour field of `0 22-2 * * *` runs backwards. Write `22-23,0-2` to go on from the start.",
    ),
    (
        "0 0 * * SAT-MON",
        "`SAT-MON` in the day-of-week field of `0 0 * * SAT-MON` runs backwards. Write `SAT,SUN-MON` to go on from the start.",
    ),
    (
        "? * * * *",
        "`?` in the minute field of `? * * * *` has no meaning there. Write `*`, or `?` as the whole of a day field.",
    ),
    (
        "0 0 ?,1 * *",
        "`?` in the day-of-month field of `0 0 ?,1 * *` has no meaning there. Write `*`, or `?` as the whole of a day field.",
    ),
    (
        "0 0 * * L",
        "`L` in the day-of-week field of `0 0 * * L` does not say which day. Write `6L` for the last Saturday of the month, `6` for every one.",
    ),
    (
        "0 0 1-5W * *",
        "`1-5W` in the day-of-month field of `0 0 1-5W * *` puts `W` after something other than one day. Write `15W`, `LW` or `L-3W`.",
    ),
    (
        "0 0 L-31 * *",
        "`L-31` in the day-of-month field of `0 0 L-31 * *` is no day counted from the end. Write `L` for the last day, or `L-1` to `L-30`.",
    ),
    (
        "0 0 L5 * *",
        "`L5` in the day-of-month field of `0 0 L5 * *` is no day counted from the end. Write `L` for the last day, or `L-1` to `L-30`.",
    ),
    (
        "0 0 * * MON#6",
        "`MON#6` in the day-of-week field of `0 0 * * MON#6` asks for a week that is not 1 to 5. Write for instance `MON#1`, or `MONL` for the last one.",
    ),
    ("0 0 * L *", "`L` in the month field of `0 0 * L *` is not a month. Write 1 to 12 or JAN to DEC."),
    ("0 0 30 2 *", "`0 0 30 2 *` can never fire. February has 29 days at most; `L` is the last day of a month."),
    (
        "0 0 31 APR,JUN,9,11 *",
        "`0 0 31 APR,JUN,9,11 *` can never fire. November has 30 days at most; `L` is the last day of a month.",
    ),
    ("0 0 31W 4 ?", "`0 0 31W 4 ?` can never fire. April has 30 days at most; `L` is the last day of a month."),
    ("0 0 */31 * MON#5", "`0 0 */31 * MON#5` can never fire. No date fits both its day fields and its month field."),
    (
        "@dayly",
        "There is no cron macro `@dayly`. Did you mean `@daily`? There are @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually.",
    ),
    (
        "@reboot",
        "`@reboot` is not a time. Pipelines do not depend on when a machine starts: write a time such as `@hourly`, and `catchup: last` makes up for one missed while Levada was down.",
    ),
    ("@every 5m", "`@every 5m` is an interval. Write `every: 5m` in place of `cron`."),
];

#[test]
fn mistakes_are_told_with_the_field_the_part_and_the_remedy() {
    for (text, message) in MISTAKES {
        match text.parse::<Cron>() {
            Ok(_) => panic!("`{text}` was taken"),
            Err(error) => assert_eq!(error.to_string(), *message),
        }
    }
    assert!("1,".repeat(600).parse::<Cron>().unwrap_err().to_string().contains("too long"));
}

#[test]
fn a_day_that_some_months_lack_is_allowed() {
    for text in ["0 0 31 * *", "0 0 31 2,3 *", "0 0 29 2 *", "0 0 30 2 MON", "0 0 31W 4,5 *", "0 0 L-30 * *"] {
        cron(text);
    }
}

#[test]
fn fixed_rules_are_those_of_plain_times() {
    for text in ["30 2 * * *", "0,30 2,14 1-7 * MON-FRI", "15 30 2 * * *", "@daily", "@monthly"] {
        assert!(cron(text).is_fixed(), "{text}");
    }
    for text in ["* 2 * * *", "0 * * * *", "0 8-17 * * *", "*/15 2 * * *", "0 0/6 * * *", "* 0 2 * * *", "@hourly"] {
        assert!(!cron(text).is_fixed(), "{text}");
    }
}

#[test]
fn unknown_zones_are_told_with_names_near() {
    for (name, message) in [
        ("America/Bogata", "There is no time zone `America/Bogata`. Did you mean `America/Bogota`?"),
        ("bogota", "There is no time zone `bogota`. Did you mean `America/Bogota`?"),
        ("europe/madrid", "There is no time zone `europe/madrid`. Did you mean `Europe/Madrid`?"),
        ("New York", "There is no time zone `New York`. Did you mean `America/New_York`?"),
        ("Europe/Berlim", "There is no time zone `Europe/Berlim`. Did you mean `Europe/Berlin`?"),
        (
            "Middle of nowhere",
            "There is no time zone `Middle of nowhere`. Write a name of the IANA database, for instance `UTC`, `Europe/Madrid` or `America/Bogota`.",
        ),
    ] {
        assert_eq!(name.parse::<Zone>().unwrap_err().to_string(), message);
    }
}

#[test]
fn schedules_are_kept_as_they_were() {
    let mut kept = schedule("0 6 * * MON", "America/Bogota");
    kept.gap = Gap::Skip;
    let text = serde_json::to_string(&kept).unwrap();
    assert_eq!(text, r#"{"when":{"cron":"0 6 * * MON"},"timezone":"America/Bogota","gap":"skip","overlap":"once"}"#);
    assert_eq!(serde_json::from_str::<Schedule>(&text).unwrap(), kept);
    let text = serde_json::to_string(&every(90)).unwrap();
    assert_eq!(serde_json::from_str::<Schedule>(&text).unwrap(), every(90));
    assert_eq!(serde_json::from_str::<Schedule>(r#"{"when":{"cron":"@daily"}}"#).unwrap(), schedule("@daily", "UTC"));
    let error = serde_json::from_str::<Cron>(r#""61 * * * *""#).unwrap_err().to_string();
    assert!(error.contains("is not between 0 and 59\nWrite"), "{error}");
    assert!(serde_json::from_str::<Every>(r#"{"interval_us":999999,"anchor":"1970-01-01T00:00:00Z"}"#).is_err());
}

#[test]
fn intervals_count_from_their_anchor() {
    assert_eq!(
        local(&every(900), "2026-01-01T00:07:00Z", 2),
        ["2026-01-01T00:15:00+00:00", "2026-01-01T00:30:00+00:00"]
    );
    let interval = Duration::from_secs(7 * 3600);
    let anchored = Every::from_anchor(interval, at("2026-01-01T01:00:00Z")).unwrap();
    let anchored = Schedule::new(Rule::Every(anchored), Zone::UTC);
    assert_eq!(local(&anchored, "2026-01-01", 2), ["2026-01-01T01:00:00+00:00", "2026-01-01T08:00:00+00:00"]);
    assert_eq!(local(&anchored, "2025-12-31", 1), ["2025-12-31T04:00:00+00:00"]);
    assert_eq!(every(1).next_after(Timestamp::from_micros(i64::MAX)), None);
    assert_eq!(schedule("* * * * * *", "Asia/Tokyo").next_after(Timestamp::from_micros(i64::MAX)), None);
    assert!(schedule("@daily", "Asia/Tokyo").next_after(Timestamp::from_micros(i64::MIN)).is_some());
    let error = Every::new(Duration::from_millis(999)).unwrap_err().to_string();
    assert_eq!(error, "An interval of 999ms is too short. The shortest is `1s`.");
}
