-- Aliases: addresses whose mail goes to other mailboxes, catch-alls, and alias domains. The API calls an alias a route.

-- Every name under which mail is accepted for a domain: its own, and those of its alias domains. One key holds them all,
-- so no name belongs to two domains. `unicode_name` is as in the table `domain`.
CREATE TABLE IF NOT EXISTS domain_name (
    name          VARCHAR(253) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    unicode_name  VARCHAR(253) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    domain_id     INT UNSIGNED NOT NULL,
    is_alias      TINYINT UNSIGNED NOT NULL,       -- 0: the domain's own name
    created_at    BIGINT NOT NULL,
    PRIMARY KEY (name),
    UNIQUE KEY domain_name_unicode (unicode_name),
    CONSTRAINT domain_name_domain FOREIGN KEY (domain_id) REFERENCES domain (id) ON DELETE CASCADE
) ENGINE = InnoDB;

-- The alias domains of a removed domain, which come back with it.
CREATE TABLE IF NOT EXISTS deleted_domain_name (
    domain_id     INT UNSIGNED NOT NULL,
    name          VARCHAR(253) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    unicode_name  VARCHAR(253) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    created_at    BIGINT NOT NULL,
    PRIMARY KEY (domain_id, name),
    CONSTRAINT deleted_domain_name_domain FOREIGN KEY (domain_id) REFERENCES deleted_domain (id) ON DELETE CASCADE
) ENGINE = InnoDB;

-- aliases: how many there are, kept by the triggers below. max_aliases: how many there may be; NULL: no limit.
-- system_addresses: whether abuse@, hostmaster@ and the like reach postmaster@ (RFC 2142).
SET @mailboxd_statement = IF(
    (SELECT COUNT(*) FROM information_schema.columns
        WHERE table_schema = DATABASE() AND table_name = 'domain' AND column_name = 'aliases') = 0,
    'ALTER TABLE domain ADD COLUMN aliases INT UNSIGNED NOT NULL DEFAULT 0 AFTER size_bytes, ADD COLUMN max_aliases INT UNSIGNED NULL AFTER aliases, ADD COLUMN system_addresses TINYINT UNSIGNED NOT NULL DEFAULT 1 AFTER max_aliases',
    'DO 0');
PREPARE mailboxd_statement FROM @mailboxd_statement;
EXECUTE mailboxd_statement;
DEALLOCATE PREPARE mailboxd_statement;

SET @mailboxd_statement = IF(
    (SELECT COUNT(*) FROM information_schema.columns
        WHERE table_schema = DATABASE() AND table_name = 'account' AND column_name = 'aliases') = 0,
    'ALTER TABLE account ADD COLUMN aliases INT UNSIGNED NOT NULL DEFAULT 0 AFTER max_domains, ADD COLUMN max_aliases INT UNSIGNED NULL AFTER aliases',
    'DO 0');
PREPARE mailboxd_statement FROM @mailboxd_statement;
EXECUTE mailboxd_statement;
DEALLOCATE PREPARE mailboxd_statement;

SET @mailboxd_statement = IF(
    (SELECT COUNT(*) FROM information_schema.columns
        WHERE table_schema = DATABASE() AND table_name = 'deleted_domain' AND column_name = 'max_aliases') = 0,
    'ALTER TABLE deleted_domain ADD COLUMN max_aliases INT UNSIGNED NULL, ADD COLUMN system_addresses TINYINT UNSIGNED NOT NULL DEFAULT 1',
    'DO 0');
PREPARE mailboxd_statement FROM @mailboxd_statement;
EXECUTE mailboxd_statement;
DEALLOCATE PREPARE mailboxd_statement;

