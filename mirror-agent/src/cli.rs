//! The command line as typed. `config` turns it, with the configuration file, into what is valid.

mod files;
mod inspect;
mod live;
mod reports;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use mirror_core::filter::FilterSettings;
use mirror_core::options::{FromText, Options};
use mirror_core::policy::Rule;

use crate::config::{Changes, Config};
use crate::transport::FleetOptions;

pub use files::{
    Convert, ConvertOptions, ConvertTo, Cut, Merge, Moment, PinName, PinOptions, SelectionOptions,
    Session,
};
pub use inspect::{Explain, ExplainOptions, Format, Inspect, InspectOptions, Recordings};
pub use live::{Awaited, RunOptions, Socket, Wait};
pub use reports::{Document, ReportFormat, RulesCommand, RunsCommand, RunsIn};

/// Mirrors production's HTTP traffic to a new version and tells whether it answers alike.
#[derive(Debug, Parser)]
#[command(
    name = "mirror-agent",
    version,
    propagate_version = true,
    max_term_width = 100
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Capture, replay and compare in the foreground until SIGINT or SIGTERM
    #[command(after_help = format!("\
Examples:
  mirror-agent run --interface eth0 --port 8080 --target http://mirror:8080 --report /var/tmp/mirror
  mirror-agent run --config agent.toml --json | jq .ledger
  mirror-agent run --config agent.toml --schedule 'Mon-Fri 22:00-06:00 Europe/Berlin' --max-rps 500 --duration 8h

One Ctrl-C drains what is in flight, a second one ends at once; both print the report.

{}

Exit codes are the decision: 0 PASS, 1 FAIL: a difference is the new version's or a rule is met, 3 INVALID: the run cannot be relied
on, 4 HOLD: not decided, and the report says what is missing; 2 nothing was started.", sources()))]
    Run {
        #[command(flatten)]
        options: RunOptions,
        /// Print the final report as JSON
        #[arg(long)]
        json: bool,
    },
    /// Capture, and hand over to replayers on other hosts by way of Redis Streams, until SIGINT or SIGTERM
    #[command(after_help = format!("\
Examples:
  mirror-agent capture --interface eth0 --port 8080 --to redis://10.0.0.5/shop
  MIRROR_TO=rediss://user:password@redis:6379/shop mirror-agent capture --config agent.toml --json | jq .ledger
  mirror-agent capture --config agent.toml --to redis+sentinel://a,b,c/main/shop --partitions 32

Any number of hosts capture to one stream, and any number of `mirror-agent replay --from` share the work. Requests are judged and \
redacted here, before they leave the host. What the engine has no room for, or does not answer to in time, ends as `shed: transport`: production \
never waits. `mirror-agent report --fleet` shows all hosts as one. A stream is one run: give the next run another name.

{}

Exit codes: 0 what was to be replayed was handed over, 3 some of it was not, and the ledger says why, or capture failed; 2 nothing \
was started.", sources()))]
    Capture {
        #[command(flatten)]
        options: RunOptions,
        /// Print the final report as JSON
        #[arg(long)]
        json: bool,
    },
    /// Start `run` in the background; returns once capture is attached
    #[command(after_help = format!("\
Examples:
  mirror-agent start --interface eth0 --port 8080 --target http://mirror:8080 --redis redis://10.0.0.5
  mirror-agent start --config agent.toml --json | jq .pid

Then `mirror-agent status` and `mirror-agent stop`. Its log is beside its socket, ending in .log.

{}

Exit codes: 0 it captures, 2 nothing was started.", sources()))]
    Start {
        #[command(flatten)]
        options: RunOptions,
        /// Print process and log as JSON
        #[arg(long)]
        json: bool,
    },
    /// Show how the running agent's run stands: the decision so far, differences, routes, the ledger
    #[command(after_help = "\
Examples:
  mirror-agent status
  mirror-agent status --json | jq .ledger")]
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        socket: Socket,
    },
    /// Drain what is in flight, end the agent, print its report
    #[command(after_help = "\
Examples:
  mirror-agent stop
  mirror-agent stop --json | jq .differences

