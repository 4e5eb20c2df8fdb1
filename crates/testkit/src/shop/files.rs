//! The shop's files: the customers as CSV (RFC 4180, a quoted empty field is a text, a bare one is null), and what
//! visitors did as JSON lines.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use levada_core::text::{write_date, write_timestamp};
use serde_json::Value;

use super::Result;
use super::chance::Chance;
use super::people::Customer;

/// The file of customers.
pub const CUSTOMERS: &str = "customers.csv";
/// The folder of event files.
pub const EVENTS: &str = "events";

const KINDS: &[&str] = &["view", "view", "view", "view", "search", "cart", "cart", "checkout"];
const SEARCHES: &[&str] = &["rote Schuhe", "café", "gift < 20 €", "\"exact\" phrase", "雨傘", "back\\slash", "🎁", ""];
const DEVICES: &[&str] = &["phone", "tablet", "desktop"];

/// Writes the customers and returns their number.
pub fn write_customers(folder: &Path, seed: u64, count: u64) -> Result<u64> {
    let mut out = BufWriter::new(File::create(folder.join(CUSTOMERS))?);
    writeln!(out, "id,email,name,company,phone,city,country,postcode,born,newsletter,note,created_at")?;
    let mut line = String::new();
    for id in 1..=count {
        let customer = Customer::new(seed, id);
        line.clear();
        let _ = write!(line, "{id}");
        let texts = [
            Some(customer.email.as_str()),
            Some(&customer.name),
            customer.company.as_deref(),
            customer.phone.as_deref(),
            Some(customer.city),
            Some(customer.country),
            Some(customer.postcode),
        ];
        texts.into_iter().for_each(|text| push_text(&mut line, text));
        line.push(',');
        if let Some(days) = customer.born_days {
            write_date(&mut line, days);
        }
        let _ = write!(line, ",{}", customer.newsletter);
        push_text(&mut line, customer.note);
        line.push(',');
        write_timestamp(&mut line, customer.created_us, true);
        line.push('\n');
        out.write_all(line.as_bytes())?;
    }
    out.flush()?;
    Ok(count)
}

/// A comma and a field, quoted where a reader would otherwise see something else.
fn push_text(line: &mut String, text: Option<&str>) {
    line.push(',');
    let Some(text) = text else { return };
    let quoted = text.is_empty() || text.contains(['"', ',', '\n', '\r']) || text.trim() != text || text == "NULL";
    if quoted {
        let _ = write!(line, "\"{}\"", text.replace('"', "\"\""));
    } else {
        line.push_str(text);
    }
}

/// Writes one event file, its lines in order of time.
pub fn write_events(
    path: &Path,
    seed: u64,
    count: u64,
    (customers, products): (u64, u64),
    (start, end): (i64, i64),
) -> Result<()> {
    let file = BufWriter::new(File::create(path)?);
    let gzip = path.extension().is_some_and(|extension| extension == "gz");
    let mut out: Box<dyn Write> =
        if gzip { Box::new(GzEncoder::new(file, Compression::fast())) } else { Box::new(file) };
    let mut chance = Chance::new(seed, "events");
    let step = (end - start) / (count.max(1) as i64);
    let mut line = String::new();
    for number in 0..count {
        let at = chance.moment((start + number as i64 * step, start + (number as i64 + 1) * step));
        line.clear();
        push_event(&mut line, &mut chance, (customers, products), at);
        out.write_all(line.as_bytes())?;
    }
    out.flush()?;
    Ok(())
}

fn push_event(line: &mut String, chance: &mut Chance, (customers, products): (u64, u64), at: i64) {
    let _ = write!(line, "{{\"id\":\"{:016x}{:016x}\",\"at\":\"", chance.bits(), chance.bits());
    write_timestamp(line, at, true);
    let kind = chance.pick(KINDS);
    let _ = write!(line, "\",\"kind\":\"{kind}\",\"customer_id\":");
    // Two visitors in three are not logged in.
    match chance.below(3) {
        0 => {
            let _ = write!(line, "{}", 1 + chance.skewed(customers));
        }
        _ => line.push_str("null"),
    }
    match kind {
        "search" => {
            let _ = write!(line, ",\"query\":{}", Value::from(chance.pick(SEARCHES)));
        }
        _ => {
            let _ = write!(line, ",\"product_id\":{}", 1 + chance.skewed(products));
        }
    }
    let _ =
        write!(line, ",\"device\":{{\"kind\":\"{}\",\"width\":{}}}", chance.pick(DEVICES), 320 + chance.below(1600));
    let _ = writeln!(line, ",\"ms\":{}.{:02}}}", chance.below(900), chance.below(100));
}
