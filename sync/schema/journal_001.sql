-- The device's ledger. A row is never changed once written; acked is a cursor, not a flag on rows.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE event (
    epoch   INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    id      TEXT    NOT NULL UNIQUE,
    type    TEXT    NOT NULL,
    sub     TEXT,
    request TEXT    UNIQUE,
    ts      INTEGER NOT NULL,
    digest  TEXT    NOT NULL,
    raw     BLOB    NOT NULL,
    PRIMARY KEY (epoch, seq)
) WITHOUT ROWID;

-- The last display number handed out, per service and band of one business date.
CREATE TABLE number (
    business_date TEXT    NOT NULL,
    service       TEXT    NOT NULL,
    band          INTEGER NOT NULL,
    last          INTEGER NOT NULL,
    PRIMARY KEY (business_date, service, band)
) WITHOUT ROWID;

PRAGMA user_version = 1;
