//! Every report that a test reads is one by its published schema.

use std::sync::LazyLock;

use anyhow::{Result, anyhow};
use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

const PUBLISHED: &str = include_str!("../../docs/report.schema.json");
const NAME: &str = "report.schema.json";

static COMPILED: LazyLock<Result<(Schemas, SchemaIndex), String>> = LazyLock::new(|| {
    let published = serde_json::from_str(PUBLISHED).map_err(|error| error.to_string())?;
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    let added = compiler.add_resource(NAME, published);
    added.map_err(|error| error.to_string())?;
    let compiled = compiler.compile(NAME, &mut schemas);
    let index = compiled.map_err(|error| format!("{error:#}"))?;
    Ok((schemas, index))
});

/// An error names what is wrong and where.
pub fn check(report: &Value) -> Result<()> {
    let (schemas, index) = COMPILED.as_ref().map_err(|error| anyhow!("{error}"))?;
    let valid = schemas.validate(report, *index);
    valid.map_err(|error| anyhow!("{error:#}"))
}
