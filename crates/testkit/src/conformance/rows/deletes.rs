//! Deleting, restoring, and what it means for rows that refer to each other.

use levada_core::rows::{Action, Effect, Kind, ListRequest, Look, Mode, OnDelete, Reason, Table};
use serde_json::{Value, json};

use super::{Place, effects, referring, required, table, unique};
use crate::conformance::Harness;

fn key(key: &Value) -> Value {
    json!({ "id": key })
}

/// The unique values of a deleted row are free; it comes back only if they still are.
pub async fn a_deleted_row_does_not_keep_its_unique_values(harness: &dyn Harness) {
    let place = Place::new(harness, [table("grade", [unique("code")])]).await;
    let first = place.insert("grade", vec![json!({"code": "a"})]).await.remove(0);
    place.written("grade", Action::Delete, vec![key(&first)]).await;
    assert_eq!(place.get("grade", &first).await, None);
    let look = Look { with_deleted: true, ..Look::default() };
    let deleted = place.look("grade", &first, &look).await.unwrap();
    assert!(deleted["deleted_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(place.page("grade", &ListRequest { limit: 10, look, ..ListRequest::default() }).await.rows.len(), 1);
    assert_eq!(
        place.refused("grade", Action::Delete, key(&first)).await,
        (Some("id".to_owned()), Reason::Missing),
        "it is not there any more"
    );
    let second = place.insert("grade", vec![json!({"code": "a"})]).await.remove(0);
    assert_eq!(place.refused("grade", Action::Restore, key(&first)).await, (Some("code".to_owned()), Reason::Unique));
    // several deleted rows may have one value
    place.written("grade", Action::Delete, vec![key(&second)]).await;
    let restored = place.write("grade", Action::Restore, Mode::All, vec![key(&first)]).await;
    assert_eq!(effects(&restored), [Some(Effect::Restored)]);
    assert_eq!(place.get("grade", &first).await.unwrap()["code"], "a");
    let upserted = Action::Upsert { by: "code".to_owned() };
    assert_eq!(place.written("grade", upserted, vec![json!({"code": "a"})]).await, std::slice::from_ref(&first));
    let again = place.write("grade", Action::Restore, Mode::All, vec![key(&first)]).await;
    assert_eq!(effects(&again), [Some(Effect::Restored)], "what is there is there");
}

fn firm(on_delete: OnDelete, soft_delete: bool) -> Vec<Table> {
    let person = [required("name", Kind::Text), referring("department", "department", on_delete)];
    let badge = [referring("person", "person", OnDelete::Cascade)];
    let tables = [table("department", [unique("name")]), table("person", person), table("badge", badge)];
    tables.into_iter().map(|table| Table { soft_delete, ..table }).collect()
}

async fn filled(place: &Place) -> Vec<Value> {
    let departments = place.insert("department", vec![json!({"name": "a"}), json!({"name": "b"})]).await;
    let people = ["x", "y", "z"].map(|name| json!({"name": name, "department": departments[0]}));
    let people = place.insert("person", people.to_vec()).await;
    place.insert("badge", people.iter().map(|person| json!({"person": person})).collect()).await;
    departments
}

/// What refers to a row that is deleted keeps it, goes with it, or refers to nothing from then on.
pub async fn rows_that_are_referred_to_stay_or_go_together(harness: &dyn Harness) {
    for (number, soft_delete) in [true, false].into_iter().enumerate() {
        for on_delete in [OnDelete::Restrict, OnDelete::Cascade, OnDelete::SetNull] {
            let mut tables = firm(on_delete, soft_delete);
            for table in &mut tables {
                table.table = format!("{}_{number}_{on_delete:?}", table.table).to_lowercase();
            }
            let place = Place::new(harness, tables).await;
            let departments = filled(&place).await;
            let rows = departments.iter().map(key).collect();
            let written = place.write("department", Action::Delete, Mode::Each, rows).await;
            let gone = Some(if soft_delete { Effect::Deleted } else { Effect::Erased });
            match on_delete {
                OnDelete::Restrict => {
                    assert_eq!(effects(&written), [None, gone], "{written:?}");
                    assert_eq!(place.all("person", "department").await.len(), 3);
                }
                OnDelete::Cascade => {
                    assert_eq!(effects(&written), [gone, gone]);
                    assert!(place.all("person", "name").await.is_empty());
                    assert!(place.all("badge", "id").await.is_empty());
                }
                OnDelete::SetNull => {
                    assert_eq!(effects(&written), [gone, gone]);
                    assert_eq!(place.all("person", "department").await, [Value::Null, Value::Null, Value::Null]);
                }
            }
        }
    }
}

/// A row that is deleted cannot be referred to, nor can one be restored that refers to it.
pub async fn nothing_refers_to_a_deleted_row(harness: &dyn Harness) {
    let place = Place::new(harness, firm(OnDelete::Restrict, true)).await;
    let department = place.insert("department", vec![json!({"name": "a"})]).await.remove(0);
    let person = place.insert("person", vec![json!({"name": "x", "department": department})]).await.remove(0);
    assert_eq!(place.refused("department", Action::Delete, key(&department)).await, (None, Reason::Reference));
    place.written("person", Action::Delete, vec![key(&person)]).await;
    place.written("department", Action::Delete, vec![key(&department)]).await;
    let wrong = (Some("department".to_owned()), Reason::Reference);
    let row = json!({"name": "y", "department": department});
    assert_eq!(place.refused("person", Action::Insert, row).await, wrong);
    assert_eq!(place.refused("person", Action::Restore, key(&person)).await, wrong);
    // rows may refer to rows of their own batch
    let own = table("node", [referring("parent", "node", OnDelete::Cascade)]);
    let place = Place::new(harness, [own]).await;
    place
        .insert(
            "node",
            vec![json!({"id": 1, "parent": null}), json!({"id": 2, "parent": 1}), json!({"id": 3, "parent": 2})],
        )
        .await;
    place.written("node", Action::Patch, vec![json!({"id": 1, "parent": 3})]).await;
    place.written("node", Action::Delete, vec![json!({"id": 2})]).await;
    assert!(place.all("node", "id").await.is_empty(), "a circle goes as a whole");
}

/// Rows are removed for good when that is asked for, deleted ones too; what refers to them decides.
pub async fn rows_are_removed_for_good(harness: &dyn Harness) {
    let place = Place::new(harness, firm(OnDelete::Restrict, true)).await;
    let departments = filled(&place).await;
    assert_eq!(place.refused("department", Action::Erase, key(&departments[0])).await, (None, Reason::Reference));
    let people = place.all("person", "id").await;
    place.written("person", Action::Delete, people.iter().map(key).collect()).await;
    assert_eq!(
        place.refused("department", Action::Erase, key(&departments[0])).await,
        (None, Reason::Reference),
        "deleted rows still refer to it"
    );
    let written = place.write("person", Action::Erase, Mode::All, people.iter().map(key).collect()).await;
    assert_eq!(effects(&written), vec![Some(Effect::Erased); 3]);
    place.written("department", Action::Erase, departments.iter().map(key).collect()).await;
    let look = Look { with_deleted: true, ..Look::default() };
    for table in ["department", "person", "badge"] {
        let request = ListRequest { limit: 10, look: look.clone(), ..ListRequest::default() };
        assert!(place.page(table, &request).await.rows.is_empty(), "{table}");
    }
}
