//! The whole state machine as a table, and what holds for every sequence of events.

use std::fmt::Write as _;
use std::time::Duration;

use super::*;
use crate::config::{Backoff, Retry};
use crate::time::Timestamp;

const NOW: Timestamp = Timestamp::from_secs(1_000);

fn policy(failed: u32, lost: u32) -> Policy {
    let retry = Retry {
        attempts: 3,
        backoff: Backoff::Exponential,
        initial: Duration::from_secs(10),
        max: Duration::from_secs(60),
    };
    Policy { retry, failed, lost, lost_max: 2, seed: 7 }
}

/// Every state under every event. `-` is illegal.
const MATRIX: &str = "\
state            claimed   started   progressed deferred  expanded  finished  errored(r) errored   stop_asked stopped   lease_lost retry_due upstream_failed
queued           starting  -         -          -         -         -         -          -         cancelled  -         -          -         skipped
starting         -         running   -          -         -         -         waiting    failed    stopping   -         queued     -         -
running          -         -         running    waiting   waiting   succeeded waiting    failed    stopping   -         queued     -         -
stopping         -         stopping  stopping   cancelled cancelled succeeded cancelled  cancelled stopping   cancelled cancelled  -         -
waiting(items)   -         -         -          -         -         succeeded failed     failed    cancelled  cancelled -          -         -
succeeded        -         -         -          -         -         -         -          -         -          -         -          -         -
failed           -         -         -          -         -         -         -          -         -          -         -          -         -
cancelled        -         -         -          -         -         -         -          -         -          -         -          -         -
skipped          -         -         -          -         -         -         -          -         -          -         -          -         -
waiting(until)   -         -         -          -         -         -         -          -         cancelled  -         -          queued    -
";

#[test]
fn the_matrix_is_as_written() {
    let widths = [16, 9, 9, 10, 9, 9, 9, 10, 9, 10, 9, 10, 9, 15];
    let mut table = String::new();
    let mut row = |cells: &[&str]| {
        let line: Vec<String> = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        writeln!(table, "{}", line.join(" ").trim_end()).unwrap();
    };
    let events = Event::ALL.map(|event| match event {
        Event::Errored { retry: true } => "errored(r)",
        other => other.name(),
    });
    row(&[&["state"], &events[..]].concat());
    let states = State::ALL.into_iter().chain([State::Waiting { until: Some(NOW) }]);
    for state in states {
        let name = match state {
            State::Waiting { until: None } => "waiting(items)",
            State::Waiting { until: Some(_) } => "waiting(until)",
            other => other.name(),
        };
        let outcomes = Event::ALL.map(|event| advance(state, event, NOW, &policy(0, 0)).map_or("-", State::name));
        row(&[&[name], &outcomes[..]].concat());
    }
    assert_eq!(table, MATRIX, "\n{table}");
}

#[test]
fn attempts_end_and_pauses_grow() {
    let errored = Event::Errored { retry: true };
    let after = |failed, seed| {
        let policy = Policy { seed, ..policy(failed, 0) };
        advance(State::Running, errored, NOW, &policy).unwrap()
    };
    for (failed, most) in [(0, 10), (1, 20)] {
        let State::Waiting { until: Some(until) } = after(failed, 7) else { panic!("it is tried again") };
        let pause = until.since(NOW);
        assert!(pause >= Duration::from_secs(most / 2) && pause <= Duration::from_secs(most), "{pause:?}");
    }
    assert_ne!(after(0, 7), after(0, 8), "two that fail together come back apart");
    assert_eq!(after(2, 7), State::Failed);
}

#[test]
fn losses_end() {
    let after = |lost| advance(State::Running, Event::LeaseLost, NOW, &policy(0, lost)).unwrap();
    assert_eq!([after(0), after(1), after(2)], [State::Queued, State::Queued, State::Failed]);
}

/// A small generator of numbers that seem random (Knuth's MMIX constants), so that core needs no dependency for it.
fn shuffled(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    }
}

#[test]
fn any_sequence_of_events_ends_and_stays_ended() {
    for seed in 0..2_000 {
        let mut random = shuffled(seed);
        let (mut state, mut failed, mut lost, mut moves) = (State::Queued, 0, 0, 0);
        let mut ended = None;
        for _ in 0..400 {
            let event = Event::ALL[random(Event::ALL.len())];
            let Ok(next) = advance(state, event, NOW, &policy(failed, lost)) else { continue };
            assert!(ended.is_none(), "{ended:?} was left by {event:?}");
            failed += u32::from(matches!(event, Event::Errored { .. }));
            lost += u32::from(event == Event::LeaseLost);
            moves += 1;
            state = next;
            ended = next.is_terminal().then_some(next);
        }
        assert!(moves > 0);
        assert!(failed <= 3 && lost <= 3, "seed {seed}: {failed} failures, {lost} losses");
        if ended.is_none() {
            assert!(Event::ALL.iter().any(|event| advance(state, *event, NOW, &policy(failed, lost)).is_ok()));
        }
    }
}

#[test]
fn when_decides_by_how_tasks_ended() {
    use State::{Cancelled, Failed, Running, Skipped, Succeeded};
    let table: &[(&[State], [Readiness; 3])] = &[
        (&[], [Readiness::Ready, Readiness::Ready, Readiness::RuledOut]),
        (&[Succeeded, Succeeded], [Readiness::Ready, Readiness::Ready, Readiness::RuledOut]),
        (&[Succeeded, Running], [Readiness::Blocked; 3]),
        (&[Failed, Running], [Readiness::Blocked; 3]),
        (&[Succeeded, Failed], [Readiness::RuledOut, Readiness::Ready, Readiness::Ready]),
        (&[Skipped], [Readiness::RuledOut, Readiness::Ready, Readiness::RuledOut]),
        (&[Cancelled], [Readiness::RuledOut, Readiness::Ready, Readiness::RuledOut]),
    ];
    for (before, wanted) in table {
        let found = [When::AllSucceeded, When::AllDone, When::AnyFailed].map(|w| w.readiness(before.iter().copied()));
        assert_eq!(found, *wanted, "{before:?}");
    }
}

#[test]
fn a_run_is_the_fold_of_its_tasks() {
    use State::{Cancelled, Failed, Queued, Running, Skipped, Succeeded, Waiting};
    let table: &[(&[State], RunState)] = &[
        (&[Queued, Queued], RunState::Queued),
        (&[Running, Queued], RunState::Running),
        (&[Succeeded, Queued], RunState::Running),
        (&[Waiting { until: None }], RunState::Running),
        (&[Failed, Running], RunState::Running),
        (&[Succeeded, Skipped], RunState::Succeeded),
        (&[Succeeded, Failed, Cancelled], RunState::Failed),
        (&[Succeeded, Cancelled, Skipped], RunState::Cancelled),
        (&[], RunState::Succeeded),
    ];
    for (states, wanted) in table {
        let tally: Tally = states.iter().copied().collect();
        assert_eq!(tally.run_state(), *wanted, "{states:?}");
    }
}
