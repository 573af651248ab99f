-- What is known of each ticket's slip: the kiosk's own, no event of the feed.
CREATE TABLE paper (
    ticket  TEXT    PRIMARY KEY,
    state   TEXT    NOT NULL,
    attempt INTEGER NOT NULL
) WITHOUT ROWID;

-- "When this file had been served for lived_ms, its newest event was seq": the age of events
-- without a wall clock. Events up to seq are at least (lived_ms now - lived_ms) old.
CREATE TABLE age (
    lived_ms INTEGER PRIMARY KEY,
    seq      INTEGER NOT NULL
);

PRAGMA user_version = 2;
