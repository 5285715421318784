-- What the measurements need, in bulk: a domain of a million (and the 1000 that are deleted first), of 100,000, of
-- 10,000, of 1000 and of 100 mailboxes, 10,000 domains of 10, and 1000 empty ones. Counters and ranges as the service
-- itself keeps them, so that `mailboxctl check` finds nothing. Sequence tables are MariaDB's own.
--
-- The triggers of mailbox would run a million times. `mailboxctl migrate` makes them anew afterwards, and the sums that they
-- keep.

SET SESSION unique_checks = 0, foreign_key_checks = 0;

SET @account = (SELECT id FROM account WHERE name = 'demo');
-- As long as a real one; nobody logs in here.
SET @password = CONCAT('{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$', REPEAT('s', 22), '$', REPEAT('h', 43));

CREATE TEMPORARY TABLE wanted (name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin, mailboxes INT UNSIGNED);
INSERT INTO wanted VALUES ('million.example', 1001000), ('hundred-thousand.example', 100000),
    ('ten-thousand.example', 10000), ('thousand.example', 1000), ('hundred.example', 100), ('posts.example', 0);
INSERT INTO wanted SELECT CONCAT('d', LPAD(seq, 5, '0'), '.example'), 10 FROM seq_1_to_10000;
INSERT INTO wanted SELECT CONCAT('empty', LPAD(seq, 4, '0'), '.example'), 0 FROM seq_1_to_1000;

INSERT INTO domain (account_id, name, mailboxes, last_id, created_at)
    SELECT @account, name, mailboxes, mailboxes, UNIX_TIMESTAMP() FROM wanted;

DROP TRIGGER mailbox_inserts;

INSERT INTO mailbox (domain_id, id, local_part, created_at, size_bytes, storage_id, password)
    SELECT d.id, s.seq, CONCAT('user', LPAD(s.seq, 7, '0')), 1317155062 + s.seq * 37, s.seq * 7919 % 5000000,
        LEFT(SHA2(CONCAT(d.id, ' ', s.seq), 256), 32), @password
    FROM wanted w JOIN domain d ON d.name = w.name JOIN seq_1_to_1001000 s ON s.seq <= w.mailboxes;

-- The ids begin with 1 and have no holes, so the fine counts follow each other.
INSERT INTO mailbox_range (domain_id, number, mailboxes, counts)
    SELECT f.domain_id, f.number DIV 512, SUM(f.mailboxes), UNHEX(GROUP_CONCAT(LPAD(HEX(f.mailboxes), 2, '0') ORDER BY f.number SEPARATOR ''))
    FROM (SELECT m.domain_id, m.id DIV 128 AS number, COUNT(*) AS mailboxes FROM mailbox m JOIN domain d ON d.id = m.domain_id
        JOIN wanted w ON w.name = d.name GROUP BY m.domain_id, m.id DIV 128) f
    GROUP BY f.domain_id, f.number DIV 512;

-- The ceiling's table: the four columns and nothing else, clustered, as large as the domain that is listed.
CREATE DATABASE ceiling;
CREATE TABLE ceiling.mailbox (
    id         INT UNSIGNED NOT NULL PRIMARY KEY,
    local_part VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    created_at BIGINT NOT NULL,
    size_bytes BIGINT UNSIGNED NOT NULL
) ENGINE = InnoDB;
INSERT INTO ceiling.mailbox SELECT m.id, m.local_part, m.created_at, m.size_bytes
    FROM mailbox m JOIN domain d ON d.id = m.domain_id WHERE d.name = 'ten-thousand.example';

ANALYZE TABLE mailbox, domain, mailbox_range, ceiling.mailbox;
