//! Users with their roles and grants. There is always an administrator once there has been one: the last can be neither
//! removed nor demoted nor disabled.

use levada_core::access::Role;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::id::UserId;
use levada_core::secret::Secret;
use levada_core::time::Timestamp;

use super::rules::{check, check_change, check_subject, folded};
use super::{Hash, PAGE_MAX, role};
use crate::Store;
use crate::db::{Row, Tx, Value, placeholders};
use crate::views::like;

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Which; never given twice, also not to one of the same name.
    pub id: UserId,
    /// The name, in small letters.
    pub name: String,
    /// The name for people to read.
    pub display_name: String,
    /// The mail address.
    pub email: Option<String>,
    /// Whether there is a password to sign in with.
    pub has_password: bool,
    /// What they may do everywhere.
    pub role: Role,
    /// Whether they may not sign in.
    pub is_disabled: bool,
    /// Who they are for a provider of OpenID Connect.
    pub subject: Option<Subject>,
    /// What they may do beyond their role, by tag.
    pub grants: Vec<Grant>,
    /// Counts changes, from 1.
    pub version: u32,
    /// When they were made.
    pub created_at: Timestamp,
    /// When they were changed last.
    pub updated_at: Timestamp,
}

/// A role on the pipelines with a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The tag.
    pub tag: String,
    /// The role.
    pub role: Role,
}

/// Somebody as a provider of OpenID Connect knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The provider's `iss`.
    pub issuer: String,
    /// Its `sub`.
    pub subject: String,
}

/// A user to be.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The name; large letters become small ones.
    pub name: String,
    /// The name for people to read.
    pub display_name: String,
    /// The mail address.
    pub email: Option<String>,
    /// The hash of the password, in PHC format.
    pub password_hash: Option<Secret>,
    /// What they may do everywhere.
    pub role: Role,
    /// Who they are for a provider of OpenID Connect.
    pub subject: Option<Subject>,
    /// What they may do beyond their role, by tag.
    pub grants: Vec<Grant>,
}

/// What changes about a user; nothing stays as it was.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// The name for people to read.
    pub display_name: Option<String>,
    /// The mail address, or none any more.
    pub email: Option<Option<String>>,
    /// The hash of the password, or none any more. Ends the sessions but `keep`.
    pub password_hash: Option<Option<Secret>>,
    /// What they may do everywhere.
    pub role: Option<Role>,
    /// Whether they may not sign in. Ends the sessions.
    pub is_disabled: Option<bool>,
    /// Who they are for a provider of OpenID Connect, or nobody any more.
    pub subject: Option<Option<Subject>>,
    /// All that they may do beyond their role.
    pub grants: Option<Vec<Grant>>,
    /// The session in which a password is changed, which stays.
    pub keep: Option<Hash>,
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Updated {
    /// The user as they are now; as they were, where they are removed.
    Done(Box<User>),
    /// They were changed by somebody else meanwhile, and have this version.
    Stale(u32),
}

/// What a password is checked against.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The user.
    pub user: User,
    /// The hash of the password, in PHC format.
    pub password_hash: Option<Secret>,
}

/// Which users to list, in the order of their names.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    /// With this role.
    pub role: Option<Role>,
    /// Disabled or not.
    pub is_disabled: Option<bool>,
    /// With this text in the name, the name for people or the mail address.
    pub search: Option<String>,
    /// The other way round.
    pub is_reversed: bool,
    /// Behind this name, which is the last of the page before.
    pub after: Option<String>,
    /// Most users; 1,000 at most.
    pub limit: usize,
}

impl Store {
    /// Makes a user.
    ///
    /// # Errors
    /// `Refused` where the name or the subject is taken; `Usage` where something about it is not allowed.
    pub async fn create_user(&self, new: NewUser, now: Timestamp) -> Result<User> {
        check(&new)?;
        self.db.write(async move |tx: &mut Tx| create(tx, &new, now).await).await
    }

    /// Changes a user, if they still have that version.
    ///
    /// # Errors
    /// `NotFound` where there is no such user; `Refused` where they are the last administrator and would be none, or the
    /// subject is taken; `Usage` where something about the change is not allowed.
    pub async fn update_user(
        &self,
        id: UserId,
        version: Option<u32>,
        change: UserChange,
        now: Timestamp,
    ) -> Result<Updated> {
        check_change(&change)?;
        self.db.write(async move |tx: &mut Tx| update(tx, id, version, &change, now).await).await
    }

