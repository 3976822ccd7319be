-- A database with something of most kinds that pg_dump knows. Made as the role that owns it.
SET ROLE app;
CREATE SCHEMA "Other Schema";
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE SEQUENCE counting START 100 INCREMENT 7;
SELECT nextval('counting');
CREATE TABLE parents (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (name <> ''),
    upper_name text GENERATED ALWAYS AS (upper(name)) STORED,
    feels mood DEFAULT 'ok',
    twin pair,
    size positive,
    tags text[],
    about jsonb,
    body bytea
);
INSERT INTO parents (name, feels, twin, size, tags, about, body)
    SELECT 'é ' || g || E'\t\\', (ARRAY['sad', 'ok', NULL])[1 + g % 3]::mood, ROW(g, NULL)::pair, g, ARRAY['a', NULL, g::text],
           jsonb_build_object('n', g, 'deep', ARRAY[g, g + 1]), decode(md5(g::text), 'hex')
    FROM generate_series(1, 3000) g;
CREATE TABLE children (
    id bigint PRIMARY KEY,
    parent int REFERENCES parents ON DELETE CASCADE DEFERRABLE,
    day date NOT NULL
) ;
INSERT INTO children SELECT g, 1 + g % 3000, '2026-01-01'::date + g % 365 FROM generate_series(1, 20000) g;
CREATE INDEX by_day ON children (day) WHERE parent > 10;
CREATE TABLE parts (id int, day date) PARTITION BY RANGE (day);
CREATE TABLE parts_2025 PARTITION OF parts FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE parts_2026 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO parts SELECT g, '2025-06-01'::date + g FROM generate_series(1, 400) g;
CREATE TABLE "Other Schema"."Odd ""Name""" ("Odd Column" text COLLATE "C", big text);
INSERT INTO "Other Schema"."Odd ""Name""" VALUES ('x', repeat('0123456789', 1000000)), (NULL, '');
CREATE VIEW names AS SELECT id, name FROM parents WHERE size > 5;
CREATE MATERIALIZED VIEW days AS SELECT day, count(*) FROM children GROUP BY day;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.day := NEW.day; RETURN NEW; END $$;
CREATE TRIGGER touched BEFORE UPDATE ON children FOR EACH ROW EXECUTE FUNCTION touch();
CREATE PROCEDURE nothing(i int) LANGUAGE sql AS 'SELECT i';
CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
CREATE RULE quiet AS ON INSERT TO names DO INSTEAD NOTHING;
ALTER TABLE children ENABLE ROW LEVEL SECURITY;
CREATE POLICY all_of_them ON children USING (true);
CREATE STATISTICS both_columns ON parent, day FROM children;
GRANT SELECT ON parents TO PUBLIC;
COMMENT ON TABLE parents IS 'parents — "quoted"';
COMMENT ON COLUMN parents.name IS 'a name; with a semicolon';
