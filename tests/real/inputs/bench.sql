PRAGMA journal_mode = MEMORY;
CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b TEXT);
BEGIN;
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
INSERT INTO t (a, b) SELECT (i * 7919) % 1009, printf('row %05d', (i * 104729) % 99991) FROM n;
COMMIT;
CREATE INDEX by_a ON t (a);
SELECT count(*), sum(a), min(b), max(b) FROM t;
SELECT a, count(*) FROM t GROUP BY a HAVING count(*) > 1 ORDER BY 2 DESC, a LIMIT 5;
SELECT t.id, u.b FROM t JOIN t AS u ON t.a = u.a AND t.id < u.id ORDER BY t.id, u.id LIMIT 5;
UPDATE t SET b = upper(b) || a WHERE id % 3 = 0;
DELETE FROM t WHERE a BETWEEN 100 AND 200;
SELECT count(*), sum(length(b)), avg(a) FROM t;
WITH RECURSIVE
  x (cx) AS (VALUES (-1.5) UNION ALL SELECT cx + 0.25 FROM x WHERE cx < 0.5),
  y (cy) AS (VALUES (-1.0) UNION ALL SELECT cy + 0.25 FROM y WHERE cy < 1.0),
  m (iter, cx, cy, x, y) AS (
    SELECT 0, cx, cy, 0.0, 0.0 FROM x, y
    UNION ALL SELECT iter + 1, cx, cy, x * x - y * y + cx, 2.0 * x * y + cy FROM m WHERE x * x + y * y < 4.0 AND iter < 20
  )
SELECT cy, group_concat(most, ' ') FROM (SELECT cx, cy, max(iter) AS most FROM m GROUP BY cx, cy) GROUP BY cy;
SELECT json_extract('{"a": [1, {"b": 2.5}]}', '$.a[1].b'), hex(zeroblob(4)), date('2026-11-28', '+40 days');
SELECT id, rank() OVER (ORDER BY a, id) FROM t ORDER BY id LIMIT 4;
PRAGMA integrity_check;
