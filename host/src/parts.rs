//! What a server is made of: the directory or component that has its files, its users, and what else may be a component.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use rustix::fs::Mode;
use tokio::task::spawn_blocking;
use wasi_ftpd_host::accounts::Listed;
use wasi_ftpd_host::providers::{AccountsProvider, EventsListener, StorageProvider};
use wasi_ftpd_host::storage::{Permissions, Root, Volume};
use wasi_ftpd_host::{Builder, Server};

use crate::cli::{MAIN, Setup};

/// What was read from a file, and can be again.
#[derive(Clone)]
pub(crate) enum Part {
    Users(Listed),
    Accounts(AccountsProvider),
    Storage(StorageProvider),
    Events(EventsListener),
}

impl Part {
    /// Read its file again, on a thread that may wait.
    pub(crate) fn reload(&self) {
        let part = self.clone();
        spawn_blocking(move || match &part {
            Self::Users(users) => users.reload(),
            Self::Accounts(provider) => provider.reload(),
            Self::Storage(provider) => provider.reload(),
            Self::Events(provider) => provider.reload(),
        });
    }

    /// Reload it when its file has changed.
    pub(crate) async fn watch(self) {
        match self {
            Self::Users(users) => users.watch().await,
            Self::Accounts(provider) => provider.watch().await,
            Self::Storage(provider) => provider.watch().await,
            Self::Events(provider) => provider.watch().await,
        }
    }
}

/// Open every directory, and read the users and every component.
pub(crate) fn assemble(setup: Setup) -> Result<(Builder, Vec<Part>)> {
    let Setup { config, root, unfinished, fsync, users, users_file, providers, .. } = setup;
    // Ours alone decides from here on, since a session can change it and a process has but one.
    let umask = rustix::process::umask(Mode::empty()).bits();
    let open = |path: &std::path::Path| -> Result<Root> {
        let mut files = Volume::open_root(path, Permissions::ALL)
            .with_context(|| format!("cannot serve {}", path.display()))?
            .with_unfinished(unfinished)
            .with_fsync(fsync);
        files.set_umask(umask);
        Ok(files.into())
    };
    let mut loaded = Vec::new();
    let mut roots = BTreeMap::new();
    for (name, path) in &providers.roots {
        roots.insert(name.clone(), open(path)?);
    }
    let main = match (root, providers.storage) {
        (_, Some(settings)) => {
            let storage = StorageProvider::load(settings).context("--storage")?;
            loaded.push(Part::Storage(storage.clone()));
            Some(storage.root())
        }
        (Some(path), None) => Some(open(&path)?),
        (None, None) => None,
    };
    let main = main.context("nothing to serve")?;
    let mut builder = match providers.accounts {
        None => {
            let changes = users_file.is_some();
            let users = Listed::new(users, users_file, main).context("--users")?;
            if changes {
                loaded.push(Part::Users(users.clone()));
            }
            Server::builder(users)
        }
        Some(settings) => {
            roots.insert(MAIN.to_owned(), main);
            let accounts = AccountsProvider::load(settings, roots).context("--accounts")?;
            loaded.push(Part::Accounts(accounts.clone()));
            Server::builder(accounts)
        }
    };
    if let Some(settings) = providers.events {
        let listener = EventsListener::load(settings).context("--events")?;
        loaded.push(Part::Events(listener.clone()));
        builder = builder.events(listener);
    }
    Ok((builder.config(config), loaded))
}