    /// Removes a user with their sessions and tokens, if they still have that version.
    ///
    /// # Errors
    /// `NotFound` where there is no such user; `Refused` where they are the last administrator.
    pub async fn remove_user(&self, id: UserId, version: Option<u32>) -> Result<Updated> {
        self.db.write(async move |tx: &mut Tx| remove(tx, id, version).await).await
    }

    /// Takes a better hash of the same password in place of the one that it was checked against. Ends no session.
    pub async fn replace_password_hash(&self, id: UserId, old: Secret, new: Secret) -> Result<()> {
        let sql = "UPDATE users SET password_hash = $1 WHERE id = $2 AND password_hash = $3";
        let replace = async move |tx: &mut Tx| {
            tx.execute(sql, &[new.expose().into(), id.into(), old.expose().into()]).await.map(drop)
        };
        self.db.write(replace).await
    }

    /// A page of users.
    pub async fn users(&self, filter: UserFilter) -> Result<Vec<User>> {
        self.db.read(async move |tx: &mut Tx| list(tx, &filter).await).await
    }

    /// One user.
    pub async fn user(&self, id: UserId) -> Result<Option<User>> {
        self.db.read(async move |tx: &mut Tx| one(tx, "id = $1", &[id.into()]).await).await
    }

    /// The user of a name; large and small letters are one.
    pub async fn user_by_name(&self, name: &str) -> Result<Option<User>> {
        let Some(name) = folded(name) else { return Ok(None) };
        self.db.read(async move |tx: &mut Tx| one(tx, "name = $1", &[name.as_str().into()]).await).await
    }

    /// The user whom a provider of OpenID Connect knows by this subject.
    pub async fn user_by_subject(&self, subject: Subject) -> Result<Option<User>> {
        if check_subject(&subject).is_err() {
            return Ok(None);
        }
        let read = async move |tx: &mut Tx| {
            one(tx, "issuer = $1 AND subject = $2", &[subject.issuer.as_str().into(), subject.subject.as_str().into()])
                .await
        };
        self.db.read(read).await
    }

    /// What a password is checked against. Answers also for a user who is disabled.
    pub async fn credentials(&self, name: &str) -> Result<Option<Credentials>> {
        let Some(name) = folded(name) else { return Ok(None) };
        let read = async move |tx: &mut Tx| {
            let Some(user) = one(tx, "name = $1", &[name.as_str().into()]).await? else { return Ok(None) };
            let sql = "SELECT password_hash FROM users WHERE id = $1";
            let hash = tx.row(sql, &[user.id.into()]).await?.map(|mut row| row.text_or_null()).transpose()?.flatten();
            Ok(Some(Credentials { user, password_hash: hash.map(Secret::new) }))
        };
        self.db.read(read).await
    }

    /// Whether there is an administrator who can sign in.
    pub async fn has_admin(&self) -> Result<bool> {
        self.db.read(async move |tx: &mut Tx| has_admin(tx).await).await
    }
}

/// What [`read`] reads, of a user `u` and a grant `g`.
pub(super) const COLUMNS: &str = "u.id, u.name, u.display_name, u.email, u.password_hash IS NOT NULL, u.role, u.disabled, \
                                  u.issuer, u.subject, u.version, u.created_at, u.updated_at, g.tag, g.role";

/// A user with the first of their grants, or none.
pub(super) fn read(row: &mut Row) -> Result<User> {
    let mut user = User {
        id: UserId(row.int()?),
        name: row.text()?,
        display_name: row.text()?,
        email: row.text_or_null()?,
        has_password: row.flag()?,
        role: role(&row.text()?)?,
        is_disabled: row.flag()?,
        subject: row.text_or_null()?.zip(row.text_or_null()?).map(|(issuer, subject)| Subject { issuer, subject }),
        version: row.small()?,
        created_at: row.time()?,
        updated_at: row.time()?,
        grants: Vec::new(),
    };
    if let Some(tag) = row.text_or_null()? {
        user.grants.push(Grant { tag, role: role(&row.text()?)? });
    }
    Ok(user)
}

