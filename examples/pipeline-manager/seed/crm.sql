-- For MariaDB: 5,000 customers and 20,000 orders, the same each time.
CREATE TABLE customers (
  id INT PRIMARY KEY, name VARCHAR(100) NOT NULL, email VARCHAR(200) NOT NULL UNIQUE, city VARCHAR(100),
  credit DECIMAL(10,2) NOT NULL, updated_at DATETIME(6) NOT NULL, KEY (updated_at));
CREATE TABLE orders (
  id INT PRIMARY KEY, customer_id INT NOT NULL REFERENCES customers (id), total DECIMAL(12,2) NOT NULL,
  state VARCHAR(20) NOT NULL, updated_at DATETIME(6) NOT NULL, KEY (updated_at));
INSERT INTO customers
  SELECT seq, CONCAT('Customer ', seq), CONCAT('c', seq, '@example.com'), ELT(1 + seq % 4, 'Funchal', 'Calheta', 'Santana', NULL),
         seq * 7 % 1000 + 0.25, '2026-01-01' + INTERVAL seq MINUTE
  FROM seq_1_to_5000;
INSERT INTO orders
  SELECT seq, 1 + seq * 31 % 5000, seq * 13 % 900 + 0.99, ELT(1 + seq % 3, 'new', 'paid', 'sent'), '2026-01-01' + INTERVAL seq MINUTE
  FROM seq_1_to_20000;
