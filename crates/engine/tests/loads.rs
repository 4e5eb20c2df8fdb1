//! What a load does with rows, columns and positions when nothing fails.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use levada_core::config::{Columns, OnBadRow, StreamOptions, Verify};
use levada_core::destination::{Destination, WriteMode};
use levada_core::error::ErrorKind;
use levada_core::schema::{Fit, Logical, OnSchemaChange};
use levada_engine::run::{SyncJob, plan_all};
use levada_testkit::memory::Memory;
use levada_testkit::rows::row;

use crate::stage::{append, carry_out, full, job, key, load, merge, numbered, rows, schema};

#[tokio::test]
async fn rows_with_the_last_cursor_value_arrive_once_whenever_they_come() {
    let (source, target) = (Memory::new(), Memory::new());
    source.put("t", &schema(), vec![numbered(1, 10, "a"), numbered(2, 10, "b")]);
    assert_eq!(load(&source, &target, append()).await.proof.written, 2);
    source.add("t", vec![numbered(3, 10, "late"), numbered(4, 11, "next"), numbered(2, 10, "b")]);
    let report = load(&source, &target, append()).await;
    assert_eq!((report.proof.read, report.proof.repeated, report.proof.written), (5, 2, 3));
    let report = load(&source, &target, append()).await;
    assert_eq!((report.proof.written, target.rows("t").unwrap().len()), (0, 5));
    assert_eq!(target.rows("t"), source.rows("t"));
}

#[tokio::test]
async fn a_stream_that_is_paused_is_left_out_and_goes_on_where_it_was() {
    let (source, target) = (Memory::new(), Memory::new());
    for stream in ["t", "u"] {
        source.put(stream, &schema(), rows(0, 5));
    }
    let run = async |is_paused: bool| {
        let mut job = job(Arc::new(source.clone()), Arc::new(target.clone()), append());
        let t = StreamOptions { paused: is_paused, ..append() };
        job.sync.streams = vec![("*".to_owned(), append()), ("t".to_owned(), t)];
        carry_out(job).await.unwrap().streams.into_iter().map(|stream| stream.stream).collect::<Vec<_>>()
    };
    assert_eq!(run(false).await.len(), 2);
    for stream in ["t", "u"] {
        source.add(stream, rows(5, 7));
    }
    assert_eq!(run(true).await, ["u"]);
    assert_eq!(target.rows("t").unwrap().len(), 5);
    run(false).await;
    assert_eq!(target.rows("t").unwrap().len(), 7);
}

#[tokio::test]
async fn a_load_that_may_be_done_only_once_is_not_done_again() {
    let (source, target) = (Memory::new(), Memory::new());
    source.put("t", &schema(), rows(0, 5));
    let options = |verify| StreamOptions { write: WriteMode::Append, verify, ..full() };
    let run = async |once: &str, verify| {
        let job = job(Arc::new(source.clone()), Arc::new(target.clone()), options(verify));
        carry_out(SyncJob { once: Some(once.to_owned()), ..job }).await.unwrap().streams.remove(0)
    };
    let first = run("a", Verify::Counts).await;
    assert_eq!((first.proof.written, first.warnings.len()), (5, 0));
    // nobody heard of it, and the source has moved on
    source.add("t", rows(5, 7));
    let again = run("a", Verify::Counts).await;
    assert_eq!((again.proof, &again.load_id), (first.proof, &first.load_id));
    assert!(again.error.is_none() && again.warnings[0].contains("was not done again"), "{:?}", again.warnings);
    assert_eq!(target.rows("t").unwrap().len(), 5);
    let unproved = run("a", Verify::Checksum).await;
    assert_eq!(unproved.error.map(|error| error.kind), Some(ErrorKind::Refused));
    assert_eq!((run("b", Verify::Counts).await.proof.written, target.rows("t").unwrap().len()), (7, 12));
    // what is done for nobody in particular is done each time
    load(&source, &target, options(Verify::Counts)).await;
    assert_eq!(target.rows("t").unwrap().len(), 19);
}

#[tokio::test]
async fn a_lag_window_finds_rows_that_were_committed_late() {
    let (source, target) = (Memory::new(), Memory::new());
    let options = || StreamOptions { lag: Some("5".to_owned()), ..append() };
    source.put("t", &schema(), rows(0, 20));
    load(&source, &target, options()).await;
    source.add("t", vec![numbered(100, 16, "late"), numbered(101, 3, "too late")]);
    assert_eq!(load(&source, &target, options()).await.proof.written, 1);
    assert_eq!(target.rows("t").unwrap().len(), 21);
}

#[tokio::test]
async fn an_append_without_its_position_is_refused_and_changes_nothing() {
    let (source, target) = (Memory::new(), Memory::new());
    source.put("t", &schema(), rows(0, 20));
    load(&source, &target, append()).await;
    target.forget(&key()).await.unwrap();
    let error = carry_out(job(Arc::new(source.clone()), Arc::new(target.clone()), append())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.advice().contains("--full-refresh"), "{error}");
    assert_eq!(target.rows("t").unwrap().len(), 20);

    let mut refresh = job(Arc::new(source.clone()), Arc::new(target.clone()), append());
    refresh.full_refresh = true;
    assert!(carry_out(refresh).await.unwrap().succeeded());
    assert_eq!(load(&source, &target, append()).await.proof.written, 0);
    assert_eq!(target.rows("t").unwrap().len(), 20);
}

