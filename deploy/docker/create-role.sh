#!/bin/sh
# Creates the role that Odoo and odoo-backup connect as, when PostgreSQL's image makes a new cluster.
#
# POSTGRES_USER is a superuser, and odoo-backup refuses to restore as one. This role may create
# databases.
set -eu

# psql reads the password itself: an argument would be visible to every user of the machine.
psql -X --quiet -v ON_ERROR_STOP=1 -v role="${ODOO_DB_USER:-odoo}" \
    --username "${POSTGRES_USER:-postgres}" --dbname "${POSTGRES_DB:-postgres}" <<'SQL'
\set password `cat "$ODOO_DB_PASSWORD_FILE"`
CREATE ROLE :"role" LOGIN NOSUPERUSER CREATEDB PASSWORD :'password';
SQL
