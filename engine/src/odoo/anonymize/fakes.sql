-- The fakes, as functions in the session's own schema. They are keyed: the same value with the same
-- key makes the same fake, and without the key none leads back to its value. Values that differ only
-- in spelling (case, spaces, punctuation) get the same fake.

CREATE FUNCTION pg_temp.fake_hash(kind text, value text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT encode(sha256(convert_to(current_setting('odoo_backup.key') || kind || ':' || value, 'UTF8')), 'hex')
$$;

-- Nine syllables, 54 bits: pronounceable, and of no language.
CREATE FUNCTION pg_temp.fake_letters(kind text, value text) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    hash text := pg_temp.fake_hash(kind, value);
    c text := translate(substr(hash, 1, 9), '0123456789abcdef', 'bdfghklmnprstvwz');
    v text := translate(substr(hash, 10, 9), '0123456789abcdef', 'aeioaeioaeioaeio');
BEGIN
    RETURN concat(
        substr(c, 1, 1), substr(v, 1, 1), substr(c, 2, 1), substr(v, 2, 1), substr(c, 3, 1), substr(v, 3, 1),
        substr(c, 4, 1), substr(v, 4, 1), substr(c, 5, 1), substr(v, 5, 1), substr(c, 6, 1), substr(v, 6, 1),
        substr(c, 7, 1), substr(v, 7, 1), substr(c, 8, 1), substr(v, 8, 1), substr(c, 9, 1), substr(v, 9, 1));
END $$;

-- At most 18 digits.
CREATE FUNCTION pg_temp.fake_digits(kind text, value text, digits integer) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT lpad((('x' || substr(pg_temp.fake_hash(kind, value), 1, 15))::bit(60)::bigint % power(10::numeric, digits)::bigint)::text, digits, '0')
$$;

CREATE FUNCTION pg_temp.fake_plain(value text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT lower(regexp_replace(btrim(value, E' \t\r\n'), '\s+', ' ', 'g'))
$$;

CREATE FUNCTION pg_temp.fake_alphanumeric(value text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT upper(regexp_replace(value, '[^[:alnum:]]', '', 'g'))
$$;

CREATE FUNCTION pg_temp.fake_one_name(value text) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    l text := pg_temp.fake_letters('name', pg_temp.fake_plain(value));
BEGIN
    RETURN initcap(substr(l, 1, 6) || ' ' || substr(l, 7, 6) || ' ' || substr(l, 13, 6));
END $$;

-- A text with commas is split, so that `Company, Person` has the fakes of both: Odoo combines names
-- like that, in several columns.
CREATE FUNCTION pg_temp.fake_name(value text) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF strpos(value, ',') = 0 THEN
        RETURN pg_temp.fake_one_name(value);
    END IF;
    RETURN coalesce(
        (SELECT string_agg(pg_temp.fake_one_name(part), ', ' ORDER BY place)
         FROM regexp_split_to_table(value, ',') WITH ORDINALITY AS parts (part, place) WHERE btrim(part) <> ''),
        pg_temp.fake_one_name(value));
END $$;

CREATE FUNCTION pg_temp.fake_one_email(value text) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    l text := pg_temp.fake_letters('email', lower(btrim(value)));
BEGIN
    RETURN substr(l, 1, 6) || '.' || substr(l, 7, 12) || '@example.com';
END $$;

-- One address, one with a name, or several. Most have one of the first two forms, which need no
-- regular expression.
CREATE FUNCTION pg_temp.fake_email(value text) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    name text := btrim(split_part(value, '<', 1), E' \t\r\n"');
    address text := split_part(value, '<', 2);
BEGIN
    IF address = '' AND translate(value, E' \t\r\n>,;', '') = value OR strpos(value, '@') = 0 THEN
        RETURN pg_temp.fake_one_email(value);
    ELSIF name <> '' AND strpos(name, '@') = 0 AND strpos(address, '>') = length(address) AND split_part(value, '<', 3) = '' THEN
        RETURN '"' || pg_temp.fake_name(name) || '" <' || pg_temp.fake_one_email(rtrim(address, '>')) || '>';
    END IF;
    RETURN coalesce(
        (SELECT string_agg(pg_temp.fake_one_email(one[1]), ', ') FROM regexp_matches(value, '[^\s<>"'',;:()]+@[^\s<>"'',;:()]+', 'g') AS one),
        pg_temp.fake_one_email(value));
END $$;

CREATE FUNCTION pg_temp.fake_login(value text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN strpos(value, '@') > 0 THEN pg_temp.fake_email(value) ELSE pg_temp.fake_letters('login', value) END
$$;

-- No country has +999. Only the last eight digits count: a number may be written with and without
-- its country.
CREATE FUNCTION pg_temp.fake_phone(value text) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    digits text := right(regexp_replace(value, '\D', '', 'g'), 8);
BEGIN
    RETURN '+999' || pg_temp.fake_digits('phone', CASE WHEN digits = '' THEN pg_temp.fake_plain(value) ELSE digits END, 12);
END $$;

CREATE FUNCTION pg_temp.fake_street(value text) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    plain text := pg_temp.fake_plain(value);
BEGIN
    RETURN initcap(substr(pg_temp.fake_letters('street', plain), 1, 10)) || ' Street ' || (1 + pg_temp.fake_digits('street', plain, 2)::integer);
END $$;

CREATE FUNCTION pg_temp.fake_city(value text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT initcap(substr(pg_temp.fake_letters('city', pg_temp.fake_plain(value)), 1, 8))
$$;

CREATE FUNCTION pg_temp.fake_zip(value text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT pg_temp.fake_digits('zip', pg_temp.fake_alphanumeric(value), 5)
$$;

-- No country is XX: no bank accepts it as an account, and no authority as one of its numbers.
CREATE FUNCTION pg_temp.fake_account(value text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT 'XX00' || pg_temp.fake_digits('account', pg_temp.fake_alphanumeric(value), 16)
$$;

CREATE FUNCTION pg_temp.fake_tax_number(value text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT 'XX' || pg_temp.fake_digits('tax_number', pg_temp.fake_alphanumeric(value), 12)
$$;

CREATE FUNCTION pg_temp.fake_identifier(value text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT 'X' || pg_temp.fake_digits('identifier', pg_temp.fake_alphanumeric(value), 16)
$$;

CREATE FUNCTION pg_temp.fake_url(value text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT 'https://' || pg_temp.fake_letters('url', lower(btrim(value))) || '.example.com'
$$;

-- One of the addresses reserved for documentation (RFC 3849).
CREATE FUNCTION pg_temp.fake_ip(value text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT '2001:db8::' || regexp_replace(substr(pg_temp.fake_hash('ip', lower(btrim(value))), 1, 16), '(....)(....)(....)(....)', '\1:\2:\3:\4')
$$;

CREATE FUNCTION pg_temp.fake_one_message_id(value text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT '<' || substr(pg_temp.fake_hash('message_id', value), 1, 24) || '@example.com>'
$$;

CREATE FUNCTION pg_temp.fake_message_id(value text) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN coalesce(
        (SELECT string_agg(pg_temp.fake_one_message_id(id[1]), ' ') FROM regexp_matches(value, '<[^<>]+>', 'g') AS id),
        pg_temp.fake_one_message_id('<' || btrim(value) || '>'));
END $$;

CREATE FUNCTION pg_temp.fake_text(value text) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    l text := pg_temp.fake_letters('text', pg_temp.fake_plain(value));
BEGIN
    RETURN upper(substr(l, 1, 1)) || substr(l, 2, 5) || ' ' || substr(l, 7, 6) || ' ' || substr(l, 13, 6);
END $$;

CREATE FUNCTION pg_temp.fake_html(value text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT '<p>Anonymized</p>'
$$;

CREATE FUNCTION pg_temp.fake_domain(value text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT '[]'
$$;

-- Its ending tells the type, and not the owner.
CREATE FUNCTION pg_temp.fake_file_name(value text) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    l text := pg_temp.fake_letters('file_name', pg_temp.fake_plain(value));
BEGIN
    RETURN substr(l, 1, 6) || '-' || substr(l, 7, 12) || coalesce(lower(substring(value FROM '\.[A-Za-z0-9]{1,5}$')), '');
END $$;

-- Any kind of value, such as those before and after a change.
CREATE FUNCTION pg_temp.fake_value(value text) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF strpos(value, '@') > 0 THEN
        RETURN pg_temp.fake_email(value);
    ELSIF value ~ '^[-+()/. [:digit:]]*$' AND length(regexp_replace(value, '\D', '', 'g')) >= 6 THEN
        RETURN pg_temp.fake_phone(value);
    END IF;
    RETURN pg_temp.fake_name(value);
END $$;

-- Days since 1950.
CREATE FUNCTION pg_temp.fake_days(value text) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT (pg_temp.fake_digits('date', value, 9)::bigint % 18000)::integer
$$;
