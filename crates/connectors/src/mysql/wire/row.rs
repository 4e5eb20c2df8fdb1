//! A row of the binary protocol, value by value, without copies. MySQL, Client/Server Protocol: "Binary Protocol
//! Resultset"; MariaDB: "Resultset row".

use levada_core::error::Result;
use mysql_async::consts::{ColumnFlags, ColumnType};
use mysql_async::{Column, Value};
use mysql_common::io::ParseBuf;

use super::malformed;

/// How the values of a column look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A whole number of so many bytes, with or without a sign.
    Int { width: u8, is_unsigned: bool },
    /// Four bytes.
    Float,
    /// Eight bytes.
    Double,
    /// A length and so many bytes.
    Bytes,
    /// A length and what of a date and time is not zero.
    Date,
    /// A length and what of a duration is not zero.
    Time,
}

impl Form {
    /// The form of a column's values.
    ///
    /// # Errors
    /// `Connect` for a type that the protocol does not have.
    pub fn of(column: &Column) -> Result<Self> {
        use ColumnType as T;
        let int = |width| Self::Int { width, is_unsigned: column.flags().contains(ColumnFlags::UNSIGNED_FLAG) };
        Ok(match column.column_type() {
            T::MYSQL_TYPE_TINY => int(1),
            T::MYSQL_TYPE_SHORT | T::MYSQL_TYPE_YEAR => int(2),
            T::MYSQL_TYPE_LONG | T::MYSQL_TYPE_INT24 => int(4),
            T::MYSQL_TYPE_LONGLONG => int(8),
            T::MYSQL_TYPE_FLOAT => Self::Float,
            T::MYSQL_TYPE_DOUBLE => Self::Double,
            T::MYSQL_TYPE_DATE | T::MYSQL_TYPE_NEWDATE | T::MYSQL_TYPE_DATETIME | T::MYSQL_TYPE_TIMESTAMP => Self::Date,
            T::MYSQL_TYPE_TIME => Self::Time,
            T::MYSQL_TYPE_STRING
            | T::MYSQL_TYPE_VAR_STRING
            | T::MYSQL_TYPE_VARCHAR
            | T::MYSQL_TYPE_TINY_BLOB
            | T::MYSQL_TYPE_MEDIUM_BLOB
            | T::MYSQL_TYPE_LONG_BLOB
            | T::MYSQL_TYPE_BLOB
            | T::MYSQL_TYPE_DECIMAL
            | T::MYSQL_TYPE_NEWDECIMAL
            | T::MYSQL_TYPE_BIT
            | T::MYSQL_TYPE_SET
            | T::MYSQL_TYPE_ENUM
            | T::MYSQL_TYPE_JSON
            | T::MYSQL_TYPE_VECTOR
            | T::MYSQL_TYPE_GEOMETRY
            | T::MYSQL_TYPE_NULL => Self::Bytes,
            other => return Err(malformed(&format!("a column of type {}", other as u8))),
        })
    }
}

/// One value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// NULL.
    Null,
    /// Texts, bytes, and decimals as text.
    Bytes(&'a [u8]),
    /// A whole number of a signed column.
    Int(i64),
    /// A whole number of an unsigned column.
    UInt(u64),
    /// A single-precision number.
    Float(f32),
    /// A double-precision number.
    Double(f64),
    /// Year, month, day, hour, minute, second, microseconds.
    Date(u16, u8, u8, u8, u8, u8, u32),
    /// Whether it is negative, days, hours, minutes, seconds, microseconds.
    Time(bool, u32, u8, u8, u8, u32),
}

impl Cell<'_> {
    /// The value for itself.
    pub fn to_value(self) -> Value {
        match self {
            Self::Null => Value::NULL,
            Self::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
            Self::Int(n) => Value::Int(n),
            Self::UInt(n) => Value::UInt(n),
            Self::Float(n) => Value::Float(n),
            Self::Double(n) => Value::Double(n),
            Self::Date(y, mo, d, h, mi, s, us) => Value::Date(y, mo, d, h, mi, s, us),
            Self::Time(negative, d, h, mi, s, us) => Value::Time(negative, d, h, mi, s, us),
        }
    }
}