/// Users out of rows that have one grant each, those of one user after each other.
pub(super) fn gather(rows: impl Iterator<Item = Result<User>>) -> Result<Vec<User>> {
    let mut users: Vec<User> = Vec::new();
    for user in rows {
        let user = user?;
        match users.last_mut() {
            Some(last) if last.id == user.id => last.grants.extend(user.grants),
            _ => users.push(user),
        }
    }
    Ok(users)
}

async fn one(tx: &mut Tx, condition: &str, values: &[Value]) -> Result<Option<User>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM (SELECT * FROM users WHERE {condition}) u \
         LEFT JOIN grants g ON g.user_id = u.id ORDER BY g.tag"
    );
    let rows = tx.rows(&sql, values).await?;
    Ok(gather(rows.into_iter().map(|mut row| read(&mut row)))?.pop())
}

async fn list(tx: &mut Tx, filter: &UserFilter) -> Result<Vec<User>> {
    let mut values: Vec<Value> = vec![filter.limit.clamp(1, PAGE_MAX).into()];
    let mut conditions = String::new();
    let mut add = |condition: &str, value: Value| {
        values.push(value);
        conditions.push_str(&condition.replace('?', &format!("${}", values.len())));
    };
    if let Some(role) = filter.role {
        add(" AND role = ?", role.name().into());
    }
    if let Some(is_disabled) = filter.is_disabled {
        add(" AND disabled = ?", is_disabled.into());
    }
    if let Some(search) = &filter.search {
        let texts = "LOWER(name || ' ' || display_name || ' ' || COALESCE(email, ''))";
        add(&format!(" AND {texts} LIKE ? ESCAPE '!'"), like(search).into());
    }
    let (beyond, order) = if filter.is_reversed { (" AND name < ?", "DESC") } else { (" AND name > ?", "ASC") };
    if let Some(after) = &filter.after {
        add(beyond, after.as_str().into());
    }
    let sql = format!(
        "SELECT {COLUMNS} FROM (SELECT * FROM users WHERE true{conditions} ORDER BY name {order} LIMIT $1) u \
         LEFT JOIN grants g ON g.user_id = u.id ORDER BY u.name {order}, g.tag"
    );
    let rows = tx.rows(&sql, &values).await?;
    gather(rows.into_iter().map(|mut row| read(&mut row)))
}

pub(super) async fn has_admin(tx: &mut Tx) -> Result<bool> {
    let sql = "SELECT id FROM users WHERE role = 'admin' AND disabled = 0 LIMIT 1";
    Ok(tx.row(sql, &[]).await?.is_some())
}

pub(super) async fn create(tx: &mut Tx, new: &NewUser, now: Timestamp) -> Result<User> {
    let name = folded(&new.name).unwrap_or_default();
    let subject = new.subject.as_ref();
    let insert = "INSERT INTO users (name, display_name, email, password_hash, role, issuer, subject, created_at, updated_at) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) ON CONFLICT DO NOTHING RETURNING id";
    let values = [
        name.as_str().into(),
        new.display_name.as_str().into(),
        new.email.clone().into(),
        new.password_hash.as_ref().map(Secret::expose).into(),
        new.role.name().into(),
        subject.map(|subject| subject.issuer.as_str()).into(),
        subject.map(|subject| subject.subject.as_str()).into(),
        now.into(),
    ];
    let Some(mut row) = tx.row(insert, &values).await? else { return Err(taken(&name)) };
    let id = UserId(row.int()?);
    set_grants(tx, id, &new.grants).await?;
    found(one(tx, "id = $1", &[id.into()]).await?, id)
}

fn taken(name: &str) -> Error {
    Error::new(ErrorKind::Refused, format!("there is a user `{name}` already, or one with this subject"))
        .advise("Give another name, or change the user that is there.")
}

fn found(user: Option<User>, id: UserId) -> Result<User> {
    user.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no user {id}")).advise("List what there is."))
}

async fn set_grants(tx: &mut Tx, id: UserId, grants: &[Grant]) -> Result<()> {
    tx.execute("DELETE FROM grants WHERE user_id = $1", &[id.into()]).await?;
    if grants.is_empty() {
        return Ok(());
    }
    let sql = format!("INSERT INTO grants (user_id, tag, role) VALUES {}", placeholders(grants.len(), 3, 1));
    let values: Vec<Value> =
        grants.iter().flat_map(|grant| [id.into(), grant.tag.as_str().into(), grant.role.name().into()]).collect();
    tx.execute(&sql, &values).await.map(drop)
}