Exit codes are the decision: 0 PASS, 1 FAIL: a difference is the new version's or a rule is met, 3 INVALID: the run cannot be relied
on, 4 HOLD: not decided, and the report says what is missing; 2 no agent answered.")]
    Stop {
        /// Print the final report as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        socket: Socket,
    },
    /// Watch a running agent on the terminal: decision, rate, routes, ledger, differences
    #[command(after_help = "\
Examples:
  mirror-agent top
  mirror-agent top --socket /run/other.sock
  mirror-agent top --json | jq --unbuffered .rate

q, Esc or Ctrl-C leaves; the agent goes on. NO_COLOR=1 draws without colours.")]
    Top {
        /// Print a line of JSON each second
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        socket: Socket,
    },
    /// Wait until a running agent has decided, and end with the exit code of its decision
    #[command(after_help = "\
Examples:
  mirror-agent wait --timeout 30m
  mirror-agent wait --for ready --timeout 1m && run-the-load-test
  mirror-agent wait --admin https://prod-7:9464 --admin-token-file token --json | jq -r .reason

PASS and FAIL end the wait at once, INVALID when it stays so for 30 seconds. At the timeout it ends with what the run would be
decided as then, which is HOLD as a rule. An agent that has not started yet is waited for too; one that was there and is
gone for 30 seconds ends the wait, with what it said last.

Exit codes: 0 pass, or ready; 1 fail; 2 no agent answered, or none was ready in time; 3 invalid; 4 hold.")]
    Wait(Wait),
    /// Replay no more of what comes from now on; capture goes on
    #[command(after_help = "\
Examples:
  mirror-agent pause
  mirror-agent pause && sleep 600 && mirror-agent resume
  mirror-agent pause --json | jq .paused

What comes meanwhile ends as `filtered: paused`; what came before is still replayed.")]
    Pause {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        socket: Socket,
    },
    /// Replay again what comes from now on
    #[command(after_help = "\
Examples:
  mirror-agent resume
  mirror-agent resume --socket /run/other.sock
  mirror-agent resume --json | jq .paused")]
    Resume {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        socket: Socket,
    },
    /// Show what the running agent captures, or change it without a gap
    #[command(after_help = "\
Examples:
  mirror-agent filter
  mirror-agent filter --port 8080 --port 9000-9009 --sample 5%
  mirror-agent filter --deny-net 10.9.0.0/16 --allow-net none
  mirror-agent filter --json | jq .ports

What is not named stays as it is; `none` empties a list of networks.")]
    Filter {
        #[command(flatten)]
        change: Changes<FilterSettings>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        socket: Socket,
    },
    /// Have the running agent read its configuration file again
    #[command(after_help = format!("\
Examples:
  mirror-agent reload
  mirror-agent reload --json | jq .changed

These options change while the agent runs: {}. When anything in the file is wrong, or another option has changed, the \
agent names it, and goes on as before.", live_keys()))]
    Reload {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        socket: Socket,
    },
    /// Replay files of traffic, or what other hosts capture, to a mirror and compare the answers; needs no rights
    #[command(after_help = format!("\
Examples:
  mirror-agent replay traffic.pcapng.zst --target http://mirror:8080
  mirror-agent replay traffic.pcap --port 8080 --target http://mirror:8080 --speed 2 --report /var/tmp/mirror
  mirror-agent replay traffic.pcap --target http://mirror:8080 --speed max --order session:cookie:sid
  tcpdump -i eth0 -w - tcp port 8080 | mirror-agent replay - --target http://mirror:8080 --json | jq .timing
  mirror-agent replay node1.mrec node2.mrec --target http://mirror:8080 --allow 'POST /orders' --redis redis://10.0.0.5
  mirror-agent replay --from redis://10.0.0.5/shop --group candidate --target http://mirror:8080

With --from, requests come from `mirror-agent capture --to` on any number of hosts, until Ctrl-C or --duration. Replayers of one --group share \
them, and each group gets all of them. What is judged is kept in the stream's engine each second; what a replayer that died had not \
judged, another one judges. The decision over all of them is that of `mirror-agent report --fleet`.