/// A row whose next value is taken by [`Row::cell`]; a copy of it starts where it stands.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    forms: &'a [Form],
    nulls: &'a [u8],
    /// The next value's bit in `nulls`, which starts with two that mean nothing.
    bit: usize,
    rest: ParseBuf<'a>,
}

impl<'a> Row<'a> {
    /// A row from its packet: a zero, a bit for each NULL, and the values.
    ///
    /// # Errors
    /// `Connect` where the packet is none.
    pub fn new(packet: &'a [u8], forms: &'a [Form]) -> Result<Self> {
        let mut rest = ParseBuf(packet);
        let marker = rest.checked_eat_u8();
        match (marker, rest.checked_eat((forms.len() + 9) / 8)) {
            (Some(0), Some(nulls)) => Ok(Self { forms, nulls, bit: 2, rest }),
            _ => Err(malformed("something else than a row")),
        }
    }

    /// How many values it has.
    pub fn len(&self) -> usize {
        self.forms.len()
    }

    /// The next value.
    ///
    /// # Errors
    /// `Connect` where the packet ends before.
    pub fn cell(&mut self) -> Result<Cell<'a>> {
        self.take(|cell| cell)
    }

    /// Hands the next value to `taker`, which is compiled into the path of each form: there it is known what kind of cell
    /// it gets, and the cell can stay in registers. One that is returned goes through memory, in writes and reads of
    /// different width, for which the processor waits.
    ///
    /// # Errors
    /// `Connect` where the packet ends before.
    #[inline(always)]
    pub fn take<T>(&mut self, taker: impl FnOnce(Cell<'a>) -> T) -> Result<T> {
        let form = self.forms.get(self.bit - 2).ok_or_else(short)?;
        let is_null = self.nulls[self.bit / 8] & (1 << (self.bit % 8)) != 0;
        self.bit += 1;
        if is_null {
            return Ok(taker(Cell::Null));
        }
        let rest = &mut self.rest;
        let taken = match form {
            Form::Int { width, is_unsigned: false } => signed(rest, *width).map(|n| taker(Cell::Int(n))),
            Form::Int { width, is_unsigned: true } => unsigned(rest, *width).map(|n| taker(Cell::UInt(n))),
            Form::Float => rest.checked_eat_f32_le().map(|n| taker(Cell::Float(n))),
            Form::Double => rest.checked_eat_f64_le().map(|n| taker(Cell::Double(n))),
            Form::Bytes => rest.checked_eat_lenenc_str().map(|bytes| taker(Cell::Bytes(bytes))),
            Form::Date => date(rest).map(taker),
            Form::Time => time(rest).map(taker),
        };
        taken.ok_or_else(short)
    }
}

#[inline]
fn signed(rest: &mut ParseBuf<'_>, width: u8) -> Option<i64> {
    match width {
        8 => rest.checked_eat_i64_le(),
        4 => rest.checked_eat_i32_le().map(i64::from),
        2 => rest.checked_eat_i16_le().map(i64::from),
        _ => rest.checked_eat_i8().map(i64::from),
    }
}

#[inline]
fn unsigned(rest: &mut ParseBuf<'_>, width: u8) -> Option<u64> {
    match width {
        8 => rest.checked_eat_u64_le(),
        4 => rest.checked_eat_u32_le().map(u64::from),
        2 => rest.checked_eat_u16_le().map(u64::from),
        _ => rest.checked_eat_u8().map(u64::from),
    }
}

/// Zero, 4, 7 or 11 bytes; what is left out is zero. Page "Binary Protocol Value", "ProtocolBinary::MYSQL_TYPE_DATE".
#[inline]
fn date<'a>(rest: &mut ParseBuf<'a>) -> Option<Cell<'a>> {
    let length = rest.checked_eat_u8()?;
    let mut value = rest.checked_eat_buf(length.into())?;
    let (mut date, mut clock, mut micros) = ((0, 0, 0), (0, 0, 0), 0);
    if length >= 4 {
        date = (value.checked_eat_u16_le()?, value.checked_eat_u8()?, value.checked_eat_u8()?);
    }
    if length >= 7 {
        clock = (value.checked_eat_u8()?, value.checked_eat_u8()?, value.checked_eat_u8()?);
    }
    if length >= 11 {
        micros = value.checked_eat_u32_le()?;
    }
    Some(Cell::Date(date.0, date.1, date.2, clock.0, clock.1, clock.2, micros))
}

