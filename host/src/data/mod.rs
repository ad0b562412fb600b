//! Data connections, as the guest has them. The rules about addresses and ports are in [`port`], octets
//! in [`socket`] and [`transfer`]; here they only meet the guest.

mod cache;
mod extent;
mod port;
mod protected;
mod receiving;
mod socket;
mod transfer;

use std::sync::Arc;

use wasmtime::component::Resource;
use wasmtime_wasi_io::poll::{DynPollable, subscribe};
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream};

pub use port::DataPort;
pub use transfer::Transfer;

use crate::bindings::ftpd::server::control::SocketAddress;
use crate::bindings::ftpd::server::data::{Error, Host, HostDataConnection, HostDataPort, HostTransfer, TransferError};
use crate::config::TlsPolicy;
use crate::control::{Control, to_wit};
use crate::server::Shared;
use crate::session::{SessionCtx, share};
use crate::storage::FileResource;
use socket::{Input, Output, Socket};

/// An open data connection.
pub struct DataConnection(pub(crate) Arc<Socket>);

impl Host for SessionCtx {}

impl HostDataPort for SessionCtx {
    fn passive(&mut self) -> wasmtime::Result<Result<Resource<DataPort>, Error>> {
        self.logged_in_port(DataPort::passive)
    }

    fn active(&mut self, to: SocketAddress) -> wasmtime::Result<Result<Resource<DataPort>, Error>> {
        self.logged_in_port(|shared, control, share| DataPort::active(shared, control, share, &to))
    }

    fn address(&mut self, port: Resource<DataPort>) -> wasmtime::Result<SocketAddress> {
        Ok(to_wit(self.table.get(&port)?.address()))
    }

    fn open(&mut self, port: Resource<DataPort>, protected: bool) -> wasmtime::Result<()> {
        let required = self.shared.tls.as_ref().is_some_and(|tls| tls.settings.policy == TlsPolicy::RequiredForData);
        let protection = match protected {
            true => self.control.bond().map(Some).ok_or(Error::Tls),
            false if required => Err(Error::Unprotected),
            false => Ok(None),
        };
        self.table.get_mut(&port)?.open(protection);
        Ok(())
    }

    fn subscribe(&mut self, port: Resource<DataPort>) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(&mut self.table, port)
    }

    fn finish(&mut self, port: Resource<DataPort>) -> wasmtime::Result<Result<Resource<DataConnection>, Error>> {
        Ok(match self.table.get_mut(&port)?.finish() {
            Ok(socket) => Ok(self.table.push(DataConnection(Arc::new(socket)))?),
            Err(error) => Err(error),
        })
    }

    fn drop(&mut self, port: Resource<DataPort>) -> wasmtime::Result<()> {
        self.table.delete(port)?;
        Ok(())
    }
}

impl SessionCtx {
    /// Ports are for users only.
    fn logged_in_port(
        &mut self,
        make: impl FnOnce(&Shared, &Arc<Control>, Arc<()>) -> Result<DataPort, Error>,
    ) -> wasmtime::Result<Result<Resource<DataPort>, Error>> {
        if self.user.is_none() {
            return Ok(Err(Error::Refused));
        }
        let Some(share) = share(&self.ports, MAX_PORTS) else { return Ok(Err(Error::NoPort)) };
        Ok(match make(&self.shared, &self.control, share) {
            Ok(port) => Ok(self.table.push(port)?),
            Err(error) => Err(error),
        })
    }
}

impl HostDataConnection for SessionCtx {
    fn input(&mut self, connection: Resource<DataConnection>) -> wasmtime::Result<Resource<DynInputStream>> {
        let input: DynInputStream = Box::new(Input(self.table.get(&connection)?.0.clone()));
        Ok(self.table.push_child(input, &connection)?)
    }

    fn output(&mut self, connection: Resource<DataConnection>) -> wasmtime::Result<Resource<DynOutputStream>> {
        let output: DynOutputStream = Box::new(Output(self.table.get(&connection)?.0.clone()));
        Ok(self.table.push_child(output, &connection)?)
    }

    fn send_file(
        &mut self,
        connection: Resource<DataConnection>,
        file: Resource<FileResource>,
        offset: u64,
        length: u64,
    ) -> wasmtime::Result<Resource<Transfer>> {
        let socket = self.table.get(&connection)?.0.clone();
        let transfer = Transfer::send(socket, self.table.get(&file)?.file.clone(), offset, length, self.disk.clone());
        Ok(self.table.push(transfer)?)
    }

    fn receive_file(
        &mut self,
        connection: Resource<DataConnection>,
        file: Resource<FileResource>,
    ) -> wasmtime::Result<Resource<Transfer>> {
        let socket = self.table.get(&connection)?.0.clone();
        let transfer = Transfer::receive(socket, self.table.get(&file)?.file.clone(), self.disk.clone());
        Ok(self.table.push(transfer)?)
    }

    fn finish(&mut self, connection: Resource<DataConnection>) -> wasmtime::Result<Result<(), Error>> {
        Ok(self.table.get(&connection)?.0.finish())
    }

    fn drop(&mut self, connection: Resource<DataConnection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

impl HostTransfer for SessionCtx {
    fn subscribe(&mut self, transfer: Resource<Transfer>) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(&mut self.table, transfer)
    }

    fn count(&mut self, transfer: Resource<Transfer>) -> wasmtime::Result<u64> {
        Ok(self.table.get(&transfer)?.count())
    }

    fn finish(&mut self, transfer: Resource<Transfer>) -> wasmtime::Result<Result<u64, TransferError>> {
        Ok(self.table.get_mut(&transfer)?.finish())
    }

    fn drop(&mut self, transfer: Resource<Transfer>) -> wasmtime::Result<()> {
        let transfer = self.table.delete(transfer)?;
        let file = transfer.file().clone();
        drop(transfer);
        self.let_go(file);
        Ok(())
    }
}

/// Data ports and connections that a session may have: one of each, and one that is being closed.
const MAX_PORTS: usize = 3;
