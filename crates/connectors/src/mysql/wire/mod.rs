//! A client of the server's own protocol for the one thing the driver does slowly: reading many rows. The driver makes
//! a list of owned values of each row; here a row is a view of the bytes that arrived. It speaks the binary protocol
//! of prepared statements, because the text protocol rounds FLOAT. Everything else is the driver's.
//!
//! Protocol: MySQL Internals, "Client/Server Protocol" (dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html),
//! and MariaDB Knowledge Base, "MariaDB Client/Server Protocol"; pages are named where they are followed.

mod login;
mod packets;
mod row;

use levada_core::error::{Error, ErrorKind, Result};
use mysql_async::{Column, Value};
use mysql_common::io::ParseBuf;
use mysql_common::packets::{ComStmtClose, ComStmtExecuteRequestBuilder, StmtPacket};
use mysql_common::proto::MySerialize;

pub use row::{Cell, Form, Row};

use super::config::Config;
use packets::Packets;

const COM_QUIT: u8 = 0x01;
const COM_QUERY: u8 = 0x03;
const COM_STMT_PREPARE: u8 = 0x16;

/// A connection that reads. Dropping it closes the socket.
pub struct Client {
    packets: Packets,
    id: u32,
    /// The last statement, its number at the server, and whether it returns rows.
    prepared: Option<(String, u32, bool)>,
    /// Whether there are rows that have not been read.
    is_reading: bool,
}

impl Client {
    /// Logs in.
    ///
    /// # Errors
    /// `Connect`, `Tls`, `Auth`, `NotFound` for the database.
    pub async fn connect(config: &Config) -> Result<Self> {
        let (packets, id) = login::login(config).await?;
        Ok(Self { packets, id, prepared: None, is_reading: false })
    }

    /// What the server calls the connection.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Runs a statement that returns no rows. Page "COM_QUERY".
    ///
    /// # Errors
    /// As the server says.
    pub async fn execute(&mut self, sql: &str) -> Result<()> {
        self.packets.command(&[&[COM_QUERY], sql.as_bytes()].concat()).await?;
        match self.packets.next().await? {
            [0x00, ..] => Ok(()),
            _ => Err(malformed("something else than an end")),
        }
    }