#[tokio::test]
async fn rows_without_a_key_are_rejected_from_a_merge_and_counted() {
    let (source, target) = (Memory::new(), Memory::new());
    let nullable = Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, true),
        Field::new("seen", DataType::Int64, true),
        Field::new("name", DataType::Utf8, true),
    ]));
    source.put("t", &nullable, vec![row(&[None, Some("1"), Some("x")]), numbered(1, 1, "a")]);
    let failed = load(&source, &target, merge()).await;
    assert_eq!(failed.error.unwrap().code, "data");
    assert_eq!(target.rows("t"), None);
    let options = StreamOptions { on_bad_row: OnBadRow::Quarantine, ..merge() };
    let report = load(&source, &target, options).await;
    assert_eq!((report.proof.read, report.proof.written, report.proof.rejected), (2, 1, 1));
    assert_eq!(target.rejects(&key())[0].column.as_deref(), Some("id"));
}

#[tokio::test]
async fn columns_are_chosen_renamed_cast_and_hashed() {
    let (source, target) = (Memory::new(), Memory::new());
    source.put("t", &schema(), vec![numbered(7, 8, "abc")]);
    let columns = Columns {
        exclude: vec!["seen".to_owned()],
        rename: [("id".to_owned(), "number".to_owned())].into(),
        cast: [("id".to_owned(), "text".to_owned())].into(),
        hash: vec!["name".to_owned()],
        ..Columns::default()
    };
    let report = load(&source, &target, StreamOptions { columns, ..full() }).await;
    assert!(report.error.is_none(), "{:?}", report.error);
    let sha256_of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(target.rows("t").unwrap(), vec![row(&[Some("7"), Some(sha256_of_abc)])]);
    assert_eq!(target.schema("t").unwrap().field(0).name(), "number");
}

