//! The audit log: who asked for what, and what came of it. Each line carries a SHA-256 over the one before it and its own
//! fields, so that a line that was changed, taken out, put in or moved by other hands breaks the chain; `meta` holds the
//! number and hash of the last, so that a missing end is seen as well. Whoever can write to the database can forge all of it
//! from some line on: a head that was noted elsewhere tells that too.

use std::time::Duration;

use levada_core::error::Result;
use levada_core::time::Timestamp;
use sha2::{Digest, Sha256};

use crate::Store;
use crate::access::Hash;
use crate::db::{Row, Tx, Value};
use crate::migrate::{meta, set_meta};

/// The key of `meta` under which the number and the hash of the last line are.
const HEAD: &str = "audit_head";
/// What every hash begins with, should there ever be another way of hashing.
const FORMAT: &[u8] = b"levada audit 1\0";
/// Lines read at once.
const PAGE: i64 = 1_000;
/// Most lines of one page for people.
const PAGE_MAX: usize = 1_000;
/// Longest name, object or address, and longest detail, in bytes. More is cut off.
const TEXT_MAX: usize = 500;
const DETAIL_MAX: usize = 8 * 1024;
/// How far the clocks of processes are apart at most.
const SKEW: Duration = Duration::from_secs(60);

/// What is to be noted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditEntry {
    /// Who: the name of a user, `local:USER`, or `anonymous`.
    pub actor: String,
    /// What they asked for, an operation.
    pub action: String,
    /// What it concerns, such as `pipelines/orders`; empty where there is nothing.
    pub object: String,
    /// What came of it: `asked`, `done`, `denied`, `failed`.
    pub outcome: String,
    /// The address that they came from.
    pub address: Option<String>,
    /// More about it.
    pub detail: Option<String>,
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditLine {
    /// Counts from 1 without a gap.
    pub number: i64,
    /// When it was noted.
    pub at: Timestamp,
    /// What was noted.
    pub entry: AuditEntry,
    /// The hash over the line before and this one.
    pub hash: Hash,
}

/// Which lines to list, the newest first unless asked for otherwise.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// By this actor.
    pub actor: Option<String>,
    /// Of this action.
    pub action: Option<String>,
    /// About this object.
    pub object: Option<String>,
    /// With this outcome.
    pub outcome: Option<String>,
    /// Noted at this instant or later.
    pub since: Option<Timestamp>,
    /// Noted before this instant.
    pub until: Option<Timestamp>,
    /// The oldest first.
    pub is_reversed: bool,
    /// Behind this line, which is the last of the page before.
    pub after: Option<i64>,
    /// Most lines; 1,000 at most.
    pub limit: usize,
}

/// The end of the log at some instant: what it was up to there can be told from what it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AuditHead {
    /// The number of the last line; 0 where there is none.
    pub number: i64,
    /// Its hash.
    pub hash: Hash,
}

/// What a check of the log found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditCheck {
    /// Every line is as it was written, up to this one.
    Whole(AuditHead),
    /// A line is not; those after it prove nothing.
    Broken {
        /// Its number.
        number: i64,
        /// What is wrong with it.
        what: Broken,
    },
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// It is not there, and later ones are.
    Missing,
    /// It is not the one that was written: changed, put in, or in the place of another.
    Changed,
    /// It is not there, and was the last or one of the last.
    CutOff,
    /// It is behind the end that the store noted.
    Added,
    /// The log was another one when its head was noted elsewhere.
    Replaced,
}

impl Store {
    /// Adds a line. Answers its number once it is durable.
    pub async fn append_audit(&self, entry: AuditEntry, now: Timestamp) -> Result<i64> {
        let entry = entry.cut();
        // who waits for the end of the chain must hold nothing that its holder may want
        self.db.write_apart(async move |tx: &mut Tx| append(tx, &entry, now).await).await
    }

    /// A page of lines.
    pub async fn audit_page(&self, filter: AuditFilter) -> Result<Vec<AuditLine>> {
        self.db.read(async move |tx: &mut Tx| page(tx, &filter).await).await
    }

    /// The end of the log, to be noted elsewhere.
    pub async fn audit_head(&self) -> Result<AuditHead> {
        self.db.read(async move |tx: &mut Tx| head(tx).await).await
    }

