-- Versions of a domain that no two servers can give twice.
--
-- A cached page is answered while its domain is at the version that the page was read at. So a version must never stand
-- for two states of a domain, not even of a server that takes over, or that was restored from a backup. UUID_SHORT(), of
-- which versions were made, counts up from the server's id and the second of its start. Two nodes of a cluster with the
-- same id, which is 1 by default, could give the same number to different states.
--
-- Now a version is random, 60 bits by the server's cryptographic generator. It depends on no setting, clock or earlier
-- version. The chance that a page is taken for current by mistake is 2^-60 for each change of the domain.
-- (CAST, because CONV returns a text. 60 bits, because the service reads a signed number.)
--
-- A new row gets one, too, because another server may have given the same id to a domain that was lost with it.
--
-- The lock keeps others from changing a domain while the trigger is missing.
LOCK TABLES domain WRITE;
DROP TRIGGER IF EXISTS domain_changed;
CREATE TRIGGER IF NOT EXISTS domain_changed BEFORE UPDATE ON domain
    FOR EACH ROW SET NEW.version = CAST(CONV(LEFT(HEX(RANDOM_BYTES(8)), 15), 16, 10) AS UNSIGNED);
DROP TRIGGER IF EXISTS domain_added;
CREATE TRIGGER IF NOT EXISTS domain_added BEFORE INSERT ON domain
    FOR EACH ROW SET NEW.version = CAST(CONV(LEFT(HEX(RANDOM_BYTES(8)), 15), 16, 10) AS UNSIGNED);
UNLOCK TABLES;
