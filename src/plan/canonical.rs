//! One form for things that are equal but arrive in different orders.

use std::cmp::Ordering;
use std::io::{self, Write};

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::model::{ChangeDetail, Digest, ResourceChange};

/// JSON that is written with the keys of every object sorted, without copying it first.
pub(super) struct Sorted<'a>(pub &'a Value);

impl Serialize for Sorted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (key, value) in sorted_by_key(members) {
                    map.serialize_entry(key, &Sorted(value))?;
                }
                map.end()
            }
            Value::Array(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(&Sorted(item))?;
                }
                list.end()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                self.0.serialize(serializer)
            }
        }
    }
}

/// Returns the members of an object in the order of their keys.
pub(super) fn sorted_by_key(members: &serde_json::Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut members: Vec<_> = members.iter().collect();
    members.sort_unstable_by_key(|(key, _)| *key);
    members
}

/// Returns `changes` in an order that does not depend on how they were listed.
pub(super) fn sorted_changes(changes: &[ResourceChange]) -> Vec<&ResourceChange> {
    let mut changes: Vec<_> = changes.iter().collect();
    changes.sort_by(|a, b| compare_changes(a, b));
    changes
}

fn compare_changes(a: &ResourceChange, b: &ResourceChange) -> Ordering {
    fn key(change: &ResourceChange) -> impl Ord {
        let c = change;
        (
            &c.logical_id,
            &c.module,
            &c.resource_type,
            &c.physical_id,
            c.action,
        )
    }
    // A template has one change for a logical id. Should an endpoint list more, their whole texts decide.
    let text = |change| serde_json::to_string(&super::record::change_record(change)).ok();
    key(a).cmp(&key(b)).then_with(|| text(a).cmp(&text(b)))
}

/// Returns `details` in an order that does not depend on how they were listed.
pub(super) fn sorted_details(details: &[ChangeDetail]) -> Vec<&ChangeDetail> {
    fn key(detail: &ChangeDetail) -> impl Ord {
        let ChangeDetail {
            attribute,
            name,
            path,
            recreation,
            before,
            after,
            evaluation,
            source,
            causing_entity,
            drift,
        } = detail;
        let place = (attribute, name, path);
        let cause = (source, causing_entity, evaluation, recreation);
        (place, cause, before, after, drift)
    }
    let mut details: Vec<_> = details.iter().collect();
    details.sort_unstable_by(|a, b| key(a).cmp(&key(b)));
    details
}

/// Returns a sorted copy of a short list.
pub(super) fn sorted<T: Ord + Copy>(items: &[T]) -> Vec<T> {
    let mut items = items.to_vec();
    items.sort_unstable();
    items
}

/// A SHA-256 that is fed bytes as they come, so that nothing large is held twice.
#[derive(Default)]
pub(super) struct Sha(Sha256);

impl Sha {
    pub(super) fn finish(self) -> Digest {
        Digest::from(<[u8; 32]>::from(self.0.finalize()))
    }
}

impl Write for Sha {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