-- Clustered by account and order of creation, so a page of an account's list is one range of one B-tree.
--
-- No foreign key to the domain, because the rows outlive it: `domain restore` brings them back with the domain's id.
CREATE TABLE IF NOT EXISTS alias (
    account_id    INT UNSIGNED NOT NULL,
    id            BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    public_id     CHAR(24) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,    -- shown by the API; random
    domain_id     INT UNSIGNED NOT NULL,           -- 0: all domains of the account, for a catch-all
    local_part    VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, -- empty: a catch-all
    priority      INT NOT NULL,                    -- changes nothing; kept for clients that read it again
    description   VARCHAR(1000) CHARACTER SET utf8mb4 NOT NULL,               -- likewise
    expression    VARCHAR(500) CHARACTER SET utf8mb4 NOT NULL,                -- as the client wrote it
    actions       TEXT CHARACTER SET utf8mb4 NOT NULL,                        -- likewise, one in each line
    created_at    BIGINT NOT NULL,
    PRIMARY KEY (account_id, id),
    UNIQUE KEY alias_id (id),
    UNIQUE KEY alias_public_id (public_id),
    UNIQUE KEY alias_address (domain_id, local_part, account_id),
    KEY alias_domain (domain_id, id)
) ENGINE = InnoDB;

-- Where the mail of an alias goes. A target is a mailbox or an alias, not an address: when either is deleted and its
-- address is given to another one, the new one gets nothing. A target whose mailbox or alias is gone stays, because the
-- mailbox may be restored.
--
-- Number 0 is the mailbox that has the alias's own address: it gets its own mail (`own`), or only the other targets do
-- (`stopped`). Its storage_id is NULL while there is no such mailbox; triggers keep it.
CREATE TABLE IF NOT EXISTS alias_target (
    alias_id      BIGINT UNSIGNED NOT NULL,
    number        SMALLINT UNSIGNED NOT NULL,
    kind          ENUM('own', 'stopped', 'mailbox', 'alias') NOT NULL,
    storage_id    CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL,
    target_id     BIGINT UNSIGNED NULL,            -- the id of another alias
    address       VARCHAR(318) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, -- that the target had; empty for number 0
    PRIMARY KEY (alias_id, number),
    KEY alias_target_mailbox (storage_id, number),
    KEY alias_target_alias (target_id),
    CONSTRAINT alias_target_of FOREIGN KEY (alias_id) REFERENCES alias (id) ON DELETE CASCADE
) ENGINE = InnoDB;

-- The triggers keep names, counts and own mailboxes, whichever program and whichever release changes a row.
--
-- (A line that ends with a semicolon ends the statement, so the inner semicolons begin lines.)
CREATE TRIGGER IF NOT EXISTS domain_named AFTER INSERT ON domain
    FOR EACH ROW INSERT INTO domain_name (name, unicode_name, domain_id, is_alias, created_at)
        VALUES (NEW.name, NEW.unicode_name, NEW.id, 0, NEW.created_at);
CREATE TRIGGER IF NOT EXISTS domain_renamed AFTER UPDATE ON domain
    FOR EACH ROW IF NEW.name <> OLD.name OR NOT NEW.unicode_name <=> OLD.unicode_name THEN
        UPDATE domain_name SET name = NEW.name, unicode_name = NEW.unicode_name WHERE domain_id = NEW.id AND is_alias = 0
    ; END IF;

-- A restored domain has its id before it is inserted, and may come to another account.
CREATE TRIGGER IF NOT EXISTS domain_brings_aliases BEFORE INSERT ON domain
    FOR EACH ROW SET NEW.aliases = IF(NEW.id = 0, 0, (SELECT COUNT(*) FROM alias a WHERE a.domain_id = NEW.id));
CREATE TRIGGER IF NOT EXISTS domain_brought_aliases AFTER INSERT ON domain
    FOR EACH ROW IF NEW.aliases > 0 THEN
        UPDATE alias SET account_id = NEW.account_id WHERE domain_id = NEW.id
        ; UPDATE account SET aliases = aliases + NEW.aliases WHERE id = NEW.account_id
    ; END IF;
CREATE TRIGGER IF NOT EXISTS domain_took_aliases AFTER DELETE ON domain
    FOR EACH ROW IF OLD.aliases > 0 THEN
        UPDATE account SET aliases = IF(aliases > OLD.aliases, aliases - OLD.aliases, 0) WHERE id = OLD.account_id
    ; END IF;

CREATE TRIGGER IF NOT EXISTS alias_added AFTER INSERT ON alias
    FOR EACH ROW BEGIN
        UPDATE domain SET aliases = aliases + 1 WHERE id = NEW.domain_id
        ; UPDATE account SET aliases = aliases + 1 WHERE id = NEW.account_id
    ; END;