/// Zero, 8 or 12 bytes. Page "Binary Protocol Value", "ProtocolBinary::MYSQL_TYPE_TIME".
fn time<'a>(rest: &mut ParseBuf<'a>) -> Option<Cell<'a>> {
    let length = rest.checked_eat_u8()?;
    let mut value = rest.checked_eat_buf(length.into())?;
    if length < 8 {
        return (length == 0).then_some(Cell::Time(false, 0, 0, 0, 0, 0));
    }
    let (negative, days) = (value.checked_eat_u8()? == 1, value.checked_eat_u32_le()?);
    let clock = (value.checked_eat_u8()?, value.checked_eat_u8()?, value.checked_eat_u8()?);
    let micros = if length >= 12 { value.checked_eat_u32_le()? } else { 0 };
    Some(Cell::Time(negative, days, clock.0, clock.1, clock.2, micros))
}

fn short() -> levada_core::error::Error {
    malformed("a row that is too short")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn nulls_are_told_by_their_bits() {
        let forms = vec![Form::Int { width: 1, is_unsigned: false }; 15];
        // Columns 0, 6, 7 and 14 are NULL: bits 2, 8, 9 and 16.
        let packet = [&[0, 0b100, 0b11, 0b1][..], &[1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13]].concat();
        let mut row = Row::new(&packet, &forms).unwrap();
        for index in 0..15 {
            let wanted = if [0, 6, 7, 14].contains(&index) { Cell::Null } else { Cell::Int(index) };
            assert_eq!(row.cell().unwrap(), wanted);
        }
        assert!(row.cell().is_err());
    }

    #[test]
    fn times_may_leave_out_what_is_zero() {
        let forms = [Form::Date, Form::Date, Form::Date, Form::Date, Form::Time, Form::Time, Form::Time];
        let packet = [
            &[0, 0, 0][..],
            &[0],
            &[4, 0xe8, 0x07, 2, 29],
            &[7, 0xe8, 0x07, 2, 29, 23, 59, 58],
            &[11, 0xe8, 0x07, 2, 29, 23, 59, 58, 1, 0, 0, 0],
            &[0],
            &[8, 1, 34, 0, 0, 0, 22, 59, 59],
            &[12, 0, 0, 0, 0, 0, 0, 0, 1, 64, 66, 15, 0],
        ]
        .concat();
        let mut row = Row::new(&packet, &forms).unwrap();
        let cells: Vec<Cell<'_>> = forms.iter().map(|_| row.cell().unwrap()).collect();
        assert_eq!(
            cells,
            [
                Cell::Date(0, 0, 0, 0, 0, 0, 0),
                Cell::Date(2024, 2, 29, 0, 0, 0, 0),
                Cell::Date(2024, 2, 29, 23, 59, 58, 0),
                Cell::Date(2024, 2, 29, 23, 59, 58, 1),
                Cell::Time(false, 0, 0, 0, 0, 0),
                Cell::Time(true, 34, 22, 59, 59, 0),
                Cell::Time(false, 0, 0, 0, 1, 1_000_000),
            ]
        );
    }

    #[test]
    fn a_row_that_ends_early_is_an_error() {
        let forms = [Form::Int { width: 8, is_unsigned: true }, Form::Bytes];
        let packet = [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3, b'a', b'b', b'c'];
        for length in 0..packet.len() {
            let read =
                Row::new(&packet[..length], &forms).and_then(|mut row| row.cell().and_then(|_| row.cell()).map(|_| ()));
            assert!(read.is_err(), "{length}");
        }
        assert!(Row::new(&[0xfe, 0, 0, 2, 0], &forms).is_err());
    }
}