    /// Checks every line, in memory that does not grow with them, and names the first that is not as it was written.
    /// `noted` is a head that was noted elsewhere before.
    pub async fn verify_audit(&self, noted: Option<AuditHead>) -> Result<AuditCheck> {
        let ends = async move |tx: &mut Tx| Ok((head(tx).await?, last(tx).await?));
        let (head, last) = self.db.read(ends).await?;
        let broken = |number, what| Ok(AuditCheck::Broken { number, what });
        let mut before = AuditHead::default();
        loop {
            let after = before.number;
            let lines = self.db.read(async move |tx: &mut Tx| following(tx, after).await).await?;
            let is_end = lines.len() < PAGE as usize;
            for line in lines.into_iter().take_while(|line| line.number <= last) {
                if line.number != before.number + 1 {
                    return broken(before.number + 1, Broken::Missing);
                }
                if line.hash != line.entry.hash(line.number, line.at, &before.hash) {
                    return broken(line.number, Broken::Changed);
                }
                before = AuditHead { number: line.number, hash: line.hash };
                if noted.is_some_and(|noted| noted.number == line.number && noted.hash != line.hash) {
                    return broken(line.number, Broken::Replaced);
                }
            }
            if is_end || before.number >= last {
                break;
            }
        }
        let wanted = noted.map_or(head.number, |noted| noted.number.max(head.number));
        if before.number < wanted {
            broken(before.number + 1, Broken::CutOff)
        } else if before.number > head.number {
            broken(head.number + 1, Broken::Added)
        } else if before != head {
            broken(head.number, Broken::Changed)
        } else {
            Ok(AuditCheck::Whole(head))
        }
    }
}

impl AuditEntry {
    /// Without what PostgreSQL cannot keep, and no longer than is kept.
    fn cut(self) -> Self {
        let cut = |text: String, bytes_max: usize| {
            let mut text = text.replace('\0', "\u{fffd}");
            text.truncate(text.floor_char_boundary(bytes_max));
            text
        };
        Self {
            actor: cut(self.actor, TEXT_MAX),
            action: cut(self.action, TEXT_MAX),
            object: cut(self.object, TEXT_MAX),
            outcome: cut(self.outcome, TEXT_MAX),
            address: self.address.map(|address| cut(address, TEXT_MAX)),
            detail: self.detail.map(|detail| cut(detail, DETAIL_MAX)),
        }
    }

    /// The hash of the line that notes this. Every text has its length before it, so that nothing can be moved from one
    /// field into the next.
    fn hash(&self, number: i64, at: Timestamp, before: &Hash) -> Hash {
        let mut hash = Sha256::new();
        hash.update(FORMAT);
        hash.update(before);
        hash.update(number.to_le_bytes());
        hash.update(at.as_micros().to_le_bytes());
        let texts = [&self.actor, &self.action, &self.object, &self.outcome].map(Some);
        for text in texts.into_iter().chain([self.address.as_ref(), self.detail.as_ref()]) {
            hash.update([u8::from(text.is_some())]);
            let text = text.map(String::as_str).unwrap_or_default();
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
        hash.finalize().into()
    }
}

const COLUMNS: &str = "number, at, actor, action, object, outcome, address, detail, hash";

fn read(row: &mut Row) -> Result<AuditLine> {
    Ok(AuditLine {
        number: row.int()?,
        at: row.time()?,
        entry: AuditEntry {
            actor: row.text()?,
            action: row.text()?,
            object: row.text()?,
            outcome: row.text()?,
            address: row.text_or_null()?,
            detail: row.text_or_null()?,
        },
        // one of another length is no hash of anything
        hash: row.bytes()?.try_into().unwrap_or_default(),
    })
}

async fn append(tx: &mut Tx, entry: &AuditEntry, now: Timestamp) -> Result<i64> {
    // whoever writes next waits here until this line is committed
    let lock = tx.lock("meta");
    let make = "INSERT INTO meta (key, value) VALUES ($1, '') ON CONFLICT (key) DO NOTHING";
    tx.later(make, &[HEAD.into()]).await?;
    tx.row(&format!("SELECT value FROM meta WHERE key = $1{lock}"), &[HEAD.into()]).await?;
    let head = head(tx).await?;
    let number = head.number + 1;
    let hash = entry.hash(number, now, &head.hash);
    let insert = format!("INSERT INTO audit_log ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)");
    let values = [
        number.into(),
        now.into(),
        entry.actor.as_str().into(),
        entry.action.as_str().into(),
        entry.object.as_str().into(),
        entry.outcome.as_str().into(),
        entry.address.clone().into(),
        entry.detail.clone().into(),
        hash.to_vec().into(),
    ];
    tx.later(&insert, &values).await?;
    set_meta(tx, HEAD, Some(&AuditHead { number, hash }.to_string())).await?;
    Ok(number)
}

async fn head(tx: &mut Tx) -> Result<AuditHead> {
    // one that cannot be read is as good as none: the check of the log tells
    Ok(meta(tx, HEAD).await?.and_then(|text| AuditHead::parse(&text)).unwrap_or_default())
}

impl AuditHead {
    /// Reads what its `Display` writes.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, digits) = text.trim().split_once(':')?;
        let mut hash = Hash::default();
        if digits.len() != 2 * hash.len() || !digits.is_ascii() {
            return None;
        }
        for (index, byte) in hash.iter_mut().enumerate() {
            *byte = u8::from_str_radix(digits.get(2 * index..2 * index + 2)?, 16).ok()?;
        }
        Some(Self { number: number.parse().ok()?, hash })
    }
}

