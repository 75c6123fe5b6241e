//! The JSON Schemas of what programs read: made from the types, published in `docs/`.

use schemars::{JsonSchema, schema_for};
use serde_json::{Value, json};

use super::status::{FORMAT, ReportData, Status};

/// Of report.json, and of what `run`, `stop`, `replay` and `report` print with `--json`.
pub fn report_schema() -> Value {
    schema::<ReportData>("A mirror-agent report")
}

/// Of what `status --json` prints.
pub fn status_schema() -> Value {
    schema::<Status>("The status of a mirror-agent")
}

/// Members that it does not name may be added without a new number of the format.
fn schema<T: JsonSchema>(title: &str) -> Value {
    let mut schema = schema_for!(T).to_value();
    schema["title"] = title.into();
    schema["properties"]["format"] = json!({
        "description": "Raised when a reader of the one before would misunderstand.",
        "const": FORMAT,
    });
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_published(schema: &Value, published: &str, how: &str) {
        let published: Value = serde_json::from_str(published).unwrap();
        assert!(
            *schema == published,
            "the types have changed: raise FORMAT if a reader would misunderstand, and run `{how}`"
        );
    }

    #[test]
    fn the_published_schemas_are_those_of_the_types() {
        is_published(
            &report_schema(),
            include_str!("../../../docs/report.schema.json"),
            "mirror-agent schema report > docs/report.schema.json",
        );
        is_published(
            &status_schema(),
            include_str!("../../../docs/status.schema.json"),
            "mirror-agent schema status > docs/status.schema.json",
        );
    }

    #[test]
    fn members_are_named_with_what_they_mean() {
        let schema = report_schema();
        let property = |pointer: &str| schema.pointer(pointer).unwrap_or(&Value::Null);
        for pointer in [
            "/properties/ledger",
            "/properties/capture",
            "/properties/verdict",
            "/properties/dissect",
        ] {
            assert!(property(pointer).is_object(), "{pointer}: {schema:#}");
        }
        let required = property("/required").as_array().unwrap();
        for name in ["format", "verdict", "ledger", "started_at"] {
            assert!(required.contains(&name.into()), "{name}");
        }
        assert_eq!(
            property("/properties/differences/description"),
            "The most significant first."
        );
    }
}
