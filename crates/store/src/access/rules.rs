//! What may be kept of users and tokens: names, addresses, tags. Everything has a longest length.

use levada_core::error::{Error, ErrorKind, Result};

use super::users::{Grant, NewUser, Subject, UserChange};

/// Longest name of a user, in bytes.
const NAME_MAX: usize = 100;
/// Longest name for people to read, in bytes.
const DISPLAY_NAME_MAX: usize = 200;
/// Longest address (RFC 5321, section 4.5.3.1.3), in bytes.
const EMAIL_MAX: usize = 254;
/// Longest tag, in bytes.
const TAG_MAX: usize = 200;
/// Most grants of one user.
const GRANTS_MAX: usize = 100;

/// A name as it is kept; none where it cannot be one.
pub(super) fn folded(name: &str) -> Option<String> {
    let is_inner = |c: char| c.is_ascii_alphanumeric() || "._-@+".contains(c);
    let is_name =
        name.len() <= NAME_MAX && name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(is_inner);
    is_name.then(|| name.to_ascii_lowercase())
}

pub(super) fn check(new: &NewUser) -> Result<()> {
    if folded(&new.name).is_none() {
        let told = format!(
            "the name of a user has 1 to {NAME_MAX} letters without accents, digits and `._-@+`, a letter or digit first"
        );
        return Err(Error::new(ErrorKind::Usage, told).advise("Give another name."));
    }
    check_text("the name for people to read", &new.display_name, DISPLAY_NAME_MAX)?;
    new.email.as_deref().map_or(Ok(()), check_email)?;
    new.subject.as_ref().map_or(Ok(()), check_subject)?;
    check_grants(&new.grants)
}

pub(super) fn check_change(change: &UserChange) -> Result<()> {
    change
        .display_name
        .as_deref()
        .map_or(Ok(()), |name| check_text("the name for people to read", name, DISPLAY_NAME_MAX))?;
    change.email.iter().flatten().try_for_each(|email| check_email(email))?;
    change.subject.iter().flatten().try_for_each(check_subject)?;
    change.grants.as_deref().map_or(Ok(()), check_grants)
}

fn check_email(email: &str) -> Result<()> {
    let is_one = email.split_once('@').is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty());
    if is_one && email.len() <= EMAIL_MAX && !email.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Usage, "the mail address is none").advise("Write it as name@example.com."))
}

pub(super) fn check_subject(subject: &Subject) -> Result<()> {
    check_text("the issuer", &subject.issuer, 500)?;
    // at most 255 characters of ASCII (OpenID Connect Core, section 2)
    check_text("the subject", &subject.subject, 255)
}

fn check_grants(grants: &[Grant]) -> Result<()> {
    if grants.len() > GRANTS_MAX {
        return Err(Error::new(ErrorKind::Usage, format!("a user has at most {GRANTS_MAX} grants"))
            .advise("Give a role, or give pipelines a tag in common."));
    }
    for (index, grant) in grants.iter().enumerate() {
        check_text("a tag", &grant.tag, TAG_MAX)?;
        if grants.iter().take(index).any(|other| other.tag == grant.tag) {
            return Err(Error::new(ErrorKind::Usage, format!("the tag `{}` is granted twice", grant.tag))
                .advise("Grant it once, with the higher role."));
        }
    }
    Ok(())
}

/// Text for people to read: of one line, and not too long.
pub(super) fn check_text(what: &str, text: &str, bytes_max: usize) -> Result<()> {
    if text.trim().is_empty() || text.len() > bytes_max || text.chars().any(char::is_control) {
        return Err(Error::new(ErrorKind::Usage, format!("{what} has 1 to {bytes_max} bytes on one line"))
            .advise("Give another one."));
    }
    Ok(())
}
