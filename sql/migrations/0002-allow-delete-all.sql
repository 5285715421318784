-- Whether a DELETE on the credentials' collection deletes all mailboxes of the domain. MySQL has no ADD COLUMN IF NOT
-- EXISTS, so the statement is chosen at run time and can be repeated, too.

SET @mailboxd_statement = IF(
    (SELECT COUNT(*) FROM information_schema.columns
        WHERE table_schema = DATABASE() AND table_name = 'domain' AND column_name = 'allow_delete_all') = 0,
    'ALTER TABLE domain ADD COLUMN allow_delete_all TINYINT UNSIGNED NOT NULL DEFAULT 0 AFTER on_duplicate',
    'DO 0');
PREPARE mailboxd_statement FROM @mailboxd_statement;
EXECUTE mailboxd_statement;
DEALLOCATE PREPARE mailboxd_statement;
