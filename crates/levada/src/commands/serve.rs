//! `levada serve` and `levada worker`: the processes that go on until somebody stops them.

use std::sync::Arc;

use levada_core::error::{Context as _, Error};
use levada_engine::house::{Nobody, Scheduler, kill_left_behind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Context, Outcome, one};
use crate::cli::{ServeArgs, WorkerArgs};
use crate::{service, wiring};

/// The largest request that the health page reads.
const REQUEST_BYTES_MAX: usize = 4_096;

/// Schedules, executes, and says that it is well.
pub fn serve(context: &Context, args: &ServeArgs) -> Outcome {
    wiring::log();
    let runtime = wiring::runtime().map_err(one)?;
    runtime.block_on(async {
        let places = context.places()?;
        places.enter().map_err(one)?;
        let listener =
            TcpListener::bind(("127.0.0.1", args.port)).await.at(format!("port {}", args.port)).map_err(one)?;
        let port = listener.local_addr().map_err(|error| one(error.into()))?.port();
        let store = places.open().await.map_err(one)?;
        let (drain, stop) = (CancellationToken::new(), CancellationToken::new());
        let mut tasks = tokio::task::JoinSet::new();
        if args.workers > 0 {
            let options = service::worker_options(args.workers);
            let worker = service::worker(&places, &store, options, Arc::new(Nobody)).await.map_err(one)?;
            tasks.spawn(worker.work(drain.clone(), stop.clone()));
        }
        let look = service::executor(&places, &store, false, Arc::new(Nobody)).map_err(one)?;
        let scheduler = Scheduler::new(store.clone(), service::clock(), true)
            .looking(look)
            .keeping(places.data.clone())
            .cleaning(places.data.clone());
        let until = drain.clone();
        tasks.spawn(async move { scheduler.run(until).await });
        let page = tokio::spawn(health(listener, stop.clone()));
        context.output.note(&format!("ready: http://127.0.0.1:{port}/healthz"));
        told_to_stop(context, &drain, &stop, &mut tasks).await?;
        page.abort();
        Ok(0)
    })
}

/// Executes.
pub fn worker(context: &Context, args: &WorkerArgs) -> Outcome {
    wiring::log();
    let runtime = wiring::runtime().map_err(one)?;
    runtime.block_on(async {
        let places = context.places()?;
        places.enter().map_err(one)?;
        let store = places.open().await.map_err(one)?;
        let mut options = service::worker_options(args.slots);
        options.labels.clone_from(&args.labels);
        if let Some(name) = &args.name {
            options.name.clone_from(name);
        }
        kill_left_behind(&store, &places.data).await.map_err(one)?;
        let (drain, stop) = (CancellationToken::new(), CancellationToken::new());
        let mut tasks = tokio::task::JoinSet::new();
        let worker = service::worker(&places, &store, options, Arc::new(Nobody)).await.map_err(one)?;
        tasks.spawn(worker.work(drain.clone(), stop.clone()));
        context.output.note(&format!("ready: {} slots", args.slots));
        told_to_stop(context, &drain, &stop, &mut tasks).await?;
        Ok(0)
    })
}

/// The first signal lets task runs end, the second stops them.
async fn told_to_stop(
    context: &Context,
    drain: &CancellationToken,
    stop: &CancellationToken,
    tasks: &mut tokio::task::JoinSet<()>,
) -> Result<(), Vec<Error>> {
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| one(error.into()))?;
    let mut asked = 0;
    loop {
        tokio::select! {
            ended = tasks.join_next() => match ended {
                Some(Ok(())) if drain.is_cancelled() && tasks.is_empty() => return Ok(()),
                Some(Ok(())) => {}
                Some(Err(error)) => return Err(one(super::broken(&error))),
                None => return Ok(()),
            },
            _ = terminate.recv() => asked += 1,
            _ = tokio::signal::ctrl_c() => asked += 1,
        }
        match asked {
            0 => {}
            1 if !drain.is_cancelled() => {
                context.output.note("stopping: tasks at work may end; once more stops them");
                drain.cancel();
            }
            1 => {}
            _ => stop.cancel(),
        }
    }
}

/// Answers `GET /healthz` on loopback.
async fn health(listener: TcpListener, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        if let Ok((stream, _)) = accepted {
            tokio::spawn(tokio::time::timeout(std::time::Duration::from_secs(5), answer(stream)));
        }
    }
}

async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut part = [0; 1_024];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < REQUEST_BYTES_MAX {
        match stream.read(&mut part).await? {
            0 => return Ok(()),
            length => request.extend_from_slice(part.get(..length).unwrap_or_default()),
        }
    }
    let (status, body) = match request.starts_with(b"GET /healthz ") {
        true => ("200 OK", "ok\n"),
        false => ("404 Not Found", "There is only /healthz here.\n"),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await
}
