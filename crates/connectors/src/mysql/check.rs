//! Tries a connection step by step, so that the first thing that is wrong has a name.

use std::time::{Duration, Instant};

use levada_core::connector::CheckStep;
use levada_core::error::{Error, ErrorKind, Result};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::net::TcpStream;

use super::config::Config;
use super::error::from_driver;
use super::session;

const STEP_MAX: Duration = Duration::from_secs(10);

/// Name, TCP, TLS and login, reading, writing; stops at the first that fails.
pub async fn steps(config: &Config) -> Vec<CheckStep> {
    let mut steps = Vec::new();
    let mut start = Instant::now();
    let mut note = |step: &'static str, outcome: Result<String>| {
        let failed = outcome.is_err();
        steps.push(CheckStep { step, took: start.elapsed(), outcome });
        start = Instant::now();
        failed
    };
    if note("name", resolve(config).await) || note("tcp", reach(config).await) {
        return steps;
    }
    let mut conn = match session::open(config).await {
        Ok(conn) => conn,
        Err(error) => {
            let step = if error.kind() == ErrorKind::Tls { "tls" } else { "auth" };
            if step == "auth" {
                note("tls", Ok(config.tls.in_words().to_owned()));
            }
            note(step, Err(error));
            return steps;
        }
    };
    note("tls", Ok(config.tls.in_words().to_owned()));
    let server: std::result::Result<Option<(String, String)>, _> =
        conn.query_first("SELECT VERSION(), CURRENT_USER()").await;
    let outcome = server.map_err(from_driver).map(|row| {
        let (version, user) = row.unwrap_or_default();
        format!("{version} as {user}")
    });
    if note("auth", outcome) {
        return steps;
    }
    let tables: std::result::Result<Option<u64>, _> =
        conn.query_first("SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()").await;
    if note("read", tables.map_err(from_driver).map(|n| format!("{} tables and views", n.unwrap_or(0)))) {
        return steps;
    }
    note("write", write(&mut conn, &config.database).await);
    let _ = conn.disconnect().await;
    steps
}

async fn write(conn: &mut Conn, database: &str) -> Result<String> {
    let settings: Option<(u8, u8)> =
        conn.query_first("SELECT @@local_infile, @@read_only").await.map_err(from_driver)?;
    match settings {
        Some((_, 1)) => {
            return Err(Error::new(ErrorKind::Permission, "the server is read-only").advise("Use it as a source only."));
        }
        Some((0, _)) => {
            return Err(Error::new(ErrorKind::Permission, "the server does not take rows from clients")
                .advise("Set `local_infile=1` at the server to load into it; reading works without."));
        }
        _ => {}
    }
    let grants: Vec<String> = conn.query("SHOW GRANTS").await.map_err(from_driver)?;
    Ok(if may_create(&grants, database) {
        format!("yes: tables may be created in {database}, rows go in by LOAD DATA LOCAL")
    } else {
        format!("no: may not create tables in {database} (enough for a source)")
    })
}

/// Whether some line of `SHOW GRANTS` lets tables be made in a database. What roles bring is not told there: such a user
/// is given the benefit of the doubt.
fn may_create(grants: &[String], database: &str) -> bool {
    grants.iter().any(|line| {
        let Some((rights, rest)) = line.strip_prefix("GRANT ").and_then(|rest| rest.split_once(" ON ")) else {
            return true;
        };
        let is_enough = rights.split(", ").any(|right| right == "CREATE" || right.starts_with("ALL PRIVILEGES"));
        let scope = rest.split(" TO ").next().unwrap_or_default();
        is_enough && covers(scope, database)
    })
}

/// Whether the scope of a grant (`*.*`, `` `shop\_%`.* ``) covers a database: `%` is any text, `_` any character.
fn covers(scope: &str, database: &str) -> bool {
    if scope == "*.*" {
        return true;
    }
    let Some(name) = scope.strip_suffix(".*").and_then(|name| name.strip_prefix('`')?.strip_suffix('`')) else {
        return false;
    };
    let mut pattern = String::new();
    let mut chars = name.replace("``", "`").chars().collect::<Vec<_>>().into_iter();
    while let Some(c) = chars.next() {
        match c {
            '\\' => pattern.extend(chars.next()),
            '%' => pattern.push('*'),
            '_' => pattern.push('?'),
            other => pattern.push(other),
        }
    }
    levada_core::naming::matches(&pattern, database)
}

async fn resolve(config: &Config) -> Result<String> {
    let found = tokio::time::timeout(STEP_MAX, tokio::net::lookup_host((config.host.as_str(), config.port))).await;
    let unknown = |why: String| {
        Error::new(ErrorKind::Connect, format!("the name `{}` cannot be resolved: {why}", config.host))
            .advise("Check `host`.")
    };
    let addresses =
        found.map_err(|_| unknown("no answer in 10 seconds".to_owned()))?.map_err(|e| unknown(e.to_string()))?;
    let list: Vec<String> = addresses.map(|address| address.ip().to_string()).collect();
    Ok(list.join(", "))
}

async fn reach(config: &Config) -> Result<String> {
    let place = format!("{}:{}", config.host, config.port);
    let failed = |why: String| {
        Error::new(ErrorKind::Connect, format!("no connection to {place}: {why}"))
            .advise("Check `port`, the server and the firewall.")
    };
    let stream = tokio::time::timeout(STEP_MAX, TcpStream::connect((config.host.as_str(), config.port))).await;
    stream.map_err(|_| failed("no answer in 10 seconds".to_owned()))?.map_err(|e| failed(e.to_string()))?;
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_to_create_is_found_in_grants() {
        let may = |line: &str| may_create(&["GRANT USAGE ON *.* TO `u`@`%`".to_owned(), line.to_owned()], "shop_1");
        for line in [
            "GRANT ALL PRIVILEGES ON *.* TO `u`@`%` WITH GRANT OPTION",
            "GRANT SELECT, INSERT, CREATE, DROP ON `shop_1`.* TO `u`@`%`",
            "GRANT CREATE ON `shop\\_1`.* TO `u`@`%`",
            "GRANT CREATE ON `shop%`.* TO `u`@`%`",
            "GRANT `writers` TO `u`@`%`",
        ] {
            assert!(may(line), "{line}");
        }
        for line in [
            "GRANT SELECT, INSERT ON `shop_1`.* TO `u`@`%`",
            "GRANT CREATE ON `other`.* TO `u`@`%`",
            "GRANT CREATE ON `shop_1`.`orders` TO `u`@`%`",
            "GRANT CREATE VIEW ON *.* TO `u`@`%`",
            "GRANT CREATE ON `shop\\%`.* TO `u`@`%`",
        ] {
            assert!(!may(line), "{line}");
        }
    }
}
