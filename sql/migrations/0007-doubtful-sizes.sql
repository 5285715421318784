-- When Dovecot last reported a mailbox's size, and since when that size is in doubt. A session and a delivery that report
-- in the same moment are written in any order, so the second of two reports within seconds may be the older one. The
-- janitor recounts such a mailbox.

SET @mailboxd_statement = IF(
    (SELECT COUNT(*) FROM information_schema.columns
        WHERE table_schema = DATABASE() AND table_name = 'mailbox_usage' AND column_name = 'doubtful_at') = 0,
    'ALTER TABLE mailbox_usage ADD COLUMN told_at BIGINT NOT NULL DEFAULT 0, ADD COLUMN doubtful_at BIGINT NOT NULL DEFAULT 0, ADD KEY mailbox_usage_doubtful (doubtful_at)',
    'DO 0');
PREPARE mailboxd_statement FROM @mailboxd_statement;
EXECUTE mailboxd_statement;
DEALLOCATE PREPARE mailboxd_statement;

CREATE TRIGGER IF NOT EXISTS mailbox_usage_told BEFORE INSERT ON mailbox_usage
    FOR EACH ROW SET NEW.told_at = UNIX_TIMESTAMP();

-- A program that sets told_at to 0 has counted the mailbox, so its size is not in doubt.
CREATE TRIGGER IF NOT EXISTS mailbox_usage_doubted BEFORE UPDATE ON mailbox_usage
    FOR EACH ROW SET
        NEW.doubtful_at = IF(NEW.told_at = 0, 0, IF(OLD.told_at >= UNIX_TIMESTAMP() - 5, UNIX_TIMESTAMP(), OLD.doubtful_at)),
        NEW.told_at = UNIX_TIMESTAMP();