#[tokio::test]
async fn a_reject_does_not_hold_what_is_hashed() {
    let (source, target) = (Memory::new(), Memory::new());
    source.put("t", &schema(), vec![numbered(1, 70_000, "abc"), numbered(2, 2, "abc")]);
    let columns = Columns {
        cast: [("seen".to_owned(), "int16".to_owned())].into(),
        hash: vec!["name".to_owned()],
        ..Columns::default()
    };
    let options = StreamOptions { columns, on_bad_row: OnBadRow::Quarantine, ..full() };
    let report = load(&source, &target, options).await;
    assert!(report.error.is_none(), "{:?}", report.error);
    let [reject] = target.rejects(&key()).try_into().unwrap();
    assert_eq!((reject.column.as_deref(), reject.row.as_str()), (Some("seen"), r#"{"id":"1","seen":"70000"}"#));
    assert!(reject.reason.contains("70000"), "{reject:?}");
}

#[tokio::test]
async fn a_frozen_target_says_where_it_refuses_null() {
    let (source, target) = (Memory::new(), Memory::new());
    let schema = |name_is_nullable| {
        let mut fields: Vec<Field> = schema().fields().iter().map(|field| field.as_ref().clone()).collect();
        fields[2].set_nullable(name_is_nullable);
        Arc::new(Schema::new(fields))
    };
    source.put("t", &schema(true), rows(0, 3));
    target.put("t", &schema(false), Vec::new());
    for (policy, expected) in [
        (OnSchemaChange::Evolve, Fit::Exact),
        (OnSchemaChange::Freeze, Fit::Checked("NULL is refused: the target's column is NOT NULL".to_owned())),
    ] {
        let options = StreamOptions { on_schema_change: policy, ..full() };
        let plans = plan_all(&job(Arc::new(source.clone()), Arc::new(target.clone()), options)).await.unwrap();
        let fits: Vec<&Fit> = plans[0].plan.columns.iter().map(|column| &column.fit).collect();
        assert_eq!(fits, [&Fit::Exact, &Fit::Exact, &expected], "{policy:?}");
    }
}

#[tokio::test]
async fn a_plan_tells_the_type_of_what_is_kept_as_text() {
    let (source, target) = (Memory::new(), Memory::new());
    let of_type = |data_type| levada_core::schema::field("span", data_type, true, "any:tsmultirange", None);
    source.put("t", &Arc::new(Schema::new(vec![of_type(DataType::Int64)])), Vec::new());
    target.put("t", &Arc::new(Schema::new(vec![Field::new("span", DataType::Utf8, true)])), Vec::new());
    let plans = plan_all(&job(Arc::new(source.clone()), Arc::new(target.clone()), full())).await.unwrap();
    let Fit::Text(note) = &plans[0].plan.columns[0].fit else { panic!("{:?}", plans[0].plan.columns) };
    assert_eq!(note, "text, from the source's type tsmultirange");

    // a type that the document asks for is nobody's own
    let columns = Columns { cast: [("span".to_owned(), "int32".to_owned())].into(), ..Columns::default() };
    let job = job(Arc::new(source), Arc::new(target), StreamOptions { columns, ..full() });
    let plans = plan_all(&job).await.unwrap();
    assert_eq!(plans[0].plan.columns[0].fit, Fit::Text("text".to_owned()));
}

#[tokio::test]
async fn an_unknown_column_is_named_with_the_nearest_and_nothing_moves() {
    let (source, target) = (Memory::new(), Memory::new());
    source.put("t", &schema(), rows(0, 1));
    let options = StreamOptions { cursor: Some("sen".to_owned()), ..append() };
    let error = carry_out(job(Arc::new(source), Arc::new(target.clone()), options)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("Did you mean `seen`?"), "{error}");
    assert_eq!(target.rows("t"), None);
}

#[tokio::test]
async fn a_checksum_holds_for_every_mode_and_names_the_key_that_differs() {
    for options in [full(), append(), merge()] {
        let (source, target) = (Memory::new(), Memory::new());
        let options = StreamOptions { verify: Verify::Checksum, key: vec!["id".to_owned()], ..options };
        source.put("t", &schema(), rows(0, 100));
        let report = load(&source, &target, options.clone()).await;
        assert!(report.error.is_none(), "{:?}", report.error);
        assert_eq!(report.proof.verified, Some(100));

        source.add("t", rows(200, 210));
        target.corrupt_next_commit("t", "name", "row 205", "forged");
        let report = load(&source, &target, options).await;
        let error = report.error.expect("a forged value is found");
        assert!(error.message.contains("205"), "{}", error.message);
    }
}

#[tokio::test]
async fn a_checksum_takes_rejected_rows_for_what_they_are() {
    for options in [full(), append(), merge()] {
        let (source, target) = (Memory::new(), Memory::new());
        let key = vec!["id".to_owned()];
        let options = StreamOptions { verify: Verify::Checksum, on_bad_row: OnBadRow::Quarantine, key, ..options };
        source.put("t", &schema(), rows(0, 100));
        target.refuse("name", "row 7");
        target.refuse("name", "row 93");
        let report = load(&source, &target, options.clone()).await;
        assert!(report.error.is_none(), "{:?}", report.error);
        assert_eq!((report.proof.rejected, report.proof.verified), (2, Some(98)));

        source.add("t", rows(200, 210));
        target.refuse("name", "row 201");
        target.corrupt_next_commit("t", "name", "row 205", "forged");
        let error = load(&source, &target, options).await.error.expect("a forged value is found among rejected rows");
        // an appended row has no key but itself
        let told = error.message.contains("`forged`") || error.message.contains("is missing");
        assert!(error.message.contains("205") && told, "{}", error.message);
    }
}

#[tokio::test]
async fn a_stopped_run_leaves_nothing() {
    let (source, target) = (Memory::new(), Memory::new());
    source.put("t", &schema(), rows(0, 1000));
    let job = job(Arc::new(source), Arc::new(target.clone()), full());
    job.stop.cancel();
    let error = carry_out(job).await.unwrap_err();
    assert_eq!((error.kind(), error.kind().policy().exit_code), (ErrorKind::Interrupted, 130));
    assert_eq!((target.rows("t"), target.live_loads()), (None, 0));
}

#[tokio::test]
async fn a_stream_is_not_loaded_into_itself() {
    let both = Memory::new();
    both.put("t", &schema(), rows(0, 5));
    let job = job(Arc::new(both.clone()), Arc::new(both.clone()), full());
    assert_eq!(carry_out(job).await.unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(both.rows("t").unwrap().len(), 5);
}

#[tokio::test]
async fn an_incremental_read_without_its_cursor_is_refused_when_planned() {
    let (source, target) = (Memory::new(), Memory::new());
    source.put("t", &schema(), rows(0, 3));
    // rows without a position would be refused too, but the cursor is what is missing
    target.put("t", &schema(), rows(0, 3));
    let job = || {
        let options = StreamOptions { cursor: None, ..append() };
        job(Arc::new(source.clone()), Arc::new(target.clone()), options)
    };
    for error in [plan_all(&job()).await.err(), carry_out(job()).await.err()] {
        let error = error.expect("nobody knows what is new");
        assert_eq!((error.kind(), error.kind().policy().exit_code), (ErrorKind::Config, 2), "{error}");
        assert_eq!(error.place(), ["stream `t`"]);
        assert!(error.message().contains("cursor"), "{error}");
        assert!(error.advice().contains("id, seen, name"), "{error}");
    }
    assert_eq!(target.rows("t").unwrap().len(), 3);
}

#[tokio::test]
async fn a_cursor_without_order_is_refused_when_planned() {
    let (source, target) = (Memory::new(), Memory::new());
    let json = levada_core::schema::field("seen", DataType::Utf8, true, "any:json", Some(Logical::Json));
    for field in [json, Field::new("seen", DataType::Boolean, true)] {
        source.put("t", &Arc::new(Schema::new(vec![field.clone()])), Vec::new());
        let job = job(Arc::new(source.clone()), Arc::new(target.clone()), append());
        let error = plan_all(&job).await.err().expect("there is no order to follow");
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains("`seen`"), "{error}");
    }
}
