-- How much was sent, by the names that stay when a mailbox is deleted and created again: an address, a domain, an account.
-- src/sending.cc counts when a message has been accepted, with all of its recipients. (submission_rate and
-- submission_count are for Postfix's files of the first release.)

CREATE TABLE IF NOT EXISTS sending_rate (
    kind          ENUM('mailbox', 'domain', 'account') NOT NULL,
    name          VARCHAR(318) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    since         BIGINT NOT NULL,                 -- the hour that is being counted began then
    recipients    INT UNSIGNED NOT NULL,           -- how many since
    PRIMARY KEY (kind, name),
    KEY sending_rate_time (since)
) ENGINE = InnoDB;
