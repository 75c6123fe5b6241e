//! What `filter`, `pause`, `resume` and `reload` answer. `status` answers with a [`Status`](crate::report::Status), `stop` with a
//! [`ReportData`](crate::report::ReportData).

use mirror_core::filter::FilterSettings;
use serde::{Deserialize, Serialize};

/// The filter, after the change if there is one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FilterAnswer {
    pub filter: FilterSettings,
}

/// Whether what comes from now on is left out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PauseAnswer {
    pub paused: bool,
}

/// What the configuration file says now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReloadAnswer {
    /// Keys of the options that have another value now.
    pub changed: Vec<String>,
    pub filter: FilterSettings,
    pub interfaces: Vec<String>,
}
