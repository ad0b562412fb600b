//! Accounts that a component has.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use log::warn;
use wasmtime_wasi::filesystem::FsPerms;
use wasmtime_wasi_io::async_trait;

use super::Settings;
use super::bindings::accounts::AccountsProviderPre;
use super::bindings::accounts::exports::ftpd::server::accounts_backend as wit;
use super::component::{Ctx, Loaded};
use crate::accounts::{Account, Accounts, Denial, LogIn, Proof};
use crate::printable::Printable;
use crate::storage::{Permissions, Root};

/// Accounts that a component of world `accounts-provider` has. Each log-in is checked by an instance of its own.
#[derive(Clone)]
pub struct AccountsProvider {
    component: Arc<Loaded<AccountsProviderPre<Ctx>>>,
    /// Those that it may name.
    roots: Arc<BTreeMap<String, Root>>,
}

impl AccountsProvider {
    /// Compile it, or take what was compiled; blocks, for seconds maybe. `roots`: those that it may name.
    pub fn load(settings: Settings, roots: BTreeMap<String, Root>) -> Result<Self> {
        let component = Loaded::new(settings, FsPerms::ReadOnly, AccountsProviderPre::new)?;
        Ok(Self { component: Arc::new(component), roots: Arc::new(roots) })
    }

    /// Read the file again, for log-ins to come. It is logged if that fails, and then nothing changes. Blocks.
    pub fn reload(&self) {
        self.component.reload();
    }

    /// Reload it when its file has changed. Never ends.
    pub async fn watch(self) {
        self.component.watch().await;
    }

    async fn check(&self, log_in: &wit::LogIn) -> Result<Result<wit::Account, wit::Denial>> {
        let mut store = self.component.store()?;
        self.component
            .within(async {
                let instance = self.component.current().instantiate_async(&mut store).await?;
                instance.ftpd_server_accounts_backend().call_check(&mut store, log_in).await
            })
            .await
    }
}

#[async_trait]
impl Accounts for AccountsProvider {
    async fn authenticate(&self, log_in: LogIn) -> Result<Account, Denial> {
        let asked = wit::LogIn {
            name: log_in.name,
            password: match log_in.proof {
                Proof::Password(password) => Some(password),
                Proof::Certificate => None,
            },
            peer: log_in.peer.ip().to_string(),
            tls: log_in.tls,
            host: log_in.host,
        };
        match self.check(&asked).await {
            Ok(Ok(account)) => match self.roots.get(&account.root) {
                Some(root) => Ok(Account {
                    name: account.name,
                    root: root.clone(),
                    start: account.start,
                    permissions: permissions(account.permissions),
                    message: account.message,
                }),
                None => {
                    let root = Printable(account.root.as_bytes());
                    warn!("{}: an account has the root {root}, which nobody knows", Printable(&account.name));
                    Err(Denial::Unavailable)
                }
            },
            Ok(Err(wit::Denial::Denied)) => Err(Denial::Denied),
            Ok(Err(wit::Denial::Unprotected)) => Err(Denial::Unprotected),
            Ok(Err(wit::Denial::Unavailable)) => Err(Denial::Unavailable),
            Err(error) => {
                warn!("a log-in could not be checked: {error:#}");
                Err(Denial::Unavailable)
            }
        }
    }
}

fn permissions(given: wit::Permissions) -> Permissions {
    [
        (wit::Permissions::LIST, Permissions::LIST),
        (wit::Permissions::READ, Permissions::READ),
        (wit::Permissions::WRITE, Permissions::WRITE),
        (wit::Permissions::DELETE, Permissions::DELETE),
        (wit::Permissions::RENAME, Permissions::RENAME),
        (wit::Permissions::MAKE_DIRECTORY, Permissions::MAKE_DIRECTORY),
        (wit::Permissions::REMOVE_DIRECTORY, Permissions::REMOVE_DIRECTORY),
        (wit::Permissions::SET_ATTRIBUTES, Permissions::SET_ATTRIBUTES),
    ]
    .into_iter()
    .filter(|&(theirs, _)| given.contains(theirs))
    .fold(Permissions::NONE, |all, (_, ours)| all | ours)
}
