//! Random rules against a naive reading of them, and laws that hold for all.

use super::*;

/// SplitMix64: the same sequence on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn within(&mut self, min: i64, max: i64) -> i64 {
        min + (self.next() % (max - min + 1) as u64) as i64
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.next().is_multiple_of(count)
    }
}

/// A field as text, and the values it names.
fn field(random: &mut Random, min: i64, max: i64) -> (String, Vec<i64>) {
    if random.one_in(3) {
        return ("*".to_owned(), (min..=max).collect());
    }
    let (mut texts, mut values) = (Vec::new(), Vec::new());
    for _ in 0..random.within(1, 3) {
        let (low, high) = (random.within(min, max), random.within(min, max));
        let (low, high, step) = (low.min(high), low.max(high), random.within(1, max.min(20)));
        let (text, last, step) = match random.within(0, 3) {
            0 => (format!("{low}"), low, 1),
            1 => (format!("{low}-{high}"), high, 1),
            2 => (format!("{low}-{high}/{step}"), high, step),
            _ => (format!("{low}/{step}"), max, step),
        };
        texts.push(text);
        values.extend((low..=last).step_by(step as usize));
    }
    (texts.join(","), values)
}

#[test]
fn random_rules_fire_when_a_naive_reading_says_so() {
    const DAYS: i64 = 3 * 366;
    let mut random = Random(7);
    for _ in 0..2_000 {
        let ((minute, minutes), (hour, hours)) = (field(&mut random, 0, 59), field(&mut random, 0, 23));
        let ((day, days), (month, months)) = (field(&mut random, 1, 31), field(&mut random, 1, 12));
        let (weekday, weekdays) = field(&mut random, 0, 6);
        let text = format!("{minute} {hour} {day} {month} {weekday}");
        let Ok(cron) = text.parse::<Cron>() else { continue };
        let fits = |number: i64| {
            let (_, of_month, of_day) = crate::text::civil_from_days(number);
            let (by_day, by_weekday) = (days.contains(&i64::from(of_day)), weekdays.contains(&((number + 4) % 7)));
            let fits = if day == "*" || weekday == "*" { by_day && by_weekday } else { by_day || by_weekday };
            fits && months.contains(&i64::from(of_month))
        };
        let from = at("2026-01-01").plus(Duration::from_secs(random.next() % 63_000_000));
        let today = from.as_secs() / 86_400;
        let naive = (today..today + DAYS)
            .filter(|number| fits(*number))
            .flat_map(|number| (0..1440).map(move |minute| (number * 86_400 + minute * 60, minute)))
            .find(|(second, minute)| {
                *second > from.as_secs() && hours.contains(&(minute / 60)) && minutes.contains(&(minute % 60))
            });
        let fire = Schedule::new(Rule::Cron(cron), Zone::UTC).next_after(from).unwrap().as_secs();
        match naive {
            Some((second, _)) => assert_eq!(fire, second, "{text} after {from}"),
            None => assert!(fire >= (today + DAYS) * 86_400, "{text} after {from}"),
        }
    }
}

#[test]
fn fires_are_strictly_ordered_and_do_not_depend_on_where_one_starts() {
    let mut random = Random(11);
    let zones = chrono_tz::TZ_VARIANTS;
    for _ in 0..3_000 {
        let ((minute, _), (hour, _)) = (field(&mut random, 0, 59), field(&mut random, 0, 23));
        let zone = zones[random.next() as usize % zones.len()].name();
        let mut schedule = schedule(&format!("{minute} {hour} * * *"), zone);
        schedule.gap = if random.one_in(2) { Gap::Shift } else { Gap::Skip };
        schedule.overlap = if random.one_in(2) { Overlap::Once } else { Overlap::Both };
        let from = Timestamp::from_micros(random.within(0, 2_500_000_000_000_000));
        let fires = schedule.between(from, Timestamp::from_secs(END_S), 6);
        assert_eq!(fires.len(), 6);
        let mut before = from;
        for fire in fires {
            assert!(before < fire, "{schedule:?} after {from}");
            let between = Timestamp::from_micros(random.within(before.as_micros(), fire.as_micros() - 1));
            assert_eq!(schedule.next_after(between), Some(fire), "{schedule:?} after {between}");
            before = fire;
        }
        let text = serde_json::to_string(&schedule).unwrap();
        assert_eq!(serde_json::from_str::<Schedule>(&text).unwrap(), schedule);
    }
}

#[test]
fn no_text_makes_the_parser_stumble() {
    let mut random = Random(13);
    let alphabet: Vec<char> = "0123456789*/-,?LW# @janMON\u{e9}".chars().collect();
    for _ in 0..50_000 {
        let length = random.within(0, 24);
        let text: String = (0..length).map(|_| alphabet[random.next() as usize % alphabet.len()]).collect();
        if let Ok(cron) = text.parse::<Cron>() {
            assert_eq!(cron.to_string().parse::<Cron>().unwrap(), cron);
        }
    }
}
