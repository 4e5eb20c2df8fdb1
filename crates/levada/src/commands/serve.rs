//! `levada serve` and `levada worker`: the processes that go on until somebody stops them.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::text::counted;
use levada_engine::house::{Keeper, Nobody, Scheduler, kill_left_behind, open_door};
use levada_server::auth::setup;
use levada_server::denials;
use levada_server::listen::{self, Door};
use levada_server::router::router;
use levada_store::LABELS_MAX;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Context, Outcome, one};
use crate::cli::{ServeArgs, WorkerArgs};
use crate::{service, wiring};

/// Schedules, executes, and says that it is well.
pub fn serve(context: &Context, args: &ServeArgs) -> Outcome {
    wiring::log();
    if args.no_commands {
        service::forbid_commands();
    }
    let runtime = wiring::runtime().map_err(one)?;
    runtime.block_on(async {
        let places = context.places()?;
        places.enter().map_err(one)?;
        let door = door(args).map_err(one)?;
        let scheme = if door.tls.is_some() { "https" } else { "http" };
        let place = SocketAddr::new(args.host, args.port);
        let listener = TcpListener::bind(place).await.map_err(|error| one(no_answer_at(place, &error)))?;
        let address = listener.local_addr().map_err(|error| one(error.into()))?;
        service::network().map_err(one)?.answers_at(address.port());
        let store = places.open().await.map_err(one)?;
        open_door(&store, address.port(), service::now()).await.map_err(one)?;
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
            .telling(service::telling(&places, &store).map_err(one)?)
            .cleaning(places.data.clone());
        let until = drain.clone();
        tasks.spawn(async move { scheduler.run(until).await });
        let url = args.public_url.clone().unwrap_or_else(|| format!("{scheme}://{address}"));
        let app = service::server(&places, &store, &url).await?;
        let shut = CancellationToken::new();
        let counting = tokio::spawn(denials::write_down(app.clone(), shut.clone()));
        let answering = tokio::spawn(listen::serve(listener, router(app), door, shut.clone()));
        context.output.note(&format!("ready: {scheme}://{address}/healthz"));
        let link = setup::offer(&store, &url, service::now()).await.map_err(one)?;
        if let Some(link) = link {
            context
                .output
                .note("Nobody can sign in yet. The first administrator is made once, by whoever has this link:");
            context.output.note(link.expose());
        }
        told_to_stop(context, &drain, &stop, &mut tasks).await?;
        shut.cancel();
        answering.await.map_err(|error| one(super::broken(&error)))?;
        counting.await.map_err(|error| one(super::broken(&error)))?;
        Ok(0)
    })
}

/// Why the server cannot answer at an address.
fn no_answer_at(place: SocketAddr, error: &io::Error) -> Error {
    let told = error.to_string();
    let (why, advice) = match error.kind() {
        io::ErrorKind::AddrInUse => ("another process answers there", "Give another `--port`; 0 takes a free one."),
        io::ErrorKind::AddrNotAvailable => ("this machine has no such address", "Give another `--host`."),
        io::ErrorKind::PermissionDenied => ("the system does not allow it", "Give another `--port`, from 1024 on."),
        _ => (told.as_str(), "Give another `--host` or `--port`."),
    };
    Error::new(ErrorKind::Io, format!("the server cannot answer at {place}: {why}")).advise(advice)
}

/// How the server is reached.
fn door(args: &ServeArgs) -> Result<Door> {
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(cert), Some(key)) => Some(listen::tls(cert, key)?),
        _ => None,
    };
    if tls.is_none() && !args.host.is_loopback() && args.trusted_proxies.is_empty() {
        return Err(Error::new(ErrorKind::Usage, "passwords would cross the network in the clear").advise(
            "Give `--tls-cert` and `--tls-key`, or name the proxy before this server with `--trusted-proxy`.",
        ));
    }
    Ok(Door { tls, proxies: args.trusted_proxies.clone() })
}

/// Executes.
pub fn worker(context: &Context, args: &WorkerArgs) -> Outcome {
    wiring::log();
    if args.no_commands {
        service::forbid_commands();
    }
    let labels = args.labels.iter().collect::<BTreeSet<_>>().len();
    if labels > LABELS_MAX {
        let message = format!("a worker has at most {LABELS_MAX} labels, and this one would have {labels}");
        let advice = "Give it fewer `--label`, or start several workers.";
        return Err(one(Error::new(ErrorKind::Usage, message).advise(advice)));
    }
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
        // a folder of its own is seen by no server; of one that it shares, both find gone what the other removed
        let keeper = Keeper::new(store.clone(), service::clock(), places.data.clone()).of_folder();
        let until = drain.clone();
        tasks.spawn(async move { keeper.run(until).await });
        context.output.note(&format!("ready: {}", counted(u64::from(args.slots), "slot")));
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
