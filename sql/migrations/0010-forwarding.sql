-- Aliases with targets on other servers, where the operator permits them for a domain (forward_outside).

SET @mailboxd_statement = IF(
    (SELECT COUNT(*) FROM information_schema.columns
        WHERE table_schema = DATABASE() AND table_name = 'domain' AND column_name = 'forward_outside') = 0,
    'ALTER TABLE domain ADD COLUMN forward_outside TINYINT UNSIGNED NOT NULL DEFAULT 0 AFTER system_addresses',
    'DO 0');
PREPARE mailboxd_statement FROM @mailboxd_statement;
EXECUTE mailboxd_statement;
DEALLOCATE PREPARE mailboxd_statement;

SET @mailboxd_statement = IF(
    (SELECT COUNT(*) FROM information_schema.columns
        WHERE table_schema = DATABASE() AND table_name = 'deleted_domain' AND column_name = 'forward_outside') = 0,
    'ALTER TABLE deleted_domain ADD COLUMN forward_outside TINYINT UNSIGNED NOT NULL DEFAULT 0 AFTER system_addresses',
    'DO 0');
PREPARE mailboxd_statement FROM @mailboxd_statement;
EXECUTE mailboxd_statement;
DEALLOCATE PREPARE mailboxd_statement;

-- outside: an address elsewhere; it is in `address`, and storage_id and target_id are NULL.
ALTER TABLE alias_target MODIFY kind ENUM('own', 'stopped', 'mailbox', 'alias', 'outside') NOT NULL;

-- forwarded: what the aliases of a domain sent to other servers.
ALTER TABLE sending_rate MODIFY kind ENUM('mailbox', 'domain', 'account', 'forwarded') NOT NULL;

-- What an alias leads to, through at most three aliases: mailboxes, and addresses on other servers if the domain of the alias
-- that names them permits that. One may come twice. `name` is what Postfix gets:
--
--   a mailbox            its name inside Dovecot, <storage_id>@<domain>
--   bob@elsewhere.example  bob=elsewhere.example@<alias id>.forward.invalid; see sql/postfix/mailboxd-forward.cf
--
-- `through` is the alias that names an address on another server; NULL for a mailbox.
--
-- A mailbox whose address is an alias, too, passes its mail on. What belongs to another account counts as gone: a domain or a
-- mailbox that is restored may come to another one.
DROP VIEW IF EXISTS alias_mailbox;
CREATE OR REPLACE SQL SECURITY INVOKER VIEW alias_recipient AS
    SELECT a.id AS alias_id, m.storage_id, IF(m.storage_id IS NULL, COALESCE(t3.address, t2.address, t1.address), NULL) AS outside,
        IF(m.storage_id IS NULL,
            CONCAT(REPLACE(COALESCE(t3.address, t2.address, t1.address), '@', '='), '@', COALESCE(t3.alias_id, t2.alias_id, t1.alias_id), '.forward.invalid'),
            CONCAT(m.storage_id, '@', d.name)) AS name,
        IF(m.storage_id IS NULL, COALESCE(t3.alias_id, t2.alias_id, t1.alias_id), NULL) AS through
    FROM alias a
    LEFT JOIN domain d1 ON d1.id = a.domain_id
    JOIN alias_target t1 ON t1.alias_id = a.id
    LEFT JOIN alias_target s1 ON t1.number > 0 AND s1.storage_id = t1.storage_id AND s1.number = 0
    LEFT JOIN (alias a2 JOIN domain d2 ON d2.id = a2.domain_id) ON a2.id = COALESCE(t1.target_id, s1.alias_id) AND a2.account_id = a.account_id
    LEFT JOIN alias_target t2 ON t2.alias_id = a2.id
    LEFT JOIN alias_target s2 ON t2.number > 0 AND s2.storage_id = t2.storage_id AND s2.number = 0
    LEFT JOIN (alias a3 JOIN domain d3 ON d3.id = a3.domain_id) ON a3.id = COALESCE(t2.target_id, s2.alias_id) AND a3.account_id = a.account_id
    LEFT JOIN alias_target t3 ON t3.alias_id = a3.id
    LEFT JOIN (mailbox m JOIN domain d ON d.id = m.domain_id) ON d.account_id = a.account_id AND m.storage_id =
        CASE WHEN t3.kind IS NOT NULL THEN IF(t3.kind IN ('own', 'mailbox'), t3.storage_id, NULL)
             WHEN t2.kind IS NOT NULL THEN IF(t2.kind IN ('own', 'mailbox'), t2.storage_id, NULL)
             WHEN t1.kind IN ('own', 'mailbox') THEN t1.storage_id END
    WHERE m.storage_id IS NOT NULL
        OR (COALESCE(t3.kind, t2.kind, t1.kind) = 'outside' AND COALESCE(d3.forward_outside, d2.forward_outside, d1.forward_outside) = 1);