CREATE TRIGGER IF NOT EXISTS alias_removed AFTER DELETE ON alias
    FOR EACH ROW BEGIN
        UPDATE domain SET aliases = IF(aliases > 0, aliases - 1, 0) WHERE id = OLD.domain_id
        ; IF OLD.domain_id = 0 OR ROW_COUNT() > 0 THEN
            UPDATE account SET aliases = IF(aliases > 0, aliases - 1, 0) WHERE id = OLD.account_id
        ; END IF
    ; END;

CREATE TRIGGER IF NOT EXISTS alias_moved AFTER UPDATE ON alias
    FOR EACH ROW IF NEW.domain_id <> OLD.domain_id THEN
        UPDATE domain SET aliases = aliases + 1 WHERE id = NEW.domain_id
        ; UPDATE domain SET aliases = IF(aliases > 0, aliases - 1, 0) WHERE id = OLD.domain_id
    ; END IF;

CREATE TRIGGER IF NOT EXISTS mailbox_own_alias AFTER INSERT ON mailbox
    FOR EACH ROW UPDATE alias_target SET storage_id = NEW.storage_id WHERE number = 0 AND alias_id =
        (SELECT a.id FROM alias a WHERE a.domain_id = NEW.domain_id AND a.local_part = NEW.local_part LIMIT 1);
CREATE TRIGGER IF NOT EXISTS mailbox_left_alias AFTER DELETE ON mailbox
    FOR EACH ROW UPDATE alias_target SET storage_id = NULL WHERE storage_id = OLD.storage_id AND number = 0;

-- The functions answer Postfix: each look-up is one statement, however many tables it needs. They take the two parts of an
-- address as Postfix passes them, in lower case and as bytes: no address of ours has a byte beyond ASCII, and to convert one
-- would be an error, after which Postfix answers everybody with 451 for a minute. The part after a + is a note of the sender
-- or the reader, and is ignored.

-- Returns what takes the mail of an address: the storage_id of a mailbox (32 characters) or the id of an alias (a number).
-- NULL: nothing does. `catch_all`: whether a catch-all counts.
--
-- An alias comes before the mailbox of the same name, because its target number 0 is that mailbox. A system address
-- (RFC 2142) stands for postmaster if nothing else has the name. A name inside Dovecot is nobody's address: Postfix looks
-- up each result once more, and a catch-all must not take mail for a mailbox that was deleted a moment ago.
CREATE FUNCTION IF NOT EXISTS mail_target(address_name BLOB, address_domain BLOB, catch_all TINYINT)
    RETURNS VARCHAR(32) CHARACTER SET ascii READS SQL DATA SQL SECURITY INVOKER
BEGIN
    DECLARE wanted VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin
    ; DECLARE at_domain, at_account INT UNSIGNED
    ; DECLARE has_system TINYINT UNSIGNED DEFAULT 0
    ; DECLARE target VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin
    ; DECLARE CONTINUE HANDLER FOR NOT FOUND SET target = NULL
    ; IF LENGTH(SUBSTRING_INDEX(address_name, '+', 1)) > 64 OR LENGTH(address_domain) > 253
        OR HEX(CONCAT(SUBSTRING_INDEX(address_name, '+', 1), address_domain)) REGEXP '^(..)*(20|[89A-F].)' THEN RETURN NULL
    ; END IF
    ; SET wanted = CONVERT(SUBSTRING_INDEX(address_name, '+', 1) USING ascii)
    ; SELECT d.id, d.account_id, d.system_addresses, COALESCE(
            (SELECT a.id FROM alias a WHERE a.domain_id = d.id AND a.local_part = wanted LIMIT 1),
            (SELECT m.storage_id FROM mailbox m WHERE m.domain_id = d.id AND m.local_part = wanted))
        INTO at_domain, at_account, has_system, target
        FROM domain_name n JOIN domain d ON d.id = n.domain_id WHERE n.name = CONVERT(address_domain USING ascii) COLLATE ascii_bin
    ; IF wanted = '' OR at_domain IS NULL THEN RETURN NULL
    ; END IF
    ; IF LENGTH(wanted) = 32 AND wanted NOT REGEXP '[^0-9a-f]' THEN
        RETURN IF(EXISTS (SELECT 1 FROM mailbox m WHERE m.storage_id = wanted), NULL, target)
    ; END IF
    ; IF LENGTH(target) = 32 THEN RETURN target
    ; END IF
    ; IF EXISTS (SELECT 1 FROM suspended_name s WHERE s.domain_id = at_domain AND s.local_part = wanted) THEN RETURN NULL
    ; END IF
    ; IF target IS NOT NULL THEN RETURN target
    ; END IF
    ; IF has_system AND wanted IN ('abuse', 'ftp', 'hostmaster', 'news', 'noc', 'security', 'usenet', 'uucp', 'webmaster', 'www') THEN
        SET target = COALESCE((SELECT a.id FROM alias a WHERE a.domain_id = at_domain AND a.local_part = 'postmaster' LIMIT 1),
            (SELECT m.storage_id FROM mailbox m WHERE m.domain_id = at_domain AND m.local_part = 'postmaster'))
    ; END IF
    ; IF target IS NULL AND catch_all THEN
        SET target = COALESCE((SELECT a.id FROM alias a WHERE a.domain_id = at_domain AND a.local_part = '' LIMIT 1),
            (SELECT a.id FROM alias a WHERE a.domain_id = 0 AND a.local_part = '' AND a.account_id = at_account))
    ; END IF
    ; RETURN target
    ; END;

