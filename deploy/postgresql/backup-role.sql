-- A role that can back up an Odoo database and do little else, on PostgreSQL 14 or later.
--
-- As a superuser, in the database that is to be backed up; once for each of them:
--
--     psql -X -v ON_ERROR_STOP=1 -v role=odoo-backup -d production -f backup-role.sql
--
-- The role signs in as pg_hba.conf says: by `peer` where the operating system's user has the same name, else by a password,
-- which `\password` sets without writing it into a history or a log. Restores need another role: one that may create databases.

\if :{?role}
\else
    \echo 'say which role: -v role=odoo-backup'
    \quit
\endif

BEGIN;

-- Names are the server's own: the settings of the database, which its owner may change, must not say what a superuser runs.
SET LOCAL search_path = pg_catalog, pg_temp;

SELECT NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') AS is_new \gset
\if :is_new
    CREATE ROLE :"role" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
\endif

SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), :'role') \gexec

-- Every table, view and sequence, also those that a module adds later.
GRANT pg_read_all_data TO :"role";

-- The lock that keeps Odoo's collector of deleted files out while the filestore is read needs a privilege to write the table.
-- INSERT is the least that PostgreSQL takes. Without it backups are made all the same, and what is collected meanwhile
-- is reported as `deleted`.
SELECT format('GRANT INSERT ON %I.%I TO %I', n.nspname, c.relname, :'role')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = 'ir_attachment' AND c.relkind IN ('r', 'p') \gexec

COMMIT;
