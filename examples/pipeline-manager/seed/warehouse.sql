-- For PostgreSQL: a segment for each of the 5,000 customers.
CREATE TABLE segments (customer_id int PRIMARY KEY, segment text NOT NULL, score numeric(5,2) NOT NULL);
INSERT INTO segments
  SELECT id, (ARRAY['loyal', 'new', 'asleep'])[1 + id % 3], id * 17 % 10000 / 100.0 FROM generate_series(1, 5000) AS id;
