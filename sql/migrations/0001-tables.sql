-- The tables of mailboxd. mailboxd writes them. Postfix and Dovecot look up domains,
-- addresses, password hashes and homes at any moment.
--
-- Addresses and identifiers are ascii/ascii_bin: other collations match more than
-- they should (for utf8mb4_general_ci, jose equals josé). Times are seconds since
-- 1970-01-01 UTC as integers, because they are cheaper to return than DATETIME; where they
-- are microseconds, a comment says so. Every statement can be repeated, so an interrupted
-- migration is simply run again.

CREATE TABLE IF NOT EXISTS account (
    id            INT UNSIGNED NOT NULL AUTO_INCREMENT,
    name          VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- active; no_login: IMAP, POP3, submission and API are refused, mail still arrives;
    -- disabled: the same, and mail is deferred with 450.
    state         ENUM('active', 'no_login', 'disabled') NOT NULL DEFAULT 'active',
    max_mailboxes INT UNSIGNED NULL,               -- over all its domains; NULL: no limit
    -- If there is a limit, each creation adds 1 here. So creations in all domains of the
    -- account wait for each other, and the limit is exact.
    creations     BIGINT UNSIGNED NOT NULL DEFAULT 0,
    created_at    BIGINT NOT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY account_name (name),
    UNIQUE KEY account_state (id, state)           -- for api_key
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS domain (
    id            INT UNSIGNED NOT NULL AUTO_INCREMENT,
    account_id    INT UNSIGNED NOT NULL,
    name          VARCHAR(253) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    state         ENUM('active', 'no_login', 'disabled') NOT NULL DEFAULT 'active',
    on_duplicate  ENUM('reject', 'update') NOT NULL DEFAULT 'reject',
    max_mailboxes INT UNSIGNED NULL,               -- NULL: no limit
    quota_bytes   BIGINT UNSIGNED NULL,            -- of a mailbox that has none of its own; NULL: no limit
    -- How many mailboxes there are, and the last id that was given out. Both change in the
    -- transaction that adds or removes mailboxes. Because of this update such transactions
    -- of one domain wait for each other, so ids become visible in their order.
    mailboxes     INT UNSIGNED NOT NULL DEFAULT 0,
    last_id       INT UNSIGNED NOT NULL DEFAULT 0,
    -- Changes with each change to this row and to the size of a mailbox, so with everything that
    -- a list of the domain shows: a page that was made at a version is correct while the domain is
    -- at that version. No version is given twice, not even by a server that takes over or was
    -- restored. (After changing a row of mailbox by hand, UPDATE the domain's row.)
    version       BIGINT UNSIGNED NOT NULL DEFAULT 0,
    created_at    BIGINT NOT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY domain_name (name),
    CONSTRAINT domain_account FOREIGN KEY (account_id) REFERENCES account (id)
) ENGINE = InnoDB;

-- Runs with every change to the row, by any program. (63 bits, because the service reads a signed
-- number.)
CREATE TRIGGER IF NOT EXISTS domain_changed BEFORE UPDATE ON domain
    FOR EACH ROW SET NEW.version = UUID_SHORT() & 9223372036854775807;

CREATE TABLE IF NOT EXISTS api_key (
    id            CHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,  -- public part of the key
    hash          BINARY(32) NOT NULL,             -- SHA-256 of the whole key
    account_id    INT UNSIGNED NOT NULL,
    -- The account's state. The foreign key keeps it the same, so a request that reads its key
    -- need not read the account.
    account_state ENUM('active', 'no_login', 'disabled') NOT NULL DEFAULT 'active',
    domain_id     INT UNSIGNED NULL,               -- narrowed to this domain
    read_only     TINYINT UNSIGNED NOT NULL DEFAULT 0,
    addresses     VARCHAR(1000) CHARACTER SET ascii COLLATE ascii_bin NULL, -- client ranges, "192.0.2.0/24 2001:db8::/32"
    label         VARCHAR(100) CHARACTER SET utf8mb4 NOT NULL DEFAULT '',
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NULL,
    revoked_at    BIGINT NULL,
    -- Until when the key is valid from any address; 0: it is revoked, or valid from some addresses only.
    good_until    BIGINT AS (IF(revoked_at IS NULL AND addresses IS NULL, COALESCE(expires_at, 9223372036854775807), 0)) STORED,
    PRIMARY KEY (id),
    CONSTRAINT api_key_account FOREIGN KEY (account_id, account_state) REFERENCES account (id, state) ON UPDATE CASCADE,
    CONSTRAINT api_key_domain FOREIGN KEY (domain_id) REFERENCES domain (id) ON DELETE CASCADE
) ENGINE = InnoDB;

-- Clustered by domain and order of creation, so a page of the list is one range of one
-- B-tree. The id counts from 1 in each domain.
CREATE TABLE IF NOT EXISTS mailbox (
    domain_id     INT UNSIGNED NOT NULL,
    id            INT UNSIGNED NOT NULL,
    local_part    VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    created_at    BIGINT NOT NULL,
    size_bytes    BIGINT UNSIGNED NOT NULL DEFAULT 0,  -- copied from mailbox_usage by its triggers
    state         ENUM('active', 'no_login', 'disabled') NOT NULL DEFAULT 'active',
    -- Random, 128 bits in hexadecimal. The home in the mail store and the name inside
    -- Dovecot are made from it, never from the address. So an address that is deleted and
    -- created again is a new mailbox.
    storage_id    CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    password      VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,  -- {SCHEME}hash
    -- Counts up with each change that ends the open sessions. A user who logs in gets the name
    -- <storage_id>.<generation>@<domain>, so sessions from before the change differ from later
    -- ones.
    generation    INT UNSIGNED NOT NULL DEFAULT 1,
    quota_bytes   BIGINT UNSIGNED NULL,            -- NULL: as the domain says; 0: no limit
    PRIMARY KEY (domain_id, id),
    UNIQUE KEY mailbox_address (domain_id, local_part),
    UNIQUE KEY mailbox_storage (storage_id),
    CONSTRAINT mailbox_domain FOREIGN KEY (domain_id) REFERENCES domain (id)
) ENGINE = InnoDB;

-- How many mailboxes a domain has in each range of 65,536 ids, and in each fine range of 128
-- ids (a byte each, up to the last one that has any). The list finds the place for `skip` by
-- adding up a few of these counts instead of stepping over a million mailboxes
-- (src/db/skip_index.h draws it).
CREATE TABLE IF NOT EXISTS mailbox_range (
    domain_id     INT UNSIGNED NOT NULL,
    number        INT UNSIGNED NOT NULL,           -- id divided by the range's width
    mailboxes     INT UNSIGNED NOT NULL,
    counts        VARBINARY(512) NOT NULL,
    PRIMARY KEY (domain_id, number),
    CONSTRAINT mailbox_range_domain FOREIGN KEY (domain_id) REFERENCES domain (id) ON DELETE CASCADE
) ENGINE = InnoDB;

-- Written by Dovecot (quota_clone), whose users are named <storage_id>@<domain>, or as described
-- above after a login. The foreign key makes a late write for a deleted mailbox fail.
CREATE TABLE IF NOT EXISTS mailbox_usage (
    username      VARCHAR(297) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    storage_id    CHAR(32) CHARACTER SET ascii COLLATE ascii_bin AS (LEFT(username, 32)) STORED,
    bytes         BIGINT UNSIGNED NOT NULL DEFAULT 0,
    messages      BIGINT UNSIGNED NOT NULL DEFAULT 0,
    PRIMARY KEY (username),
    UNIQUE KEY mailbox_usage_storage (storage_id),
    CONSTRAINT mailbox_usage_mailbox FOREIGN KEY (storage_id) REFERENCES mailbox (storage_id) ON DELETE CASCADE
) ENGINE = InnoDB;

-- The list reads the size from the mailbox's own row. With a look-up in mailbox_usage for each
-- row, a page of 100 cost 3.5 times as much, one of 1000 up to 12 times.
CREATE TRIGGER IF NOT EXISTS mailbox_usage_inserted AFTER INSERT ON mailbox_usage
    FOR EACH ROW UPDATE mailbox SET size_bytes = NEW.bytes WHERE storage_id = NEW.storage_id;
CREATE TRIGGER IF NOT EXISTS mailbox_usage_updated AFTER UPDATE ON mailbox_usage
    FOR EACH ROW UPDATE mailbox SET size_bytes = NEW.bytes WHERE storage_id = NEW.storage_id;

-- Locks the domain's row before the mailbox's, as the service does. In the other order the two could wait for each other.
-- (The assignment is there to run domain_changed; its value does not matter.)
CREATE TRIGGER IF NOT EXISTS mailbox_usage_inserts BEFORE INSERT ON mailbox_usage
    FOR EACH ROW UPDATE domain SET version = 0 WHERE name = SUBSTRING_INDEX(NEW.username, '@', -1);
CREATE TRIGGER IF NOT EXISTS mailbox_usage_updates BEFORE UPDATE ON mailbox_usage
    FOR EACH ROW UPDATE domain SET version = 0 WHERE name = SUBSTRING_INDEX(NEW.username, '@', -1);

-- When a mailbox was last used, in seconds; 0: not yet. Written by Dovecot (last_login), for an
-- operator who has to find out why mail does not arrive.
CREATE TABLE IF NOT EXISTS mailbox_activity (
    storage_id    CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    last_login    BIGINT NOT NULL DEFAULT 0,
    last_delivery BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (storage_id),
    CONSTRAINT mailbox_activity_mailbox FOREIGN KEY (storage_id) REFERENCES mailbox (storage_id) ON DELETE CASCADE
) ENGINE = InnoDB;

-- Everything that a deleted mailbox had, for restore within the grace period and for purge
-- after it. No foreign key, because the rows outlive their domain.
CREATE TABLE IF NOT EXISTS deleted_mailbox (
    storage_id    CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    domain_id     INT UNSIGNED NOT NULL,
    domain        VARCHAR(253) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    local_part    VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    created_at    BIGINT NOT NULL,
    size_bytes    BIGINT UNSIGNED NOT NULL,
    state         ENUM('active', 'no_login', 'disabled') NOT NULL,
    password      VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    generation    INT UNSIGNED NOT NULL,
    quota_bytes   BIGINT UNSIGNED NULL,
    deleted_at    BIGINT NOT NULL,
    deleted_by    VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,  -- key id, or operator
    purged_at     BIGINT NULL,                     -- its mail is being removed since then: no way back
    PRIMARY KEY (storage_id),
    KEY deleted_mailbox_address (domain, local_part),
    KEY deleted_mailbox_time (deleted_at),
    KEY deleted_mailbox_purge (purged_at)
) ENGINE = InnoDB;

-- The mailboxes whose open sessions must be checked; an empty storage_id means all mailboxes.
-- Written with the change that makes the check necessary. The janitor ends the sessions that are
-- not allowed any more, and removes the row.
CREATE TABLE IF NOT EXISTS session_end (
    id            BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    storage_id    CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    since         BIGINT NOT NULL,
    PRIMARY KEY (id)
) ENGINE = InnoDB;

-- One row for each change: who made it, and what it was, written in the same transaction. The
-- service chooses the primary key. If a COMMIT gets no answer, it looks for that key to find out
-- whether the transaction was committed.
CREATE TABLE IF NOT EXISTS audit_log (
    at            BIGINT NOT NULL,                 -- microseconds since 1970
    id            BIGINT NOT NULL,                 -- random
    actor         VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,  -- key id, or operator
    client        VARCHAR(45) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,  -- address it called from
    action        VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    domain        VARCHAR(253) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    local_part    VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    PRIMARY KEY (at, id),
    KEY audit_log_address (domain, local_part),
    KEY audit_log_actor (actor)
) ENGINE = InnoDB;

-- How much each mailbox sends over submission, for the limit that Postfix asks about
-- (sql/postfix/mailboxd-submission.cf). Postfix has limits per client address only.

CREATE TABLE IF NOT EXISTS submission_rate (
    storage_id    CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    since         BIGINT NOT NULL,                 -- the span that is being counted began then
    recipients    INT UNSIGNED NOT NULL,           -- how many since
    PRIMARY KEY (storage_id),
    CONSTRAINT submission_rate_mailbox FOREIGN KEY (storage_id) REFERENCES mailbox (storage_id) ON DELETE CASCADE
) ENGINE = InnoDB;

-- Counts one more recipient for the user who has logged in as <storage_id>. Returns how many
-- that makes within the last span of so many seconds; 0 if the user is not a mailbox of ours.
-- (A line that ends with a semicolon ends the statement, so the inner semicolons begin lines.)
CREATE FUNCTION IF NOT EXISTS submission_count(user VARCHAR(64) CHARACTER SET ascii, seconds INT UNSIGNED) RETURNS INT UNSIGNED
    MODIFIES SQL DATA
BEGIN
    INSERT INTO submission_rate (storage_id, since, recipients)
        SELECT storage_id, UNIX_TIMESTAMP(), 1 FROM mailbox WHERE storage_id = user
        ON DUPLICATE KEY UPDATE
            recipients = IF(submission_rate.since + seconds <= UNIX_TIMESTAMP(), 1, submission_rate.recipients + 1),
            since = IF(submission_rate.since + seconds <= UNIX_TIMESTAMP(), UNIX_TIMESTAMP(), submission_rate.since)
    ; RETURN COALESCE((SELECT recipients FROM submission_rate WHERE storage_id = user), 0)
    ; END;
