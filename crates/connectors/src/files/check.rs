//! Tries a root step by step: it opens, it lists, the first file reads.

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;
use levada_core::connector::CheckStep;
use levada_core::error::Result;

use super::blocking;
use super::listing::is_data;
use super::place;
use super::settings::Settings;

/// Runs the steps; the last one is the first that failed.
pub fn check(settings: Arc<Settings>) -> BoxFuture<'static, Vec<CheckStep>> {
    Box::pin(async move {
        let mut steps = Vec::new();
        let opened = {
            let settings = settings.clone();
            timed(&mut steps, "open", move || {
                let root = place::open(&settings)?;
                let address = root.place.address();
                Ok((root, address))
            })
            .await
        };
        let Some(root) = opened else { return steps };
        let lister = root.clone();
        let listed = timed(&mut steps, "list", move || {
            let files = match &lister.single {
                Some(name) => lister.place.look(name)?.into_iter().collect(),
                None => lister.place.list("")?,
            };
            let data: Vec<_> = files.into_iter().filter(is_data).collect();
            let note = match data.len() {
                0 => "no files yet".to_owned(),
                1 => "1 file".to_owned(),
                many => format!("{many} files"),
            };
            Ok((data, note))
        })
        .await;
        let Some(file) = listed.and_then(|files| files.into_iter().next()) else { return steps };
        timed(&mut steps, "read", move || {
            let mut byte = [0];
            std::io::Read::read(&mut root.place.stream(&file)?, &mut byte)?;
            Ok(((), format!("`{}` can be read", file.path)))
        })
        .await;
        steps
    })
}

async fn timed<T: Send + 'static>(
    steps: &mut Vec<CheckStep>,
    step: &'static str,
    work: impl FnOnce() -> Result<(T, String)> + Send + 'static,
) -> Option<T> {
    let start = Instant::now();
    let (value, outcome) = match blocking(work).await {
        Ok((value, note)) => (Some(value), Ok(note)),
        Err(error) => (None, Err(error)),
    };
    steps.push(CheckStep { step, took: start.elapsed(), outcome });
    value
}
