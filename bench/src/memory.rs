//! Memory of a server with all its processes.

use std::fs;

use anyhow::Result;

use crate::cpu::Group;

/// KiB that all processes of the group have: their share of what is resident (PSS), and page tables.
pub(crate) fn of(group: &Group) -> Result<f64> {
    // One that has just ended has none.
    Ok(group.processes()?.into_iter().filter_map(process).sum())
}

fn process(id: i32) -> Option<f64> {
    let rollup = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).ok()?;
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    Some(field(&rollup, "Pss:")? + field(&status, "VmPTE:")?)
}

fn field(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}
