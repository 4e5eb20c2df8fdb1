//! Files as streams: CSV, JSON, Parquet and Avro, on local disks and in object stores.

mod format;
