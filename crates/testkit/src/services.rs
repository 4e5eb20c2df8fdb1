//! Where the services that tests use are; each is real and started by `scripts/services`.

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

fn url(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set. Start the services: `scripts/services up; eval \"$(scripts/services env)\"`")
    })
}
