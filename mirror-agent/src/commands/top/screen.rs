//! Draws one look at a run, on a terminal of any size: what has no room is left out, the least important first.

use mirror_core::verdict::Decision;
use mirror_core::verdict::words::{count, percent};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Paragraph, Row, Sparkline, Table, Wrap};
use unicode_width::UnicodeWidthStr;

use super::figures::{DifferenceLine, Figures, RouteLine};

/// Columns from which the ledger stands beside the routes, and from which routes show latencies and bounds.
const WIDE: u16 = 110;
const USUAL: u16 = 72;
const LEDGER_WIDTH: u16 = 36;
/// Lines that a reason may take.
const REASON_LINES: u16 = 3;
const MAX_DIFFERENCES: u16 = 8;

/// Whether there are colours (<https://no-color.org>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Paint {
    has_colours: bool,
}

impl Paint {
    pub(super) fn new() -> Self {
        let no_colour = std::env::var_os("NO_COLOR");
        Self {
            has_colours: no_colour.is_none_or(|value| value.is_empty()),
        }
    }

    fn colour(self, colour: Color) -> Style {
        match self.has_colours {
            true => Style::new().fg(colour),
            false => Style::new(),
        }
    }

    fn decision(self, decision: Decision) -> Style {
        let colour = match decision {
            Decision::Pass => Color::Green,
            Decision::Fail => Color::Red,
            Decision::Invalid => Color::Magenta,
            Decision::Hold => Color::Yellow,
        };
        self.colour(colour).add_modifier(Modifier::BOLD)
    }
}

pub(super) fn draw(frame: &mut Frame<'_>, figures: &Figures, paint: Paint) {
    let area = frame.area();
    let (heading, rest) = split(area, 1);
    frame.render_widget(title(figures), heading);
    let (at, rest) = split(rest, reason_lines(figures, area.width));
    frame.render_widget(decision(figures, paint), at);
    let troubles = u16::try_from(figures.troubles.len())
        .unwrap_or(u16::MAX)
        .min(3);
    let (at, rest) = split(rest, troubles);
    let bold = paint.colour(Color::Red).add_modifier(Modifier::BOLD);
    let lines = figures
        .troubles
        .iter()
        .map(|text| Line::styled(text.as_str(), bold));
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), at);
    let (at, rest) = split(rest, 1);
    frame.render_widget(numbers(figures), at);
    let (rest, footer) = match rest.height {
        0..4 => (rest, Rect::ZERO),
        height => split(rest, height - 1),
    };
    frame.render_widget(Line::styled("q leaves", Modifier::DIM), footer);
    body(frame, rest, figures, paint);
}

/// The first `lines` of an area, and the rest.
fn split(area: Rect, lines: u16) -> (Rect, Rect) {
    let [first, rest] =
        Layout::vertical([Constraint::Length(lines), Constraint::Fill(1)]).areas(area);
    (first, rest)
}

/// With a little room, because lines end between words.
fn reason_lines(figures: &Figures, width: u16) -> u16 {
    let length = figures.decision.name().len() + figures.reason.width();
    let lines = length / usize::from(width.max(1)) + 1;
    let spare = usize::from(lines > 1);
    u16::try_from(lines + spare).map_or(REASON_LINES, |lines| lines.min(REASON_LINES))
}

fn title(figures: &Figures) -> Line<'static> {
    let (hours, minutes, seconds) = (
        figures.elapsed / 3600,
        figures.elapsed / 60 % 60,
        figures.elapsed % 60,
    );
    Line::from(vec![
        Span::styled(
            format!("{} on {}", figures.name, figures.host),
            Modifier::BOLD,
        ),
        Span::raw(format!(
            "  {hours}:{minutes:02}:{seconds:02}  {}",
            figures.place
        )),
    ])
}

fn decision(figures: &Figures, paint: Paint) -> Paragraph<'static> {
    let line = Line::from(vec![
        Span::styled(figures.decision.name(), paint.decision(figures.decision)),
        Span::raw(format!("  {}", figures.reason)),
    ]);
    Paragraph::new(line).wrap(Wrap { trim: true })
}

fn numbers(figures: &Figures) -> Line<'static> {
    let lag = match figures.send_lag_p95_ms {
        0.0 => String::new(),
        lag => format!(" · sent late (p95) {}", millis(lag)),
    };
    Line::from(format!(
        "{}/s · seen {} · judged {} · in flight {} · waiting {}{lag}",
        count(figures.rate.round() as u64),
        count(figures.seen),
        count(figures.judged),
        count(figures.in_flight),
        figures.waiting,
    ))
}

