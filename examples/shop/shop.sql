-- The shop's topics as sources, and what its people want to know. The broker is that of docker-compose.yml.
CREATE CONNECTION IF NOT EXISTS shop TO KAFKA (BROKER 'broker:9092', SECURITY PROTOCOL = 'PLAINTEXT');

CREATE SOURCE IF NOT EXISTS customers (id bigint, name text, city text, level text, PRIMARY KEY (id) NOT ENFORCED)
    FROM KAFKA CONNECTION shop (TOPIC 'customers') FORMAT JSON ENVELOPE DEBEZIUM;
CREATE SOURCE IF NOT EXISTS orders (id bigint, customer bigint, item text, quantity bigint, price bigint, at bigint)
    FROM KAFKA CONNECTION shop (TOPIC 'orders') FORMAT JSON;
CREATE SOURCE IF NOT EXISTS clicks (id bigint, customer bigint, page text, at bigint)
    FROM KAFKA CONNECTION shop (TOPIC 'clicks') FORMAT JSON;

-- A customer who moves takes what was sold to the new city along.
CREATE MATERIALIZED VIEW IF NOT EXISTS sales_by_city AS
    SELECT c.city, count(*) AS orders, sum(o.quantity * o.price) AS total
    FROM orders o JOIN customers c ON c.id = o.customer GROUP BY c.city;

CREATE MATERIALIZED VIEW IF NOT EXISTS best_customers AS
    SELECT c.name, c.city, c.level, sum(o.quantity * o.price) AS total
    FROM orders o JOIN customers c ON c.id = o.customer GROUP BY c.id, c.name, c.city, c.level
    ORDER BY total DESC, c.name LIMIT 10;

-- The last five minutes, kept true as time passes.
CREATE MATERIALIZED VIEW IF NOT EXISTS recent_pages AS
    SELECT page, count(*) AS clicks FROM clicks
    WHERE mz_now() <= at + 300000 GROUP BY page;