Of a file, each request is sent at its place in the file's time, whether the mirror keeps up or not; --json and the report say how late \
requests were sent. With --speed max the mirror sets the speed. The run ends when every request has its \
outcome; --drain-timeout is for a run that Ctrl-C or --duration ends. The options are those of `run`. Those of live capture \
have no effect here, but --port says which ports are a server's (any, unless given). With a --socket of its own, `status`, \
`top`, `wait`, `pause`, `resume` and `stop` reach the replay as they reach a running agent.

Recordings are merged by the time at which requests began. This replay's rules judge each request once more, so a recording of writes \
writes nothing unless --allow names them here too; what was hidden stays hidden. Snapshots that were recorded are put into the \
store that the mirror reads (--mirror-redis, or --redis), in a namespace of this run, before their request is sent.

A pinned set (`cut --pin`) is replayed in another way: each request is sent once, as fast as the mirror takes it, and has a verdict of \
its own, by production's answer and the rules that are pinned. Nothing is learnt, and no statistics excuse a difference: exit code 0 all \
that were sent are as expected, 1 one is not, 4 none could be judged. `--quick` ends a run by what was seen, too, but learns what varies \
and tells differences by route; `reproduce` sends one request of a finished run again.

{}

Exit codes are the decision: 0 PASS, 1 FAIL: a difference is the new version's or a rule is met, 3 INVALID: the run cannot be relied
on, or the file is damaged, 4 HOLD: not decided, and the report says what is missing; 2 nothing was sent.", sources()))]
    Replay {
        /// Capture (pcap or pcapng), HTTP Archive or file of GoReplay, plain, gzip or zstd, or - for standard input; or any number of
        /// recordings (.mrec) and directories with recordings
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
        #[command(flatten)]
        options: RunOptions,
        /// Write the verdict on each request of a pinned set to a file, as JUnit XML
        #[arg(long, value_name = "FILE")]
        junit: Option<PathBuf>,
        /// Print the final report as JSON
        #[arg(long)]
        json: bool,
    },
    /// Record what is captured and let through by the rules, to be replayed later; sends nothing
    #[command(after_help = format!("\
Examples:
  mirror-agent record --interface eth0 --port 8080 afternoon.mrec
  mirror-agent record --interface eth0 --port 8080 --rotate-every 15m --total 20GiB /var/lib/shop-recordings
  mirror-agent record --interface eth0 --port 8080 --with-snapshots --redis redis://10.0.0.5 --encrypt-to age1… --json afternoon.mrec
  mirror-agent record --since 10m --route 'POST /orders' before-the-crash.mrec

A path that ends in .mrec is a file, which must not be there yet; any other one is a directory, in which one file follows the other. \
What is recorded is on the disk after a second at most. What the disk does not take is counted in the ledger, and the recording goes on. \
`mirror-agent replay` sends what was recorded, as far as its own rules allow it; `info` and `verify` look at it.

--since takes it from what a run with --keep has kept, by the time at which requests began, and --route by rules as --allow has them. \
--keep-in, --socket and --recording-key-file say where that is, as for the run.

{}

Exit codes: 0 all that the rules let through is recorded, 3 some of it was lost, and the ledger says why, 2 nothing was started.", sources()))]
    Record {
        /// File (*.mrec) or directory for the recording
        path: PathBuf,
        /// Take it from what a run has kept: of the last so long a time
        #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
        since: Option<Duration>,
        /// With --since, only requests that a rule fits, as in 'POST /orders' (repeatable)
        #[arg(long, value_name = "RULE", requires = "since", value_parser = Rule::from_text)]
        route: Vec<Rule>,
        #[command(flatten)]
        options: RunOptions,
        /// Print the ledger and the files as JSON
        #[arg(long)]
        json: bool,
    },
    /// Check that recordings are whole: checksums, ends, indexes
    #[command(after_help = "\
Examples:
  mirror-agent verify afternoon.mrec
  mirror-agent verify --json /var/lib/shop-recordings | jq '.[] | select(.is_whole | not)'

A recording whose writer was killed, or still writes, is whole if its last block is. Encrypted ones are checked without their key; their \
index is compared with their exchanges only with it.

Exit codes: 0 all are whole, 3 one is damaged or torn: what is before and after the damage can be replayed, 2 one cannot be read at all.")]
    Verify(Recordings),
    /// Show what is in recordings: times, routes, sizes, and how they were made
    #[command(after_help = "\
