//! The shop's customers, with what real ones bring along: accents, apostrophes, other scripts, emoji, missing values.

use super::chance::Chance;
use super::{FIRST_YEAR_US, OPENING_US};

const FIRST: &[&str] = &[
    "Ana",
    "José",
    "Zoë",
    "Søren",
    "Łukasz",
    "Nguyễn",
    "François",
    "Mary Ann",
    "Björn",
    "Ολυμπία",
    "Дмитрий",
    "美咲",
    "علي",
    "Siobhán",
    "João",
    "Anne-Marie",
    "Tom",
    "Lucía",
    "Sam",
    "Priya",
];
const LAST: &[&str] = &[
    "O'Neill",
    "García Márquez",
    "Müller",
    "van der Berg",
    "D'Angelo",
    "Smith",
    "Łukaszewicz",
    "Gonçalves",
    "佐藤",
    "Иванов",
    "Fernández-Cruz",
    "Ng",
    "de la Torre",
    "Jones, Jr.",
    "Åkesson",
    "Nakamura",
    "Câmara",
    "Brown",
    "Öztürk",
    "Patel",
];
const CITIES: &[(&str, &str, &str)] = &[
    ("Funchal", "PT", "9000-001"),
    ("Bogotá", "CO", "110111"),
    ("Dresden", "DE", "01067"),
    ("São Paulo", "BR", "01310-100"),
    ("Boston", "US", "02108"),
    ("大阪", "JP", "530-0001"),
    ("Kraków", "PL", "30-001"),
    ("Dublin", "IE", "D02 X285"),
];
const NOTES: &[&str] = &[
    "prefers \"no calls\"",
    "first line\nsecond line",
    "pays late, but pays",
    "NULL",
    "100% sure; see #42",
    "💐 birthday club",
    "tab\there",
    "=SUM(A1:A9)",
    " spaces around ",
    "back\\slash",
];

/// One customer.
pub struct Customer {
    pub id: u64,
    pub email: String,
    pub name: String,
    /// An empty text is a private person who said so; `None` was never asked.
    pub company: Option<String>,
    pub phone: Option<String>,
    pub city: &'static str,
    pub country: &'static str,
    /// With leading zeros that must not be lost.
    pub postcode: &'static str,
    /// Days since 1970.
    pub born_days: Option<i64>,
    pub newsletter: bool,
    pub note: Option<&'static str>,
    /// Microseconds since 1970.
    pub created_us: i64,
}

impl Customer {
    /// The customer of an id: the same wherever it is written.
    pub fn new(seed: u64, id: u64) -> Self {
        let mut chance = Chance::new(seed.wrapping_add(id.wrapping_mul(0x2545_f491_4f6c_dd1d)), "customer");
        let (first, last) = (chance.pick(FIRST), chance.pick(LAST));
        let (city, country, postcode) = CITIES[chance.below(CITIES.len() as u64) as usize];
        let company = match chance.below(10) {
            0..=5 => None,
            6 => Some(String::new()),
            _ => {
                Some(format!("{last} & {}", chance.pick(&["Söhne", "Co.", "Filhos, Lda.", "\"The\" Partners", "Bros"])))
            }
        };
        Self {
            id,
            email: format!("customer{id}@{}.example", chance.pick(&["mail", "post", "correo", "web"])),
            name: format!("{first} {last}"),
            company,
            phone: (!chance.once_in(5)).then(|| {
                format!("{}{:07}", chance.pick(&["+351 291 ", "+57 1 ", "0049", "007"]), chance.below(10_000_000))
            }),
            city,
            country,
            postcode,
            born_days: (!chance.once_in(4)).then(|| -12_000 + chance.below(25_000) as i64),
            newsletter: chance.once_in(3),
            note: chance.once_in(8).then(|| chance.pick(NOTES)),
            created_us: chance.moment((OPENING_US, OPENING_US + FIRST_YEAR_US)),
        }
    }
}
