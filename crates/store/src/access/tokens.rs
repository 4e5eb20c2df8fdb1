//! Tokens of programs: the SHA-256 of a secret, whose it is, and what it may do at most.

use levada_core::access::Role;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::id::{TokenId, UserId};
use levada_core::time::Timestamp;

use super::rules::check_text;
use super::users::{COLUMNS, User, gather, read as read_user};
use super::{Hash, PAGE_MAX, role};
use crate::Store;
use crate::db::{Row, Tx, Value};
use crate::views::like;

/// Longest name of a token, in bytes.
const NAME_MAX: usize = 200;
/// Most tokens of one user.
const TOKENS_MAX: u64 = 100;
/// Most tags of one token.
const TAGS_MAX: usize = 100;

/// A token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Which.
    pub id: TokenId,
    /// Whose it is; what they may not do, it may not do either.
    pub user: UserId,
    /// What it is for.
    pub name: String,
    /// The most it may do.
    pub role: Role,
    /// The tags of the pipelines that it is for; none means that it is for everything.
    pub tags: Option<Vec<String>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was last noted as used.
    pub used_at: Option<Timestamp>,
}

/// A token to be.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Whose it is.
    pub user: UserId,
    /// What it is for.
    pub name: String,
    /// The SHA-256 of its secret.
    pub hash: Hash,
    /// The most it may do.
    pub role: Role,
    /// The tags of the pipelines that it is for.
    pub tags: Option<Vec<String>>,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Which tokens to list, the newest first.
#[derive(Debug, Clone, Default)]
pub struct TokenFilter {
    /// Of this user.
    pub user: Option<UserId>,
    /// With this text in the name.
    pub search: Option<String>,
    /// The other way round.
    pub is_reversed: bool,
    /// Behind this one, which is the last of the page before.
    pub after: Option<TokenId>,
    /// Most tokens; 1,000 at most.
    pub limit: usize,
}

impl Store {
    /// Makes a token.
    ///
    /// # Errors
    /// `NotFound` where there is no such user; `Refused` where they have a token of this name, or too many; `Usage` where
    /// something about it is not allowed.
    pub async fn create_token(&self, new: NewToken, now: Timestamp) -> Result<Token> {
        check(&new)?;
        self.db.write(async move |tx: &mut Tx| create(tx, &new, now).await).await
    }

    /// The token of this number and its user with their grants, if its secret has this hash and it counts.
    pub async fn token(&self, id: TokenId, hash: Hash, now: Timestamp) -> Result<Option<(User, Token)>> {
        self.db.read(async move |tx: &mut Tx| token(tx, id, &hash, now).await).await
    }

    /// Notes that a token is used.
    pub async fn touch_token(&self, id: TokenId, now: Timestamp) -> Result<()> {
        let touch = async move |tx: &mut Tx| {
            let sql = "UPDATE tokens SET used_at = $1 WHERE id = $2 AND (used_at IS NULL OR used_at < $1)";
            tx.execute(sql, &[now.into(), id.into()]).await.map(drop)
        };
        self.db.write(touch).await
    }

    /// A page of tokens, also of those that have ended.
    pub async fn tokens(&self, filter: TokenFilter) -> Result<Vec<Token>> {
        self.db.read(async move |tx: &mut Tx| list(tx, &filter).await).await
    }

    /// Removes a token, where it is of this user if one is given. Answers whether there was one.
    pub async fn remove_token(&self, id: TokenId, of: Option<UserId>) -> Result<bool> {
        let remove = async move |tx: &mut Tx| {
            let (condition, mut values) = ("DELETE FROM tokens WHERE id = $1", vec![id.into()]);
            values.extend(of.map(Value::from));
            let sql = if of.is_some() { format!("{condition} AND user_id = $2") } else { condition.to_owned() };
            tx.execute(&sql, &values).await.map(|count| count > 0)
        };
        self.db.write(remove).await
    }
}

fn check(new: &NewToken) -> Result<()> {
    check_text("the name of a token", &new.name, NAME_MAX)?;
    let tags = new.tags.as_deref().unwrap_or_default();
    if tags.len() > TAGS_MAX {
        return Err(Error::new(ErrorKind::Usage, format!("a token is for at most {TAGS_MAX} tags"))
            .advise("Give pipelines a tag in common."));
    }
    tags.iter().try_for_each(|tag| check_text("a tag", tag, NAME_MAX))
}

