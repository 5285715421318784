-- How much an address, a domain or an account has sent. These names stay when a mailbox is deleted and created again.
-- mailboxctl's policy service counts a message with all of its recipients when it has been accepted. (submission_rate and
-- submission_count are for the Postfix files of the first release.)

CREATE TABLE IF NOT EXISTS sending_rate (
    kind          ENUM('mailbox', 'domain', 'account') NOT NULL,
    name          VARCHAR(318) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    since         BIGINT NOT NULL,                 -- the hour that is being counted began then
    recipients    INT UNSIGNED NOT NULL,           -- how many since
    PRIMARY KEY (kind, name),
    KEY sending_rate_time (since)
) ENGINE = InnoDB;
