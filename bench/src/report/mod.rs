//! What was measured, to read, to compute with, and to look at.

mod chart;
mod curve;

use std::fmt::Write;

use anyhow::Result;
use serde_json::{Value, json};

use crate::run::{Results, Row};
use crate::scenarios::Figures;

pub(crate) use chart::svg;
pub(crate) use curve::svg as curve;

/// The median of some figures, and how far they spread.
#[derive(Clone, Copy)]
struct Summary {
    median: f64,
    least: f64,
    most: f64,
    cpu: Option<f64>,
}

impl Summary {
    fn new(figures: &[Figures]) -> Option<Self> {
        let values = sorted(figures.iter().map(|figures| figures.value).collect());
        let cpu = sorted(figures.iter().filter_map(|figures| figures.cpu).collect());
        Some(Self {
            median: *values.get(values.len() / 2)?,
            least: *values.first()?,
            most: *values.last()?,
            cpu: cpu.get(cpu.len() / 2).copied(),
        })
    }
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

impl Row {
    fn summaries(&self) -> Vec<Option<Summary>> {
        self.figures.iter().map(|(_, figures)| Summary::new(figures)).collect()
    }

    /// How much better `one` is than `other`.
    fn better(&self, one: f64, other: f64) -> f64 {
        if self.scenario.lower_is_better { other / one } else { one / other }
    }

    /// The best peer of the first server.
    fn best_peer(&self) -> Option<(&'static str, f64)> {
        let peers = self.figures.iter().filter(|(kind, _)| !kind.ours);
        let known = peers.filter_map(|(kind, figures)| Some((kind.name, Summary::new(figures)?.median)));
        known.max_by(|one, other| self.better(one.1, other.1).total_cmp(&1.0))
    }

    /// How much better the first server is than its best peer.
    fn ratio(&self) -> Option<f64> {
        let (_, ours) = self.figures.first()?;
        let (_, best) = self.best_peer()?;
        Some(self.better(Summary::new(ours)?.median, best))
    }
}

/// A table in Markdown: medians, their spread, and the processor time.
pub(crate) fn table(results: &Results) -> String {
    let names: Vec<_> = results.servers.iter().map(|kind| kind.name).collect();
    let mut text = format!("| scenario | limit | {} | best peer | ratio |\n", names.join(" | "));
    let _ = writeln!(text, "|{}", "---|".repeat(results.servers.len() + 4));
    for row in &results.rows {
        let summaries = row.summaries();
        let _ = write!(text, "| {}, {} | {} ", row.scenario.name, row.scenario.unit, cell(Summary::new(&row.limit)));
        for summary in &summaries {
            let _ = write!(text, "| {} ", cell(*summary));
        }
        let best = row.best_peer().map_or("–", |(name, _)| name);
        let ratio = row.ratio().map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"));
        let _ = writeln!(text, "| {best} | {ratio} |");
    }
    text
}

/// The median, its spread, and seconds of the processor.
fn cell(summary: Option<Summary>) -> String {
    let Some(summary) = summary else { return "–".to_owned() };
    let cpu = summary.cpu.map_or_else(String::new, |cpu| format!(", {} s", number(cpu)));
    format!("**{}** ({}–{}{cpu})", number(summary.median), number(summary.least), number(summary.most))
}

/// Three digits or all before the point.
fn number(value: f64) -> String {
    let digits = if value < 1.0 {
        3
    } else if value < 10.0 {
        2
    } else if value < 100.0 {
        1
    } else {
        0
    };
    format!("{value:.digits$}")
}

/// The same, to compute with: every figure of every round.
pub(crate) fn json(results: &Results) -> Result<String> {
    let figures = |figures: &[Figures]| -> Value {
        figures.iter().map(|figures| json!({ "value": figures.value, "cpu_seconds": figures.cpu })).collect()
    };
    let rows = results.rows.iter().map(|row| {
        let servers = row.figures.iter().map(|(kind, row)| (kind.name.to_owned(), figures(row)));
        let servers: serde_json::Map<_, _> = servers.collect();
        json!({
            "scenario": row.scenario.name,
            "unit": row.scenario.unit,
            "lower_is_better": row.scenario.lower_is_better,
            "cpu_per": row.scenario.cpu_per,
            "limit": figures(&row.limit),
            "servers": servers,
            "ratio_to_best_peer": row.ratio(),
        })
    });
    Ok(serde_json::to_string_pretty(&rows.collect::<Value>())?)
}
