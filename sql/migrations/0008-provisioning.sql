-- What provisioning over HTTP needs: a limit of domains for each account, keys of the operator, sums that are kept, and
-- the answers of requests that a client may repeat.

-- How many domains the keys of the account may have; 0: only the operator adds and removes its domains.
SET @mailboxd_statement = IF(
    (SELECT COUNT(*) FROM information_schema.columns
        WHERE table_schema = DATABASE() AND table_name = 'account' AND column_name = 'max_domains') = 0,
    'ALTER TABLE account ADD COLUMN max_domains INT UNSIGNED NOT NULL DEFAULT 0 AFTER max_mailboxes, ADD COLUMN updated_at BIGINT NOT NULL DEFAULT 0 AFTER created_at',
    'DO 0');
PREPARE mailboxd_statement FROM @mailboxd_statement;
EXECUTE mailboxd_statement;
DEALLOCATE PREPARE mailboxd_statement;

-- A key without an account is a key of the operator. It always has addresses.
SET @mailboxd_statement = IF(
    (SELECT COUNT(*) FROM information_schema.columns
        WHERE table_schema = DATABASE() AND table_name = 'api_key' AND column_name = 'account_id' AND is_nullable = 'YES') = 0,
    'ALTER TABLE api_key MODIFY COLUMN account_id INT UNSIGNED NULL',
    'DO 0');
PREPARE mailboxd_statement FROM @mailboxd_statement;
EXECUTE mailboxd_statement;
DEALLOCATE PREPARE mailboxd_statement;

-- What clients store with a key and read again; neither changes what the key may do.
SET @mailboxd_statement = IF(
    (SELECT COUNT(*) FROM information_schema.columns
        WHERE table_schema = DATABASE() AND table_name = 'api_key' AND column_name = 'kind') = 0,
    'ALTER TABLE api_key ADD COLUMN kind ENUM(''user'', ''domain'', ''web'') NOT NULL DEFAULT ''user'' AFTER label, ADD COLUMN user_name VARCHAR(100) CHARACTER SET utf8mb4 NOT NULL DEFAULT '''' AFTER kind',
    'DO 0');
PREPARE mailboxd_statement FROM @mailboxd_statement;
EXECUTE mailboxd_statement;
DEALLOCATE PREPARE mailboxd_statement;

SET @mailboxd_statement = IF(
    (SELECT COUNT(*) FROM information_schema.columns
        WHERE table_schema = DATABASE() AND table_name = 'deleted_key' AND column_name = 'kind') = 0,
    'ALTER TABLE deleted_key ADD COLUMN kind ENUM(''user'', ''domain'', ''web'') NOT NULL DEFAULT ''user'' AFTER label, ADD COLUMN user_name VARCHAR(100) CHARACTER SET utf8mb4 NOT NULL DEFAULT '''' AFTER kind',
    'DO 0');
PREPARE mailboxd_statement FROM @mailboxd_statement;
EXECUTE mailboxd_statement;
DEALLOCATE PREPARE mailboxd_statement;

-- size_bytes: the sum over the domain's mailboxes. The triggers keep it, whichever program changes a mailbox.
SET @mailboxd_statement = IF(
    (SELECT COUNT(*) FROM information_schema.columns
        WHERE table_schema = DATABASE() AND table_name = 'domain' AND column_name = 'size_bytes') = 0,
    'ALTER TABLE domain ADD COLUMN size_bytes BIGINT UNSIGNED NOT NULL DEFAULT 0 AFTER mailboxes',
    'DO 0');
PREPARE mailboxd_statement FROM @mailboxd_statement;
EXECUTE mailboxd_statement;
DEALLOCATE PREPARE mailboxd_statement;

-- IF, not WHERE: a change that leaves the size alone must not lock the domain's row. The transactions that change a size
-- have locked it before. A wrong sum must not make a delivery fail, hence the second IF.
-- (A line that ends with a semicolon ends the statement, so the inner semicolons begin lines.)
CREATE TRIGGER IF NOT EXISTS mailbox_sized AFTER UPDATE ON mailbox
    FOR EACH ROW IF NEW.size_bytes <> OLD.size_bytes THEN
        UPDATE domain SET size_bytes =
            IF(size_bytes + NEW.size_bytes > OLD.size_bytes, size_bytes + NEW.size_bytes - OLD.size_bytes, 0)
            WHERE id = NEW.domain_id
    ; END IF;
CREATE TRIGGER IF NOT EXISTS mailbox_size_added AFTER INSERT ON mailbox
    FOR EACH ROW IF NEW.size_bytes > 0 THEN
        UPDATE domain SET size_bytes = size_bytes + NEW.size_bytes WHERE id = NEW.domain_id
    ; END IF;
CREATE TRIGGER IF NOT EXISTS mailbox_size_taken AFTER DELETE ON mailbox
    FOR EACH ROW IF OLD.size_bytes > 0 THEN
        UPDATE domain SET size_bytes = IF(size_bytes > OLD.size_bytes, size_bytes - OLD.size_bytes, 0)
            WHERE id = OLD.domain_id
    ; END IF;

-- The locking read waits for deliveries that are not committed yet. A sum that is right stays as it is, with the version
-- of its domain.
UPDATE domain d SET d.size_bytes =
    (SELECT COALESCE(SUM(m.size_bytes), 0) FROM mailbox m WHERE m.domain_id = d.id LOCK IN SHARE MODE)
    WHERE d.size_bytes <> (SELECT COALESCE(SUM(n.size_bytes), 0) FROM mailbox n WHERE n.domain_id = d.id);

-- The answers of requests with an Idempotency-Key, for a day. `answer` is encrypted with the caller's API key, because it
-- may have a password or a key in it. `request` is an HMAC with that key, so it tells nothing about a password either.
CREATE TABLE IF NOT EXISTS idempotent_request (
    key_id        CHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    name          VARBINARY(255) NOT NULL,         -- the value of the header
    request       CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,  -- hexadecimal
    answer        MEDIUMTEXT CHARACTER SET ascii COLLATE ascii_bin NULL,    -- base64; NULL within its transaction only
    created_at    BIGINT NOT NULL,
    PRIMARY KEY (key_id, name),
    KEY idempotent_request_time (created_at)
) ENGINE = InnoDB;

-- What of a domain can still be restored, the last deleted first.
SET @mailboxd_statement = IF(
    (SELECT COUNT(*) FROM information_schema.statistics
        WHERE table_schema = DATABASE() AND table_name = 'deleted_mailbox' AND index_name = 'deleted_mailbox_domain') = 0,
    'ALTER TABLE deleted_mailbox ADD KEY deleted_mailbox_domain (domain_id, purged_at, deleted_at)',
    'DO 0');
PREPARE mailboxd_statement FROM @mailboxd_statement;
EXECUTE mailboxd_statement;
DEALLOCATE PREPARE mailboxd_statement;

-- The newest entries about a domain, and those of a key, without sorting all that there are.
SET @mailboxd_statement = IF(
    (SELECT COUNT(*) FROM information_schema.statistics
        WHERE table_schema = DATABASE() AND table_name = 'audit_log' AND index_name = 'audit_log_domain') = 0,
    'ALTER TABLE audit_log ADD KEY audit_log_domain (domain, at, id), ADD KEY audit_log_key (actor, at, id)',
    'DO 0');
PREPARE mailboxd_statement FROM @mailboxd_statement;
EXECUTE mailboxd_statement;
DEALLOCATE PREPARE mailboxd_statement;
