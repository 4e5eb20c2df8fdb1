"""What `levada-bench --part lake` compares Levada with: DataFusion, DuckDB and deltalake, by their Python packages.

Each call does one thing and prints one JSON object. Seconds are those of the work itself: neither the start of Python nor
the imports count.
"""

import datetime
import decimal
import json
import pathlib
import sys
import time


def plain(value):
    """A value as text or number that another engine's value can be compared with."""
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    return float(value) if isinstance(value, decimal.Decimal) else value


def query_datafusion(tables):
    import datafusion

    context = datafusion.SessionContext()
    for folder in tables:
        context.register_parquet(folder.name, str(folder))

    def run(sql):
        batches = context.sql(sql).collect()
        return [list(row.values()) for batch in batches for row in batch.to_pylist()]

    return run, datafusion.__version__


def query_duckdb(tables):
    import duckdb

    connection = duckdb.connect()
    for folder in tables:
        connection.execute(f"CREATE VIEW {folder.name} AS SELECT * FROM read_parquet('{folder}/*.parquet')")
    return lambda sql: [list(row) for row in connection.execute(sql).fetchall()], duckdb.__version__


def queries(engine, lake, files):
    """Seconds and rows of each query, on the Parquet files of the tables in `lake`."""
    tables = sorted(path for path in pathlib.Path(lake).iterdir() if (path / "_delta_log").is_dir())
    run, version = {"datafusion": query_datafusion, "duckdb": query_duckdb}[engine](tables)
    seconds, rows = [], []
    for file in files:
        sql = pathlib.Path(file).read_text().replace("lake.", "")
        start = time.perf_counter()
        found = run(sql)
        seconds.append(time.perf_counter() - start)
        rows.append([[plain(value) for value in row] for row in found])
    return {"version": version, "seconds": seconds, "rows": rows}


def changes(lake, file, part):
    """Writes every hundredth order of `lineitem` with another quantity into a Parquet file."""
    import duckdb

    duckdb.execute(
        f"COPY (SELECT * REPLACE (CAST(l_quantity + 1 AS DECIMAL(15, 2)) AS l_quantity) FROM "
        f"read_parquet('{lake}/lineitem/*.parquet') WHERE l_orderkey % 100 = {int(part)}) TO '{file}' (FORMAT parquet)"
    )
    return {}


def many(file, rows):
    """Writes so many rows with the keys 0, 1, .. into a Parquet file."""
    import duckdb

    duckdb.execute(
        f"COPY (SELECT range AS id, range % 1000 AS kind, md5(CAST(range AS VARCHAR)) AS name, "
        f"CAST(range % 100000 AS DECIMAL(15, 2)) / 100 AS amount FROM range({int(rows)})) TO '{file}' (FORMAT parquet)"
    )
    return {}


def few(file, rows, count):
    """Writes `count` rows into a Parquet file whose keys are spread over `rows`."""
    import duckdb

    duckdb.execute(
        f"COPY (SELECT range * {int(rows) // int(count)} AS id, 7 AS kind, 'new' AS name, "
        f"CAST(1 AS DECIMAL(15, 2)) / 100 AS amount FROM range({int(count)})) TO '{file}' (FORMAT parquet)"
    )
    return {}


def merge(table, file):
    """Merges a Parquet file into a table by the key of `lineitem`."""
    import deltalake
    import pyarrow.parquet

    start = time.perf_counter()
    same = "t.l_orderkey = s.l_orderkey AND t.l_linenumber = s.l_linenumber"
    source = pyarrow.parquet.read_table(file)
    merger = deltalake.DeltaTable(table).merge(source, same, source_alias="s", target_alias="t")
    merger.when_matched_update_all().when_not_matched_insert_all().execute()
    return {"seconds": time.perf_counter() - start, "version": deltalake.__version__}


def fingerprint(table, columns):
    """The rows of the newest version of a table, and the sums of columns."""
    import deltalake
    import duckdb

    data = deltalake.DeltaTable(table).to_pyarrow_dataset()
    sums = ", ".join(f"CAST(sum({column}) AS VARCHAR)" for column in columns.split(","))
    return {"found": duckdb.sql(f"SELECT count(*), {sums} FROM data").fetchall()[0]}


if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    if name == "queries":
        told = queries(arguments[0], arguments[1], arguments[2:])
    else:
        told = {"changes": changes, "many": many, "few": few, "merge": merge, "fingerprint": fingerprint}[name](*arguments)
    print(json.dumps(told))
