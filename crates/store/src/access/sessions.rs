//! Sessions of people: the SHA-256 of a cookie's text, and until when it counts. Ended by time, by signing out, by a new
//! password, and with their user.

use std::time::Duration;

use levada_core::error::Result;
use levada_core::id::UserId;
use levada_core::time::Timestamp;

use super::users::{COLUMNS, User, gather, read};
use super::{Hash, users};
use crate::Store;
use crate::db::{Dialect, Row, Tx};

/// How long a session lasts without being used.
pub const SESSION_IDLE: Duration = Duration::from_secs(12 * 3_600);
/// How long a session lasts at most.
pub const SESSION_MAX: Duration = Duration::from_secs(30 * 24 * 3_600);
/// Most sessions of one user; a further one ends the one that was used the longest time ago.
const SESSIONS_MAX: i64 = 100;

/// A session that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Whose it is.
    pub user: User,
    /// When they signed in.
    pub created_at: Timestamp,
    /// When it was last noted as used.
    pub seen_at: Timestamp,
    /// When it ends, used or not.
    pub expires_at: Timestamp,
}

/// Which session it is, told without what would open it: the first bytes of its hash, in hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionId(pub String);

impl SessionId {
    /// Of the session with this hash.
    pub fn of(hash: &[u8]) -> Self {
        Self(hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect())
    }
}

/// A session as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSession {
    /// Which.
    pub id: SessionId,
    /// When they signed in.
    pub created_at: Timestamp,
    /// When it was last noted as used.
    pub seen_at: Timestamp,
    /// When it ends, used or not.
    pub expires_at: Timestamp,
}

impl Store {
    /// Keeps a session. Answers whether the user may sign in; nothing is kept otherwise.
    pub async fn create_session(&self, user: UserId, hash: Hash, now: Timestamp) -> Result<bool> {
        self.db.write(async move |tx: &mut Tx| create(tx, user, &hash, now).await).await
    }

    /// The session with this hash and its user with their grants, if it counts.
    pub async fn session(&self, hash: Hash, now: Timestamp) -> Result<Option<Session>> {
        self.db.read(async move |tx: &mut Tx| session(tx, &hash, now).await).await
    }

    /// Notes that a session is used.
    pub async fn touch_session(&self, hash: Hash, now: Timestamp) -> Result<()> {
        let touch = async move |tx: &mut Tx| {
            let sql = "UPDATE sessions SET seen_at = $1 WHERE hash = $2 AND seen_at < $1";
            tx.execute(sql, &[now.into(), hash.to_vec().into()]).await.map(drop)
        };
        self.db.write(touch).await
    }

    /// Ends a session. Answers whether there was one.
    pub async fn remove_session(&self, hash: Hash) -> Result<bool> {
        let remove = async move |tx: &mut Tx| {
            tx.execute("DELETE FROM sessions WHERE hash = $1", &[hash.to_vec().into()]).await.map(|count| count > 0)
        };
        self.db.write(remove).await
    }

    /// The sessions of a user that count, the newest first.
    pub async fn sessions(&self, user: UserId, now: Timestamp) -> Result<Vec<OpenSession>> {
        let list = async move |tx: &mut Tx| {
            let sql = "SELECT hash, created_at, seen_at, expires_at FROM sessions \
                       WHERE user_id = $1 AND expires_at > $2 AND seen_at > $3 ORDER BY created_at DESC, hash";
            let mut rows = tx.rows(sql, &[user.into(), now.into(), now.minus(SESSION_IDLE).into()]).await?;
            let read = |row: &mut Row| {
                let (id, created_at) = (SessionId::of(&row.bytes()?), row.time()?);
                Ok(OpenSession { id, created_at, seen_at: row.time()?, expires_at: row.time()? })
            };
            rows.iter_mut().map(read).collect()
        };
        self.db.read(list).await
    }

    /// Ends one session of a user. Answers whether there was one.
    pub async fn end_session(&self, user: UserId, id: SessionId) -> Result<bool> {
        let end = async move |tx: &mut Tx| {
            for mut row in tx.rows("SELECT hash FROM sessions WHERE user_id = $1", &[user.into()]).await? {
                let hash = row.bytes()?;
                if SessionId::of(&hash) == id {
                    let sql = "DELETE FROM sessions WHERE hash = $1";
                    return tx.execute(sql, &[hash.into()]).await.map(|count| count > 0);
                }
            }
            Ok(false)
        };
        self.db.write(end).await
    }

    /// Ends the sessions of a user, but for one. Answers how many there were.
    pub async fn remove_sessions(&self, user: UserId, keep: Option<Hash>) -> Result<u64> {
        self.db.write(async move |tx: &mut Tx| end_all(tx, user, keep.as_ref()).await).await
    }
}

async fn create(tx: &mut Tx, user: UserId, hash: &Hash, now: Timestamp) -> Result<bool> {
    let insert = "INSERT INTO sessions (hash, user_id, created_at, seen_at, expires_at) \
                  SELECT $1, id, $2, $2, $3 FROM users WHERE id = $4 AND disabled = 0";
    let insert = match tx.dialect() {
        Dialect::Sqlite => insert.to_owned(),
        // a user who is being removed or disabled is waited for, and a parameter of a SELECT has no type of its own
        Dialect::Postgres => format!(
            "{} FOR SHARE",
            insert.replace("SELECT $1, id, $2, $2, $3", "SELECT $1::bytea, id, $2::bigint, $2::bigint, $3::bigint")
        ),
    };
    let values = [hash.to_vec().into(), now.into(), now.plus(SESSION_MAX).into(), user.into()];
    if tx.execute(&insert, &values).await? == 0 {
        return Ok(false);
    }
    let over = "DELETE FROM sessions WHERE hash IN (SELECT hash FROM sessions WHERE user_id = $1 \
                ORDER BY seen_at DESC LIMIT 1000 OFFSET $2)";
    tx.later(over, &[user.into(), SESSIONS_MAX.into()]).await?;
    Ok(true)
}

async fn session(tx: &mut Tx, hash: &Hash, now: Timestamp) -> Result<Option<Session>> {
    let sql = format!(
        "SELECT s.created_at, s.seen_at, s.expires_at, {COLUMNS} FROM sessions s JOIN users u ON u.id = s.user_id \
         LEFT JOIN grants g ON g.user_id = u.id \
         WHERE s.hash = $1 AND s.expires_at > $2 AND s.seen_at > $3 AND u.disabled = 0 ORDER BY g.tag"
    );
    let mut times = None;
    let mut users = Vec::new();
    for mut row in tx.rows(&sql, &[hash.to_vec().into(), now.into(), now.minus(SESSION_IDLE).into()]).await? {
        times = Some((row.time()?, row.time()?, row.time()?));
        users.push(read(&mut row));
    }
    let user: Option<users::User> = gather(users.into_iter())?.pop();
    Ok(user.zip(times).map(|(user, (created_at, seen_at, expires_at))| Session {
        user,
        created_at,
        seen_at,
        expires_at,
    }))
}

/// Ends all sessions of a user, but for one.
pub(super) async fn end_all(tx: &mut Tx, user: UserId, keep: Option<&Hash>) -> Result<u64> {
    let keep = keep.map(|hash| hash.to_vec()).unwrap_or_default();
    tx.execute("DELETE FROM sessions WHERE user_id = $1 AND hash <> $2", &[user.into(), keep.into()]).await
}

/// Removes sessions that count no more.
pub(crate) async fn remove_expired(tx: &mut Tx, now: Timestamp) -> Result<()> {
    tx.later("DELETE FROM sessions WHERE expires_at <= $1", &[now.into()]).await
}
