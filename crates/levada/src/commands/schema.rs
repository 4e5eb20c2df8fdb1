//! `levada schema`: the JSON schemas of the documents and of every connector's settings, and the description of the API.

use levada_connectors::OffLimits;
use levada_core::config::{pipeline_schema, project_schema};
use levada_core::error::{Error, ErrorKind};
use levada_core::naming::{did_you_mean, nearest};

use super::{Context, Outcome, one};
use crate::cli::SchemaArgs;
use crate::wiring;

/// Prints a schema.
pub fn execute(context: &Context, args: &SchemaArgs) -> Outcome {
    let registry = wiring::registry(&OffLimits::default());
    let schema = match args.document.as_str() {
        "pipeline" => pipeline_schema(&registry),
        "project" => project_schema(&registry),
        "openapi" => levada_server::openapi::document(&levada_server::router::table()),
        name => {
            let descriptors: Vec<_> = registry.iter().map(|connector| connector.descriptor()).collect();
            let known: Vec<&str> =
                ["pipeline", "project", "openapi"].into_iter().chain(descriptors.iter().map(|d| d.name)).collect();
            match descriptors.iter().find(|descriptor| descriptor.name == name) {
                Some(descriptor) => descriptor.settings.clone(),
                None => {
                    let near = did_you_mean(nearest(name, &known));
                    return Err(one(Error::new(ErrorKind::Usage, format!("there is no schema `{name}`"))
                        .advise(format!("{near}Schemas: {}.", known.join(", ")))));
                }
            }
        }
    };
    context.output.json(&schema);
    Ok(0)
}
