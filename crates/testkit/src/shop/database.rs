//! The shop's own database: customers, products and orders in SQLite, declared as such applications declare them.

use std::path::Path;

use levada_core::text::{write_date, write_timestamp};
use rusqlite::{Connection, Statement, Transaction, params};

use super::chance::Chance;
use super::people::Customer;
use super::{DAY_US, FIRST_YEAR_US, OPENING_US, Result, Sizes};

/// The database file.
pub const DATABASE: &str = "shop.db";

const TABLES: &str = "
CREATE TABLE customers (
  id INTEGER PRIMARY KEY, email TEXT NOT NULL, name TEXT NOT NULL, company TEXT, phone TEXT, city TEXT NOT NULL,
  country CHAR(2) NOT NULL, postcode TEXT NOT NULL, born DATE, newsletter BOOLEAN NOT NULL, note TEXT,
  created_at TIMESTAMP NOT NULL, updated_at TIMESTAMP NOT NULL);
CREATE TABLE products (
  id INTEGER PRIMARY KEY, sku VARCHAR(16) NOT NULL UNIQUE, name TEXT NOT NULL, category TEXT NOT NULL,
  price DECIMAL(10,2) NOT NULL, weight_kg DOUBLE, stock INTEGER NOT NULL);
CREATE TABLE orders (
  id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers, product_id INTEGER NOT NULL REFERENCES products,
  quantity INTEGER NOT NULL, total DECIMAL(12,2) NOT NULL, currency CHAR(3) NOT NULL, status TEXT NOT NULL, gift_note TEXT,
  ordered_at TIMESTAMP NOT NULL, updated_at TIMESTAMP NOT NULL);
CREATE INDEX orders_updated_at ON orders (updated_at);
";
const INSERT_ORDER: &str = "
INSERT INTO orders (customer_id, product_id, quantity, total, currency, status, gift_note, ordered_at, updated_at)
VALUES (?,?,?,?,?,?,?,?,?)";
const CATEGORIES: &[&str] =
    &["Wine", "Embroidery", "Wickerwork", "Honey cake", "Poncha & co.", "Café", "Walking shoes"];
const STATUSES: &[&str] = &["new", "paid", "packed", "shipped", "delivered", "delivered", "delivered", "returned"];
const GIFT_NOTES: &[&str] =
    &["Happy birthday! 🎂", "For \"Vovó\"", "line one\nline two", "", "50% of my heart", "Feliz Natal"];

/// Writes a new database; returns the rows of each table.
pub fn create(folder: &Path, seed: u64, sizes: Sizes) -> Result<Vec<(String, u64)>> {
    let mut database = open(folder)?;
    database.execute_batch(TABLES)?;
    let transaction = database.transaction()?;
    insert_customers(&transaction, seed, sizes.customers)?;
    insert_products(&transaction, seed, sizes.products)?;
    let mut chance = Chance::new(seed, "orders");
    let end = OPENING_US + FIRST_YEAR_US;
    let step = FIRST_YEAR_US / sizes.orders as i64;
    let mut insert = transaction.prepare(INSERT_ORDER)?;
    for number in 0..sizes.orders {
        let start = OPENING_US + number as i64 * step;
        let ordered = chance.moment((start, start + step));
        let updated = chance.moment((ordered, (ordered + 10 * DAY_US).min(end)));
        insert_order(&mut insert, &mut chance, (sizes.customers, sizes.products), ordered, updated)?;
    }
    drop(insert);
    transaction.commit()?;
    let counts = [("customers", sizes.customers), ("products", sizes.products), ("orders", sizes.orders)];
    Ok(counts.map(|(table, rows)| (table.to_owned(), rows)).to_vec())
}

/// What [`grow`] wrote, and the size of the shop that others need to agree with.
pub struct Grown {
    pub rows: Vec<(String, u64)>,
    pub customers: u64,
    pub products: u64,
}

