//! Reads the binary form of `numeric` (numeric_send in the server's numeric.c): number of base-10000 digits, weight of
//! the first one, sign, display scale, digits.

use arrow_buffer::i256;

/// Why a numeric is no decimal of the wanted type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Odd {
    /// `NaN`, `Infinity` or `-Infinity`.
    Special(&'static str),
    /// The bytes are no numeric of this scale.
    Malformed,
}

const POWERS: [i128; 39] = {
    let mut powers = [1; 39];
    let mut at = 1;
    while at < 39 {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

struct Parts<'a> {
    digits: &'a [u8],
    /// Power of ten, scale included, of the last digit.
    exponent: i32,
    negative: bool,
}

fn parts(bytes: &[u8], scale: i32) -> Result<Parts<'_>, Odd> {
    let [n0, n1, w0, w1, s0, s1, _, _, digits @ ..] = bytes else { return Err(Odd::Malformed) };
    let count = usize::from(u16::from_be_bytes([*n0, *n1]));
    let weight = i32::from(i16::from_be_bytes([*w0, *w1]));
    let negative = match u16::from_be_bytes([*s0, *s1]) {
        0x0000 => false,
        0x4000 => true,
        0xC000 => return Err(Odd::Special("NaN")),
        0xD000 => return Err(Odd::Special("Infinity")),
        0xF000 => return Err(Odd::Special("-Infinity")),
        _ => return Err(Odd::Malformed),
    };
    if digits.len() != count * 2 {
        return Err(Odd::Malformed);
    }
    Ok(Parts { digits, exponent: 4 * (weight + 1 - count as i32) + scale, negative })
}

/// The unscaled integer at a scale.
pub fn to_i128(bytes: &[u8], scale: i8) -> Result<i128, Odd> {
    let Parts { digits, exponent, negative } = parts(bytes, i32::from(scale))?;
    let digit = |pair: &[u8]| u64::from(u16::from_be_bytes([pair[0], pair[1]]));
    // Only the last digit can reach below the scale; it is cut on its own, so that no step overflows.
    let magnitude = if digits.len() <= 8 && exponent >= 0 {
        let short = digits.chunks_exact(2).fold(0_u64, |sum, pair| sum * 10_000 + digit(pair));
        if short == 0 {
            return Ok(0);
        }
        let power = POWERS.get(exponent as usize).ok_or(Odd::Malformed)?;
        i128::from(short).checked_mul(*power).ok_or(Odd::Malformed)?
    } else if digits.is_empty() {
        return Ok(0);
    } else {
        let (head, last) = digits.split_at(digits.len() - 2);
        let last = i128::from(digit(last));
        let cut = (-exponent).max(0) as usize;
        if cut > 3 || last % POWERS[cut] != 0 {
            return Err(Odd::Malformed);
        }
        let head = if head.len() <= 8 {
            i128::from(head.chunks_exact(2).fold(0_u64, |sum, pair| sum * 10_000 + digit(pair)))
        } else {
            let step = |sum: i128, pair: &[u8]| sum.checked_mul(10_000)?.checked_add(i128::from(digit(pair)));
            head.chunks_exact(2).try_fold(0_i128, step).ok_or(Odd::Malformed)?
        };
        let joined = head.checked_mul(POWERS[4 - cut]).and_then(|head| head.checked_add(last / POWERS[cut]));
        let power = POWERS.get(exponent.max(0) as usize).ok_or(Odd::Malformed)?;
        joined.and_then(|joined| joined.checked_mul(*power)).ok_or(Odd::Malformed)?
    };
    Ok(if negative { -magnitude } else { magnitude })
}

/// The unscaled integer at a scale, for more than 38 digits.
pub fn to_i256(bytes: &[u8], scale: i8) -> Result<i256, Odd> {
    let Parts { digits, exponent, negative } = parts(bytes, i32::from(scale))?;
    let mut magnitude = i256::ZERO;
    let times = |value: i256, power: i128| value.checked_mul(i256::from_i128(power)).ok_or(Odd::Malformed);
    let count = digits.len() / 2;
    for (place, pair) in digits.chunks_exact(2).enumerate() {
        let mut digit = i128::from(u16::from_be_bytes([pair[0], pair[1]]));
        let mut factor = 10_000;
        if place + 1 == count && exponent < 0 {
            let cut = POWERS.get((-exponent) as usize).filter(|cut| **cut < 10_000).ok_or(Odd::Malformed)?;
            if digit % cut != 0 {
                return Err(Odd::Malformed);
            }
            digit /= cut;
            factor /= cut;
        }
        magnitude = times(magnitude, factor)?.checked_add(i256::from_i128(digit)).ok_or(Odd::Malformed)?;
    }
    let mut left = exponent.max(0) as usize;
    while left > 0 && magnitude != i256::ZERO {
        let step = left.min(38);
        magnitude = times(magnitude, POWERS[step])?;
        left -= step;
    }
    Ok(if negative { magnitude.wrapping_neg() } else { magnitude })
}