Examples:
  mirror-agent info afternoon.mrec
  mirror-agent info --json /var/lib/shop-recordings | jq '.[].routes'

Without its key, an encrypted recording shows its times, sizes and numbers, and not its routes.

Exit codes: 0 it is shown, 2 one cannot be read.")]
    Info(Recordings),
    /// List the HTTP exchanges in a file of traffic
    #[command(after_help = "\
Examples:
  mirror-agent inspect traffic.pcapng.zst
  mirror-agent inspect traffic.pcap --path '/cart/*' --status 5xx --follow 12
  mirror-agent inspect traffic.pcap --summary --format json | jq .routes
  mirror-agent inspect traffic.pcap --format har > traffic.har
  tcpdump -i eth0 -w - tcp port 8080 | mirror-agent inspect - --format json | jq .request.target

Filters of one kind widen, filters of several kinds narrow.

Exit codes: 0 the whole file was read, 2 it cannot be read, 3 it is damaged: what stands before the damage was shown.")]
    Inspect(Inspect),
    /// Show which rule decides about each exchange of a file, what is hidden, and what would be sent
    #[command(after_help = "\
Examples:
  mirror-agent explain traffic.pcap --allow 'POST /orders' --deny 'GET /logout'
  mirror-agent explain traffic.pcap --deny \"where header:user-agent ~ '^kube-probe'\" --summary
  mirror-agent explain traffic.pcap --reads 'POST /graphql where graphql = query' --json | jq .rule
  mirror-agent explain traffic.har --redact 'json:/user/email => mask'
  tcpdump -i eth0 -w - tcp port 8080 | mirror-agent explain -

A rule is METHOD /path, with * for a segment or a part of one and ** for any number of them; then
perhaps `where` and conditions with `and` between them, as in
  host = shop.example     header:x-tenant ~ '^a'   cookie:ab = b      query:debug
  path ~ '\\.php$'         form:dry-run = 1         json:user.id = 7   graphql = query
  body > 64KiB            status = 5xx             query:v != 2       not header:x-debug
  client in 10.0.0.0/8    client not in 10.9.0.0/16
`where …` alone is for every route. In = and !=, * stands for anything; ~ and !~ take a regular
expression.

What decides: a --deny rule that fits keeps the request out, whatever else fits. Else the first
--reads rule that fits lets it in as a read, else the first --allow rule that fits. Else GET, HEAD
and OPTIONS are let in, unless an --allow rule names that very method, and all others are kept
out. Then --replay-share chooses. A write is replayed only with the snapshot of the very request,
unless --allow-unsnapshotted-writes.

What is hidden is PLACE => MODE. A place is header:NAME, cookie:NAME, query:NAME, form:NAME,
json:/A/POINTER (with * for any step), json:MEMBER (at any depth), body:MEDIA/TYPE or detect:KIND
(card, email, bearer, jwt, aws, google, github, slack, pem; keys, all). A mode is remove, mask,
token (equal for equal values, by the key in --redact-key-file), or unsigned for a web token.
Headers that carry credentials are removed without a rule, and stay with --keep-header.

Exit codes: 0 the whole file was read, 2 it cannot be read or a rule is wrong, 3 it is damaged.")]
    Explain(Explain),
    /// Write a file of traffic as another one, or as a script that sends its requests
    #[command(after_help = "\
Examples:
  mirror-agent convert traffic.pcap traffic.mrec --redact 'json:/user/email => mask'
  mirror-agent convert traffic.mrec traffic.har
  mirror-agent convert requests.gor.gz requests.js --target http://mirror:8080 && k6 run requests.js
  mirror-agent convert traffic.pcap orders.sh --allow 'POST /orders' && TARGET=http://mirror:8080 sh orders.sh
  mirror-agent convert browser.har browser.gor && goreplay --input-file browser.gor --output-http http://mirror:8080
  mirror-agent convert traffic.pcap shop.json --json | jq .left_out

What is written is what `run` would send: rules decide about each request as `explain` shows, and secrets are hidden. A script
sends what it holds to the TARGET that it is given when it runs, so writes are in it only by --allow. Scripts keep the captured Host. curl
and Postman send one request after the other; k6 keeps the times, and the order on each connection. An HTTP Archive holds bodies
without their content-coding. What a format cannot hold is left out, and counted.

