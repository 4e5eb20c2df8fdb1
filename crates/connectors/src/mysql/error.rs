//! One mapping from what the server and the driver report to Levada's kinds of errors. Codes: MySQL "Server Error
//! Message Reference" and MariaDB "Error Codes".

use levada_core::error::{Error, ErrorKind};
use mysql_async::{DriverError, IoError};

/// Turns a driver error into one for people.
pub fn from_driver(error: mysql_async::Error) -> Error {
    match error {
        mysql_async::Error::Server(server) => from_server(server.code, &server.state, &server.message),
        mysql_async::Error::Io(IoError::Tls(error)) => tls(&error.to_string()),
        // The handshake itself reports as a reader of bytes that are not valid.
        mysql_async::Error::Io(IoError::Io(error)) if error.kind() == std::io::ErrorKind::InvalidData => {
            tls(&error.to_string())
        }
        mysql_async::Error::Io(IoError::Io(error)) => {
            let kind = match Error::from(std::io::Error::from(error.kind())).kind() {
                kind @ (ErrorKind::Permission | ErrorKind::Full) => kind,
                _ => ErrorKind::Connect,
            };
            Error::new(kind, format!("the connection to the server failed: {error}"))
        }
        mysql_async::Error::Driver(DriverError::NoClientSslFlagFromServer) => {
            Error::new(ErrorKind::Tls, "the server does not offer TLS")
                .advise("Turn TLS on at the server, or set `tls: disable` if the network is trusted.")
        }
        mysql_async::Error::Driver(DriverError::UnknownAuthPlugin { name }) => Error::new(
            ErrorKind::Auth,
            format!("the server asks for the authentication method `{name}`, which is not supported"),
        ),
        mysql_async::Error::Driver(DriverError::CleartextPluginDisabled | DriverError::MysqlOldPasswordDisabled) => {
            Error::new(ErrorKind::Auth, "the server asks for the password in a form that is not safe to send")
        }
        mysql_async::Error::Driver(DriverError::ConnectionClosed) => {
            Error::new(ErrorKind::Connect, "the server closed the connection")
        }
        mysql_async::Error::Driver(error) => {
            Error::new(ErrorKind::Connect, format!("the server's answer could not be understood: {error}"))
        }
        other => Error::new(ErrorKind::Connect, format!("the connection to the server failed: {other}")),
    }
}

fn tls(detail: &str) -> Error {
    Error::new(ErrorKind::Tls, format!("the TLS connection to the server failed: {detail}")).advise(
        "Set `tls_ca` to the file of the authority that signed the server's certificate, or choose `tls: require` \
         (encrypted, server not verified) or `tls: disable`.",
    )
}

/// Turns an error or warning of the server into one for people.
pub fn from_server(code: u16, state: &str, message: &str) -> Error {
    let said = format!("the server said: {} (error {code})", message.trim_end_matches('.'));
    let new = |kind| Error::new(kind, said.clone());
    match code {
        1045 | 1698 | 1251 | 1130 | 1862 => new(ErrorKind::Auth),
        1044 | 1142 | 1143 | 1227 | 1370 | 1410 | 1396 => new(ErrorKind::Permission),
        1148 | 3948 | 4166 => {
            new(ErrorKind::Permission).advise("Rows are sent with LOAD DATA LOCAL: set `local_infile=1` at the server.")
        }
        1290 => new(ErrorKind::Permission).advise("The server is read-only or restricted: write to its primary."),
        1049 | 1051 | 1054 | 1091 | 1146 => new(ErrorKind::NotFound),
        // 1020: a row changed since the transaction's view of the table, as MariaDB tells it
        1020 | 1205 | 1206 | 1213 | 1412 | 3572 | 1614 | 1637 => new(ErrorKind::Busy),
        1040 | 1203 | 1226 => {
            new(ErrorKind::Busy).advise("The server's limit of connections is reached: try again later.")
        }
        1021 | 1114 => new(ErrorKind::Full),
        1026 | 1030 | 1015 if message.contains("28") => new(ErrorKind::Full),
        1053 | 1077 | 1080 | 1152 | 1159 | 1161 | 1184 | 1317 | 1927 | 1969 | 3024 => new(ErrorKind::Connect),
        1048 | 1062 | 1263 | 1264 | 1265 | 1292 | 1364 | 1366 | 1367 | 1406 | 1411 | 1416 | 1451 | 1452 | 1525
        | 1557 | 1586 | 1690 | 1849 | 3140 | 3141 | 3819 | 4025 | 4037 | 4038 => new(ErrorKind::Data),
        // names that cannot be; two of them as texts that the server's own tables of names could not hold
        1059 | 1102 | 1103 | 1166 | 1267 | 1280 | 1300 => new(ErrorKind::Config),
        1050 | 1060 | 1061 | 1068 | 1069 | 1070 | 1071 | 1074 | 1075 | 1117 | 1118 | 1138 | 1170 | 1832 | 1833
        | 1846 => new(ErrorKind::Schema),
        _ => match state.get(..2).unwrap_or_default() {
            // 45: what a trigger or procedure says of its own.
            "22" | "23" | "45" => new(ErrorKind::Data),
            "08" => new(ErrorKind::Connect),
            "28" => new(ErrorKind::Auth),
            "40" => new(ErrorKind::Busy),
            // a statement that a document holds, or a name in it
            "42" => new(ErrorKind::Schema),
            _ => new(ErrorKind::Io).advise("The server's error log may say more."),
        },
    }
}

/// The server's code of an error, if it is the server's.
pub fn code(error: &mysql_async::Error) -> Option<u16> {
    match error {
        mysql_async::Error::Server(server) => Some(server.code),
        _ => None,
    }
}
