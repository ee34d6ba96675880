//! Exports that an update takes away, and the stacks that stand in its way by importing them.

use std::collections::BTreeMap;

use super::world::World;
use crate::diff;
use crate::model::{GoneExport, TargetSpec};
use crate::template::Template;

/// Looks up who imports the exports that `template` takes away. `exports` has the names of those that the stack has,
/// and `previous` is its template. Nothing is called where no export goes.
///
/// What cannot be looked up is left out, as who may deploy need not be allowed to look at other stacks: the review then
/// says how to find out.
pub(super) async fn gone(
    world: &World,
    spec: &TargetSpec,
    exports: &BTreeMap<String, String>,
    previous: &Template,
    template: &Template,
) -> Vec<GoneExport> {
    let mut found = Vec::new();
    for output in diff::gone_exports(template, previous) {
        let Some(name) = exports.get(output.as_str()) else {
            continue;
        };
        let Ok(imported_by) = world.aws.importers(spec, name).await else {
            // The other ones will not be answered, either.
            break;
        };
        found.push(GoneExport {
            output,
            name: name.clone(),
            imported_by,
        });
    }
    found
}
