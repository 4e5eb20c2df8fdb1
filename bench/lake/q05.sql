SELECT n_name, sum(l_extendedprice * (1 - l_discount)) AS revenue
FROM lake.customer
JOIN lake.orders ON c_custkey = o_custkey
JOIN lake.lineitem ON l_orderkey = o_orderkey
JOIN lake.supplier ON l_suppkey = s_suppkey AND c_nationkey = s_nationkey
JOIN lake.nation ON s_nationkey = n_nationkey
JOIN lake.region ON n_regionkey = r_regionkey
WHERE r_name = 'ASIA' AND o_orderdate >= DATE '1994-01-01' AND o_orderdate < DATE '1995-01-01'
GROUP BY n_name
ORDER BY revenue DESC