Exit codes: 0 it is written, 2 it is not, 3 IN is damaged: what stands before the damage is written.")]
    Convert(Convert),
    /// Take a part of a recording: by time, route, id, session, share, number or shape
    #[command(after_help = "\
Examples:
  mirror-agent cut afternoon.mrec checkout.mrec --from 2026-11-27T14:00:00Z --until 2026-11-27T14:10:00Z --route 'POST /checkout/**'
  mirror-agent cut afternoon.mrec small.mrec --first 20 --without 'where header:user-agent ~ \"^kube-probe\"'
  mirror-agent cut afternoon.mrec shapes.mrec --distinct --json | jq .left_out
  mirror-agent cut traffic.pcap some.mrec --share '5% by cookie:sid' --allow 'POST /orders'
  mirror-agent cut afternoon.mrec set.mrec --distinct --pin --pin-noise last --pin-name 'POST /orders => an order is taken'

Options of one kind widen, --share narrows, and options of several kinds narrow: --distinct and --first come last, and take the first
ones of what the others leave. A recording keeps what was let through when it was made; a file that is not a recording becomes one
by the rules that are given here, as by `convert`.

With --pin, OUT is a regression set: production's answers are what `mirror-agent replay OUT` expects of each build, request by request.

Exit codes: 0 it is written, 2 it is not, 3 IN is damaged: what could be read is written.")]
    Cut(Cut),
    /// Make one recording of several, in the order of time
    #[command(after_help = "\
Examples:
  mirror-agent merge node1.mrec node2.mrec fleet.mrec
  mirror-agent merge monday.pcap tuesday.har week.mrec --json | jq .written

An exchange that is in two recordings, as where they overlap, is in the result once. Files that are not recordings become recordings
by the rules that are given here, as by `convert`.

Exit codes: 0 it is written, 2 it is not, 3 one of IN is damaged: what could be read is written.")]
    Merge(Merge),
    /// Rules of the comparison, from what a run saw
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Print the report of a run: the newest, or another one, finished or not; or of several
    #[command(after_help = "\
Examples:
  mirror-agent report
  mirror-agent report 20261127T051821Z-shop
  mirror-agent report shop --details
  mirror-agent report shop --json | jq .routes
  mirror-agent report shop --format markdown >> $GITHUB_STEP_SUMMARY
  mirror-agent report /var/tmp/mirror --format junit > mirror.xml
  mirror-agent report --compare 20261126T101010Z 20261127T051821Z
  mirror-agent report --merge /mnt/node1/runs/20261127T051821Z-shop /mnt/node2/runs/20261127T051820Z-shop
  mirror-agent report --fleet redis://10.0.0.5/shop --group candidate --format junit > mirror.xml

A run is named by its directory's name, by a beginning of it that fits one run only, by what --name called it (of these the newest
counts), or `last`; or by a path: of its directory, of one that was given to --report, or of a report.json. A run that was killed is shown as it stood in its last second.

--compare shows which differences are new in B, which are gone, and which are in both, each with what either run says of it.
--merge adds up what agents on several hosts counted at the same time, and decides anew: as one agent that saw everything would.
It needs the directories of the runs, with their journals.
--fleet adds up what `capture --to` and `replay --from` have kept in the engine until now, and names processes that have died. In flight is what was \
captured and has no outcome yet.

Exit codes: 0 the report is printed, 2 there is no such run. With --merge and --fleet that of the decision: 0 pass, 1 fail, 3 invalid, 4 hold.")]
    Report {
        /// The run; the newest unless given
        #[arg(conflicts_with_all = ["compare", "merge", "fleet"])]
        run: Option<String>,
        /// Show two runs beside each other
        #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with_all = ["merge", "details", "format"])]
        compare: Vec<String>,
        /// Show the runs of several hosts as one
        #[arg(long, num_args = 2.., value_name = "RUN")]
        merge: Vec<String>,
        /// Show what all processes have done that share this stream
        #[arg(long, value_name = "URL", env = "MIRROR_FLEET", hide_env = true, conflicts_with_all = ["compare", "merge"])]
        fleet: Option<String>,
        /// Of which replayers
        #[arg(long, value_name = "NAME", env = "MIRROR_GROUP", hide_env = true, default_value_t = FleetOptions::default().group)]
        group: String,
        /// All groups, reasons and examples, and not one screen
        #[arg(long, conflicts_with_all = ["json", "format"])]
        details: bool,
        /// Print JSON
        #[arg(long, conflicts_with = "format")]
        json: bool,
        /// How to print it
        #[arg(long, value_enum, default_value_t)]
        format: ReportFormat,
        #[command(flatten)]
        runs: RunsIn,
    },
    /// Show how to see a difference again: curl for both sides, or send its request once more
    #[command(after_help = "\
