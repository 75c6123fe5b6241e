//! Attributes, times, and who tells.

use mirror_core::compare::excerpt;
use mirror_core::time::Timestamp;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::clock::wall_clock;
use crate::report::Status;

/// Characters of one text.
const MAX_TEXT: usize = 2_000;

pub(super) fn text(text: &str) -> AnyValue {
    AnyValue {
        value: Some(Value::StringValue(excerpt(text, MAX_TEXT))),
    }
}

pub(super) fn attribute(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(text(value)),
        ..KeyValue::default()
    }
}

pub(super) fn number(key: &str, value: u64) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue {
            value: Some(Value::IntValue(i64::try_from(value).unwrap_or(i64::MAX))),
        }),
        ..KeyValue::default()
    }
}

/// The run, by the names that OpenTelemetry has for such things.
pub(super) fn resource(status: &Status) -> Resource {
    let instance = format!("{}:{}", status.host, status.pid);
    Resource {
        attributes: vec![
            attribute("service.name", "mirror-agent"),
            attribute("service.version", &status.version),
            attribute("service.instance.id", &instance),
            attribute("host.name", &status.host),
            number("process.pid", status.pid.into()),
            attribute("mirror.run.name", &status.name),
        ],
        ..Resource::default()
    }
}

pub(super) fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: "mirror-agent".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        ..InstrumentationScope::default()
    }
}

/// In nanoseconds since 1970.
pub(super) fn now() -> u64 {
    wall_clock().nanos_since(Timestamp::default())
}