/// The user as they are, locked, if they have the version that was asked for.
async fn locked(tx: &mut Tx, id: UserId, version: Option<u32>) -> Result<Result<User, u32>> {
    let lock = tx.lock("users");
    tx.row(&format!("SELECT id FROM users WHERE id = $1{lock}"), &[id.into()]).await?;
    let user = found(one(tx, "id = $1", &[id.into()]).await?, id)?;
    Ok(if version.is_none_or(|version| version == user.version) { Ok(user) } else { Err(user.version) })
}

/// Refuses to go on where nobody else is an administrator who can sign in. All of them are locked, in one order, so that
/// two cannot each count on the other; and before the user is, for the same reason.
async fn check_another_admin(tx: &mut Tx, id: UserId) -> Result<()> {
    let lock = tx.lock("users");
    let sql = format!("SELECT id FROM users WHERE role = 'admin' AND disabled = 0 ORDER BY id{lock}");
    let mut is_one = false;
    let mut others = 0;
    for mut row in tx.rows(&sql, &[]).await? {
        if row.int()? == id.0 {
            is_one = true;
        } else {
            others += 1;
        }
    }
    if is_one && others == 0 {
        return Err(Error::new(ErrorKind::Refused, "this is the last administrator who can sign in")
            .advise("Make somebody else an administrator first."));
    }
    Ok(())
}

async fn update(tx: &mut Tx, id: UserId, version: Option<u32>, change: &UserChange, now: Timestamp) -> Result<Updated> {
    if change.role.is_some_and(|role| role < Role::Admin) || change.is_disabled == Some(true) {
        check_another_admin(tx, id).await?;
    }
    let user = match locked(tx, id, version).await? {
        Ok(user) => user,
        Err(version) => return Ok(Updated::Stale(version)),
    };
    let mut values: Vec<Value> = vec![id.into(), now.into()];
    let mut columns = String::new();
    let mut set = |column: &str, value: Value| {
        values.push(value);
        columns.push_str(&format!(", {column} = ${}", values.len()));
    };
    if let Some(name) = &change.display_name {
        set("display_name", name.as_str().into());
    }
    if let Some(email) = &change.email {
        set("email", email.clone().into());
    }
    if let Some(hash) = &change.password_hash {
        set("password_hash", hash.as_ref().map(Secret::expose).into());
    }
    if let Some(role) = change.role {
        set("role", role.name().into());
    }
    if let Some(is_disabled) = change.is_disabled {
        set("disabled", is_disabled.into());
    }
    if let Some(subject) = &change.subject {
        is_free(tx, &user, subject.as_ref()).await?;
        set("issuer", subject.as_ref().map(|subject| subject.issuer.as_str()).into());
        set("subject", subject.as_ref().map(|subject| subject.subject.as_str()).into());
    }
    let sql = format!("UPDATE users SET version = version + 1, updated_at = $2{columns} WHERE id = $1");
    tx.execute(&sql, &values).await?;
    if let Some(grants) = &change.grants {
        set_grants(tx, id, grants).await?;
    }
    if change.password_hash.is_some() || change.is_disabled == Some(true) {
        super::sessions::end_all(tx, id, change.keep.as_ref()).await?;
    }
    let user = found(one(tx, "id = $1", &[id.into()]).await?, id)?;
    Ok(Updated::Done(Box::new(user)))
}

async fn is_free(tx: &mut Tx, user: &User, subject: Option<&Subject>) -> Result<()> {
    let Some(subject) = subject else { return Ok(()) };
    let sql = "SELECT id FROM users WHERE issuer = $1 AND subject = $2 AND id <> $3";
    let values = [subject.issuer.as_str().into(), subject.subject.as_str().into(), user.id.into()];
    if tx.row(sql, &values).await?.is_some() { Err(taken(&user.name)) } else { Ok(()) }
}

async fn remove(tx: &mut Tx, id: UserId, version: Option<u32>) -> Result<Updated> {
    check_another_admin(tx, id).await?;
    let user = match locked(tx, id, version).await? {
        Ok(user) => user,
        Err(version) => return Ok(Updated::Stale(version)),
    };
    // grants, sessions and tokens go with them
    tx.execute("DELETE FROM users WHERE id = $1", &[id.into()]).await?;
    Ok(Updated::Done(Box::new(user)))
}
