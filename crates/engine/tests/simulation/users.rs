//! What users do in the world of a story: they start runs, cancel and repeat them, pause what runs by itself, apply new
//! versions, and fill in days long past.

use levada_core::id::RunId;
use levada_core::run::RunState;
use levada_core::time::Timestamp;
use levada_store::{Again, NewBackfill, NewRun, What};

use super::world::{World, pick};

/// Runs that are open at once, before users start no more.
const OPEN_MAX: usize = 12;

impl World {
    /// A user does something.
    pub async fn user(&mut self) {
        let now = self.now();
        let index = self.chance.below(self.pipelines.len() as u64) as usize;
        let pipeline = self.pipelines[index].name.clone();
        let runs: Vec<RunId> = self.observer.runs.keys().map(|run| RunId(*run)).collect();
        match self.chance.below(20) {
            0..8 if self.observer.open_runs().count() < OPEN_MAX => {
                let identity = self.name("user");
                self.say(|| format!("a user starts {pipeline}"));
                let new = NewRun::manual(&pipeline, self.documents[index], identity);
                let created = self.store.create_run(new.clone(), now).await.unwrap();
                assert_eq!(self.store.create_run(new, now).await.unwrap().run, created.run);
            }
            8..11 => {
                let open: Vec<RunId> = self.observer.open_runs().map(|run| RunId(run.id)).collect();
                if let Some(run) = pick(&mut self.chance, &open) {
                    self.say(|| format!("a user cancels run {run}"));
                    self.store.stop_run(run, now).await.unwrap();
                }
            }
            11..14 if self.observer.open_runs().count() < OPEN_MAX => {
                if let Some(run) = pick(&mut self.chance, &runs) {
                    self.again(run).await;
                }
            }
            14 | 15 => self.pause_schedule().await,
            16 => {
                let paused = !self.paused.remove(&pipeline) && self.paused.insert(pipeline.clone());
                self.say(|| format!("a user pauses {pipeline}: {paused}"));
                self.ever_paused.insert(pipeline.clone());
                self.store.pause_pipeline(pipeline, paused, now).await.unwrap();
            }
            17 => self.apply(index).await,
            18 if self.observer.open_runs().count() < OPEN_MAX => {
                let times = (0..4).map(|day| Timestamp::from_secs(1_600_000_000 + day * 86_400)).collect();
                let concurrency = 1 + self.chance.below(2) as u32;
                let new =
                    NewBackfill { pipeline, times, params: "{}".to_owned(), concurrency, identity: None, input: None };
                self.store.create_backfill(new, now).await.unwrap();
            }
            _ => {}
        }
    }

    async fn again(&mut self, run: RunId) {
        let what = match self.chance.below(3) {
            0 => What::Rest,
            1 => What::All,
            _ => What::Tasks(vec!["t0".to_owned()]),
        };
        let identity = self.name("again");
        let state = self.observer.runs[&run.0].state;
        let is_refused = what == What::Rest && !matches!(state, RunState::Failed | RunState::Cancelled);
        self.say(|| format!("a user does run {run} again: {what:?}"));
        let again =
            Again { run, what, newest: self.chance.once_in(2), params: None, identity, input: None, owner: None };
        assert_eq!(self.store.run_again(again, self.now()).await.is_err(), is_refused, "run {run} is {state:?}");
    }

    async fn pause_schedule(&mut self) {
        let Some(name) = pick(&mut self.chance, &self.fires.names()) else { return };
        let paused = !self.fires.paused.remove(&name) && self.fires.paused.insert(name.clone());
        self.say(|| format!("a user pauses the schedule {name:?}: {paused}"));
        self.store.pause_schedule(name.0, name.1, paused).await.unwrap();
    }
}
