//! What was typed about components that have accounts, files, or an interest in events.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;
use wasi_ftpd_host::providers::Settings;

use super::PROVIDERS;

/// Components that take a part of the host's place.
#[derive(Args)]
pub(crate) struct ProviderArgs {
    /// Ask this component who may log in; DIR is what it may read
    #[arg(long, value_name = "FILE.wasm[,DIR]", conflicts_with_all = ["users", "users_file", "writable", "anonymous"],
        help_heading = PROVIDERS)]
    accounts: Option<String>,

    /// Another directory that such an account may name as its root; repeatable. The one that is served is main
    #[arg(long = "root", value_name = "NAME=DIR", requires = "accounts", help_heading = PROVIDERS)]
    roots: Vec<String>,

    /// Serve the files that this component has, in the place of a directory; DIR is what it may use
    #[arg(long, value_name = "FILE.wasm[,DIR]", conflicts_with = "root", help_heading = PROVIDERS)]
    pub(crate) storage: Option<String>,

    /// Tell this component what happens; DIR is what it may use
    #[arg(long, value_name = "FILE.wasm[,DIR]", help_heading = PROVIDERS)]
    events: Option<String>,

    /// Keep them compiled in this directory, which must be yours alone
    #[arg(long, value_name = "DIR", help_heading = PROVIDERS)]
    provider_cache: Option<PathBuf>,
}

/// The components that a server is to have, and the roots that accounts may name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Providers {
    pub(crate) accounts: Option<Settings>,
    pub(crate) roots: BTreeMap<String, PathBuf>,
    pub(crate) storage: Option<Settings>,
    pub(crate) events: Option<Settings>,
}

impl ProviderArgs {
    pub(super) fn providers(self) -> Result<Providers> {
        let cache = self.provider_cache;
        let settings = |flag, typed: Option<String>| typed.map(|typed| settings(flag, &typed, &cache)).transpose();
        let mut roots = BTreeMap::new();
        for typed in &self.roots {
            let (name, directory) = typed
                .split_once('=')
                .with_context(|| format!("--root {typed}: the name is missing; write NAME=DIR"))?;
            ensure!(!name.is_empty(), "--root {typed}: the name is missing; write NAME=DIR");
            ensure!(name != MAIN, "--root {typed}: {MAIN} is the directory that is served; choose another name");
            let there = fs::metadata(directory).is_ok_and(|what| what.is_dir());
            ensure!(there, "--root {typed}: cannot serve {directory}: name a directory that exists");
            ensure!(roots.insert(name.to_owned(), directory.into()).is_none(), "--root {name}: given twice");
        }
        Ok(Providers {
            accounts: settings("--accounts", self.accounts)?,
            roots,
            storage: settings("--storage", self.storage)?,
            events: settings("--events", self.events)?,
        })
    }
}

fn settings(flag: &str, typed: &str, cache: &Option<PathBuf>) -> Result<Settings> {
    let (component, directory) = typed.split_once(',').map_or((typed, None), |(file, after)| (file, Some(after)));
    fs::metadata(component).with_context(|| format!("{flag} {typed}: cannot read {component}"))?;
    if let Some(directory) = directory {
        let there = fs::metadata(directory).is_ok_and(|what| what.is_dir());
        ensure!(there, "{flag} {typed}: {directory} is no directory; name one that exists");
    }
    let mut settings = Settings::new(component.into());
    settings.directory = directory.map(PathBuf::from);
    settings.cache.clone_from(cache);
    Ok(settings)
}

/// The name of the root that is served.
pub(crate) const MAIN: &str = "main";