/// Rates, routes, ledger and differences, as far as there is room.
fn body(frame: &mut Frame<'_>, area: Rect, figures: &Figures, paint: Paint) {
    let (rates, rest) = match area.height {
        18.. => split(area, 3),
        _ => (Rect::ZERO, area),
    };
    let width = usize::from(rates.width);
    let newest = &figures.rates[figures.rates.len().saturating_sub(width)..];
    let line = Sparkline::default()
        .data(newest)
        .style(paint.colour(Color::Cyan));
    frame.render_widget(line, rates);
    let wanted = u16::try_from(figures.differences.len() + 2).unwrap_or(u16::MAX);
    let most = (rest.height / 2).min(MAX_DIFFERENCES + 2);
    let wanted = if figures.differences.is_empty() {
        0
    } else {
        wanted
    };
    let (tables, differing) = split(rest, rest.height - wanted.min(most));
    differences(frame, differing, &figures.differences, paint);
    if tables.width >= WIDE {
        let columns = [Constraint::Fill(1), Constraint::Length(LEDGER_WIDTH)];
        let [left, right] = Layout::horizontal(columns).spacing(2).areas(tables);
        routes(frame, left, &figures.routes, paint);
        ledger(frame, right, figures);
    } else {
        let wanted = u16::try_from(figures.routes.len() + 2).unwrap_or(u16::MAX);
        let most = match tables.height {
            0..8 => tables.height,
            height => height - 6,
        };
        let (above, below) = split(tables, wanted.min(most));
        routes(frame, above, &figures.routes, paint);
        ledger(frame, below, figures);
    }
}

fn header(cells: Vec<Cell<'static>>) -> Row<'static> {
    Row::new(cells).style(Style::new().add_modifier(Modifier::DIM | Modifier::UNDERLINED))
}

fn right(text: String) -> Cell<'static> {
    Cell::from(Line::from(text).right_aligned())
}

fn routes(frame: &mut Frame<'_>, area: Rect, routes: &[RouteLine], paint: Paint) {
    let is_usual = area.width >= USUAL;
    let row = |route: &RouteLine| {
        let is_shown = route.at_most <= route.limit;
        let bound = paint.colour(if is_shown {
            Color::Green
        } else {
            Color::Yellow
        });
        let mut cells = vec![
            Cell::from(route.route.clone()),
            right(count(route.judged)),
            right(count(route.differing)),
            right(format!("≤ {}", percent(route.at_most))).style(bound),
        ];
        if is_usual {
            cells.push(right(percent(route.traffic)));
            cells.push(right(
                route.production_p95_ms.map_or_else(String::new, millis),
            ));
            cells.push(right(route.mirror_p95_ms.map_or_else(String::new, millis)));
        }
        Row::new(cells)
    };
    let mut titles = vec![Cell::from("route")];
    let mut numbers = vec!["judged", "differ", "rate"];
    let mut widths = vec![
        Constraint::Fill(1),
        Constraint::Length(9),
        Constraint::Length(8),
        Constraint::Length(9),
    ];
    if is_usual {
        numbers.extend(["traffic", "p95", "mirror p95"]);
        widths.extend([8, 8, 10].map(Constraint::Length));
    }
    titles.extend(numbers.into_iter().map(|text| right(text.into())));
    let table = Table::new(routes.iter().map(row), widths).header(header(titles));
    frame.render_widget(table, area);
}

fn ledger(frame: &mut Frame<'_>, area: Rect, figures: &Figures) {
    let rows = figures
        .outcomes
        .iter()
        .map(|(name, number)| Row::new([Cell::from(name.clone()), right(count(*number))]));
    let titles = header(vec![Cell::from("ended as"), right("requests".into())]);
    let widths = [Constraint::Fill(1), Constraint::Length(11)];
    frame.render_widget(Table::new(rows, widths).header(titles), area);
}

fn differences(frame: &mut Frame<'_>, area: Rect, all: &[DifferenceLine], paint: Paint) {
    let rows = all.iter().map(|one| {
        let style = match one.is_decided {
            true => paint.colour(Color::Red),
            false => paint.colour(Color::Yellow),
        };
        let decided = if one.is_decided { "real" } else { "open" };
        Row::new([
            Cell::from(decided).style(style),
            Cell::from(one.severity),
            right(count(one.differed)),
            Cell::from(one.place.clone()),
        ])
    });
    let titles = header(vec![
        Cell::from("differ"),
        Cell::from("severity"),
        right("requests".into()),
        Cell::from("where"),
    ]);
    let widths = [
        Constraint::Length(6),
        Constraint::Length(8),
        Constraint::Length(9),
        Constraint::Fill(1),
    ];
    frame.render_widget(Table::new(rows, widths).header(titles), area);
}

fn millis(millis: f64) -> String {
    match millis {
        0.0..10.0 => format!("{millis:.1} ms"),
        10.0..1000.0 => format!("{millis:.0} ms"),
        _ => format!("{:.1} s", millis / 1000.0),
    }
}

#[cfg(test)]
mod tests;
