-- A small shop to try holdpoint on: 20 000 customers, 500 products, 100 000 orders with their items,
-- 100 000 payments and some refunds. The same data every time; takes a few seconds.
-- Run by the role that is to own the tables, in an empty database.

\set ON_ERROR_STOP on
SET client_min_messages = warning;
SELECT setseed(0.4711) \g /dev/null

BEGIN;

CREATE TABLE customers (
    id          bigint PRIMARY KEY,
    name        text NOT NULL,
    email       text NOT NULL UNIQUE,
    city        text NOT NULL,
    country     char(2) NOT NULL,
    newsletter  boolean NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL
);

CREATE TABLE products (
    id      bigint PRIMARY KEY,
    sku     text NOT NULL UNIQUE,
    name    text NOT NULL,
    price   numeric(10, 2) NOT NULL CHECK (price > 0),
    stock   integer NOT NULL CHECK (stock >= 0)
);

CREATE TABLE orders (
    id           bigint PRIMARY KEY,
    customer_id  bigint NOT NULL REFERENCES customers,
    status       text NOT NULL CHECK (status IN ('placed', 'paid', 'shipped', 'delivered', 'cancelled')),
    total        numeric(12, 2) NOT NULL DEFAULT 0,
    placed_at    timestamptz NOT NULL
);

CREATE TABLE order_items (
    order_id    bigint NOT NULL REFERENCES orders,
    line        smallint NOT NULL,
    product_id  bigint NOT NULL REFERENCES products,
    quantity    integer NOT NULL CHECK (quantity > 0),
    unit_price  numeric(10, 2) NOT NULL,
    PRIMARY KEY (order_id, line)
);

CREATE TABLE payments (
    id         bigint PRIMARY KEY,
    order_id   bigint NOT NULL REFERENCES orders,
    method     text NOT NULL CHECK (method IN ('card', 'transfer', 'wallet', 'invoice')),
    status     text NOT NULL CHECK (status IN ('captured', 'pending', 'failed', 'refunded')),
    amount     numeric(12, 2) NOT NULL,
    reference  text NOT NULL UNIQUE,
    paid_at    timestamptz
);

CREATE TABLE refunds (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id   bigint NOT NULL REFERENCES payments,
    amount       numeric(12, 2) NOT NULL,
    reason       text NOT NULL,
    refunded_at  timestamptz NOT NULL
);

WITH names AS (
    SELECT '{Ada,Amir,Ana,Bao,Carla,Chidi,Clara,Daniel,Elif,Emma,Farah,Felix,Grace,Hana,Ivan,Jonas,Kofi,Lea,Liam,Lucia,Mateo,Mei,Milan,Nadia,Noah,Olga,Priya,Rosa,Samir,Sofia,Tomas,Yuki}'::text[] AS given,
           '{Adeyemi,Andersson,Becker,Bianchi,Cohen,Costa,Diaz,Dubois,Eriksen,Fischer,Garcia,Haddad,Ito,Jansen,Kaya,Khan,Kowalski,Larsen,Lopez,Martin,Meyer,Nguyen,Novak,Okafor,Patel,Petrov,Rossi,Sato,Silva,Smith,Tanaka,Weber}'::text[] AS family,
           '{Berlin,Lyon,Milano,Madrid,Porto,Gdansk,Utrecht,Malmo,Wien,Dublin}'::text[] AS cities,
           '{DE,FR,IT,ES,PT,PL,NL,SE,AT,IE}'::text[] AS countries
), people AS (
    SELECT n, 1 + (random() * 31)::int AS g, 1 + (random() * 31)::int AS f, 1 + (random() * 9)::int AS c,
           random() < 0.4 AS newsletter, random() AS age
    FROM generate_series(1, 20000) AS n
)
INSERT INTO customers
SELECT n, given[g] || ' ' || family[f], lower(given[g] || '.' || family[f]) || n || '@example.com',
       cities[c], countries[c], newsletter, timestamptz '2026-01-01 00:00+00' - age * interval '1400 days'
FROM people, names;

WITH words AS (
    SELECT '{Oak,Steel,Linen,Wool,Glass,Copper,Cork,Felt,Stone,Bamboo}'::text[] AS material,
           '{Lamp,Chair,Kettle,Blanket,Shelf,Mug,Clock,Basket,Mirror,Stool}'::text[] AS thing,
           '{small,medium,large,tall,wide}'::text[] AS size
)
INSERT INTO products
SELECT n, 'SKU-' || lpad(n::text, 5, '0'),
       material[1 + n % 10] || ' ' || thing[1 + n / 10 % 10] || ', ' || size[1 + n / 100 % 5],
       (4 + 250 * random() ^ 2)::numeric(10, 2), (random() * 400)::int
FROM generate_series(1, 500) AS n, words;

INSERT INTO orders (id, customer_id, status, placed_at)
SELECT n, 1 + floor(20000 * random() ^ 1.6)::int,
       CASE WHEN n > 99000 THEN 'placed' WHEN n > 97500 THEN 'paid' WHEN n > 95000 THEN 'shipped'
            WHEN random() < 0.04 THEN 'cancelled' ELSE 'delivered' END,
       timestamptz '2024-01-01 00:00+00' + (n + random()) * interval '10 minutes'
FROM generate_series(1, 100000) AS n;

INSERT INTO order_items
SELECT drawn.order_id, drawn.line, drawn.product_id, 1 + floor(3 * drawn.luck)::int, p.price
FROM (
    SELECT o.id AS order_id, line, 1 + floor(500 * random())::int AS product_id, random() AS luck
    FROM orders AS o, generate_series(1, 1 + o.id % 3) AS line
) AS drawn
JOIN products AS p ON p.id = drawn.product_id;

UPDATE orders AS o
SET total = t.total
FROM (SELECT order_id, sum(quantity * unit_price) AS total FROM order_items GROUP BY order_id) AS t
WHERE t.order_id = o.id;

INSERT INTO payments
SELECT id, id, (ARRAY['card', 'card', 'card', 'transfer', 'wallet', 'invoice'])[1 + floor(6 * random())::int],
       CASE status WHEN 'placed' THEN 'pending' WHEN 'cancelled' THEN 'refunded'
                   ELSE CASE WHEN random() < 0.01 THEN 'failed' ELSE 'captured' END END,
       total, 'PAY-' || upper(substr(md5(id::text), 1, 12)),
       CASE status WHEN 'placed' THEN NULL ELSE placed_at + random() * interval '2 days' END
FROM orders;

INSERT INTO refunds (payment_id, amount, reason, refunded_at)
SELECT id, amount, (ARRAY['changed their mind', 'out of stock', 'damaged on arrival'])[1 + id % 3], paid_at + interval '3 days'
FROM payments
WHERE status = 'refunded';

CREATE INDEX ON orders (customer_id, placed_at);
CREATE INDEX ON orders (status);
CREATE INDEX ON order_items (product_id);
CREATE INDEX ON payments (order_id);
CREATE INDEX ON payments (status) WHERE status <> 'captured';
CREATE INDEX ON refunds (payment_id);

CREATE VIEW monthly_revenue AS
SELECT date_trunc('month', placed_at) AS month, count(*) AS orders, sum(total) AS revenue
FROM orders
WHERE status <> 'cancelled'
GROUP BY 1;

COMMIT;

ANALYZE;
