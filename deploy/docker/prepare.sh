#!/bin/sh
# Prepares the volumes, as root and before any other service starts. What exists stays.
#
# - Writes each secret where only the services that need it mount it, and makes what is missing.
# - Gives odoo-backup's volumes to the owner of Odoo's files, as which odoo-backup runs.
set -eu
umask 077
root=${PREPARE_ROOT:-}

folder=$root/var/lib/odoo
[ ! -d "$folder/filestore" ] || folder=$folder/filestore
owner=$(stat -c '%u' "$folder")
group=$(stat -c '%g' "$folder")
if [ "$owner" = 0 ]; then
    echo "$folder belongs to root: mount the volume of Odoo's data folder there, which belongs to Odoo's user" >&2
    exit 1
fi

keep() { # standard input as a file, for its owner alone
    cat >"$1.new"
    chown "$2" "$1.new"
    chmod 0400 "$1.new"
    mv "$1.new" "$1"
}

secret() {
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
    echo
}

secrets=$root/run/secrets-of
# What the folder `secrets` has is copied each time, so that a changed one arrives.
for file in "$root"/run/given/*; do
    [ ! -f "$file" ] || keep "$secrets/backup/${file##*/}" "$owner" <"$file"
done
password=$secrets/backup/odoo-db-password
if [ -d "$secrets/db" ]; then
    [ -s "$password" ] || secret | keep "$password" "$owner"
    keep "$secrets/web/odoo-db-password" "$owner" <"$password"
    # PostgreSQL's image reads the first as its user `postgres`, to whom its Dockerfile gives this
    # number, and the second as root.
    keep "$secrets/db/odoo-db-password" "${POSTGRES_UID:-999}" <"$password"
    [ -s "$secrets/db/postgres-password" ] || secret | keep "$secrets/db/postgres-password" 0
elif [ ! -s "$password" ]; then
    echo "the password of Odoo's role is missing: write it into the file secrets/odoo-db-password" >&2
    exit 1
fi
[ -s "$secrets/backup/token" ] || secret | keep "$secrets/backup/token" "$owner"
# Odoo's user may be another one since they were made.
chown "$owner" "$secrets"/backup/*

for volume in /var/lib/odoo-backup /var/lib/odoo-backup-state /var/cache/odoo-backup; do
    chown "$owner:$group" "$root$volume"
    chmod 0700 "$root$volume"
done
