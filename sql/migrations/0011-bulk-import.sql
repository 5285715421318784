-- Triggers of mailbox that let a bulk import do their work once for many rows.
--
-- `mailboxctl import` inserts a thousand mailboxes by one statement. With the triggers at work for each row that took four
-- times as long. A session that sets @mailboxd_bulk does what they do within the transaction of the INSERT, for all its rows
-- at once (src/db/bulk.cc). No other session has the variable, so the trigger works for it as before. A trigger that does
-- nothing still costs a twentieth of the INSERT, so there is one for each row, not four. It does its work before the row is
-- there: if the INSERT fails, what the trigger changed is undone with it.
--
-- The lock keeps others from adding a mailbox while a trigger is missing.
--
-- (A line that ends with a semicolon ends the statement, so the inner semicolons begin lines.)
LOCK TABLES mailbox WRITE;
DROP TRIGGER IF EXISTS mailbox_inserts;
CREATE TRIGGER IF NOT EXISTS mailbox_inserts BEFORE INSERT ON mailbox
    FOR EACH ROW IF @mailboxd_bulk IS NULL THEN
        SET NEW.state = GREATEST(CAST(NEW.state AS UNSIGNED), COALESCE((SELECT CAST(n.state AS UNSIGNED)
            FROM suspended_name n WHERE n.domain_id = NEW.domain_id AND n.local_part = NEW.local_part), 1))
        ; DELETE FROM suspended_name WHERE domain_id = NEW.domain_id AND local_part = NEW.local_part
        ; UPDATE alias_target SET storage_id = NEW.storage_id WHERE number = 0 AND alias_id =
            (SELECT a.id FROM alias a WHERE a.domain_id = NEW.domain_id AND a.local_part = NEW.local_part LIMIT 1)
        ; IF NEW.size_bytes > 0 THEN
            UPDATE domain SET size_bytes = size_bytes + NEW.size_bytes WHERE id = NEW.domain_id
        ; END IF
    ; END IF;
DROP TRIGGER IF EXISTS mailbox_inserted;
DROP TRIGGER IF EXISTS mailbox_own_alias;
DROP TRIGGER IF EXISTS mailbox_size_added;
UNLOCK TABLES;

-- An import adds a row to the log for each mailbox. audit_log_key begins with the same column, so this key only cost time: a
-- fifth of the server's work for an import.
SET @mailboxd_statement = IF(
    (SELECT COUNT(*) FROM information_schema.statistics
        WHERE table_schema = DATABASE() AND table_name = 'audit_log' AND index_name = 'audit_log_actor') > 0,
    'ALTER TABLE audit_log DROP KEY audit_log_actor',
    'DO 0');
PREPARE mailboxd_statement FROM @mailboxd_statement;
EXECUTE mailboxd_statement;
DEALLOCATE PREPARE mailboxd_statement;
