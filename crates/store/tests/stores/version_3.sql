CREATE TABLE meta (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
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
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    pipeline TEXT NOT NULL,
    params TEXT NOT NULL,
    times TEXT NOT NULL,
    total BIGINT NOT NULL,
    next BIGINT NOT NULL DEFAULT 0,
    concurrency BIGINT NOT NULL,
    state TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    ended_at BIGINT
, identity TEXT);
CREATE INDEX backfills_open ON backfills (id) WHERE ended_at IS NULL;
CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
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
CREATE TABLE task_runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
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
    id INTEGER PRIMARY KEY AUTOINCREMENT,
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
    id INTEGER PRIMARY KEY AUTOINCREMENT,
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
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    wrapped BLOB NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE TABLE secrets (
    name TEXT NOT NULL PRIMARY KEY,
    secret_key BIGINT NOT NULL REFERENCES secret_keys (id),
    sealed BLOB NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX backfills_by_identity ON backfills (identity);
CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
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
    hash BLOB NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_of_user ON sessions (user_id, seen_at);
CREATE INDEX sessions_expiring ON sessions (expires_at);
CREATE TABLE tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    hash BLOB NOT NULL,
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
    hash BLOB NOT NULL
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
CREATE INDEX runs_ended ON runs (ended_at, state) WHERE ended_at IS NOT NULL;
INSERT INTO meta VALUES ('version', '3');
INSERT INTO meta VALUES ('audit_head', '1:53c30219e77f83319e520e6f9f6131a1fe63a01326942cf6e34a04814c3ef2a6');
INSERT INTO documents VALUES (1, 'pipeline', 'p', 1, 'pipelines/p.yaml', 'name: p # Graph { nodes: [Node { name: "t0", kind: "command", after: [], when: AllSucceeded, retry: Retry { attempts: 1, backoff: Exponential, initial: 1s, max: 60s }, lost_max: 2, timeout: None, pool: None, priority: 0, runs_on: [], fan_out: None }, Node { name: "t1", kind: "command", after: [0], when: AllSucceeded, retry: Retry { attempts: 1, backoff: Exponential, initial: 1s, max: 60s }, lost_max: 2, timeout: None, pool: None, priority: 0, runs_on: [], fan_out: None }, Node { name: "t2", kind: "command", after: [1], when: AllSucceeded, retry: Retry { attempts: 1, backoff: Exponential, initial: 1s, max: 60s }, lost_max: 2, timeout: None, pool: None, priority: 0, runs_on: [], fan_out: None }], concurrency: None, priority: 0 }', '7c2213cc10433e30155f343b27a04fe1e2e96275a075d00a6e5fd4b08b665f65', '{"nodes":[{"name":"t0","kind":"command","after":[],"when":"all_succeeded","retry":{"attempts":1,"backoff":"exponential","initial":{"secs":1,"nanos":0},"max":{"secs":60,"nanos":0}},"lost_max":2,"timeout":null,"pool":null,"priority":0,"runs_on":[],"fan_out":null},{"name":"t1","kind":"command","after":[0],"when":"all_succeeded","retry":{"attempts":1,"backoff":"exponential","initial":{"secs":1,"nanos":0},"max":{"secs":60,"nanos":0}},"lost_max":2,"timeout":null,"pool":null,"priority":0,"runs_on":[],"fan_out":null},{"name":"t2","kind":"command","after":[1],"when":"all_succeeded","retry":{"attempts":1,"backoff":"exponential","initial":{"secs":1,"nanos":0},"max":{"secs":60,"nanos":0}},"lost_max":2,"timeout":null,"pool":null,"priority":0,"runs_on":[],"fan_out":null}],"concurrency":null,"priority":0}', 1700000000000000);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES ('workers', 1);
INSERT INTO sqlite_sequence VALUES ('documents', 1);
INSERT INTO sqlite_sequence VALUES ('runs', 3);
INSERT INTO sqlite_sequence VALUES ('task_runs', 9);
INSERT INTO sqlite_sequence VALUES ('events', 16);
INSERT INTO sqlite_sequence VALUES ('secret_keys', 1);
INSERT INTO sqlite_sequence VALUES ('users', 1);
INSERT INTO sqlite_sequence VALUES ('tokens', 1);
INSERT INTO pipelines VALUES ('p', 1, 0, 0);
INSERT INTO runs VALUES (1, 'p', 1, NULL, 'manual', 'ended', NULL, NULL, '{}', NULL, NULL, NULL, NULL, NULL, 'succeeded', 1, 0, 0, 1700000000000000, 1700000000000000, 1700000000000000);
INSERT INTO runs VALUES (2, 'p', 1, NULL, 'manual', 'lost', NULL, NULL, '{}', NULL, NULL, NULL, NULL, NULL, 'running', 1, 0, 2, 1700000000000000, 1700000000000000, NULL);
INSERT INTO runs VALUES (3, 'p', 1, NULL, 'manual', 'queued', NULL, NULL, '{}', NULL, NULL, NULL, NULL, NULL, 'queued', 1, 0, 3, 1700000000000000, NULL, NULL);
INSERT INTO task_runs VALUES (1, 1, 0, 't0', -1, NULL, 'succeeded', 2, 1, 0, 1, 0, 0, 1, NULL, NULL, 0, NULL, 0, '', NULL, NULL, NULL, 1700000000000000, 1700000000000000);
INSERT INTO task_runs VALUES (2, 1, 1, 't1', -1, NULL, 'succeeded', 2, 1, 0, 1, 0, 0, 1, NULL, NULL, 0, NULL, 0, '', NULL, NULL, NULL, 1700000000000000, 1700000000000000);
INSERT INTO task_runs VALUES (3, 1, 2, 't2', -1, NULL, 'succeeded', 2, 1, 0, 1, 0, 0, 1, NULL, NULL, 0, NULL, 0, '', NULL, NULL, NULL, 1700000000000000, 1700000000000000);
INSERT INTO task_runs VALUES (4, 2, 0, 't0', -1, NULL, 'succeeded', 2, 1, 0, 1, 0, 0, 1, NULL, NULL, 0, NULL, 0, '', NULL, NULL, NULL, 1700000000000000, 1700000000000000);
INSERT INTO task_runs VALUES (5, 2, 1, 't1', -1, NULL, 'queued', 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, 0, NULL, 0, '', NULL, NULL, NULL, NULL, NULL);
INSERT INTO task_runs VALUES (6, 2, 2, 't2', -1, NULL, 'queued', 0, 0, 1, 0, 0, 0, NULL, NULL, NULL, 0, NULL, 0, '', NULL, NULL, NULL, NULL, NULL);
INSERT INTO task_runs VALUES (7, 3, 0, 't0', -1, NULL, 'queued', 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, 0, NULL, 0, '', NULL, NULL, NULL, NULL, NULL);
INSERT INTO task_runs VALUES (8, 3, 1, 't1', -1, NULL, 'queued', 0, 0, 1, 0, 0, 0, NULL, NULL, NULL, 0, NULL, 0, '', NULL, NULL, NULL, NULL, NULL);
INSERT INTO task_runs VALUES (9, 3, 2, 't2', -1, NULL, 'queued', 0, 0, 1, 0, 0, 0, NULL, NULL, NULL, 0, NULL, 0, '', NULL, NULL, NULL, NULL, NULL);
INSERT INTO events VALUES (1, 1, NULL, 1700000000000000, 'created', 'queued', 0, NULL);
INSERT INTO events VALUES (2, 1, 1, 1700000000000000, 'claimed', 'starting', 1, NULL);
INSERT INTO events VALUES (3, 1, 1, 1700000000000000, 'started', 'running', 1, NULL);
INSERT INTO events VALUES (4, 1, 1, 1700000000000000, 'finished', 'succeeded', 1, NULL);
INSERT INTO events VALUES (5, 1, 2, 1700000000000000, 'claimed', 'starting', 1, NULL);
INSERT INTO events VALUES (6, 1, 2, 1700000000000000, 'started', 'running', 1, NULL);
INSERT INTO events VALUES (7, 1, 2, 1700000000000000, 'finished', 'succeeded', 1, NULL);
INSERT INTO events VALUES (8, 1, 3, 1700000000000000, 'claimed', 'starting', 1, NULL);
INSERT INTO events VALUES (9, 1, 3, 1700000000000000, 'started', 'running', 1, NULL);
INSERT INTO events VALUES (10, 1, 3, 1700000000000000, 'finished', 'succeeded', 1, NULL);
INSERT INTO events VALUES (11, 1, NULL, 1700000000000000, 'ended', 'succeeded', 0, NULL);
INSERT INTO events VALUES (12, 2, NULL, 1700000000000000, 'created', 'queued', 0, NULL);
INSERT INTO events VALUES (13, 2, 4, 1700000000000000, 'claimed', 'starting', 1, NULL);
INSERT INTO events VALUES (14, 2, 4, 1700000000000000, 'started', 'running', 1, NULL);
INSERT INTO events VALUES (15, 2, 4, 1700000000000000, 'finished', 'succeeded', 1, NULL);
INSERT INTO events VALUES (16, 3, NULL, 1700000000000000, 'created', 'queued', 0, NULL);
INSERT INTO workers VALUES (1, 'one', 'here', '1', '', 10, 0, 'gone', 1700000000000000, 1700000000000000);
INSERT INTO secret_keys VALUES (1, X'01130A2D219243A736124B5EF2BF2478F1EC9CDA5F9299803B613E238FB1CC53399DDFCC3161F9C514F7DBB4B760ABFA75E2FEE929BC485C08B9386A41261D9F6839929D7E11FA5C18', 1700000000000000);
INSERT INTO secrets VALUES ('dw', 1, X'01CF3AE88AB431F309BF53B2F99D94D3CA049E92AB3ECBE778EA6B7EB13EA72934D0416D83E65A0ADABE2B9905EC', 1700000000000000);
INSERT INTO users VALUES (1, 'ada', 'ADA', NULL, NULL, 'admin', 0, NULL, NULL, 1, 1700000000000000, 1700000000000000);
INSERT INTO grants VALUES (1, 'hr', 'editor');
INSERT INTO sessions VALUES (X'0101010101010101010101010101010101010101010101010101010101010101', 1, 1700000000000000, 1700000000000000, 1702592000000000);
INSERT INTO tokens VALUES (1, 1, 'ci', X'0707070707070707070707070707070707070707070707070707070707070707', 'operator', NULL, 1700000000000000, 1700000100000000, NULL);
INSERT INTO audit_log VALUES (1, 1700000000000000, 'ada', '', '', '', NULL, NULL, X'53C30219E77F83319E520E6F9F6131A1FE63A01326942CF6E34A04814C3EF2A6');
INSERT INTO settings VALUES ('theme', '1', 1700000000000000);
