//! Single rows and pages of them.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use levada_core::config::Collection;
use levada_core::naming::{did_you_mean, nearest};
use levada_core::rows::{
    Action, Batch, Cell, Change, Filter, ListRequest, Look, Mode, Outcome, Row, RowError, Sort, Table, etag,
};
use serde_json::{Value, json};

use super::Ask;
use crate::condition::Condition;
use crate::problem::Problem;

/// Rows of a page where a request does not say.
const LIMIT_DEFAULT: usize = 50;
/// Most rows of a page.
const LIMIT_MAX: usize = 1_000;
/// Most filters of a list, and most columns of its order: each database has a limit of its own to how large a query may be.
const CONDITIONS_MAX: usize = 100;
/// Parameters of lists; columns with these names are filtered as `name[eq]`.
pub(super) const PARAMETERS: [&str; 5] = ["limit", "after", "sort", "expand", "deleted"];

/// A page of rows.
pub(super) async fn list(ask: Ask, at: usize) -> Result<Response, Problem> {
    let (collection, tables, rows) = ask.collection(at).await?;
    let request = list_request(&collection.table, &ask.query())?;
    let page = ask.done(rows.list(tables, &collection.table.name, &request).await)?;
    let next = page.next.map(|next| URL_SAFE_NO_PAD.encode(Value::Array(next).to_string()));
    Ok(answer(StatusCode::OK, &json!({ "items": page.rows, "next": next })))
}

/// A row.
pub(super) async fn get(ask: Ask, at: usize, key: String) -> Result<Response, Problem> {
    let (collection, tables, rows) = ask.collection(at).await?;
    let look = look(&ask.query(), &["expand", "deleted"])?;
    let key = cell(&collection.table, &key)?;
    let found = ask.done(rows.get(tables, &collection.table.name, &key, &look).await)?;
    let row = found.ok_or_else(|| no_row(collection, &key))?;
    Ok(shown(StatusCode::OK, row, look == Look::default()))
}

/// A row that is added.
pub(super) async fn add(ask: Ask, at: usize) -> Result<Response, Problem> {
    look(&ask.query(), &[])?;
    let row = body(&ask).await?;
    let (collection, tables, rows) = ask.collection(at).await?;
    let key = write(&ask, at, Action::Insert, row).await?;
    let kind = collection.table.key_column()?.kind;
    let cell = Cell::from_json(kind, &key).unwrap_or(Cell::Null);
    let found = ask.done(rows.get(tables, &collection.table.name, &cell, &Look::default()).await)?;
    let mut response = shown(StatusCode::CREATED, found.unwrap_or_default(), true);
    let name = cell.to_text().unwrap_or_default().into_owned();
    let name = percent_encoding::utf8_percent_encode(&name, percent_encoding::NON_ALPHANUMERIC);
    let place = HeaderValue::from_str(&format!("/v1/{}/{name}", collection.path));
    response.headers_mut().extend(place.ok().map(|place| (LOCATION, place)));
    Ok(response)
}

/// A row that is changed, in part or as a whole.
pub(super) async fn change(ask: Ask, at: usize, key: String, is_whole: bool) -> Result<Response, Problem> {
    look(&ask.query(), &[])?;
    let row = body(&ask).await?;
    let action = if is_whole { Action::Replace } else { Action::Patch };
    let row = with_key(&ask, at, row, &key).await?;
    write(&ask, at, action, row).await?;
    let (collection, tables, rows) = ask.collection(at).await?;
    let cell = cell(&collection.table, &key)?;
    let found = ask.done(rows.get(tables, &collection.table.name, &cell, &Look::default()).await)?;
    let row = found.ok_or_else(|| no_row(collection, &cell))?;
    Ok(shown(StatusCode::OK, row, true))
}

