//! Data connections, as the guest has them. The rules about addresses and ports are in [`port`], octets
//! in [`socket`] and [`transfer`]; here they only meet the guest.

pub(crate) mod cache;
mod extent;
mod port;
mod protected;
mod pump;
mod receiving;
mod sending;
mod socket;
mod transfer;

use std::pin::Pin;
use std::sync::Arc;

use wasmtime::component::Resource;
use wasmtime_wasi_io::poll::{DynPollable, Pollable, subscribe};
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream};

pub use port::DataPort;

use crate::bindings::ftpd::server::control::SocketAddress;
use crate::bindings::ftpd::server::data::{Error, Host, HostDataConnection, HostDataPort, HostTransfer, TransferError};
use crate::config::TlsPolicy;
use crate::control::{Control, to_wit};
use crate::server::Shared;
use crate::session::{SessionCtx, share};
use crate::storage::host::FileResource;
use crate::storage::tree::OpenFile;
use pump::Pump;
use socket::{Input, Output, Socket};
use transfer::Transfer;

/// An open data connection.
pub struct DataConnection(pub(crate) Arc<Socket>);

/// A file on its way, from or to a local directory or another storage.
pub enum AnyTransfer {
    Local(Transfer),
    Other(Pump),
}

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
            true => self.control()?.bond().map(Some).ok_or(Error::Tls),
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
        self.control()?.close_left();
        let Some(share) = share(&self.ports, MAX_PORTS) else { return Ok(Err(Error::NoPort)) };
        Ok(match make(&self.shared, self.control()?, share) {
            Ok(port) => Ok(self.table.push(port)?),
            Err(error) => Err(error),
        })
    }

    /// Close a data connection, unless it is still used. What was not finished breaks off at once.
    fn close(&self, socket: Arc<Socket>) -> wasmtime::Result<()> {
        if Arc::strong_count(&socket) == 1 && socket.is_finished() {
            self.control()?.close_later(socket);
        }
        Ok(())
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
    ) -> wasmtime::Result<Resource<AnyTransfer>> {
        let file = self.table.get(&file)?.file.clone();
        let socket = &mut self.table.get_mut(&connection)?.0;
        if let (OpenFile::Local(file), Some(socket)) = (&file, Arc::get_mut(socket)) {
            socket.hand_over(|| file.size().unwrap_or(0).saturating_sub(offset).min(length));
        }
        let socket = socket.clone();
        let transfer = match file {
            OpenFile::Local(file) => {
                AnyTransfer::Local(Transfer::send(socket, file, offset, length, self.disk.clone()))
            }
            OpenFile::Other(file) => AnyTransfer::Other(Pump::send(socket, file, offset, length)),
        };
        Ok(self.table.push(transfer)?)
    }

    fn receive_file(
        &mut self,
        connection: Resource<DataConnection>,
        file: Resource<FileResource>,
    ) -> wasmtime::Result<Resource<AnyTransfer>> {
        let socket = self.table.get(&connection)?.0.clone();
        let transfer = match self.table.get(&file)?.file.clone() {
            OpenFile::Local(file) => AnyTransfer::Local(Transfer::receive(socket, file, self.disk.clone())),
            OpenFile::Other(file) => AnyTransfer::Other(Pump::receive(socket, file)),
        };
        Ok(self.table.push(transfer)?)
    }

    fn finish(&mut self, connection: Resource<DataConnection>) -> wasmtime::Result<Result<(), Error>> {
        Ok(self.table.get(&connection)?.0.finish())
    }

    fn drop(&mut self, connection: Resource<DataConnection>) -> wasmtime::Result<()> {
        let socket = self.table.delete(connection)?.0;
        self.close(socket)
    }
}

impl HostTransfer for SessionCtx {
    fn subscribe(&mut self, transfer: Resource<AnyTransfer>) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(&mut self.table, transfer)
    }

    fn count(&mut self, transfer: Resource<AnyTransfer>) -> wasmtime::Result<u64> {
        Ok(match self.table.get(&transfer)? {
            AnyTransfer::Local(transfer) => transfer.count(),
            AnyTransfer::Other(pump) => pump.count(),
        })
    }

    fn finish(&mut self, transfer: Resource<AnyTransfer>) -> wasmtime::Result<Result<u64, TransferError>> {
        Ok(match self.table.get_mut(&transfer)? {
            AnyTransfer::Local(transfer) => transfer.finish(),
            AnyTransfer::Other(pump) => pump.finish(),
        })
    }

    fn drop(&mut self, transfer: Resource<AnyTransfer>) -> wasmtime::Result<()> {
        if let AnyTransfer::Local(transfer) = self.table.delete(transfer)? {
            let (socket, file) = transfer.stop();
            self.let_go(file);
            self.close(socket)?;
        }
        Ok(())
    }
}

// What the attribute `async_trait` would write, without a box around the box.
impl Pollable for AnyTransfer {
    fn ready<'a, 'b>(&'a mut self) -> Pin<Box<dyn Future<Output = ()> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        match self {
            Self::Local(transfer) => transfer.ready(),
            Self::Other(pump) => pump.ready(),
        }
    }
}

/// Data ports and connections that a session may have: one of each, and one that is being closed.
const MAX_PORTS: usize = 3;
