-- A suspension by the operator belongs to a mailbox's name within its domain. If a key deletes a suspended mailbox and
-- creates it again, the new one is suspended, too. While the mailbox exists, its own state holds the suspension; while it
-- does not, a row here does. The triggers move the suspension between the two, whichever program adds or deletes a
-- mailbox. `mailboxctl mailbox resume` ends it.
--
-- No foreign key to the domain: the rows outlive it, so that domain restore brings them back.

CREATE TABLE IF NOT EXISTS suspended_name (
    domain_id     INT UNSIGNED NOT NULL,
    local_part    VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    state         ENUM('active', 'no_login', 'disabled') NOT NULL,  -- never active
    PRIMARY KEY (domain_id, local_part)
) ENGINE = InnoDB;

CREATE TRIGGER IF NOT EXISTS mailbox_deleted AFTER DELETE ON mailbox
    FOR EACH ROW INSERT INTO suspended_name (domain_id, local_part, state)
        SELECT OLD.domain_id, OLD.local_part, OLD.state FROM DUAL WHERE OLD.state <> 'active'
        ON DUPLICATE KEY UPDATE state = OLD.state;

-- The mailbox gets the stricter of the two states, because a restored mailbox has a state of its own. (As a number, an
-- ENUM is its place in the list, counted from 1.)
CREATE TRIGGER IF NOT EXISTS mailbox_inserts BEFORE INSERT ON mailbox
    FOR EACH ROW SET NEW.state = GREATEST(CAST(NEW.state AS UNSIGNED), COALESCE((SELECT CAST(n.state AS UNSIGNED)
        FROM suspended_name n WHERE n.domain_id = NEW.domain_id AND n.local_part = NEW.local_part), 1));
CREATE TRIGGER IF NOT EXISTS mailbox_inserted AFTER INSERT ON mailbox
    FOR EACH ROW DELETE FROM suspended_name WHERE domain_id = NEW.domain_id AND local_part = NEW.local_part;