async fn create(tx: &mut Tx, new: &NewToken, now: Timestamp) -> Result<Token> {
    let lock = tx.lock("users");
    if tx.row(&format!("SELECT id FROM users WHERE id = $1{lock}"), &[new.user.into()]).await?.is_none() {
        return Err(
            Error::new(ErrorKind::NotFound, format!("there is no user {}", new.user)).advise("List what there is.")
        );
    }
    let count = "SELECT COUNT(*) FROM tokens WHERE user_id = $1";
    let count = tx.row(count, &[new.user.into()]).await?.map_or(Ok(0), |mut row| row.count())?;
    if count >= TOKENS_MAX {
        return Err(Error::new(ErrorKind::Refused, format!("the user has {count} tokens, which is the most"))
            .advise("Remove those that are not needed."));
    }
    let tags = new.tags.as_ref().map(serde_json::to_string).transpose();
    let tags = tags.map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
    let insert = "INSERT INTO tokens (user_id, name, hash, role, tags, created_at, expires_at) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (user_id, name) DO NOTHING RETURNING id";
    let values = [
        new.user.into(),
        new.name.as_str().into(),
        new.hash.to_vec().into(),
        new.role.name().into(),
        tags.into(),
        now.into(),
        new.expires_at.into(),
    ];
    let Some(mut row) = tx.row(insert, &values).await? else {
        return Err(Error::new(ErrorKind::Refused, format!("the user has a token `{}` already", new.name))
            .advise("Give another name, or remove that one first."));
    };
    Ok(Token {
        id: TokenId(row.int()?),
        user: new.user,
        name: new.name.clone(),
        role: new.role,
        tags: new.tags.clone(),
        created_at: now,
        expires_at: new.expires_at,
        used_at: None,
    })
}

const TOKEN: &str = "t.id, t.user_id, t.name, t.role, t.tags, t.created_at, t.expires_at, t.used_at";

fn read(row: &mut Row) -> Result<Token> {
    Ok(Token {
        id: TokenId(row.int()?),
        user: UserId(row.int()?),
        name: row.text()?,
        role: role(&row.text()?)?,
        tags: row.text_or_null()?.map(|tags| serde_json::from_str(&tags).unwrap_or_default()),
        created_at: row.time()?,
        expires_at: row.time()?,
        used_at: row.time_or_null()?,
    })
}

async fn token(tx: &mut Tx, id: TokenId, hash: &Hash, now: Timestamp) -> Result<Option<(User, Token)>> {
    let sql = format!(
        "SELECT t.hash, {TOKEN}, {COLUMNS} FROM tokens t JOIN users u ON u.id = t.user_id \
         LEFT JOIN grants g ON g.user_id = u.id WHERE t.id = $1 AND t.expires_at > $2 AND u.disabled = 0 ORDER BY g.tag"
    );
    let mut token = None;
    let mut users = Vec::new();
    for mut row in tx.rows(&sql, &[id.into(), now.into()]).await? {
        if !is_same(&row.bytes()?, hash) {
            return Ok(None);
        }
        token = Some(read(&mut row)?);
        users.push(read_user(&mut row));
    }
    Ok(gather(users.into_iter())?.pop().zip(token))
}

/// Looks at every byte, wherever the first difference is.
fn is_same(kept: &[u8], given: &Hash) -> bool {
    kept.len() == given.len() && kept.iter().zip(given).fold(0, |all, (kept, given)| all | (kept ^ given)) == 0
}

async fn list(tx: &mut Tx, filter: &TokenFilter) -> Result<Vec<Token>> {
    let mut values: Vec<Value> = vec![filter.limit.clamp(1, PAGE_MAX).into()];
    let mut conditions = String::new();
    let mut add = |condition: &str, value: Value| {
        values.push(value);
        conditions.push_str(&condition.replace('?', &format!("${}", values.len())));
    };
    if let Some(user) = filter.user {
        add(" AND t.user_id = ?", user.into());
    }
    if let Some(search) = &filter.search {
        add(" AND LOWER(t.name) LIKE ? ESCAPE '!'", like(search).into());
    }
    let (beyond, order) = if filter.is_reversed { (" AND t.id > ?", "ASC") } else { (" AND t.id < ?", "DESC") };
    if let Some(after) = filter.after {
        add(beyond, after.into());
    }
    let sql = format!("SELECT {TOKEN} FROM tokens t WHERE true{conditions} ORDER BY t.id {order} LIMIT $1");
    tx.rows(&sql, &values).await?.iter_mut().map(read).collect()
}
