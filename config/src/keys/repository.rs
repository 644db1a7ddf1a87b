//! The keys of repositories.

use super::Key;

pub(crate) const PLACE: &[Key] = &[Key {
    name: "url",
    kind: "string",
    default: "required",
    about: "Where backups are kept: `file:///folder` or `s3://bucket/prefix`",
    example: "\"file:///var/lib/odoo-backup\"",
    also: &["path", "location", "bucket", "folder"],
}];

/// The keys of [`REPOSITORY`] that only an S3 repository takes.
pub(crate) const S3: &[Key] = &[
    Key {
        name: "endpoint",
        kind: "string",
        default: "AWS's own",
        about: "URL of an S3-compatible server",
        example: "\"https://s3.example.com\"",
        also: &["endpoint_url", "host", "server"],
    },
    Key {
        name: "region",
        kind: "string",
        default: "AWS's chain; with `endpoint`, `us-east-1`",
        about: "Region of the bucket",
        example: "\"eu-central-1\"",
        also: &["aws_region"],
    },
    Key {
        name: "path_style",
        kind: "boolean",
        default: "`true` with `endpoint`, else `false`",
        about: "Whether the bucket is in the path of the URL rather than in the host name",
        example: "true",
        also: &["force_path_style", "use_path_style"],
    },
    Key {
        name: "access_key_id",
        kind: "string",
        default: "AWS's chain",
        about: "Access key; needs a secret key as well",
        example: "\"${S3_ACCESS_KEY_ID}\"",
        also: &["access_key", "aws_access_key_id", "key_id"],
    },
    Key {
        name: "secret_access_key",
        kind: "string",
        default: "AWS's chain",
        about: "Secret key",
        example: "\"${S3_SECRET_ACCESS_KEY}\"",
        also: &["secret_key", "aws_secret_access_key", "secret"],
    },
    Key {
        name: "secret_access_key_file",
        kind: "path",
        default: "–",
        about: "File that contains only the secret key; instead of `secret_access_key`",
        example: "\"/etc/odoo-backup/s3-secret\"",
        also: &["secret_key_file"],
    },
    Key {
        name: "cache_dir",
        kind: "path or `false`",
        default: "`$CACHE_DIRECTORY`, which systemd sets; else `$XDG_CACHE_HOME/odoo-backup`; else `~/.cache/odoo-backup`",
        about: "Folder on this machine for copies of lists and manifests, which each run would download again; `false`: no copies",
        example: "\"/var/cache/odoo-backup\"",
        also: &["cache", "cache_folder", "cachedir"],
    },
    Key {
        name: "part_size",
        kind: "size",
        default: "8 MiB, or more if a database needs it to fit in 900 parts",
        about: "Size of each part of an upload but the last, from `5MiB` to `4GiB`. Two parts may be in memory",
        example: "\"64MiB\"",
        also: &["multipart_chunk_size", "multipart_chunksize", "chunk_size"],
    },
];

pub(crate) const COPY: &[Key] = &[
    Key {
        name: "copy",
        kind: "string",
        default: "`on_request`",
        about: "When backups are copied here: `after_backup` (by `now` and the daemon), `on_request` (only by `copy`)",
        example: "\"after_backup\"",
        also: &["auto", "when", "sync", "mirror"],
    },
    Key {
        name: "prune",
        kind: "boolean",
        default: "`true` with a `retention` section here, else the instance's",
        about: "Whether the daemon and `now --prune` prune this repository after they copied a backup to it",
        example: "true",
        also: &["auto_prune", "prune_after_backup", "autoprune"],
    },
];
