-- The embedded engine's store. Moments are milliseconds since 1970, structures are JSON.

CREATE TABLE meta (          -- one row each: secret
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE uptime (        -- one row for each time that an engine ran without a break
    id         INTEGER PRIMARY KEY,
    opened_at  INTEGER NOT NULL,
    last_alive INTEGER NOT NULL
);

CREATE TABLE domain (
    name        TEXT PRIMARY KEY,
    status      TEXT NOT NULL,
    description TEXT,
    retention   TEXT NOT NULL,
    tags        TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE type (
    domain        TEXT NOT NULL,
    kind          TEXT NOT NULL,
    name          TEXT NOT NULL,
    version       TEXT NOT NULL,
    status        TEXT NOT NULL,
    description   TEXT,
    created_at    INTEGER NOT NULL,
    deprecated_at INTEGER,
    defaults      TEXT NOT NULL,
    PRIMARY KEY (domain, kind, name, version)
) WITHOUT ROWID;

CREATE TABLE execution (     -- what lists and counts need; closed_at is NULL while it is open
                             -- event_count: while it is open, of some seconds ago; origin: who started or attached it
                             -- seal: a SHA-256, shortened, over the other columns
    key          INTEGER PRIMARY KEY,
    domain       TEXT NOT NULL,
    workflow_id  TEXT NOT NULL,
    run_id       TEXT NOT NULL,
    type_name    TEXT NOT NULL,
    type_version TEXT NOT NULL,
    started_at   INTEGER NOT NULL,
    parent       TEXT,
    tags         TEXT,
    closed_at    INTEGER,
    close_status TEXT,
    event_count  INTEGER NOT NULL,
    origin       TEXT,
    seal         BLOB NOT NULL,
    UNIQUE (domain, workflow_id, run_id)
);

CREATE TABLE event (         -- chain: SHA-256 over the chain of the event before and this event
    execution  INTEGER NOT NULL,
    id         INTEGER NOT NULL,
    type       TEXT NOT NULL,
    timestamp  INTEGER NOT NULL,
    attributes TEXT NOT NULL,
    chain      BLOB NOT NULL,
    PRIMARY KEY (execution, id)
) WITHOUT ROWID;

CREATE TABLE log (           -- bytes: of the texts of this execution's records up to this one, those that went included
    execution  INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    timestamp  INTEGER NOT NULL,
    task       TEXT,
    started    INTEGER,
    source     TEXT NOT NULL,
    text       TEXT NOT NULL,
    PRIMARY KEY (execution, number)
) WITHOUT ROWID;

CREATE TABLE process (       -- what processes that had sessions define or defined, in the order in which they came
    number   INTEGER PRIMARY KEY,
    instance TEXT NOT NULL UNIQUE,
    record   TEXT NOT NULL
);

CREATE TABLE request (       -- the requests of clients that were carried out last, by the ids that the clients gave them
    number INTEGER PRIMARY KEY,
    id     TEXT NOT NULL,
    at     INTEGER NOT NULL,
    answer TEXT NOT NULL
);