    /// Runs a statement that returns rows, which are to be read to their end before the next statement. Pages
    /// "COM_STMT_EXECUTE" and "COM_STMT_EXECUTE Response".
    ///
    /// # Errors
    /// As the server says.
    pub async fn query(&mut self, sql: &str, params: &[Value]) -> Result<Rows<'_>> {
        let statement = self.prepare(sql, params.len()).await?;
        let mut command = Vec::new();
        ComStmtExecuteRequestBuilder::new(statement).build(params).0.serialize(&mut command);
        self.packets.command(&command).await?;
        let count = ParseBuf(self.packets.next().await?).checked_eat_lenenc_int().unwrap_or_default();
        if count == 0 {
            return Err(malformed("an end instead of rows"));
        }
        let columns = self.columns(count as usize).await?;
        let forms = columns.iter().map(Form::of).collect::<Result<_>>()?;
        self.is_reading = true;
        Ok(Rows { packets: &mut self.packets, columns, forms, is_reading: &mut self.is_reading })
    }

    /// Whether a statement with so many parameters is one that returns rows. Nothing is executed.
    ///
    /// # Errors
    /// As the server says.
    pub async fn returns_rows(&mut self, sql: &str, params: usize) -> Result<bool> {
        self.prepare(sql, params).await?;
        Ok(self.prepared.as_ref().is_some_and(|(.., returns_rows)| *returns_rows))
    }

    /// Prepares a statement, or takes the last one again; tells its number. Pages "COM_STMT_PREPARE" and
    /// "COM_STMT_CLOSE".
    async fn prepare(&mut self, sql: &str, params: usize) -> Result<u32> {
        if let Some((_, statement, _)) = self.prepared.take_if(|(last, ..)| last != sql) {
            let mut command = Vec::new();
            ComStmtClose::new(statement).serialize(&mut command);
            self.packets.command(&command).await?;
        }
        if let Some((_, statement, _)) = &self.prepared {
            return Ok(*statement);
        }
        self.packets.command(&[&[COM_STMT_PREPARE], sql.as_bytes()].concat()).await?;
        let prepared = ParseBuf(self.packets.next().await?).parse::<StmtPacket>(());
        let prepared = prepared.map_err(|error| malformed(&error.to_string()))?;
        if usize::from(prepared.num_params()) != params {
            return Err(Error::new(
                ErrorKind::Internal,
                "a statement has another number of parameters than were given",
            ));
        }
        self.columns(params).await?;
        self.columns(prepared.num_columns().into()).await?;
        self.prepared = Some((sql.to_owned(), prepared.statement_id(), prepared.num_columns() > 0));
        Ok(prepared.statement_id())
    }

    /// The values of the first row.
    ///
    /// # Errors
    /// As the server says.
    pub async fn first(&mut self, sql: &str, params: &[Value]) -> Result<Option<Vec<Value>>> {
        let mut rows = self.query(sql, params).await?;
        let mut first = None;
        while let Some(mut row) = rows.next().await? {
            if first.is_none() {
                first = Some((0..row.len()).map(|_| row.cell().map(Cell::to_value)).collect::<Result<_>>()?);
            }
        }
        Ok(first)
    }

    /// Whether a statement's rows have not been read to their end.
    pub fn is_reading(&self) -> bool {
        self.is_reading
    }

    /// Reads what is left of a statement's rows, and keeps nothing of it.
    pub async fn drain(&mut self) {
        while self.is_reading {
            self.is_reading = self.packets.next().await.is_ok_and(|packet| !is_end(packet));
            self.packets.let_go();
        }
    }

    /// Says good-bye.
    pub async fn close(mut self) {
        let _ = self.packets.command(&[COM_QUIT]).await;
    }

    /// Definitions of columns and the packet that ends them, where there are any. Page "Column Definition".
    async fn columns(&mut self, count: usize) -> Result<Vec<Column>> {
        // The count is the server's word: room is made as the columns come.
        let mut columns = Vec::new();
        for _ in 0..count {
            let column = ParseBuf(self.packets.next().await?).parse::<Column>(());
            columns.push(column.map_err(|error| malformed(&error.to_string()))?);
        }
        if count > 0 && !is_end(self.packets.next().await?) {
            return Err(malformed("more columns than it announced"));
        }
        Ok(columns)
    }
}

/// Whether a packet ends a list. Page "EOF_Packet".
fn is_end(packet: &[u8]) -> bool {
    packet[0] == 0xfe && packet.len() < 9
}

/// The rows of a statement, as they arrive.
pub struct Rows<'a> {
    packets: &'a mut Packets,
    /// Their columns.
    pub columns: Vec<Column>,
    forms: Vec<Form>,
    is_reading: &'a mut bool,
}

impl Rows<'_> {
    /// The next row; `None` once the server has said that there are no more.
    ///
    /// # Errors
    /// As the server says, `Connect` where the rows end without the server's word.
    pub async fn next(&mut self) -> Result<Option<Row<'_>>> {
        let packet = match self.packets.next().await {
            Ok(packet) => packet,
            Err(error) => {
                // an error of the server ends the rows as well
                *self.is_reading = false;
                return Err(error);
            }
        };
        if is_end(packet) {
            *self.is_reading = false;
            return Ok(None);
        }
        Row::new(packet, &self.forms).map(Some)
    }

    /// Gives up the memory of the last row, where it was huge.
    pub fn let_go(&mut self) {
        self.packets.let_go();
    }
}

fn malformed(what: &str) -> Error {
    Error::new(ErrorKind::Connect, format!("the server's answer could not be understood: {what}"))
}