-- Returns the names of all recipients of mail for the address, with commas between them. NULL: there is none. The view
-- alias_recipient (0010-forwarding.sql) says what a name is.
CREATE FUNCTION IF NOT EXISTS mail_recipients(address_name BLOB, address_domain BLOB)
    RETURNS MEDIUMTEXT CHARACTER SET ascii READS SQL DATA SQL SECURITY INVOKER
BEGIN
    DECLARE target VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin DEFAULT mail_target(address_name, address_domain, 1)
    ; DECLARE recipient VARCHAR(400) CHARACTER SET ascii
    ; DECLARE recipients MEDIUMTEXT CHARACTER SET ascii
    ; DECLARE is_end TINYINT DEFAULT 0
    ; DECLARE each_recipient CURSOR FOR SELECT MIN(t.name) FROM alias_recipient t WHERE t.alias_id = target GROUP BY COALESCE(t.storage_id, t.outside)
    ; DECLARE CONTINUE HANDLER FOR NOT FOUND SET is_end = 1
    ; IF target IS NULL THEN RETURN NULL
    ; END IF
    ; IF LENGTH(target) = 32 THEN
        RETURN (SELECT CONCAT(m.storage_id, '@', d.name) FROM mailbox m JOIN domain d ON d.id = m.domain_id WHERE m.storage_id = target)
    ; END IF
    ; OPEN each_recipient
    ; all_recipients: LOOP
        FETCH each_recipient INTO recipient
        ; IF is_end THEN LEAVE all_recipients
        ; END IF
        ; SET recipients = CONCAT_WS(',', recipients, recipient)
    ; END LOOP
    ; CLOSE each_recipient
    ; RETURN recipients
    ; END;

-- Returns what Postfix does with mail for the address: 450 if its name is disabled, or every mailbox that would get it, or if
-- it leads to other servers only and is suspended; the class mailboxd_quota if Dovecot is to be asked for room, 552 if every
-- recipient of an alias is a full mailbox, otherwise DUNNO. NULL: nobody gets it.
CREATE FUNCTION IF NOT EXISTS mail_access(address_name BLOB, address_domain BLOB)
    RETURNS VARCHAR(100) CHARACTER SET ascii READS SQL DATA SQL SECURITY INVOKER
