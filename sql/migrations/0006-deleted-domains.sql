-- Everything that a removed domain had, for `mailboxctl domain restore` within deleted_for. Its mailboxes are in
-- deleted_mailbox, its suspended names in suspended_name. Both refer to its id, which it gets again.

CREATE TABLE IF NOT EXISTS deleted_domain (
    id               INT UNSIGNED NOT NULL,          -- that it had
    account_id       INT UNSIGNED NOT NULL,
    account          VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,  -- its name then; it may be removed since
    name             VARCHAR(253) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    unicode_name     VARCHAR(253) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    state            ENUM('active', 'no_login', 'disabled') NOT NULL,
    on_duplicate     ENUM('reject', 'update') NOT NULL,
    allow_delete_all TINYINT UNSIGNED NOT NULL,
    max_mailboxes    INT UNSIGNED NULL,
    quota_bytes      BIGINT UNSIGNED NULL,
    last_id          INT UNSIGNED NOT NULL,
    created_at       BIGINT NOT NULL,
    deleted_at       BIGINT NOT NULL,
    PRIMARY KEY (id),
    KEY deleted_domain_name (name),
    KEY deleted_domain_time (deleted_at)
) ENGINE = InnoDB;

-- The keys that were for a removed domain only.
CREATE TABLE IF NOT EXISTS deleted_key (
    id            CHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    hash          BINARY(32) NOT NULL,
    domain_id     INT UNSIGNED NOT NULL,
    read_only     TINYINT UNSIGNED NOT NULL,
    addresses     VARCHAR(1000) CHARACTER SET ascii COLLATE ascii_bin NULL,
    label         VARCHAR(100) CHARACTER SET utf8mb4 NOT NULL,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NULL,
    revoked_at    BIGINT NULL,
    PRIMARY KEY (id),
    CONSTRAINT deleted_key_domain FOREIGN KEY (domain_id) REFERENCES deleted_domain (id) ON DELETE CASCADE
) ENGINE = InnoDB;

-- with_domain: the mailbox was deleted together with its domain, not before. place: its place in the domain's order
-- then; 0: not known.
SET @mailboxd_statement = IF(
    (SELECT COUNT(*) FROM information_schema.columns
        WHERE table_schema = DATABASE() AND table_name = 'deleted_mailbox' AND column_name = 'with_domain') = 0,
    'ALTER TABLE deleted_mailbox ADD COLUMN with_domain TINYINT UNSIGNED NOT NULL DEFAULT 0, ADD COLUMN place INT UNSIGNED NOT NULL DEFAULT 0',
    'DO 0');
PREPARE mailboxd_statement FROM @mailboxd_statement;
EXECUTE mailboxd_statement;
DEALLOCATE PREPARE mailboxd_statement;
