//! Schedules around fires: each fire starts one run, whoever looks, pauses, resumes or edits meanwhile.

use std::time::Duration;

use levada_core::run::{Event, RunState};
use levada_core::schedule::{Catchup, Every, Rule, Schedule, Zone};
use levada_core::time::Timestamp;
use levada_store::{CATCHUP_MAX, Cause, FileLook, NewSchedule, RunFilter, Spec, Store, When};

use super::world::{World, chain};
use crate::places::{Place, on_both};

on_both! { due_schedules_fire_once  missed_fires_follow_the_policy  a_pause_keeps_what_was_missed_for_the_policy
an_edit_around_a_fire_loses_nothing  what_stays_as_it_was_is_left_alone  two_schedulers_fire_each_once
ends_and_loads_trigger  files_trigger_once_for_each_set  removed_pipelines_fire_no_more }

pub fn every(seconds: u64, catchup: Catchup) -> Spec {
    let rule = Rule::Every(Every::new(Duration::from_secs(seconds)).unwrap());
    spec(When::Time(Schedule::new(rule, Zone::default())), catchup)
}

fn spec(when: When, catchup: Catchup) -> Spec {
    Spec { when, catchup, params: serde_json::json!({ "by": "schedule" }).as_object().unwrap().clone() }
}

pub fn named(name: &str, spec: Spec) -> NewSchedule {
    NewSchedule { name: name.to_owned(), spec, paused: false }
}

async fn fires(store: &Store) -> Vec<i64> {
    let runs = store.runs(RunFilter { limit: 1_000, ..RunFilter::default() }).await.unwrap();
    let mut fires: Vec<i64> = runs.iter().filter_map(|run| run.fire_time).map(Timestamp::as_secs).collect();
    fires.sort_unstable();
    fires
}

/// The world starts at 1,700,000,000 s, which is 20 s after a full minute.
const START: i64 = 1_700_000_000;