Examples:
  mirror-agent reproduce last
  mirror-agent reproduce last 1
  mirror-agent reproduce 20261127T051821Z-shop 3 --send --target http://localhost:8080
  mirror-agent reproduce last 1 --json | jq -r .candidate | sh

Without a number, the groups of differences are listed with theirs. With --send the request goes to the mirror, and its answer is \
compared with the one that production gave then, without the run's rules of comparison; data may have changed since. What policy removed before it was kept, as \
credentials, is not in the request, and what it hid in production's answer may differ from the mirror's.

Exit codes: 0 done, and with --send the answers are equal now, 1 they differ, 2 there is no such run or group, or nothing was sent.")]
    Reproduce {
        /// Directory or name of the run, or `last`
        run: String,
        /// Number of a group of differences
        group: Option<usize>,
        /// Send the request to the mirror
        #[arg(long, requires = "group")]
        send: bool,
        /// Where it is sent [default: the first --target of the run]
        #[arg(long, value_name = "URL", requires = "send")]
        target: Option<String>,
        /// Send it even if its method may write
        #[arg(long, requires = "send")]
        allow_write: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        runs: RunsIn,
    },
    /// Print the JSON Schema of report.json, or of what `status --json` prints
    #[command(after_help = "\
Examples:
  mirror-agent schema report > report.schema.json
  mirror-agent schema status | jq .properties")]
    Schema {
        /// Of which document
        #[arg(value_enum, default_value_t)]
        document: Document,
    },
    /// List the runs that are kept, the newest first, or remove some
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "\
Examples:
  mirror-agent runs
  mirror-agent runs --json | jq -r '.[] | select(.decision == \"fail\") | .run'
  mirror-agent runs rm --keep 20
  mirror-agent runs --runs /mnt/node1/runs

Each run has a directory of its own in this folder, which `run`, `start` and `replay` make (their `--runs none` makes none)."
    )]
    Runs {
        #[command(subcommand)]
        command: Option<RunsCommand>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        runs: RunsIn,
    },
    /// Check kernel, capabilities, interfaces, Redis and target, and say what to do
    #[command(after_help = "\
Examples:
  mirror-agent doctor --interface eth0 --redis redis://10.0.0.5 --target http://mirror:8080
  mirror-agent doctor --config agent.toml --json | jq '.[] | select(.ok | not)'
  mirror-agent doctor --fix

Exit codes: 0 all is well, 2 something stands in the way.")]
    Doctor {
        /// Remove the clsact filters that a killed agent left (Linux below 6.6)
        #[arg(long)]
        fix: bool,
        #[command(flatten)]
        options: RunOptions,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// What stands below the options of a run.
fn sources() -> String {
    let specs = Config::specs();
    let others = specs.iter().filter(|spec| spec.env != spec.usual_env());
    let others: Vec<_> = others
        .map(|spec| format!("--{} is {}", spec.key, spec.env))
        .collect();
    format!(
        "Every option can also be given in the environment, as MIRROR_ and its name in capitals \
         (--snapshot-wait is MIRROR_SNAPSHOT_WAIT; only {}), and in the file that --config names. The \
         flag wins, then the environment, then the file. Keep a URL with a password in the environment \
         or in the file: every user of this host can read the command line. MIRROR_LOG=debug says more in the log.",
        others.join(", and ")
    )
}

fn live_keys() -> String {
    let specs = Config::specs();
    let live = specs.iter().filter(|spec| spec.is_live);
    live.map(|spec| spec.key).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
