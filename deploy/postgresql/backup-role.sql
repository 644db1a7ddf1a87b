-- Creates a role that can back up an Odoo database, on PostgreSQL 14 or later. It reads everything,
-- and may insert into ir_attachment: docs/security.md explains why, and how to do without.
--
-- Run it as a superuser in the database that you back up, once for each database:
--
--     psql -X -v ON_ERROR_STOP=1 -v role=odoo-backup -d production -f backup-role.sql
--
-- The role signs in as pg_hba.conf says: by `peer` where the operating system's user has the same
-- name, otherwise by a password. `\password` sets one without leaving it in a history or a log.
-- Restores need another role, which may create databases.

\if :{?role}
\else
    \echo 'name the role: -v role=odoo-backup'
    \quit
\endif

BEGIN;

-- Resolves names to the server's own: the owner of the database may change its search_path, and
-- must not choose what a superuser runs.
SET LOCAL search_path = pg_catalog, pg_temp;

SELECT NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') AS is_new \gset
\if :is_new
    CREATE ROLE :"role" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
\endif

SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), :'role') \gexec

-- Covers every table, view and sequence, also those that a module adds later.
GRANT pg_read_all_data TO :"role";

-- A backup locks ir_attachment, so that Odoo's collector of deleted files waits until the filestore
-- is read. PostgreSQL grants that lock only to a role that may write the table; INSERT is the
-- least. Without it backups are still made, and a file that is collected meanwhile is reported as
-- `deleted`.
SELECT format('GRANT INSERT ON %I.%I TO %I', n.nspname, c.relname, :'role')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = 'ir_attachment' AND c.relkind IN ('r', 'p') \gexec

COMMIT;
