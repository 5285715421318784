-- Gives each program the rights that it needs in the database, and no others. Run it as an
-- administrator with the database selected, after `mailboxctl migrate`. The users must exist:
--
--   CREATE USER 'mailboxd_api'@'localhost' IDENTIFIED BY '…';   and so on
--
-- If the programs run on another machine than the database, replace localhost throughout.

-- mailboxd: what its statements in src/db do. It changes accounts, domains and keys for the operator's API keys.
GRANT SELECT ON schema_version TO 'mailboxd_api'@'localhost';
GRANT SELECT, INSERT, UPDATE, DELETE ON account TO 'mailboxd_api'@'localhost';
GRANT SELECT, INSERT, UPDATE, DELETE ON api_key TO 'mailboxd_api'@'localhost';
GRANT SELECT, INSERT, UPDATE, DELETE ON domain TO 'mailboxd_api'@'localhost';
GRANT SELECT, DELETE, UPDATE (password, generation, state, quota_bytes),
    INSERT (domain_id, id, local_part, created_at, size_bytes, state, storage_id, password, generation, quota_bytes)
    ON mailbox TO 'mailboxd_api'@'localhost';
GRANT SELECT (storage_id, messages) ON mailbox_usage TO 'mailboxd_api'@'localhost';
GRANT SELECT (storage_id, last_login, last_delivery) ON mailbox_activity TO 'mailboxd_api'@'localhost';
-- The whole row: MariaDB requires that for INSERT … ON DUPLICATE KEY UPDATE on a table with a foreign key.
GRANT SELECT, INSERT, UPDATE ON mailbox_range TO 'mailboxd_api'@'localhost';
GRANT SELECT, INSERT, UPDATE (state), DELETE ON deleted_mailbox TO 'mailboxd_api'@'localhost';
GRANT SELECT, INSERT, UPDATE (state), DELETE ON suspended_name TO 'mailboxd_api'@'localhost';
GRANT INSERT, SELECT (id, account_id, name, state, max_mailboxes, quota_bytes, max_aliases, deleted_at) ON deleted_domain TO 'mailboxd_api'@'localhost';
GRANT INSERT, SELECT (id, revoked_at), UPDATE (revoked_at) ON deleted_key TO 'mailboxd_api'@'localhost';
GRANT INSERT (storage_id, since) ON session_end TO 'mailboxd_api'@'localhost';
GRANT SELECT, INSERT ON audit_log TO 'mailboxd_api'@'localhost';
GRANT SELECT, INSERT, UPDATE (answer), DELETE ON idempotent_request TO 'mailboxd_api'@'localhost';
GRANT SELECT ON domain_name TO 'mailboxd_api'@'localhost';
GRANT INSERT ON deleted_domain_name TO 'mailboxd_api'@'localhost';
GRANT SELECT, INSERT, UPDATE, DELETE ON alias TO 'mailboxd_api'@'localhost';
GRANT SELECT, INSERT, DELETE ON alias_target TO 'mailboxd_api'@'localhost';
GRANT SELECT ON alias_recipient TO 'mailboxd_api'@'localhost';

