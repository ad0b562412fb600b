//! What becomes of rate and latency as sessions become more: a line for each server.

use std::fmt::Write;

use super::chart::{color, legend};
use super::number;
use crate::run::{Results, Row};

/// An SVG of two fields beside each other, both over the number of sessions, both axes logarithmic.
pub(crate) fn svg(results: &Results) -> String {
    let mut text = legend(results, 2 * FIELD, TOP + HEIGHT + BOTTOM);
    let crowds = results.rows.iter().filter(|row| row.scenario.crowd.is_some());
    let (latencies, rates): (Vec<&Row>, Vec<&Row>) = crowds.partition(|row| row.scenario.lower_is_better);
    for (at, (title, rows)) in [("commands/s", rates), ("p99 of a command, µs", latencies)].iter().enumerate() {
        draw(&mut text, title, rows, at * FIELD + LEFT);
    }
    text.push_str("</svg>\n");
    text
}

/// One field, whose left edge is at `left`.
fn draw(text: &mut String, title: &str, rows: &[&Row], left: usize) {
    let _ = writeln!(text, "<text x=\"{left}\" y=\"{}\">{title}, by sessions</text>", TOP - 8);
    let points: Vec<_> = rows.iter().filter_map(|row| Some((row.sessions? as f64, row.summaries()))).collect();
    let medians = points.iter().flat_map(|(_, summaries)| summaries.iter().flatten().map(|summary| summary.median));
    let (Some(across), Some(up)) = (
        Scale::new(points.iter().map(|(sessions, _)| *sessions), left as f64, (left + WIDTH) as f64),
        Scale::new(medians, (TOP + HEIGHT) as f64, TOP as f64),
    ) else {
        return;
    };
    let (bottom, right) = (TOP + HEIGHT, left + WIDTH);
    for (sessions, _) in &points {
        let x = across.place(*sessions);
        let _ = writeln!(
            text,
            "<path d=\"M{x:.0} {TOP}V{bottom}\" stroke=\"#e5e5e5\"/>\
             <text x=\"{x:.0}\" y=\"{}\" text-anchor=\"middle\">{sessions}</text>",
            bottom + 16,
        );
    }
    for value in up.steps() {
        let y = up.place(value);
        let _ = writeln!(
            text,
            "<path d=\"M{left} {y:.0}H{right}\" stroke=\"#e5e5e5\"/>\
             <text x=\"{}\" y=\"{:.0}\" text-anchor=\"end\">{}</text>",
            left - 6,
            y + 4.0,
            number(value),
        );
    }
    let servers = points.first().map_or(0, |(_, summaries)| summaries.len());
    for server in 0..servers {
        let line = points.iter().filter_map(|(sessions, summaries)| {
            let summary = summaries.get(server)?.as_ref()?;
            Some(format!("{:.0},{:.0}", across.place(*sessions), up.place(summary.median)))
        });
        let line = line.collect::<Vec<_>>().join(" ");
        let kind = rows.first().and_then(|row| row.figures.get(server)).map(|(kind, _)| kind);
        let color = kind.map_or("black", |kind| color(kind));
        let _ = writeln!(text, "<polyline points=\"{line}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/>");
    }
}

/// Where values are, by their logarithms, between two places.
struct Scale {
    least: f64,
    most: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// None without a value.
    fn new(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Option<Self> {
        let logarithms: Vec<_> = values.map(f64::log10).collect();
        let least = logarithms.iter().copied().reduce(f64::min)?;
        let most = logarithms.iter().copied().reduce(f64::max)?;
        Some(Self { least, most, from, to })
    }

    fn place(&self, value: f64) -> f64 {
        let span = (self.most - self.least).max(f64::EPSILON);
        self.from + (value.log10() - self.least) / span * (self.to - self.from)
    }

    /// Round values: 1, 2 and 5 of each power of ten.
    fn steps(&self) -> impl Iterator<Item = f64> {
        let powers = self.least.floor() as i32..=self.most.ceil() as i32;
        let steps = powers.flat_map(|power| [1.0, 2.0, 5.0].map(|step| step * 10_f64.powi(power)));
        let (least, most) = (self.least, self.most);
        steps.filter(move |step| (least..=most).contains(&step.log10()))
    }
}

const FIELD: usize = 450;
const LEFT: usize = 60;
const WIDTH: usize = 370;
const TOP: usize = 48;
const HEIGHT: usize = 260;
const BOTTOM: usize = 28;
