//! `CREATE TABLE` as the server prints it, taken apart into its items: nothing in quotes or comments is taken for more.

use levada_core::backup::ForeignKey;

use crate::mysql::session::quoted;

/// A statement without its foreign keys, and those.
pub fn without_foreign_keys(create: &str) -> (String, Vec<ForeignKey>) {
    let Some((open, close)) = body(create) else { return (create.to_owned(), Vec::new()) };
    let (mut kept, mut keys) = (Vec::new(), Vec::new());
    for item in items(&create[open..close]) {
        match foreign_key(item.trim()) {
            Some(key) => keys.push(key),
            None => kept.push(item.trim()),
        }
    }
    (format!("{}\n  {}\n{}", &create[..open], kept.join(",\n  "), &create[close..]), keys)
}

/// The statement without the name of its own database before the names of sequences.
pub fn without_database(create: &str, database: &str) -> String {
    let prefix = format!("{}.", quoted(database));
    let mut out = String::with_capacity(create.len());
    let mut rest = create;
    while let Some(piece) = piece(rest) {
        // a name is told with its database in front of another name only
        if piece.starts_with('`') && rest.starts_with(&prefix) && rest[prefix.len()..].starts_with('`') {
            rest = &rest[prefix.len()..];
            continue;
        }
        out.push_str(piece);
        rest = &rest[piece.len()..];
    }
    out
}

/// Where what stands between the outer parentheses begins and ends.
fn body(create: &str) -> Option<(usize, usize)> {
    let (mut at, mut depth, mut open) = (0, 0_usize, None);
    while let Some(piece) = piece(&create[at..]) {
        match piece {
            "(" => {
                depth += 1;
                open = open.or(Some(at + 1));
            }
            ")" => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return open.map(|open| (open, at));
                }
            }
            _ => {}
        }
        at += piece.len();
    }
    None
}

/// What commas part, outside of parentheses.
fn items(body: &str) -> Vec<&str> {
    let (mut items, mut from, mut at, mut depth) = (Vec::new(), 0, 0, 0_i32);
    while let Some(piece) = piece(&body[at..]) {
        match piece {
            "(" => depth += 1,
            ")" => depth -= 1,
            "," if depth == 0 => {
                items.push(&body[from..at]);
                from = at + 1;
            }
            _ => {}
        }
        at += piece.len();
    }
    items.push(&body[from..]);
    items
}

/// ``CONSTRAINT `name` FOREIGN KEY (..) REFERENCES `table` (..) ..``
fn foreign_key(item: &str) -> Option<ForeignKey> {
    let rest = item.strip_prefix("CONSTRAINT ")?;
    let name = piece(rest).filter(|name| name.starts_with('`'))?;
    let definition = rest[name.len()..].strip_prefix(' ').filter(|rest| rest.starts_with("FOREIGN KEY "))?;
    let mut rest = definition;
    while !rest.starts_with(" REFERENCES ") {
        rest = &rest[piece(rest)?.len()..];
    }
    let target = &rest[" REFERENCES ".len()..];
    let mut references = piece(target).filter(|table| table.starts_with('`'))?.to_owned();
    if let Some(table) = target[references.len()..].strip_prefix('.') {
        references = format!("{references}.{}", piece(table)?);
    }
    let name = name.get(1..name.len() - 1)?.replace("``", "`");
    Some(ForeignKey { name, references, definition: definition.to_owned() })
}

/// What a statement goes on with: a name or text in quotes as a whole, or one character. `None` at the end.
fn piece(rest: &str) -> Option<&str> {
    let first = rest.chars().next()?;
    if !matches!(first, '`' | '\'' | '"') {
        return Some(&rest[..first.len_utf8()]);
    }
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && first != '`' {
            chars.next();
        } else if c == first && chars.next_if(|(_, next)| *next == first).is_none() {
            return Some(&rest[..=at]);
        }
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREATE: &str = "CREATE TABLE `a``b (` (\n  `id` int(11) NOT NULL DEFAULT nextval(`my``db`.`s`) COMMENT 'x, CONSTRAINT `c` \
        FOREIGN KEY (`q`)\\'',\n  `e` enum('a,b','c)') DEFAULT NULL,\n  KEY `k` (`id`,`e`),\n  CONSTRAINT `f,(1` FOREIGN KEY (`id`, `e`) \
        REFERENCES `other``s` (`id`, `e`) ON DELETE CASCADE,\n  CONSTRAINT `g` FOREIGN KEY (`id`) REFERENCES `my``db`.`t` (`id`),\n  \
        CONSTRAINT `c1` CHECK (`id` > 0 and `e` <> ' REFERENCES `')\n) ENGINE=InnoDB COMMENT='(it''s)'\n PARTITION BY HASH (`id`)";

    #[test]
    fn foreign_keys_are_parted_from_the_rest() {
        let (rest, keys) = without_foreign_keys(CREATE);
        assert_eq!(keys.len(), 2, "{keys:?}");
        assert_eq!((keys[0].name.as_str(), keys[0].references.as_str()), ("f,(1", "`other``s`"));
        let definition = "FOREIGN KEY (`id`, `e`) REFERENCES `other``s` (`id`, `e`) ON DELETE CASCADE";
        assert_eq!(keys[0].definition, definition);
        assert_eq!(keys[1].references, "`my``db`.`t`");
        for part in ["COMMENT 'x, CONSTRAINT `c` FOREIGN KEY (`q`)\\''", "enum('a,b','c)')", "CONSTRAINT `c1` CHECK"] {
            assert!(rest.contains(part), "{rest}");
        }
        assert!(rest.ends_with("\n) ENGINE=InnoDB COMMENT='(it''s)'\n PARTITION BY HASH (`id`)"), "{rest}");
        assert_eq!(without_foreign_keys(&rest).0, rest);
    }

    #[test]
    fn only_names_lose_the_database() {
        let create = "`c` int DEFAULT nextval(`my``db`.`s`) COMMENT '`my``db`.`s`', `my``db` int, KEY (`my``db`)";
        let left = "`c` int DEFAULT nextval(`s`) COMMENT '`my``db`.`s`', `my``db` int, KEY (`my``db`)";
        assert_eq!(without_database(create, "my`db"), left);
    }
}