-- mailboxctl: changes the rows of every table, but no table itself.
GRANT SELECT ON schema_version TO 'mailboxd_ctl'@'localhost';
GRANT SELECT, INSERT, UPDATE, DELETE ON account TO 'mailboxd_ctl'@'localhost';
GRANT SELECT, INSERT, UPDATE, DELETE ON domain TO 'mailboxd_ctl'@'localhost';
GRANT SELECT, INSERT, UPDATE, DELETE ON api_key TO 'mailboxd_ctl'@'localhost';
GRANT SELECT, INSERT, UPDATE, DELETE ON mailbox TO 'mailboxd_ctl'@'localhost';
GRANT SELECT, INSERT, UPDATE ON mailbox_range TO 'mailboxd_ctl'@'localhost';
GRANT SELECT, INSERT, UPDATE, DELETE ON mailbox_usage TO 'mailboxd_ctl'@'localhost';
GRANT SELECT ON mailbox_activity TO 'mailboxd_ctl'@'localhost';
GRANT SELECT ON submission_rate TO 'mailboxd_ctl'@'localhost';
GRANT SELECT, DELETE ON sending_rate TO 'mailboxd_ctl'@'localhost';
GRANT SELECT, INSERT, UPDATE, DELETE ON deleted_mailbox TO 'mailboxd_ctl'@'localhost';
GRANT SELECT, INSERT, UPDATE, DELETE ON suspended_name TO 'mailboxd_ctl'@'localhost';
GRANT SELECT, INSERT, DELETE ON deleted_domain TO 'mailboxd_ctl'@'localhost';
GRANT SELECT, INSERT, UPDATE ON deleted_key TO 'mailboxd_ctl'@'localhost';
GRANT SELECT, INSERT, DELETE ON session_end TO 'mailboxd_ctl'@'localhost';
GRANT SELECT, INSERT, UPDATE ON audit_log TO 'mailboxd_ctl'@'localhost';
GRANT SELECT, INSERT, DELETE ON domain_name TO 'mailboxd_ctl'@'localhost';
GRANT SELECT, INSERT, DELETE ON deleted_domain_name TO 'mailboxd_ctl'@'localhost';
GRANT SELECT, INSERT, UPDATE, DELETE ON alias TO 'mailboxd_ctl'@'localhost';
GRANT SELECT, INSERT, DELETE ON alias_target TO 'mailboxd_ctl'@'localhost';
GRANT SELECT ON alias_recipient TO 'mailboxd_ctl'@'localhost';
-- mailboxctl why and check ask what Postfix asks.
GRANT EXECUTE ON FUNCTION mail_target TO 'mailboxd_ctl'@'localhost';
GRANT EXECUTE ON FUNCTION mail_recipients TO 'mailboxd_ctl'@'localhost';
GRANT EXECUTE ON FUNCTION mail_access TO 'mailboxd_ctl'@'localhost';
GRANT EXECUTE ON FUNCTION mail_sender TO 'mailboxd_ctl'@'localhost';
GRANT EXECUTE ON FUNCTION alias_is_suspended TO 'mailboxd_ctl'@'localhost';

-- Postfix: reads which domains, addresses and aliases there are, how full mailboxes are, and how much each has sent; no
-- hash. It reads the addresses of deleted mailboxes for reports about mail that came too late. Its look-ups call functions,
-- which run with the rights of this user. (submission_count is for the Postfix files of an earlier release.)
GRANT SELECT (id, name, state) ON account TO 'mailboxd_postfix'@'localhost';
GRANT SELECT (id, account_id, name, state, quota_bytes, mailboxes, system_addresses, forward_outside) ON domain TO 'mailboxd_postfix'@'localhost';
GRANT SELECT (name, domain_id) ON domain_name TO 'mailboxd_postfix'@'localhost';
GRANT SELECT (account_id, id, domain_id, local_part) ON alias TO 'mailboxd_postfix'@'localhost';
GRANT SELECT (alias_id, number, kind, storage_id, target_id, address) ON alias_target TO 'mailboxd_postfix'@'localhost';
GRANT SELECT ON alias_recipient TO 'mailboxd_postfix'@'localhost';
GRANT SELECT (domain_id, local_part) ON suspended_name TO 'mailboxd_postfix'@'localhost';
GRANT EXECUTE ON FUNCTION mail_target TO 'mailboxd_postfix'@'localhost';
GRANT EXECUTE ON FUNCTION mail_recipients TO 'mailboxd_postfix'@'localhost';
GRANT EXECUTE ON FUNCTION mail_access TO 'mailboxd_postfix'@'localhost';
GRANT EXECUTE ON FUNCTION mail_sender TO 'mailboxd_postfix'@'localhost';
GRANT EXECUTE ON FUNCTION alias_is_suspended TO 'mailboxd_postfix'@'localhost';
GRANT SELECT, INSERT, UPDATE ON sending_rate TO 'mailboxd_postfix'@'localhost';
GRANT SELECT (domain_id, local_part, storage_id, generation, state, quota_bytes, size_bytes) ON mailbox TO 'mailboxd_postfix'@'localhost';
GRANT SELECT (storage_id, local_part) ON deleted_mailbox TO 'mailboxd_postfix'@'localhost';
GRANT EXECUTE ON FUNCTION submission_count TO 'mailboxd_postfix'@'localhost';