/// A row that is deleted: with `hard=true` for good.
pub(super) async fn delete(ask: Ask, at: usize, key: String) -> Result<Response, Problem> {
    let mut action = Action::Delete;
    for (name, value) in ask.query() {
        match (name.as_str(), value.as_str()) {
            ("hard", "true") => action = Action::Erase,
            ("hard", "false") => {}
            ("hard", _) => return Err(Problem::Malformed("`hard` is `true` or `false`.".to_owned())),
            _ => return Err(unknown(&name, &["hard"])),
        }
    }
    let row = with_key(&ask, at, Row::new(), &key).await?;
    write(&ask, at, action, row).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// A deleted row that is there again.
pub(super) async fn restore(ask: Ask, at: usize, key: String) -> Result<Response, Problem> {
    look(&ask.query(), &[])?;
    let row = with_key(&ask, at, Row::new(), &key).await?;
    write(&ask, at, Action::Restore, row).await?;
    get(ask, at, key).await
}

/// Writes one row, and tells its key.
async fn write(ask: &Ask, at: usize, action: Action, row: Row) -> Result<Value, Problem> {
    let (collection, tables, rows) = ask.collection(at).await?;
    let if_match = match Condition::of(&ask.head.headers) {
        Some(Condition::Tags(tags)) => Some(tags),
        // that a row is there is asked of each that is changed
        Some(Condition::There) | None => None,
    };
    let batch = Batch { action, mode: Mode::All, changes: vec![Change { row, if_match }] };
    let written = ask.done(rows.write(tables, &collection.table.name, batch).await)?;
    match written.outcomes.into_iter().next() {
        Some(Outcome::Done { key, .. }) => Ok(key),
        Some(Outcome::Failed(errors)) => Err(refused(errors)),
        Some(Outcome::Left) | None => Err(Problem::Rows(Vec::new())),
    }
}

fn refused(errors: Vec<RowError>) -> Problem {
    Problem::Rows(errors.into_iter().map(|error| (None, error)).collect())
}

/// A row with the key that its path names.
async fn with_key(ask: &Ask, at: usize, mut row: Row, key: &str) -> Result<Row, Problem> {
    let (collection, ..) = ask.collection(at).await?;
    let cell = cell(&collection.table, key)?.to_json();
    let name = &collection.table.key;
    match row.get(name) {
        Some(given) if *given != cell => {
            Err(Problem::Malformed(format!("`{name}` of the row is not the one of the path, and never changes.")))
        }
        _ => {
            row.insert(name.clone(), cell);
            Ok(row)
        }
    }
}

/// The key of a path. What is no key at all names no row.
fn cell(table: &Table, key: &str) -> Result<Cell, Problem> {
    let column = table.key_column()?;
    Cell::from_text(column.kind, key).map_err(|_| Problem::NotFound(format!("`{}` has no row {key}", table.name)))
}

fn no_row(collection: &Collection, key: &Cell) -> Problem {
    let key = key.to_text().unwrap_or_default();
    Problem::NotFound(format!("`{}` has no row {key}", collection.table.name))
}

/// The row of a body.
async fn body(ask: &Ask) -> Result<Row, Problem> {
    if ask.media_type() != "application/json" {
        return Err(Problem::MediaType("`application/json`".to_owned()));
    }
    let max = ask.app.limits.body_bytes_max;
    let bytes = axum::body::to_bytes(ask.body(), max).await;
    let bytes = bytes.map_err(|_| Problem::TooLarge(max))?;
    serde_json::from_slice::<Row>(&bytes)
        .map_err(|error| Problem::Malformed(format!("The body is not a row: {error}.")))
}

/// How rows are looked at, where these parameters are known.
fn look(query: &[(String, String)], known: &[&str]) -> Result<Look, Problem> {
    let mut look = Look::default();
    for (name, value) in query {
        match name.as_str() {
            "expand" if known.contains(&"expand") => look.expand = value.split(',').map(str::to_owned).collect(),
            "deleted" if known.contains(&"deleted") => look.with_deleted = flag(name, value)?,
            _ => return Err(unknown(name, known)),
        }
    }
    Ok(look)
}

fn flag(name: &str, value: &str) -> Result<bool, Problem> {
    value.parse().map_err(|_| Problem::Malformed(format!("`{name}` is `true` or `false`.")))
}

pub(super) fn unknown(name: &str, known: &[&str]) -> Problem {
    let near = did_you_mean(nearest(name, known));
    let all =
        if known.is_empty() { "There are none.".to_owned() } else { format!("Parameters: {}.", known.join(", ")) };
    Problem::Malformed(format!("There is no parameter `{name}`. {near}{all}"))
}

/// A list as a request wants it: `salary[ge]=1000`, `name=Ada`, `sort=-salary,name`.
fn list_request(table: &Table, query: &[(String, String)]) -> Result<ListRequest, Problem> {
    let mut request = ListRequest { limit: LIMIT_DEFAULT, ..ListRequest::default() };
    for (name, value) in query {
        match name.as_str() {
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
                let wrong = || Problem::Malformed(format!("`limit` is a number from 1 to {LIMIT_MAX}."));
                request.limit = limit.ok_or_else(wrong)?;
            }
            "after" => {
                let wrong = || Problem::Malformed("`after` is what a page of this list gave as `next`.".to_owned());
                let decoded = URL_SAFE_NO_PAD.decode(value).map_err(|_| wrong())?;
                request.after = Some(serde_json::from_slice(&decoded).map_err(|_| wrong())?);
            }
            "sort" => {
                for part in value.split(',') {
                    let (column, descending) = part.strip_prefix('-').map_or((part, false), |column| (column, true));
                    request.sort.push(Sort { column: column.to_owned(), descending });
                }
            }
            "expand" => request.look.expand = value.split(',').map(str::to_owned).collect(),
            "deleted" => request.look.with_deleted = flag(name, value)?,
            name => {
                let with_operator = name.strip_suffix(']').and_then(|name| name.rsplit_once('['));
                let (column, operator) = with_operator.unwrap_or((name, "eq"));
                if table.column(column).is_none() {
                    let columns = table.columns.iter().map(|column| column.name.as_str());
                    let known: Vec<&str> = PARAMETERS.into_iter().chain(columns).collect();
                    return Err(unknown(column, &known));
                }
                request.filters.push(Filter::parse(table, column, operator, value)?);
            }
        }
        if request.filters.len().max(request.sort.len()) > CONDITIONS_MAX {
            let message =
                format!("A list takes {CONDITIONS_MAX} filters and is in order of {CONDITIONS_MAX} columns at most.");
            return Err(Problem::Malformed(format!("{message} Give fewer; `in` takes several values.")));
        }
    }
    Ok(request)
}

/// A row, with what tells this state of it from others.
fn shown(status: StatusCode, row: Row, has_tag: bool) -> Response {
    let tag = has_tag.then(|| format!("\"{}\"", etag(&row)));
    let mut response = answer(status, &Value::Object(row));
    let tag = tag.and_then(|tag| HeaderValue::from_str(&tag).ok());
    response.headers_mut().extend(tag.map(|tag| (ETAG, tag)));
    response
}

/// An answer of JSON.
pub(super) fn answer(status: StatusCode, body: &Value) -> Response {
    let mut response = (status, Body::from(body.to_string())).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
