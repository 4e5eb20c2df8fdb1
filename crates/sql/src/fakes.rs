//! Made-up values: the same for the same digest, and of nobody. Addresses are of domains that are kept for examples (RFC 2606),
//! telephone numbers of an exchange that has no subscribers.

use std::fmt::Write as _;

/// What can be made up.
pub(crate) const KINDS: [&str; 5] = ["name", "email", "phone", "city", "company"];

const FIRST: [&str; 64] = [
    "Ada", "Akira", "Alba", "Amir", "Anna", "Anton", "Aria", "Ben", "Bruno", "Carla", "Chen", "Clara", "Dana", "David",
    "Diego", "Elena", "Elias", "Emil", "Emma", "Erik", "Eva", "Farah", "Felix", "Fiona", "Gita", "Hana", "Hugo", "Ida",
    "Imani", "Ines", "Ivan", "Jana", "Jonas", "Julia", "Kai", "Karim", "Lara", "Lena", "Leo", "Lina", "Luca", "Maja",
    "Marco", "Mei", "Mila", "Nadia", "Nico", "Nina", "Noah", "Olga", "Omar", "Paula", "Pia", "Rafael", "Rosa", "Sami",
    "Sara", "Sofia", "Tariq", "Tom", "Vera", "Yara", "Yusuf", "Zoe",
];

const LAST: [&str; 64] = [
    "Abara", "Adler", "Almeida", "Andersen", "Aydin", "Bauer", "Becker", "Bianchi", "Braun", "Castro", "Chandra",
    "Cohen", "Costa", "Cruz", "Dubois", "Eriksen", "Evans", "Ferrari", "Fischer", "Garcia", "Gomez", "Haddad",
    "Hansen", "Hoffman", "Ito", "Ivanov", "Jansen", "Jensen", "Kaya", "Keller", "Khan", "Kim", "Klein", "Kowalski",
    "Larsen", "Lopez", "Marino", "Martin", "Meyer", "Molina", "Moreau", "Mori", "Murphy", "Nguyen", "Novak", "Okafor",
    "Olsen", "Patel", "Pereira", "Petrov", "Ramos", "Ricci", "Rossi", "Sato", "Silva", "Singh", "Suzuki", "Tanaka",
    "Torres", "Vargas", "Vidal", "Weber", "Yilmaz", "Zhang",
];

const CITY: [&str; 32] = [
    "Accra", "Antwerp", "Athens", "Bergen", "Bilbao", "Bogota", "Brno", "Cali", "Cork", "Dakar", "Graz", "Hanoi",
    "Izmir", "Kyoto", "Leeds", "Lima", "Lyon", "Malmo", "Medellin", "Nairobi", "Osaka", "Perth", "Porto", "Quito",
    "Riga", "Seville", "Tampere", "Tunis", "Turin", "Utrecht", "Varna", "Zagreb",
];

const TRADE: [&str; 16] = [
    "Analytics",
    "Bakery",
    "Builders",
    "Chemicals",
    "Consulting",
    "Electric",
    "Foods",
    "Freight",
    "Instruments",
    "Logistics",
    "Motors",
    "Optics",
    "Paper",
    "Robotics",
    "Textiles",
    "Trading",
];

const FORM: [&str; 4] = ["Ltd", "Inc", "Group", "Partners"];

/// Writes a value of a kind.
pub(crate) fn write(out: &mut String, kind: &str, digest: &[u8; 32]) {
    // four bytes for each choice
    let number = |at: usize| digest[at * 4..at * 4 + 4].iter().fold(0_usize, |n, byte| n << 8 | usize::from(*byte));
    let one = |list: &'static [&'static str], at: usize| list[number(at) % list.len()];
    let (first, last) = (one(&FIRST, 0), one(&LAST, 1));
    let _ = match kind {
        "name" => write!(out, "{first} {last}"),
        "email" => {
            let (first, last) = (first.to_lowercase(), last.to_lowercase());
            write!(out, "{first}.{last}.{:06x}@example.{}", number(2) & 0xff_ffff, one(&["com", "net", "org"], 3))
        }
        "phone" => write!(out, "+1-{}-555-01{:02}", 200 + number(0) % 800, number(1) % 100),
        "city" => write!(out, "{}", one(&CITY, 0)),
        _ => write!(out, "{last} {} {}", one(&TRADE, 2), one(&FORM, 3)),
    };
}
