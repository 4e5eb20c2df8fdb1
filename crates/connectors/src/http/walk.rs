//! The pages of an endpoint, one after the other: of one list, or of one list for each record of the endpoint above.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;
use levada_core::error::{Context as _, Error, ErrorKind, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use super::Api;
use super::auth::with_parameter;
use super::endpoint::{Endpoint, Parent, placeholders};
use super::page::Page;
use super::pagination::{Pages, found};
use super::path::{Path, scalar};

/// What RFC 3986 leaves as it is within a part of a path.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// An endpoint that is being read.
pub struct Walk {
    api: Arc<Api>,
    name: String,
    endpoint: Endpoint,
    /// Parameters of this read, besides those of the settings.
    parameters: Vec<(String, String)>,
    list: Option<List>,
    above: Above,
}

/// One list of the endpoint.
struct List {
    pages: Pages,
    next: Option<Url>,
    inherited: Vec<(String, String)>,
}

/// What there is one list for.
enum Above {
    /// Nothing: there is one, which has not begun, or has.
    Nothing { begun: bool },
    /// Each record of another endpoint.
    Records { parent: Parent, walk: Box<Walk>, page: Option<Page>, at: usize },
}

impl Walk {
    /// Reads an endpoint of the settings.
    ///
    /// # Errors
    /// `NotFound`, if there is none of this name.
    pub fn new(api: &Arc<Api>, name: &str, parameters: Vec<(String, String)>) -> Result<Self> {
        let endpoint = api.endpoint(name)?.into_owned();
        let above = match &endpoint.parent {
            None => Above::Nothing { begun: false },
            Some(parent) => {
                let walk = Box::new(Self::new(api, &parent.endpoint, Vec::new())?);
                Above::Records { parent: parent.clone(), walk, page: None, at: 0 }
            }
        };
        Ok(Self { api: api.clone(), name: name.to_owned(), endpoint, parameters, list: None, above })
    }

    /// The next page, or `None` at the end.
    ///
    /// # Errors
    /// As of the client and of the pages; `Data` for a record that lacks what its endpoint's path needs.
    pub fn next(&mut self) -> BoxFuture<'_, Result<Option<Page>>> {
        Box::pin(async move {
            loop {
                if let Some(page) = self.of_list().await? {
                    return Ok(Some(page));
                }
                match self.next_list().await? {
                    Some(list) => self.list = Some(list),
                    None => return Ok(None),
                }
            }
        })
    }

    async fn of_list(&mut self) -> Result<Option<Page>> {
        let Some(list) = &mut self.list else { return Ok(None) };
        let Some(url) = list.next.take() else { return Ok(None) };
        let mut answer = match self.api.client.get(&url).await {
            Ok(answer) => answer,
            Err(error) if error.kind() == ErrorKind::NotFound && self.endpoint.skips_missing() => return Ok(None),
            Err(error) => return Err(error),
        };
        let place = || self.api.client.shown(&url);
        let mut page = Page::new(std::mem::take(&mut answer.body), &self.endpoint.records).at(place())?;
        list.next = list.pages.next(&answer, &page).at(place())?;
        page.url = self.api.client.kept(&answer.url);
        page.number = list.pages.count();
        page.fetched_us = now_us();
        page.inherited.clone_from(&list.inherited);
        Ok(Some(page))
    }

    async fn next_list(&mut self) -> Result<Option<List>> {
        let (path, inherited) = match &mut self.above {
            Above::Nothing { begun: true } => return Ok(None),
            Above::Nothing { begun } => {
                *begun = true;
                (self.endpoint.path(&self.name).to_owned(), Vec::new())
            }
            Above::Records { parent, walk, page, at } => {
                let has_more = page.as_ref().is_some_and(|page| *at < page.len());
                if !has_more {
                    (*page, *at) = (walk.next().await?, 0);
                }
                let Some(above) = page.as_ref() else { return Ok(None) };
                let Some(record) = above.record(*at) else {
                    // an empty page: the next one may have records
                    return Ok(Some(List::empty(&self.api)));
                };
                *at += 1;
                let value = |path: &Path| -> Result<Option<String>> {
                    let own = found(path, record)?.map(str::to_owned);
                    let inherited = || above.inherited.iter().find(|(name, _)| *path == Path::key(name));
                    Ok(own.or_else(|| inherited().map(|(_, raw)| raw.clone())))
                };
                let path = fill(self.endpoint.path(&self.name), &self.name, &value)?;
                let columns = parent.columns.iter();
                let inherited =
                    columns.map(|(name, path)| Ok((name.clone(), value(path)?.unwrap_or_else(|| "null".to_owned()))));
                (path, inherited.collect::<Result<_>>()?)
            }
        };
        let own = self.parameters.iter().map(|(name, value)| (name, value));
        let query = self.api.settings.query.iter().chain(&self.endpoint.query).chain(own);
        let url = with_query(&self.api.url(&path)?, query);
        let pagination = self.endpoint.pagination.clone().unwrap_or_else(|| self.api.settings.pagination.clone());
        let pages = Pages::new(pagination, &url, self.api.settings.pages_max);
        Ok(Some(List { next: Some(pages.first()), pages, inherited }))
    }
}

impl List {
    fn empty(api: &Api) -> Self {
        let pages = Pages::new(Default::default(), api.client.base(), 1);
        Self { pages, next: None, inherited: Vec::new() }
    }
}

/// The URL with parameters, of which the later ones count.
pub fn with_query<'a>(url: &Url, query: impl Iterator<Item = (&'a String, &'a String)>) -> Url {
    query.fold(url.clone(), |url, (name, value)| with_parameter(&url, name, value))
}

/// A path of an endpoint with the values of a record.
///
/// # Errors
/// `Data` for a record that lacks one.
pub fn fill(template: &str, name: &str, value: &dyn Fn(&Path) -> Result<Option<String>>) -> Result<String> {
    let mut path = template.to_owned();
    for field in placeholders(template) {
        let raw = value(&Path::parse(field))?;
        let text = raw.as_deref().and_then(scalar).filter(|text| !matches!(text.as_ref(), "" | "." | ".."));
        let text = text.ok_or_else(|| {
            Error::new(ErrorKind::Data, format!("a record has no value at `{field}`, which the path needs"))
                .at(format!("endpoint `{name}`"))
        })?;
        path = path.replace(&format!("{{{field}}}"), &utf8_percent_encode(&text, UNRESERVED).to_string());
    }
    Ok(path)
}

fn now_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_value_stays_within_its_part_of_the_path() {
        let path = |record: &str| fill("a/{id}/b/{x.y}", "e", &|path| Ok(found(path, record)?.map(str::to_owned)));
        assert_eq!(path("{\"id\":7,\"x\":{\"y\":\"u v\"}}").unwrap(), "a/7/b/u%20v");
        assert_eq!(path("{\"id\":\"../..\",\"x\":{\"y\":\"?a=b#\"}}").unwrap(), "a/..%2F../b/%3Fa%3Db%23");
        for bad in
            ["{}", "{\"id\":null,\"x\":{\"y\":1}}", "{\"id\":\"..\",\"x\":{\"y\":1}}", "{\"id\":\"\",\"x\":{\"y\":1}}"]
        {
            assert!(path(bad).is_err(), "{bad}");
        }
    }
}
