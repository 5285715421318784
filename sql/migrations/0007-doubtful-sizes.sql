-- When Dovecot told a mailbox's size last, and since when that size is in doubt: a session and a delivery that tell in the
-- same moment are written in any order, so the last of two that come within seconds may be the older one. The janitor
-- counts such a mailbox anew.

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

-- Whoever sets told_at to 0 has counted the mailbox and is in no doubt.
CREATE TRIGGER IF NOT EXISTS mailbox_usage_doubted BEFORE UPDATE ON mailbox_usage
    FOR EACH ROW SET
        NEW.doubtful_at = IF(NEW.told_at = 0, 0, IF(OLD.told_at >= UNIX_TIMESTAMP() - 5, UNIX_TIMESTAMP(), OLD.doubtful_at)),
        NEW.told_at = UNIX_TIMESTAMP();
