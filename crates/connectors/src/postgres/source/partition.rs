//! Cuts a table into ranges of blocks that readers take from a queue.

use levada_core::error::Result;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::slices::Slice;
use crate::postgres::catalog::Relation;
use crate::postgres::error::Translate;
use crate::postgres::sql::qualified;

/// Blocks (of 8 kB) that are worth a statement of their own.
const BLOCKS_MIN: i64 = 1024;
/// Blocks after which a reader comes back to the queue at the latest.
const BLOCKS_MAX: i64 = 16_384;

/// Part of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// What follows `FROM`.
    pub from: String,
    /// First block, and the block to stop before (none in the last range, which takes what is left).
    pub blocks: Option<(i64, Option<i64>)>,
    /// The slice of an incremental read that it is, if it is one.
    pub slice: Option<Slice>,
}

impl Range {
    /// All of a relation.
    pub fn whole(relation: &Relation) -> Self {
        Self { from: from(&relation.schema, &relation.table, relation.kind), blocks: None, slice: None }
    }

    /// A slice of a relation.
    pub fn slice(relation: &Relation, slice: Slice) -> Self {
        Self { slice: Some(slice), ..Self::whole(relation) }
    }

    /// The condition that selects it.
    pub fn condition(&self) -> Option<String> {
        if let Some(slice) = &self.slice {
            return Some(slice.condition.clone());
        }
        match self.blocks? {
            (0, None) => None,
            (first, None) => Some(format!("ctid >= '({first},0)'")),
            (first, Some(end)) => Some(format!("ctid >= '({first},0)' AND ctid < '({end},0)'")),
        }
    }
}

/// A table is read without the tables that inherit from it: they are streams of their own.
fn from(schema: &str, table: &str, kind: char) -> String {
    let only = if matches!(kind, 'r' | 'm') { "ONLY " } else { "" };
    format!("{only}{}", qualified(schema, table))
}

const LEAVES: &str = "SELECT n.nspname::text, c.relname::text, c.relkind::text,
  CASE WHEN c.relkind IN ('r', 'm')
       THEN pg_catalog.pg_relation_size(c.oid) / current_setting('block_size')::int8 END,
  coalesce(a.amname = 'heap', false) AND current_setting('server_version_num')::int >= 140000,
  pg_catalog.has_table_privilege(c.oid, 'SELECT') AND NOT pg_catalog.row_security_active($1)
FROM (SELECT $1 AS leaf WHERE $2 <> 'p'
      UNION ALL
      SELECT p.relid::oid FROM pg_catalog.pg_partition_tree($1) p WHERE p.isleaf AND $2 = 'p') x
JOIN pg_catalog.pg_class c ON c.oid = x.leaf
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_am a ON a.oid = c.relam
ORDER BY c.oid";

/// The ranges that together are the whole relation, in the order of its blocks; one if it cannot or need not be cut.
pub async fn ranges(client: &Client, relation: &Relation, readers: usize) -> Result<Vec<Range>> {
    if readers < 2 || !matches!(relation.kind, 'r' | 'm' | 'p') {
        return Ok(vec![Range::whole(relation)]);
    }
    let kind = relation.kind.to_string();
    let leaves = client.query_typed(LEAVES, &[(&relation.oid, Type::OID), (&kind, Type::TEXT)]).await.pg()?;
    let readable = leaves.iter().all(|leaf| leaf.get::<_, bool>(5));
    // Rights and row policies of a partitioned table do not reach its partitions.
    if relation.kind == 'p' && !readable || leaves.is_empty() {
        return Ok(vec![Range::whole(relation)]);
    }
    let total: i64 = leaves.iter().filter_map(|leaf| leaf.get::<_, Option<i64>>(3)).sum();
    let step = (total / (readers as i64 * 8)).clamp(BLOCKS_MIN, BLOCKS_MAX);
    let mut ranges = Vec::new();
    for leaf in &leaves {
        let kind = leaf.get::<_, String>(2).chars().next().unwrap_or('r');
        let from = from(leaf.get(0), leaf.get(1), kind);
        match leaf.get::<_, Option<i64>>(3).filter(|_| leaf.get(4)) {
            None => ranges.push(Range { from, blocks: None, slice: None }),
            Some(blocks) => ranges.extend(cut(&from, blocks, step)),
        }
    }
    Ok(ranges)
}

fn cut(from: &str, blocks: i64, step: i64) -> impl Iterator<Item = Range> {
    let pieces = (blocks / step).max(1);
    (0..pieces).map(move |piece| Range {
        from: from.to_owned(),
        blocks: Some((piece * step, (piece + 1 < pieces).then_some((piece + 1) * step))),
        slice: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_meet_without_gap_and_the_last_is_open() {
        for blocks in [0, 1, 1023, 1024, 2047, 2048, 100_000] {
            let ranges: Vec<Range> = cut("t", blocks, 1024).collect();
            assert_eq!(ranges[0].blocks.map(|b| b.0), Some(0));
            assert_eq!(ranges[ranges.len() - 1].blocks.map(|b| b.1), Some(None));
            for pair in ranges.windows(2) {
                assert_eq!(pair[0].blocks.and_then(|b| b.1), pair[1].blocks.map(|b| b.0));
            }
        }
    }
}
