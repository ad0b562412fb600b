//! Files on their way out under TLS: from the file into this process, where they are encrypted, and into the
//! socket.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use tokio::io::Interest;
use tokio::sync::Mutex;
use tokio::task::{JoinHandle, spawn_blocking};

use super::cache;
use super::extent::{Extent, Read, read};
use super::socket::Socket;
use crate::bindings::ftpd::server::data::TransferError;
use crate::storage::{self, File};

/// From the file to the socket, through a buffer.
pub(super) struct Protected {
    extent: Extent,
    /// Used again and again. Away while it is being filled.
    buffer: Vec<u8>,
    reading: Option<JoinHandle<Read>>,
}

impl Protected {
    pub(super) fn new(extent: Extent) -> Self {
        Self { extent, buffer: Vec::new(), reading: None }
    }

    /// Send a piece: its octets, and whether there may be more. Cancel safe.
    pub(super) async fn piece(
        &mut self,
        socket: &Arc<Socket>,
        file: &File,
        disk: &Arc<Mutex<()>>,
    ) -> Result<(u64, bool), TransferError> {
        // One piece at a time; the last is left for the end.
        if !socket.relieve().map_err(TransferError::Connection)? {
            socket.wait(Interest::WRITABLE).await.map_err(TransferError::Connection)?;
            return Ok((0, true));
        }
        let (buffer, read) = match &mut self.reading {
            Some(work) => {
                let done = work.await.unwrap_or_else(|error| (Vec::new(), Err(io::Error::other(error))));
                self.reading = None;
                done
            }
            None => {
                let (offset, length) = (self.extent.offset, self.extent.next(file, PIECE)?);
                if length == 0 {
                    return Ok((0, false));
                }
                let cached = cache::holds(file.as_fd(), offset, length);
                let buffer = std::mem::take(&mut self.buffer);
                if !cached {
                    let alone = disk.clone().lock_owned().await;
                    let file = file.clone();
                    self.reading = Some(spawn_blocking(move || {
                        let _alone = alone;
                        read(&file, offset, length, buffer)
                    }));
                    return Ok((0, true));
                }
                read(file, offset, length, buffer)
            }
        };
        self.buffer = buffer;
        read.map_err(|_| TransferError::Storage(storage::Error::Io.into()))?;
        // None: the file has become shorter, which the next piece finds.
        let octets = self.buffer.len() as u64;
        let last = self.extent.ends_with(octets);
        if last {
            socket.keep(&self.buffer);
        } else {
            socket.protect(&self.buffer).map_err(TransferError::Connection)?;
        }
        self.extent.offset += octets;
        Ok((octets, !last))
    }
}

/// Octets that are read and encrypted at once: as much as stays in the processor's cache on its way.
const PIECE: u64 = 128 * 1024;
