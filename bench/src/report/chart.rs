//! The table as a picture: for each scenario, every server's share of the best.

use std::fmt::Write;

use crate::run::{Results, Row};
use crate::servers::{KINDS, Kind};

/// An SVG of bars.
pub(crate) fn svg(results: &Results) -> String {
    let row_height = BAR * results.servers.len() + GAP;
    let height = TOP + row_height * results.rows.len();
    let mut text = legend(results, WIDTH, height);
    for (at, row) in results.rows.iter().enumerate() {
        draw(&mut text, row, TOP + at * row_height);
    }
    text.push_str("</svg>\n");
    text
}

/// The beginning of a picture: which color is whose.
pub(super) fn legend(results: &Results, width: usize, height: usize) -> String {
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let left = width.saturating_sub(results.servers.len() * LEGEND);
    for (at, kind) in results.servers.iter().enumerate() {
        let x = left + at * LEGEND;
        let _ = writeln!(
            text,
            "<rect x=\"{x}\" y=\"8\" width=\"10\" height=\"10\" fill=\"{}\"/><text x=\"{}\" y=\"17\">{}</text>",
            color(kind),
            x + 14,
            kind.name,
        );
    }
    text
}

fn draw(text: &mut String, row: &Row, y: usize) {
    let summaries = row.summaries();
    let medians = summaries.iter().flatten().map(|summary| summary.median);
    let Some(best) = medians.reduce(|one, other| if row.better(one, other) >= 1.0 { one } else { other }) else {
        return;
    };
    let scenario = row.scenario;
    let middle = y + BAR * summaries.len() / 2;
    let _ = writeln!(
        text,
        "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{}, {}</text>",
        LEFT - 8,
        scenario.name,
        scenario.unit
    );
    for (at, (summary, (kind, _))) in summaries.iter().zip(&row.figures).enumerate() {
        let Some(summary) = summary else { continue };
        let (y, width) = (y + at * BAR, (row.better(summary.median, best) * BARS).max(1.0));
        let _ = writeln!(
            text,
            "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{width:.0}\" height=\"{}\" fill=\"{}\"/>\
             <text x=\"{:.0}\" y=\"{}\" font-size=\"8\">{}</text>",
            BAR - 1,
            color(kind),
            LEFT as f64 + width + 4.0,
            y + BAR - 2,
            super::number(summary.median),
        );
    }
}

/// Each server has its own, whoever else is there; shades of green are ours.
pub(super) fn color(kind: &Kind) -> &'static str {
    let at = KINDS.iter().position(|known| known.name == kind.name);
    let colors = ["#0b6e4f", "#40916c", "#74c69d", "#8d99ae", "#c9ada7", "#e09f3e", "#5f9ea0", "#b56576"];
    at.and_then(|at| colors.get(at).copied()).unwrap_or("#999999")
}

const WIDTH: usize = 900;
const LEFT: usize = 260;
const TOP: usize = 32;
const BAR: usize = 10;
const GAP: usize = 10;
const LEGEND: usize = 100;

/// The length of the best bar.
const BARS: f64 = 560.0;
