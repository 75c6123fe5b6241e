//! What the report is told.

use std::path::PathBuf;

mirror_core::options! {
    /// Where the report goes.
    #[derive(Clone, Debug)]
    pub struct ReportOptions("Report") {
        /// Directory for report.json, report.html and noise.json
        #[option("report", "DIR")]
        pub directory: Option<PathBuf>,
    }
}
