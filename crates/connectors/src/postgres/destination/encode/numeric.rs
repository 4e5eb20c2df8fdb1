//! Writes the binary form of `numeric` (numeric_recv in the server's numeric.c).

use levada_core::text::parse_decimal;

const NEGATIVE: u16 = 0x4000;
const DIGITS_MAX: usize = 16_383;
const POWERS: [u64; 5] = [1, 10, 100, 1_000, 10_000];

/// The length of the value and the value, from an unscaled integer.
pub fn write_i128(out: &mut Vec<u8>, value: i128, scale: u8) {
    // Base-10000 digits, the last one first; 128 bits have at most 10, and the cut at the point adds one.
    let mut digits = [0_u16; 12];
    let mut count = 0;
    let scale = usize::from(scale);
    let magnitude = value.unsigned_abs();
    // The digits after the point that do not fill their last group are padded on the right.
    let odd = scale % 4;
    let mut rest = match u64::try_from(magnitude) {
        // Nearly every value: arithmetic in 64 bits is several times faster.
        Ok(small) if odd == 0 => small,
        Ok(small) => {
            let power = POWERS[odd];
            digits[0] = (small % power * POWERS[4 - odd]) as u16;
            count = 1;
            small / power
        }
        Err(_) => {
            let mut large = magnitude;
            if odd != 0 {
                let power = u128::from(POWERS[odd]);
                digits[0] = (large % power) as u16 * POWERS[4 - odd] as u16;
                count = 1;
                large /= power;
            }
            while large > u128::from(u64::MAX) {
                digits[count] = (large % 10_000) as u16;
                large /= 10_000;
                count += 1;
            }
            large as u64
        }
    };
    while rest > 0 {
        digits[count] = (rest % 10_000) as u16;
        rest /= 10_000;
        count += 1;
    }
    // Only the group cut off at the point can be a leading zero: the loops end at the highest digit.
    let weight = count as i32 - 1 - scale.div_ceil(4) as i32;
    let (count, weight) = match digits[..count].iter().rposition(|digit| *digit != 0) {
        Some(highest) => (highest + 1, weight - (count - highest - 1) as i32),
        None => (0, 0),
    };
    let lowest = digits[..count].iter().position(|digit| *digit != 0).unwrap_or(count);
    let kept = &digits[lowest..count];
    out.extend_from_slice(&(8 + 2 * kept.len() as i32).to_be_bytes());
    header(out, kept.len(), weight, if value < 0 { NEGATIVE } else { 0 }, scale);
    for digit in kept.iter().rev() {
        out.extend_from_slice(&digit.to_be_bytes());
    }
}

fn header(out: &mut Vec<u8>, count: usize, weight: i32, sign: u16, scale: usize) {
    out.extend_from_slice(&(count as u16).to_be_bytes());
    out.extend_from_slice(&(weight as i16).to_be_bytes());
    out.extend_from_slice(&sign.to_be_bytes());
    out.extend_from_slice(&(scale as u16).to_be_bytes());
}

/// The same from the text of a number, which may be `NaN`, `Infinity` or `-Infinity`. Nothing is written on an error.
///
/// # Errors
/// Why the text is no `numeric`, as the end of a sentence that starts with the text.
pub fn write_text(out: &mut Vec<u8>, text: &str) -> Result<(), &'static str> {
    let text = text.trim_ascii();
    let special = match text {
        "NaN" => Some(0xC000),
        "Infinity" => Some(0xD000),
        "-Infinity" => Some(0xF000),
        _ => None,
    };
    if let Some(sign) = special {
        out.extend_from_slice(&8_i32.to_be_bytes());
        header(out, 0, 0, sign, 0);
        return Ok(());
    }
    let (negative, mut digits, scale) = parse_decimal(text).ok_or("is not a decimal number")?;
    if scale < 0 {
        digits.extend(std::iter::repeat_n('0', scale.unsigned_abs() as usize));
    }
    let scale = scale.max(0) as usize;
    if scale > DIGITS_MAX || digits.len() > 131_072 + scale {
        return Err("has more digits than a numeric can have");
    }
    // Whole groups of four digits on both sides of the point.
    digits.extend(std::iter::repeat_n('0', (4 - scale % 4) % 4));
    let lead = (4 - digits.len() % 4) % 4;
    let padded = format!("{}{digits}", "0".repeat(lead));
    let groups: Vec<u16> =
        padded.as_bytes().chunks(4).map(|four| four.iter().fold(0, |n, b| n * 10 + u16::from(b - b'0'))).collect();
    let weight = groups.len() as i32 - 1 - scale.div_ceil(4) as i32;
    let first = groups.iter().position(|group| *group != 0).unwrap_or(groups.len());
    let end = groups.iter().rposition(|group| *group != 0).map_or(first, |last| last + 1);
    let weight = if first == groups.len() { 0 } else { weight - first as i32 };
    let kept = &groups[first..end];
    out.extend_from_slice(&(8 + 2 * kept.len() as i32).to_be_bytes());
    header(out, kept.len(), weight, if negative && !kept.is_empty() { NEGATIVE } else { 0 }, scale);
    for group in kept {
        out.extend_from_slice(&group.to_be_bytes());
    }
    Ok(())
}
