//! How production's data came to the candidate, and what the requests did there.

use maud::{Markup, html};
use mirror_core::verdict::words::{count, percent};

use super::super::super::latency::LatencyData;
use super::super::super::status::{EffectsData, Results};
use super::super::super::text::snapshot_advice;
use super::super::words::{millis, name, text};

/// Columns of a small picture of times.
const COLUMNS: usize = 32;

pub(super) fn snapshots(results: &Results) -> Markup {
    let are_used = results.snapshots.keys().any(|state| state != "off");
    html! {
        h2 #snapshots-title { "Data: snapshots and effects" }
        @if are_used {
            p.lead { "Each request is replayed on the data that production read for it. This says whether that data was there." }
            div.cards {
                (outcomes("Snapshots", "what became of the look for each one", &results.snapshots))
                (waits(&results.snapshot_wait_ms))
                (lives(&results.snapshot_ttl_ms))
                @if !results.mirror_snapshots.is_empty() {
                    (outcomes("The candidate's own look", "what its answers say of it", &results.mirror_snapshots))
                }
            }
            @for line in snapshot_advice(results) { p.notice { (text(&line)) } }
        } @else {
            p.empty { "No store of snapshots was given: the candidate answered from its own data." }
        }
        @if let Some(effects) = &results.effects { (effects_card(effects)) }
    }
}

fn outcomes<'r>(
    title: &str,
    what: &str,
    counts: impl IntoIterator<Item = (&'r String, &'r u64)>,
) -> Markup {
    let counts = counts
        .into_iter()
        .map(|(name, count)| (name.as_str(), *count));
    bars(title, what, &counts.collect::<Vec<_>>())
}

/// Counts with their share, the largest first.
fn bars(title: &str, what: &str, counts: &[(&str, u64)]) -> Markup {
    let all: u64 = counts.iter().map(|(_, count)| count).sum();
    let mut counts = counts.to_vec();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let share = |part: u64| part as f64 / all.max(1) as f64;
    html! {
        div.card {
            h3 { (title) }
            p.small { (what) }
            table.bars {
                caption.sr { (title) }
                thead.sr { tr { th scope="col" { "what" } th scope="col" { "requests" } th scope="col" { "share" } th scope="col" { "picture" } } }
                tbody {
                    @for (state, number) in &counts {
                        tr {
                            th scope="row" { bdi { (name(state)) } }
                            td.n { (count(*number)) }
                            td.n { (percent((share(*number) * 1_000.0).round() / 1_000.0)) }
                            td.bar {
                                svg viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
                                    rect.track width="100" height="6" {}
                                    rect.part width=(format!("{:.2}", share(*number) * 100.0)) height="6" {}
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn waits(waits: &LatencyData) -> Markup {
    let figures = [
        ("half within", waits.p50),
        ("95 % within", waits.p95),
        ("99 % within", waits.p99),
        ("longest", waits.max),
    ];
    times(
        "Waits",
        "from the first look to the snapshot",
        waits,
        &figures,
    )
}

/// Its percentiles count from the shortest.
fn lives(left: &LatencyData) -> Markup {
    let figures = [
        ("half had at least", left.p50),
        ("95 % had at least", left.p95),
        ("99 % had at least", left.p99),
    ];
    times(
        "Life left",
        "how long snapshots still had to live when they were found",
        left,
        &figures,
    )
}

fn times(title: &str, what: &str, data: &LatencyData, figures: &[(&str, f64)]) -> Markup {
    html! {
        @if data.count > 0 {
            div.card {
                h3 { (title) }
                p.small { (what) }
                (columns(title, data))
                dl.figures {
                    @for (name, ms) in figures {
                        div { dt { (name) } dd { (millis(*ms)) } }
                    }
                }
            }
        }
    }
}

/// A histogram with a logarithmic scale from the shortest to the longest.
fn columns(title: &str, data: &LatencyData) -> Markup {
    let log = |micros: u64| (micros.max(1) as f64).ln();
    let ends = (data.histogram.first(), data.histogram.last());
    let (Some((first, _)), Some((last, _))) = ends else {
        return html! {};
    };
    let width = (log(*last) - log(*first)).max(1e-9);
    let mut counts = [0u64; COLUMNS];
    for (micros, count) in &data.histogram {
        let at = (log(*micros) - log(*first)) / width * COLUMNS as f64;
        counts[(at as usize).min(COLUMNS - 1)] += count;
    }
    let most = counts.iter().max().copied().unwrap_or(0).max(1) as f64;
    let ms = |micros: u64| millis(micros as f64 / 1_000.0);
    html! {
        svg.columns viewBox={ "0 0 " (COLUMNS * 10) " 60" } preserveAspectRatio="none" role="img" aria-label={ (title) " from " (ms(*first)) " to " (ms(*last)) } {
            @for (index, count) in counts.iter().enumerate() {
                @let height = *count as f64 / most * 58.0;
                rect.part x=(index * 10 + 1) y=(format!("{:.1}", 60.0 - height)) width="8" height=(format!("{height:.1}")) {}
            }
        }
        p.axis { span { (ms(*first)) } span { (ms(*last)) } }
    }
}

fn effects_card(effects: &EffectsData) -> Markup {
    let counts = effects.counts();
    let told: Vec<(&str, u64)> = counts
        .into_iter()
        .filter(|(name, count)| *name == "compared" || *count > 0)
        .collect();
    html! {
        div.cards {
            (bars("Effects", "what requests read and would have written, compared with production's", &told))
        }
        @if let Some(failure) = &effects.failure { p.notice { "The first effects that could not be read: " (text(failure)) } }
        @if effects.no_control > 0 {
            p.notice { "Effects are compared only where the control files them too: give it an SDK that does, or leave out --control." }
        }
    }
}
