//! What a run found: collected while it runs, shown as JSON, text, HTML and metrics.
//!
//! A [`Ticket`] ends each request in the [`Recorder`], which keeps bounded tallies by route. [`Status`] and
//! [`ReportData`] are what they come to; everything that shows a run takes these.

mod answers;
mod control;
mod curl;
mod differences;
mod directory;
mod effects;
mod end;
mod examples;
mod facts;
mod files;
mod fleet;
mod html;
mod judgement;
mod junit;
mod known_noise;
mod latency;
mod markdown;
mod metrics;
mod options;
mod outcomes;
mod pair;
mod pinned;
mod reason;
mod recorder;
mod reproduction;
mod request;
mod routes;
mod runs;
mod schema;
mod status;
mod suggest;
pub mod table;
mod text;
mod ticket;
mod trend;

pub use answers::{AnswersPlace, StoredAnswers, StoredBody, StoredMessage, WholeAnswers};
pub use curl::{CurlRequest, quoted};
pub use differences::DifferenceGroup;
pub use directory::PrivateDir;
pub use effects::EffectsFinding;
pub use end::End;
pub use examples::DifferenceExample;
pub use files::{ReportDir, Written, known_noise_beside};
pub use fleet::{FleetChange, FleetKeeping, FleetProcess, fleet_report};
pub use html::{LiveMode, live_page, page, page_data};
pub use junit::junit;
pub use known_noise::KnownNoise;
pub use latency::{Latencies, LatencyData};
pub use markdown::markdown;
pub use metrics::{Buckets, Labels, MetricSink, Metrics, MetricsFormat, Samples};
pub use options::{ReportOptions, RunsPlace};
pub use outcomes::{OutcomeData, OutcomeExample, OutcomeGroup};
pub use pair::{JudgedAnswer, JudgedPair, JudgedRepeat, ProductionAnswer, SaidOfRun};
pub use pinned::{PinnedCase, PinnedDifference, PinnedOutcome, PinnedReport};
pub use recorder::Recorder;
pub use reproduction::{KeptExchange, Reproduction, group_title};
pub use request::{RequestLabel, ShownRequest};
pub use runs::{
    ComparedGroup, ComparedRun, GroupStanding, Keeper, KnownSummary, NewRun, RunComparison,
    RunPath, RunSummary, RunsFolder, Standing, answers, answers_of, compare_runs, comparison_text,
    list_text, merge, read,
};
pub use schema::{report_schema, status_schema};
pub use status::{
    AttachedPlace, CacheHits, CaptureCounters, CarriedData, ControlData, EffectsData, FORMAT,
    FleetData, FleetProcessData, FleetRole, FleetState, LedgerData, ReportData, Results, RouteData,
    RunInfo, Status, TimingData,
};
pub use suggest::{SuggestedRule, suggest_rules, suggested_text};
pub use text::{Extent, painted, report_text, status_text};
pub use ticket::Ticket;
pub use trend::TrendPoint;

/// What is beyond a limit is counted under this name.
const OTHER: &str = "(other)";