/// A later day: new orders, and changes to old orders and customers.
pub fn grow(folder: &Path, seed: u64, orders: u64, day: (i64, i64)) -> Result<Grown> {
    let mut database = open(folder)?;
    let count =
        |table: &str| database.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0));
    let (customers, products, known) = (count("customers")? as u64, count("products")? as u64, count("orders")? as u64);
    let mut chance = Chance::new(seed, "later");
    let transaction = database.transaction()?;
    let mut changed = 0;
    {
        let mut insert = transaction.prepare(INSERT_ORDER)?;
        for _ in 0..orders {
            let ordered = chance.moment(day);
            insert_order(&mut insert, &mut chance, (customers, products), ordered, ordered)?;
        }
        let mut update = transaction.prepare("UPDATE orders SET status = ?, updated_at = ? WHERE id = ?")?;
        for _ in 0..orders.div_ceil(10) {
            let id = 1 + chance.below(known) as i64;
            changed += update.execute(params![chance.pick(STATUSES), moment(chance.moment(day)), id])?;
        }
        let mut update = transaction.prepare("UPDATE customers SET phone = ?, updated_at = ? WHERE id = ?")?;
        for _ in 0..orders.div_ceil(100) {
            let (id, phone) = (1 + chance.below(customers) as i64, format!("+351 {:09}", chance.below(1_000_000_000)));
            update.execute(params![phone, moment(chance.moment(day)), id])?;
        }
    }
    transaction.commit()?;
    let rows = vec![
        ("orders (new)".to_owned(), orders),
        ("orders (changed)".to_owned(), changed as u64),
        ("customers (changed)".to_owned(), orders.div_ceil(100)),
    ];
    Ok(Grown { rows, customers, products })
}

/// The file can be made again at any time, so it need not survive a power cut.
fn open(folder: &Path) -> Result<Connection> {
    let database = Connection::open(folder.join(DATABASE))?;
    database.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF;")?;
    Ok(database)
}

fn insert_customers(transaction: &Transaction, seed: u64, count: u64) -> Result<()> {
    let mut insert = transaction.prepare("INSERT INTO customers VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)")?;
    (1..=count).try_for_each(|id| insert_customer(&mut insert, &Customer::new(seed, id)))
}

fn insert_customer(insert: &mut Statement, customer: &Customer) -> Result<()> {
    let born = customer.born_days.map(|days| {
        let mut text = String::new();
        write_date(&mut text, days);
        text
    });
    let created = moment(customer.created_us);
    insert.execute(params![
        customer.id as i64,
        customer.email,
        customer.name,
        customer.company,
        customer.phone,
        customer.city,
        customer.country,
        customer.postcode,
        born,
        customer.newsletter,
        customer.note,
        created,
        created,
    ])?;
    Ok(())
}

fn insert_products(transaction: &Transaction, seed: u64, count: u64) -> Result<()> {
    let mut chance = Chance::new(seed, "products");
    let mut insert = transaction.prepare("INSERT INTO products VALUES (?,?,?,?,?,?,?)")?;
    for id in 1..=count as i64 {
        let category = chance.pick(CATEGORIES);
        let weight = (!chance.once_in(10)).then(|| chance.below(20_000) as f64 / 1000.0);
        insert.execute(params![
            id,
            format!("{:04}-{id:06}", chance.below(10_000)),
            format!("{category} No. {id}"),
            category,
            price(id as u64),
            weight,
            chance.below(500) as i64,
        ])?;
    }
    Ok(())
}

fn insert_order(
    insert: &mut Statement,
    chance: &mut Chance,
    (customers, products): (u64, u64),
    ordered: i64,
    updated: i64,
) -> Result<()> {
    let (product, quantity) = (1 + chance.skewed(products), 1 + chance.skewed(5));
    let cents = cents(product) * quantity;
    let note = chance.once_in(12).then(|| chance.pick(GIFT_NOTES));
    insert.execute(params![
        1 + chance.skewed(customers) as i64,
        product as i64,
        quantity as i64,
        format!("{}.{:02}", cents / 100, cents % 100),
        chance.pick(&["EUR", "EUR", "EUR", "USD", "COP"]),
        chance.pick(STATUSES),
        note,
        moment(ordered),
        moment(updated),
    ])?;
    Ok(())
}

/// A product's price depends on its number alone, so that the totals of orders agree with it.
fn cents(product: u64) -> u64 {
    95 + product.wrapping_mul(7919) % 24_905
}

fn price(product: u64) -> String {
    let cents = cents(product);
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// The way SQLite itself writes a moment: `2025-01-31 07:08:09.123`.
fn moment(us: i64) -> String {
    let mut text = String::new();
    write_timestamp(&mut text, us, false);
    text.replace('T', " ")
}
