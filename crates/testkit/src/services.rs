//! Where the services that tests use are; each is real and started by `scripts/services`.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

/// The URL of a PostgreSQL in which tests may create schemas and databases.
pub fn postgres() -> String {
    url("LEVADA_TEST_POSTGRES")
}

/// The URL of a PostgreSQL that has a hot standby, and in which tests may create databases.
pub fn primary() -> String {
    url("LEVADA_TEST_PRIMARY")
}

/// The URL of the hot standby of [`primary`].
pub fn standby() -> String {
    url("LEVADA_TEST_STANDBY")
}

/// The URL of a MySQL or MariaDB in which tests may create databases.
pub fn mysql() -> String {
    url("LEVADA_TEST_MYSQL")
}

/// The URL of an S3 bucket in which tests may write.
pub fn s3() -> String {
    url("LEVADA_TEST_S3")
}

/// The URL of an empty S3 bucket of one's own: the test server walks through all of a bucket for each of its lists.
pub fn s3_bucket() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("levada-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    std::fs::create_dir(Path::new(&url("LEVADA_TEST_S3_ROOT")).join(&name)).unwrap();
    let shared = s3();
    let rest = shared.split_once('?').map(|(_, rest)| rest).unwrap_or_default();
    format!("s3://{name}?{rest}")
}

fn url(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set. Start the services: `scripts/services up; eval \"$(scripts/services env)\"`")
    })
}
