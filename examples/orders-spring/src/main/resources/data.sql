INSERT INTO product SELECT n, CONCAT('product ', n), 199 + 37 * n, 10000 FROM generate_series(1, 50) AS seed(n) ON CONFLICT DO NOTHING;
