//! The tables, as a series of migrations that both databases understand. A word in braces is what differs: `{id}` a whole
//! number given by the database, `{bytes}` bytes.

/// Each migration once, in order; the version of a store is how many of them it has. Never change one that was released.
pub(crate) const MIGRATIONS: &[&str] = &[FIRST, SECOND, THIRD, FOURTH, FIFTH, SIXTH, SEVENTH];

/// All tables but `meta`, each after those that it refers to.
pub(crate) fn tables() -> impl Iterator<Item = &'static str> {
    let name = |line: &'static str| line.strip_prefix("CREATE TABLE ")?.split(' ').next();
    MIGRATIONS.iter().flat_map(|migration| migration.lines()).filter_map(name)
}

/// Indexes of task runs cover those that are not terminal only: what has ended costs the scheduler nothing.
const FIRST: &str = "
CREATE TABLE documents (
    id {id},
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    version BIGINT NOT NULL,
    path TEXT NOT NULL,
    text TEXT NOT NULL,
    hash TEXT NOT NULL,
    graph TEXT,
    applied_at BIGINT NOT NULL,
    UNIQUE (kind, name, version)
);
CREATE TABLE pipelines (
    name TEXT NOT NULL PRIMARY KEY,
    document BIGINT NOT NULL REFERENCES documents (id),
    paused BIGINT NOT NULL DEFAULT 0,
    removed BIGINT NOT NULL DEFAULT 0
);
CREATE TABLE schedules (
    pipeline TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    spec TEXT NOT NULL,
    paused BIGINT NOT NULL DEFAULT 0,
    next_at BIGINT,
    last_at BIGINT,
    memo TEXT,
    PRIMARY KEY (pipeline, name)
);
CREATE INDEX schedules_due ON schedules (kind, next_at) WHERE next_at IS NOT NULL AND paused = 0;
CREATE TABLE triggers (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    pipeline TEXT NOT NULL,
    schedule TEXT NOT NULL,
    PRIMARY KEY (kind, key, pipeline, schedule)
);
CREATE TABLE pools (
    name TEXT NOT NULL PRIMARY KEY,
    slots BIGINT NOT NULL
);
CREATE TABLE datasets (
    name TEXT NOT NULL PRIMARY KEY,
    updated_at BIGINT NOT NULL,
    updates BIGINT NOT NULL,
    run BIGINT
);
CREATE TABLE backfills (
    id {id},
    pipeline TEXT NOT NULL,
    params TEXT NOT NULL,
    times TEXT NOT NULL,
    total BIGINT NOT NULL,
    next BIGINT NOT NULL DEFAULT 0,
    concurrency BIGINT NOT NULL,
    state TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    ended_at BIGINT
);
CREATE INDEX backfills_open ON backfills (id) WHERE ended_at IS NULL;
CREATE TABLE runs (
    id {id},
    pipeline TEXT NOT NULL,
    document BIGINT NOT NULL REFERENCES documents (id),
    project BIGINT REFERENCES documents (id),
    cause TEXT NOT NULL,
    identity TEXT NOT NULL UNIQUE,
    schedule TEXT,
    fire_time BIGINT,
    params TEXT NOT NULL,
    options TEXT,
    backfill BIGINT,
    retry_of BIGINT,
    parent BIGINT,
    owner BIGINT,
    state TEXT NOT NULL,
    admitted BIGINT NOT NULL,
    priority BIGINT NOT NULL,
    open BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    ended_at BIGINT
);
CREATE INDEX runs_open ON runs (pipeline, admitted, id) WHERE ended_at IS NULL;
CREATE INDEX runs_owned ON runs (owner) WHERE owner IS NOT NULL AND ended_at IS NULL;
CREATE INDEX runs_of_pipeline ON runs (pipeline, id);
CREATE INDEX runs_of_backfill ON runs (backfill, ended_at) WHERE backfill IS NOT NULL;
CREATE INDEX runs_fired ON runs (pipeline, fire_time) WHERE fire_time IS NOT NULL;
CREATE INDEX runs_bad ON runs (id) WHERE state IN ('failed', 'cancelled');
CREATE INDEX runs_made ON runs (created_at);
CREATE INDEX runs_ended ON runs (ended_at) WHERE ended_at IS NOT NULL;
CREATE TABLE task_runs (
    id {id},
    run BIGINT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    task BIGINT NOT NULL,
    name TEXT NOT NULL,
    item BIGINT NOT NULL DEFAULT -1,
    item_value TEXT,
    state TEXT NOT NULL,
    version BIGINT NOT NULL DEFAULT 0,
    epoch BIGINT NOT NULL DEFAULT 0,
    blockers BIGINT NOT NULL,
    attempt BIGINT NOT NULL DEFAULT 0,
    failed BIGINT NOT NULL DEFAULT 0,
    lost BIGINT NOT NULL DEFAULT 0,
    worker BIGINT,
    wake_at BIGINT,
    wake_on TEXT,
    priority BIGINT NOT NULL,
    pool TEXT,
    slots BIGINT NOT NULL DEFAULT 0,
    runs_on TEXT NOT NULL DEFAULT '',
    outputs TEXT,
    error TEXT,
    memo TEXT,
    started_at BIGINT,
    ended_at BIGINT,
    UNIQUE (run, task, item)
);
CREATE INDEX task_runs_claimable ON task_runs (priority DESC, id) WHERE state = 'queued' AND blockers = 0;
CREATE INDEX task_runs_waking ON task_runs (wake_at) WHERE state = 'waiting' AND wake_at IS NOT NULL;
CREATE INDEX task_runs_waited ON task_runs (wake_on) WHERE wake_on IS NOT NULL;
CREATE INDEX task_runs_held ON task_runs (worker) WHERE state IN ('starting', 'running', 'stopping');
CREATE INDEX task_runs_pooled ON task_runs (pool) WHERE pool IS NOT NULL AND state IN ('starting', 'running', 'stopping');
CREATE TABLE events (
    id {id},
    run BIGINT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    task_run BIGINT,
    at BIGINT NOT NULL,
    event TEXT NOT NULL,
    state TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    detail TEXT
);
CREATE INDEX events_of_run ON events (run, id);
CREATE TABLE workers (
    id {id},
    name TEXT NOT NULL,
    host TEXT NOT NULL,
    process TEXT NOT NULL,
    labels TEXT NOT NULL,
    slots BIGINT NOT NULL,
    own BIGINT NOT NULL,
    state TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    beat_at BIGINT NOT NULL
);
CREATE INDEX workers_alive ON workers (beat_at) WHERE state <> 'gone';
CREATE TABLE secret_keys (
    id {id},
    wrapped {bytes} NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE TABLE secrets (
    name TEXT NOT NULL PRIMARY KEY,
    secret_key BIGINT NOT NULL REFERENCES secret_keys (id),
    sealed {bytes} NOT NULL,
    updated_at BIGINT NOT NULL
);
";

/// Who may do what, and what they did. Of sessions and tokens only hashes are here.
const SECOND: &str = "
ALTER TABLE backfills ADD COLUMN identity TEXT;
CREATE UNIQUE INDEX backfills_by_identity ON backfills (identity);
CREATE TABLE users (
    id {id},
    name TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL,
    email TEXT,
    password_hash TEXT,
    role TEXT NOT NULL,
    disabled BIGINT NOT NULL DEFAULT 0,
    issuer TEXT,
    subject TEXT,
    version BIGINT NOT NULL DEFAULT 1,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (issuer, subject)
);
CREATE TABLE grants (
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    tag TEXT NOT NULL,
    role TEXT NOT NULL,
    PRIMARY KEY (user_id, tag)
);
CREATE TABLE sessions (
    hash {bytes} NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_of_user ON sessions (user_id, seen_at);
CREATE INDEX sessions_expiring ON sessions (expires_at);
CREATE TABLE tokens (
    id {id},
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    hash {bytes} NOT NULL,
    role TEXT NOT NULL,
    tags TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT,
    UNIQUE (user_id, name)
);
CREATE TABLE audit_log (
    number BIGINT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    outcome TEXT NOT NULL,
    address TEXT,
    detail TEXT,
    hash {bytes} NOT NULL
);
CREATE INDEX audit_log_by_actor ON audit_log (actor, number);
CREATE INDEX audit_log_by_action ON audit_log (action, number);
CREATE INDEX audit_log_by_object ON audit_log (object, number);
CREATE INDEX audit_log_by_time ON audit_log (at);
CREATE TABLE settings (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);
";

/// How far syncs are that are at work, and what was moved in each hour. Of runs that ended the state can be counted without
/// a look at them.
const THIRD: &str = "
CREATE TABLE progress (
    task_run BIGINT NOT NULL PRIMARY KEY,
    run BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    at BIGINT NOT NULL,
    figures TEXT NOT NULL
);
CREATE INDEX progress_of_run ON progress (run);
CREATE TABLE moved (
    hour BIGINT NOT NULL,
    worker BIGINT NOT NULL,
    moved_rows BIGINT NOT NULL,
    moved_bytes BIGINT NOT NULL,
    PRIMARY KEY (hour, worker)
);
DROP INDEX runs_ended;
CREATE INDEX runs_ended ON runs (ended_at, state) WHERE ended_at IS NOT NULL;
";

/// What was asked for under a key: the same key with something else is refused.
const FOURTH: &str = "
ALTER TABLE runs ADD COLUMN input TEXT;
ALTER TABLE backfills ADD COLUMN input TEXT;
";

/// The catalogue: what is known of datasets and written about them, the last versions of their columns, their last loads, and
/// what was made from what. A dataset that was only read has no updates. The last loads are kept in slots that are used in turn.
const FIFTH: &str = "
ALTER TABLE datasets ADD COLUMN seen_at BIGINT;
ALTER TABLE datasets ADD COLUMN rows_estimate BIGINT;
ALTER TABLE datasets ADD COLUMN bytes_estimate BIGINT;
ALTER TABLE datasets ADD COLUMN schema_version BIGINT;
ALTER TABLE datasets ADD COLUMN schema_hash TEXT;
ALTER TABLE datasets ADD COLUMN owner TEXT;
ALTER TABLE datasets ADD COLUMN description TEXT;
ALTER TABLE datasets ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';
ALTER TABLE datasets ADD COLUMN version BIGINT NOT NULL DEFAULT 0;
UPDATE datasets SET seen_at = updated_at;
CREATE INDEX datasets_seen ON datasets (seen_at);
CREATE TABLE dataset_columns (
    dataset TEXT NOT NULL REFERENCES datasets (name) ON DELETE CASCADE,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    tags TEXT NOT NULL,
    PRIMARY KEY (dataset, name)
);
CREATE TABLE dataset_schemas (
    dataset TEXT NOT NULL REFERENCES datasets (name) ON DELETE CASCADE,
    version BIGINT NOT NULL,
    names TEXT NOT NULL,
    columns TEXT NOT NULL,
    left_out BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    run BIGINT NOT NULL,
    PRIMARY KEY (dataset, version)
);
CREATE TABLE dataset_loads (
    dataset TEXT NOT NULL REFERENCES datasets (name) ON DELETE CASCADE,
    slot BIGINT NOT NULL,
    number BIGINT NOT NULL,
    run BIGINT NOT NULL,
    pipeline TEXT NOT NULL,
    task TEXT NOT NULL,
    at BIGINT NOT NULL,
    rows_read BIGINT,
    rows_written BIGINT,
    rows_rejected BIGINT,
    bytes BIGINT,
    sources TEXT NOT NULL,
    PRIMARY KEY (dataset, slot)
);
CREATE INDEX dataset_loads_of_run ON dataset_loads (run);
CREATE TABLE lineage (
    target TEXT NOT NULL REFERENCES datasets (name) ON DELETE CASCADE,
    source TEXT NOT NULL REFERENCES datasets (name) ON DELETE CASCADE,
    pipeline TEXT NOT NULL,
    task TEXT NOT NULL,
    columns TEXT NOT NULL,
    hash TEXT NOT NULL,
    left_out BIGINT NOT NULL,
    run BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (target, source, pipeline, task)
);
CREATE INDEX lineage_of_source ON lineage (source);
";

/// What tests of datasets found, in the last runs of each.
const SIXTH: &str = "
CREATE TABLE dataset_tests (
    dataset TEXT NOT NULL REFERENCES datasets (name) ON DELETE CASCADE,
    pipeline TEXT NOT NULL,
    task TEXT NOT NULL,
    test TEXT NOT NULL,
    task_run BIGINT NOT NULL,
    run BIGINT NOT NULL,
    at BIGINT NOT NULL,
    rule TEXT NOT NULL,
    verdict TEXT NOT NULL,
    rows_seen BIGINT,
    rows_failed BIGINT NOT NULL,
    found TEXT,
    wanted TEXT NOT NULL,
    kept BIGINT NOT NULL,
    failing TEXT NOT NULL,
    PRIMARY KEY (dataset, pipeline, task, test, task_run)
);
CREATE INDEX dataset_tests_of_run ON dataset_tests (run);
";

/// Who is told of runs by events, up to where in their history, and what is still to be told. What others tell: their runs, with
/// what each read and wrote, and datasets that no run of this store met, which have the namespace that others gave them. A run of
/// 0 is none of this store's.
const SEVENTH: &str = "
CREATE TABLE lineage_receivers (
    name TEXT NOT NULL PRIMARY KEY,
    last_event BIGINT NOT NULL,
    held_until BIGINT NOT NULL DEFAULT 0,
    failures BIGINT NOT NULL DEFAULT 0,
    next_at BIGINT NOT NULL DEFAULT 0,
    error TEXT,
    pending BIGINT NOT NULL DEFAULT 0,
    pending_bytes BIGINT NOT NULL DEFAULT 0,
    sent BIGINT NOT NULL DEFAULT 0,
    dropped BIGINT NOT NULL DEFAULT 0
);
CREATE TABLE lineage_outbox (
    id {id},
    receiver TEXT NOT NULL REFERENCES lineage_receivers (name) ON DELETE CASCADE,
    bytes BIGINT NOT NULL,
    event TEXT NOT NULL
);
CREATE INDEX lineage_outbox_of ON lineage_outbox (receiver, id);
CREATE TABLE external_runs (
    run TEXT NOT NULL PRIMARY KEY,
    namespace TEXT NOT NULL,
    job TEXT NOT NULL,
    at BIGINT NOT NULL,
    inputs TEXT NOT NULL,
    outputs TEXT NOT NULL
);
CREATE INDEX external_runs_by_time ON external_runs (at);
ALTER TABLE datasets ADD COLUMN namespace TEXT;
ALTER TABLE datasets ADD COLUMN schema_at BIGINT;
ALTER TABLE lineage ADD COLUMN external_run TEXT;
";