BEGIN
    DECLARE target VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin DEFAULT mail_target(address_name, address_domain, 1)
    ; DECLARE recipients, disabled, with_quota, full INT UNSIGNED DEFAULT 0
    ; DECLARE wanted VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin
    ; IF target IS NULL THEN RETURN NULL
    ; END IF
    ; SET wanted = CONVERT(SUBSTRING_INDEX(address_name, '+', 1) USING ascii)
    ; IF LENGTH(target) = 32 THEN
        SELECT 1, 'disabled' IN (m.state, d.state, a.state), COALESCE(m.quota_bytes, d.quota_bytes) IS NOT NULL
            INTO recipients, disabled, with_quota
            FROM mailbox m JOIN domain d ON d.id = m.domain_id JOIN account a ON a.id = d.account_id WHERE m.storage_id = target
    ; ELSE
        SELECT COUNT(DISTINCT t.name), COUNT(DISTINCT IF('disabled' IN (m.state, d.state, a.state) OR alias_is_suspended(t.through), t.name, NULL)),
            COUNT(DISTINCT IF(COALESCE(m.quota_bytes, d.quota_bytes) > 0 AND m.size_bytes >= COALESCE(m.quota_bytes, d.quota_bytes), t.name, NULL))
            INTO recipients, disabled, full
            FROM alias_recipient t LEFT JOIN mailbox m ON m.storage_id = t.storage_id
            LEFT JOIN domain d ON d.id = m.domain_id LEFT JOIN account a ON a.id = d.account_id WHERE t.alias_id = target
        ; IF EXISTS (SELECT 1 FROM domain_name n JOIN domain d ON d.id = n.domain_id JOIN account a ON a.id = d.account_id
            WHERE n.name = CONVERT(address_domain USING ascii) COLLATE ascii_bin AND ('disabled' IN (d.state, a.state)
                OR EXISTS (SELECT 1 FROM mailbox m WHERE m.domain_id = d.id AND m.local_part = wanted AND m.state = 'disabled')))
            THEN SET disabled = recipients
        ; END IF
    ; END IF
    ; RETURN CASE WHEN recipients = 0 THEN NULL
        WHEN disabled = recipients THEN '450 4.2.1 This mailbox takes no mail at present'
        WHEN with_quota THEN 'mailboxd_quota'
        WHEN full = recipients THEN '552 5.2.2 Mailbox is full'
        ELSE 'DUNNO' END
    ; END;

-- Returns whether an alias sends nothing to other servers, because its name, its domain or its account is suspended: its owner
-- must not read there what cannot be read here. Its mailboxes get their mail.
CREATE FUNCTION IF NOT EXISTS alias_is_suspended(number BIGINT UNSIGNED)
    RETURNS TINYINT READS SQL DATA SQL SECURITY INVOKER
BEGIN
    RETURN EXISTS (SELECT 1 FROM alias a JOIN domain d ON d.id = a.domain_id JOIN account c ON c.id = d.account_id WHERE a.id = number
        AND (d.state <> 'active' OR c.state <> 'active'
            OR EXISTS (SELECT 1 FROM mailbox m WHERE m.domain_id = d.id AND m.local_part = a.local_part AND m.state <> 'active')
            OR EXISTS (SELECT 1 FROM suspended_name s WHERE s.domain_id = d.id AND s.local_part = a.local_part)))
    ; END;

-- Returns the name of the logins that may send from the address, <storage_id>.<generation>@<domain>: of the mailbox that
-- has it, or of the mailbox that is the only recipient of the alias. NULL: nobody may. A catch-all does not count.
CREATE FUNCTION IF NOT EXISTS mail_sender(address_name BLOB, address_domain BLOB)
    RETURNS VARCHAR(320) CHARACTER SET ascii READS SQL DATA SQL SECURITY INVOKER
BEGIN
    DECLARE target VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin DEFAULT mail_target(address_name, address_domain, 0)
    ; DECLARE owner VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin
    ; IF target IS NULL THEN RETURN NULL
    ; END IF
    ; IF LENGTH(target) = 32 THEN SET owner = target
    ; ELSE
        SET owner = (SELECT t.storage_id FROM alias_target t WHERE t.alias_id = target AND t.number = 0)
        ; IF owner IS NULL THEN
            SET owner = (SELECT IF(COUNT(DISTINCT t.name) = 1, MIN(t.storage_id), NULL) FROM alias_recipient t WHERE t.alias_id = target)
        ; END IF
    ; END IF
    ; RETURN (SELECT CONCAT(m.storage_id, '.', m.generation, '@', d.name) FROM mailbox m JOIN domain d ON d.id = m.domain_id
        WHERE m.storage_id = owner)
    ; END;

INSERT IGNORE INTO domain_name (name, unicode_name, domain_id, is_alias, created_at)
    SELECT name, unicode_name, id, 0, created_at FROM domain;