async fn due_schedules_fire_once(place: Place) {
    let mut world = World::new(place.store).await;
    let schedules = vec![named("a", every(60, Catchup::Last)), named("b", every(60, Catchup::Last))];
    world.scheduled("p", schedules).await;
    assert_eq!(world.store.next_fire().await.unwrap(), Some(Timestamp::from_secs(START + 40)));
    assert_eq!(world.store.fire_due(world.now, 100).await.unwrap().runs, 0);
    world.pass(Duration::from_secs(40));
    let fired = world.store.fire_due(world.now, 100).await.unwrap();
    assert_eq!((fired.runs, fired.dropped, fired.next), (2, 0, Some(Timestamp::from_secs(START + 100))));
    assert_eq!(world.store.fire_due(world.now, 100).await.unwrap().runs, 0);
    let runs = world.store.runs(RunFilter { limit: 10, ..RunFilter::default() }).await.unwrap();
    assert_eq!(runs.iter().map(|run| run.schedule.clone().unwrap()).collect::<Vec<_>>(), ["b", "a"]);
    assert_eq!((runs[0].cause, runs[0].params.as_str()), (Cause::Schedule, r#"{"by":"schedule"}"#));
}

async fn missed_fires_follow_the_policy(place: Place) {
    let mut world = World::new(place.store).await;
    for (name, catchup) in [("none", Catchup::None), ("last", Catchup::Last), ("all", Catchup::All)] {
        world.scheduled(name, vec![named("s", every(300, catchup))]).await;
    }
    // 500 fires are missed; the last was two minutes ago
    world.pass(Duration::from_secs(100 + 499 * 300 + 120));
    let fired = world.store.fire_due(world.now, 100).await.unwrap();
    assert_eq!((fired.runs, fired.dropped), (1 + CATCHUP_MAX, 500 + 499 + 400));
    assert_eq!(fires(&world.store).await.last(), Some(&(START + 100 + 499 * 300)));
    assert!(fired.next > Some(world.now));
}

async fn a_pause_keeps_what_was_missed_for_the_policy(place: Place) {
    let mut world = World::new(place.store).await;
    for (name, catchup) in [("none", Catchup::None), ("last", Catchup::Last), ("all", Catchup::All)] {
        world.scheduled(name, vec![named("s", every(300, catchup))]).await;
    }
    let pipelines = || ["none", "last", "all"].map(str::to_owned);
    for name in pipelines() {
        world.store.pause_pipeline(name, true, world.now).await.unwrap();
    }
    world.pass(Duration::from_secs(1_100));
    let fired = world.store.fire_due(world.now, 100).await.unwrap();
    assert_eq!((fired.runs, fired.next), (0, None));
    for name in pipelines() {
        world.store.pause_pipeline(name, false, world.now).await.unwrap();
    }
    // four fires were missed, the last of them 100 s ago
    assert_eq!(world.store.fire_due(world.now, 100).await.unwrap().runs, 5);
    assert_eq!(world.store.fire_due(world.now, 100).await.unwrap().runs, 0);
    // one schedule alone
    world.store.pause_schedule("all".to_owned(), "s".to_owned(), true).await.unwrap();
    world.pass(Duration::from_secs(300));
    assert_eq!(world.store.fire_due(world.now, 100).await.unwrap().runs, 1);
    world.store.pause_schedule("all".to_owned(), "s".to_owned(), false).await.unwrap();
    assert_eq!(world.store.fire_due(world.now, 100).await.unwrap().runs, 1);
    assert!(world.store.pause_schedule("all".to_owned(), "t".to_owned(), true).await.is_err());
}

async fn an_edit_around_a_fire_loses_nothing(place: Place) {
    let mut world = World::new(place.store).await;
    world.scheduled("p", vec![named("s", every(60, Catchup::Last))]).await;
    world.pass(Duration::from_secs(41));
    // the fire of a second ago has not been seen to; the edited rule fires then too
    world.scheduled("p", vec![named("s", every(20, Catchup::All))]).await;
    assert_eq!(world.store.fire_due(world.now, 100).await.unwrap().runs, 1);
    // an edit right after a fire does not fire it again, not even with a clock that is behind
    world.now = world.now.minus(Duration::from_secs(2));
    world.scheduled("p", vec![named("s", every(60, Catchup::All))]).await;
    world.pass(Duration::from_secs(2));
    assert_eq!(world.store.fire_due(world.now, 100).await.unwrap().runs, 0);
    assert_eq!(fires(&world.store).await, [START + 40]);
    assert_eq!(world.store.next_fire().await.unwrap(), Some(Timestamp::from_secs(START + 100)));
}

async fn what_stays_as_it_was_is_left_alone(place: Place) {
    let mut world = World::new(place.store).await;
    let kept = named("kept", every(60, Catchup::Last));
    world.scheduled("p", vec![kept.clone(), named("gone", every(60, Catchup::Last))]).await;
    world.store.pause_schedule("p".to_owned(), "kept".to_owned(), true).await.unwrap();
    world.pass(Duration::from_secs(100));
    let mut new = named("new", every(60, Catchup::Last));
    new.paused = true;
    world.scheduled("p", vec![kept, new]).await;
    let found = world.store.schedules(Some("p".to_owned())).await.unwrap();
    let shown: Vec<_> = found.iter().map(|s| (s.name.as_str(), s.is_paused, s.next_at.unwrap().as_secs())).collect();
    assert_eq!(shown, [("kept", true, START + 40), ("new", true, START + 160)]);
}

async fn two_schedulers_fire_each_once(place: Place) {
    let mut world = World::new(place.store).await;
    let other = Store::open(&place.location).await.unwrap();
    for index in 0..40 {
        world.scheduled(&format!("p{index:02}"), vec![named("s", every(60, Catchup::Last))]).await;
    }
    for _ in 0..3 {
        world.pass(Duration::from_secs(60));
        let looks = [&world.store, &other, &world.store, &other].map(|store| {
            let (store, now) = (store.clone(), world.now);
            tokio::spawn(async move {
                let mut runs = 0;
                for _ in 0..10 {
                    runs += store.fire_due(now, 7).await.unwrap().runs;
                }
                runs
            })
        });
        let mut runs = 0;
        for look in looks {
            runs += look.await.unwrap();
        }
        assert_eq!(runs, 40);
    }
    assert_eq!(fires(&world.store).await.len(), 120);
}

async fn ends_and_loads_trigger(place: Place) {
    let world = World::new(place.store).await;
    let source = world.pipeline("load", chain(1)).await;
    let when = When::Pipeline { name: "load".to_owned(), states: vec![RunState::Succeeded] };
    world.scheduled("after", vec![named("s", spec(when, Catchup::Last))]).await;
    world.scheduled("fresh", vec![named("s", spec(When::Dataset("dw.orders".to_owned()), Catchup::Last))]).await;
    world.run("load", source, "a").await;
    let claim = world.claim(1).await.remove(0);
    let mut update = super::world::ended(&claim, Event::Finished);
    update.datasets = vec!["dw.orders".to_owned()];
    world.exchange(vec![update], 0).await;
    assert_eq!(names(&world.store).await, ["after", "fresh", "load"]);
    // a failed one triggers nothing, and what happens during a pause starts nothing later
    world.run("load", source, "b").await;
    let claims = world.claim(10).await;
    let claim = claims.iter().find(|claim| claim.pipeline == "load").unwrap();
    world.end(claim, Event::Errored { retry: false }).await;
    world.store.pause_pipeline("after".to_owned(), true, world.now).await.unwrap();
    world.run("load", source, "c").await;
    world.drain().await;
    world.store.pause_pipeline("after".to_owned(), false, world.now).await.unwrap();
    assert_eq!(names(&world.store).await, ["after", "fresh", "load", "load", "load"]);
}

async fn names(store: &Store) -> Vec<String> {
    let runs = store.runs(RunFilter { limit: 100, ..RunFilter::default() }).await.unwrap();
    let mut names: Vec<String> = runs.into_iter().map(|run| run.pipeline).collect();
    names.sort();
    names
}

async fn files_trigger_once_for_each_set(place: Place) {
    let mut world = World::new(place.store).await;
    let when = When::File { connection: "drop".into(), path: "in/*.csv".into(), every: Duration::from_secs(30) };
    world.scheduled("p", vec![named("landed", spec(when, Catchup::Last))]).await;
    let watch = world.store.due_files(world.now).await.unwrap().remove(0);
    assert_eq!((watch.path.as_str(), watch.memo.as_deref()), ("in/*.csv", None));
    let look = |memo: &str, occasion: &str| FileLook {
        memo: Some(memo.to_owned()),
        occasion: Some(occasion.to_owned()),
        ..FileLook::default()
    };
    let first = world.store.files_seen(watch.clone(), look("[\"a\"]", "a"), world.now).await.unwrap().unwrap();
    assert!(first.is_new);
    assert!(world.store.due_files(world.now).await.unwrap().is_empty());
    // another process that looked at the same moment, and saw one file more
    assert_eq!(world.store.files_seen(watch, look("[\"a\",\"b\"]", "ab"), world.now).await.unwrap(), None);
    world.pass(Duration::from_secs(30));
    let watch = world.store.due_files(world.now).await.unwrap().remove(0);
    assert_eq!(watch.memo.as_deref(), Some("[\"a\"]"));
    // a file that went and came back
    let again = world.store.files_seen(watch.clone(), look("[\"a\"]", "a"), world.now).await.unwrap().unwrap();
    assert!(!again.is_new);
    world.pass(Duration::from_secs(30));
    // found in a pause: forgotten, so that it is found again afterwards
    world.store.pause_pipeline("p".to_owned(), true, world.now).await.unwrap();
    assert_eq!(world.store.files_seen(watch.clone(), look("[]", "b"), world.now).await.unwrap(), None);
    world.store.pause_pipeline("p".to_owned(), false, world.now).await.unwrap();
    assert_eq!(world.store.due_files(world.now).await.unwrap(), [watch]);
}

async fn removed_pipelines_fire_no_more(place: Place) {
    let mut world = World::new(place.store).await;
    world.scheduled("old", vec![named("s", every(60, Catchup::All))]).await;
    world.scheduled("new", vec![named("s", every(60, Catchup::All))]).await;
    let open = world.run("old", world.document("old").await, "open").await;
    assert_eq!(world.store.remove_other_pipelines(vec!["new".to_owned()]).await.unwrap(), ["old"]);
    world.pass(Duration::from_secs(60));
    assert_eq!(world.store.fire_due(world.now, 100).await.unwrap().runs, 1);
    assert_eq!(world.store.pipelines().await.unwrap().len(), 1);
    assert!(world.claim(10).await.iter().any(|claim| claim.run == open));
    // it comes back without what it missed
    world.pass(Duration::from_secs(120));
    world.scheduled("old", vec![named("s", every(60, Catchup::All))]).await;
    world.pass(Duration::from_secs(60));
    assert_eq!(world.store.fire_due(world.now, 100).await.unwrap().runs, 1 + 3);
}
