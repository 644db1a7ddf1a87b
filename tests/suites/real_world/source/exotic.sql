-- Everything that PostgreSQL can contain and a copy must have. Loaded by psql as the role that owns the database.
CREATE SCHEMA "Weird Schema";
CREATE TABLE "Weird Schema"."t ""x""
newline" (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text, g int GENERATED ALWAYS AS (length(v)) STORED);
INSERT INTO "Weird Schema"."t ""x""
newline" (v) VALUES (E'\\.'), (E'\\N'), (E'a\tb\r\nc\\'), (''), (NULL), (E'\u00a0\u2028'), (E'\\.\n\\.');
CREATE TABLE zero(); INSERT INTO zero DEFAULT VALUES; INSERT INTO zero DEFAULT VALUES;
CREATE TYPE mood AS ENUM ('a','b','c'); CREATE DOMAIN pos AS int CHECK (VALUE > 0); ALTER DOMAIN pos ADD CONSTRAINT small CHECK (VALUE < 100) NOT VALID;
CREATE TYPE comp AS (a int, b text); CREATE TYPE frange AS RANGE (subtype = float8);
CREATE TABLE part (k mood, v pos, c comp, r frange) PARTITION BY LIST (k);
CREATE TABLE part_a PARTITION OF part FOR VALUES IN ('a'); CREATE TABLE part_d PARTITION OF part DEFAULT;
INSERT INTO part VALUES ('a', 1, (1,'x'), '[1,2)'), ('b', 2, NULL, 'empty'), (NULL, NULL, NULL, NULL);
CREATE INDEX part_v ON part (v); CREATE UNIQUE INDEX part_kv ON part (k, v);
CREATE TABLE ref (id int PRIMARY KEY); CREATE TABLE fkpart (id int REFERENCES ref, x int) PARTITION BY HASH (x); CREATE TABLE fk0 PARTITION OF fkpart FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE fk1 PARTITION OF fkpart FOR VALUES WITH (MODULUS 2, REMAINDER 1); INSERT INTO ref VALUES (1); INSERT INTO fkpart SELECT 1, i FROM generate_series(1,100) i;
CREATE TABLE ehash (k mood, v text) PARTITION BY HASH (k); CREATE TABLE eh0 PARTITION OF ehash FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE eh1 PARTITION OF ehash FOR VALUES WITH (MODULUS 2, REMAINDER 1); INSERT INTO ehash SELECT (ARRAY['a','b','c'])[1+i%3]::mood, repeat('x',100) FROM generate_series(1,200000) i;
CREATE TABLE par (id int, t text); CREATE TABLE kid (extra text) INHERITS (par); INSERT INTO kid SELECT i, repeat('y',200), 'z' FROM generate_series(1,60000) i; INSERT INTO par VALUES (0, 'p');
CREATE SEQUENCE cyc MAXVALUE 5 CYCLE; SELECT nextval('cyc') FROM generate_series(1,7); CREATE SEQUENCE neg INCREMENT -2; SELECT nextval('neg');
CREATE PUBLICATION onetab FOR TABLE kid;
CREATE TABLE defer (id int PRIMARY KEY, u int UNIQUE DEFERRABLE INITIALLY DEFERRED, up int REFERENCES defer DEFERRABLE INITIALLY DEFERRED, EXCLUDE (up WITH =)); BEGIN; INSERT INTO defer VALUES (1,1,2),(2,2,1); COMMIT;
CREATE UNLOGGED TABLE unl (id serial PRIMARY KEY, x text); INSERT INTO unl (x) SELECT 'u' FROM generate_series(1,10);
CREATE MATERIALIZED VIEW mv AS SELECT k, count(*) AS n FROM part GROUP BY k; CREATE UNIQUE INDEX mv_k ON mv (k); CREATE MATERIALIZED VIEW mv_empty AS SELECT 1 AS one WITH NO DATA;
CREATE VIEW grp AS SELECT r.* FROM ref r GROUP BY r.id; CREATE RULE rr AS ON INSERT TO grp DO INSTEAD NOTHING;
CREATE FUNCTION trg() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'never'; END $$;
CREATE TRIGGER no BEFORE INSERT ON par FOR EACH ROW EXECUTE FUNCTION trg(); ALTER TABLE par DISABLE TRIGGER no; CREATE TRIGGER alw BEFORE UPDATE ON kid FOR EACH ROW EXECUTE FUNCTION trg(); ALTER TABLE kid ENABLE ALWAYS TRIGGER alw; CREATE TRIGGER pt AFTER INSERT ON part FOR EACH ROW EXECUTE FUNCTION trg(); ALTER TABLE part_a DISABLE TRIGGER pt;
CREATE PROCEDURE pr() LANGUAGE sql AS $$ SELECT 1 $$; CREATE AGGREGATE agg(int) (SFUNC = int4pl, STYPE = int); CREATE FUNCTION atomic(int) RETURNS int LANGUAGE sql IMMUTABLE BEGIN ATOMIC SELECT $1 + 1; END;
CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false); CREATE TABLE coll (t text COLLATE ci UNIQUE); INSERT INTO coll VALUES ('é'),('e'),('z');
CREATE STATISTICS st (dependencies) ON k, v FROM part; COMMENT ON TABLE ref IS E'it''s\n-- a comment; \\.'; ALTER TABLE ref REPLICA IDENTITY USING INDEX ref_pkey; CLUSTER ref USING ref_pkey;
ALTER TABLE ref ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON ref USING (false);
CREATE TABLE vals (m money, i interval, b bytea, a text[][], x xml, j jsonb, n numeric, f float8, d date, ts timestamptz, mac macaddr, ip inet, tsv tsvector, hs text); INSERT INTO vals VALUES ('-$1,234.56', '-1 day +02:03:04', '\x00ff5c', ARRAY[[NULL,'a"b,{}'],['\','']], '<a>é</a>', '{"k":"\u00e9\\"}', 'NaN', '-Infinity', '-infinity', '0001-01-01 BC', '08:00:2b:01:02:03', '::1', 'a:1A b', repeat('z', 3000000));
SELECT lo_from_bytea(0, '\xdeadbeef'), lo_from_bytea(424242, decode(repeat('ab', 100000),'hex'));
ALTER TABLE ref ADD CONSTRAINT chk CHECK (id > 5) NOT VALID;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO PUBLIC; GRANT SELECT ON ref TO PUBLIC;