-- Dovecot: reads hashes, homes and quotas; writes how much is used and when.
GRANT SELECT (id, state) ON account TO 'mailboxd_dovecot'@'localhost';
GRANT SELECT (id, account_id, name, unicode_name, state, quota_bytes) ON domain TO 'mailboxd_dovecot'@'localhost';
GRANT SELECT (name, unicode_name, domain_id) ON domain_name TO 'mailboxd_dovecot'@'localhost';
GRANT SELECT (domain_id, local_part, storage_id, generation, password, state, quota_bytes)
    ON mailbox TO 'mailboxd_dovecot'@'localhost';
-- MariaDB requires the right to update the column that a generated column is made from.
GRANT SELECT, INSERT (username, bytes, messages), UPDATE (username, bytes, messages)
    ON mailbox_usage TO 'mailboxd_dovecot'@'localhost';
GRANT SELECT, INSERT (storage_id, last_login, last_delivery), UPDATE (storage_id, last_login, last_delivery)
    ON mailbox_activity TO 'mailboxd_dovecot'@'localhost';

-- mailboxctl janitor: whose sessions are in order, which stores to remove, and what has expired. No hash, no address.
GRANT SELECT ON schema_version TO 'mailboxd_janitor'@'localhost';
GRANT SELECT, DELETE ON session_end TO 'mailboxd_janitor'@'localhost';
GRANT SELECT (id, state) ON account TO 'mailboxd_janitor'@'localhost';
GRANT SELECT (id, account_id, state, mailboxes, size_bytes) ON domain TO 'mailboxd_janitor'@'localhost';
GRANT SELECT (domain_id, storage_id, state, generation) ON mailbox TO 'mailboxd_janitor'@'localhost';
GRANT SELECT (storage_id, size_bytes, deleted_at, purged_at), UPDATE (purged_at), DELETE
    ON deleted_mailbox TO 'mailboxd_janitor'@'localhost';
GRANT SELECT (storage_id, since), DELETE ON submission_rate TO 'mailboxd_janitor'@'localhost';
GRANT SELECT (since), DELETE ON sending_rate TO 'mailboxd_janitor'@'localhost';
GRANT SELECT (username, storage_id, bytes, messages, doubtful_at), INSERT (username, bytes, messages), UPDATE (bytes, messages, told_at)
    ON mailbox_usage TO 'mailboxd_janitor'@'localhost';
GRANT SELECT (id, expires_at, revoked_at), DELETE ON api_key TO 'mailboxd_janitor'@'localhost';
GRANT SELECT (at, id), DELETE ON audit_log TO 'mailboxd_janitor'@'localhost';
GRANT SELECT, DELETE ON mailbox_range TO 'mailboxd_janitor'@'localhost';
GRANT SELECT (created_at), DELETE ON idempotent_request TO 'mailboxd_janitor'@'localhost';
GRANT SELECT (id, deleted_at), DELETE ON deleted_domain TO 'mailboxd_janitor'@'localhost';
GRANT SELECT (domain_id), DELETE ON suspended_name TO 'mailboxd_janitor'@'localhost';
GRANT SELECT (account_id, domain_id), DELETE ON alias TO 'mailboxd_janitor'@'localhost';

-- mailboxctl rehash: replaces a hash. It knows mailboxes by their storage_id, no address.
GRANT SELECT ON schema_version TO 'mailboxd_rehash'@'localhost';
GRANT SELECT (storage_id, generation, password), UPDATE (password) ON mailbox TO 'mailboxd_rehash'@'localhost';
