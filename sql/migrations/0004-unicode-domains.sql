-- An internationalised domain's name as people write it, in lower case, so that they can log in with it: bücher.example
-- for xn--bcher-kva.example. NULL: the name has no A-label. A program that adds a domain writes both names. `mailboxctl
-- migrate` fills the column for existing domains.

SET @mailboxd_statement = IF(
    (SELECT COUNT(*) FROM information_schema.columns
        WHERE table_schema = DATABASE() AND table_name = 'domain' AND column_name = 'unicode_name') = 0,
    'ALTER TABLE domain ADD COLUMN unicode_name VARCHAR(253) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL AFTER name, ADD UNIQUE KEY domain_unicode_name (unicode_name)',
    'DO 0');
PREPARE mailboxd_statement FROM @mailboxd_statement;
EXECUTE mailboxd_statement;
DEALLOCATE PREPARE mailboxd_statement;