impl std::fmt::Display for AuditHead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:", self.number)?;
        self.hash.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The number of the last line that is there.
async fn last(tx: &mut Tx) -> Result<i64> {
    let sql = "SELECT number FROM audit_log ORDER BY number DESC LIMIT 1";
    tx.row(sql, &[]).await?.map_or(Ok(0), |mut row| row.int())
}

/// The lines after one. Those before the first have numbers that no line has.
async fn following(tx: &mut Tx, after: i64) -> Result<Vec<AuditLine>> {
    let after = if after == 0 { i64::MIN } else { after };
    let sql = format!("SELECT {COLUMNS} FROM audit_log WHERE number > $1 ORDER BY number LIMIT $2");
    tx.rows(&sql, &[after.into(), PAGE.into()]).await?.iter_mut().map(read).collect()
}

async fn page(tx: &mut Tx, filter: &AuditFilter) -> Result<Vec<AuditLine>> {
    let mut values: Vec<Value> = vec![filter.limit.clamp(1, PAGE_MAX).into()];
    let mut conditions = String::new();
    let mut add = |condition: &str, value: Value| {
        values.push(value);
        conditions.push_str(&condition.replace('?', &format!("${}", values.len())));
    };
    let texts = [
        (" AND l.actor = ?", &filter.actor),
        (" AND l.action = ?", &filter.action),
        (" AND l.object = ?", &filter.object),
        (" AND l.outcome = ?", &filter.outcome),
    ];
    for (condition, text) in texts {
        if let Some(text) = text {
            add(condition, text.as_str().into());
        }
    }
    let (beyond, order) = if filter.is_reversed { (" AND l.number > ?", "ASC") } else { (" AND l.number < ?", "DESC") };
    if let Some(after) = filter.after {
        add(beyond, after.into());
    }
    // lines with lower numbers are earlier, but for what the clocks of processes differ: the list need not go over all
    if let Some(since) = filter.since {
        add(" AND l.at >= ?", since.into());
        let earlier = "(SELECT m.number FROM audit_log m WHERE m.at < ? ORDER BY m.at DESC LIMIT 1)";
        add(&format!(" AND l.number > COALESCE({earlier}, 0)"), since.minus(SKEW).into());
    }
    if let Some(until) = filter.until {
        add(" AND l.at < ?", until.into());
        let later = "(SELECT m.number FROM audit_log m WHERE m.at >= ? ORDER BY m.at LIMIT 1)";
        add(&format!(" AND l.number < COALESCE({later}, {})", i64::MAX), until.plus(SKEW).into());
    }
    let sql = format!("SELECT {COLUMNS} FROM audit_log l WHERE true{conditions} ORDER BY l.number {order} LIMIT $1");
    tx.rows(&sql, &values).await?.iter_mut().map(read).collect()
}
