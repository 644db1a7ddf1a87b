//! What the tests stand on: a real PostgreSQL, a real S3 server, data in Odoo's shape.
