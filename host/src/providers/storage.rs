//! Files that a component has.

use std::pin::Pin;
use std::sync::Arc;

use anyhow::Result;
use log::warn;
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use wasmtime::Store;
use wasmtime_wasi::filesystem::FsPerms;
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::bytes::Bytes;

use super::Settings;
use super::bindings::storage::exports::ftpd::server::storage_backend as wit;
use super::bindings::storage::{StorageProvider as Instance, StorageProviderPre};
use super::component::{Ctx, Loaded};
use crate::storage::{Attributes, Entries, Entry, Error, Placement, READ_MAX, Reader, Root, Storage, Time, Writer};

/// A component of world `storage-provider`. Each session has an instance of its own, of what there was when it logged
/// in.
#[derive(Clone)]
pub struct StorageProvider(Arc<Loaded<StorageProviderPre<Ctx>>>);

impl StorageProvider {
    /// Compile it, or take what was compiled; blocks, for seconds maybe.
    pub fn load(settings: Settings) -> Result<Self> {
        Ok(Self(Arc::new(Loaded::new(settings, FsPerms::ReadWrite, StorageProviderPre::new)?)))
    }

    /// Its files, for accounts.
    pub fn root(&self) -> Root {
        let component = self.0.clone();
        Root::EachSession(Arc::new(move || {
            let (form, component) = (component.current(), component.clone());
            Arc::new(Session(Arc::new(Asked { component, form, running: Mutex::default() })))
        }))
    }

    /// Read the file again, for log-ins to come. It is logged if that fails, and then nothing changes. Blocks.
    pub fn reload(&self) {
        self.0.reload();
    }

    /// Reload it when its file has changed. Never ends.
    pub async fn watch(self) {
        self.0.watch().await;
    }
}

/// The files of one session.
struct Session(Arc<Asked>);

/// What answers, one question at a time.
struct Asked {
    component: Arc<Loaded<StorageProviderPre<Ctx>>>,
    form: Arc<StorageProviderPre<Ctx>>,
    running: Mutex<Running>,
}

/// The instance, unless it has failed, and how many there were before.
#[derive(Default)]
struct Running {
    instance: Option<(Instance, Store<Ctx>)>,
    number: u64,
}

/// A call of the component, on its way.
type Call<'a, T> = Pin<Box<dyn Future<Output = wasmtime::Result<Result<T, wit::Error>>> + Send + 'a>>;

impl Asked {
    /// Ask the instance; a new one if there is none. Its number comes with the answer.
    async fn ask<T>(
        &self,
        question: impl for<'a> FnOnce(&'a wit::Guest, &'a mut Store<Ctx>) -> Call<'a, T>,
    ) -> Result<(T, u64), Error> {
        let mut running = self.running.lock().await;
        // It is put back if all went well.
        let answer = match running.instance.take() {
            Some((instance, store)) => self.call(instance, store, question).await,
            None => match self.start().await {
                Ok((instance, store)) => {
                    running.number += 1;
                    self.call(instance, store, question).await
                }
                Err(error) => Err(error),
            },
        };
        let (answer, instance) = answer.map_err(|error| {
            warn!("the storage has failed: {error:#}");
            Error::Io
        })?;
        running.instance = Some(instance);
        Ok((answer.map_err(Error::from)?, running.number))
    }

    /// Ask the instance of that number.
    async fn ask_same<T>(
        &self,
        number: u64,
        question: impl for<'a> FnOnce(&'a wit::Guest, &'a mut Store<Ctx>) -> Call<'a, T>,
    ) -> Result<T, Error> {
        {
            let running = self.running.lock().await;
            if running.number != number || running.instance.is_none() {
                return Err(Error::Io);
            }
        }
        Ok(self.ask(question).await?.0)
    }

    async fn start(&self) -> Result<(Instance, Store<Ctx>)> {
        let mut store = self.component.store()?;
        let instance = self.component.within(self.form.instantiate_async(&mut store)).await?;
        Ok((instance, store))
    }

    async fn call<T>(
        &self,
        instance: Instance,
        mut store: Store<Ctx>,
        question: impl for<'a> FnOnce(&'a wit::Guest, &'a mut Store<Ctx>) -> Call<'a, T>,
    ) -> Result<(Result<T, wit::Error>, (Instance, Store<Ctx>))> {
        let call = question(instance.ftpd_server_storage_backend(), &mut store);
        let answer = self.component.within(call).await?;
        Ok((answer, (instance, store)))
    }
}

#[async_trait]
impl Storage for Session {
    async fn stat(&self, path: &[u8]) -> Result<Attributes, Error> {
        let path = path.to_vec();
        let ask = self.0.ask(|guest, store| Box::pin(async move { guest.call_stat(store, &path).await }));
        Ok(ask.await?.0.into())
    }

    async fn list(&self, path: &[u8]) -> Result<Box<dyn Entries>, Error> {
        let mut listing = Listing { asked: self.0.clone(), path: path.to_vec(), seen: 0, first: None };
        // What is wrong with the directory is told now.
        listing.first = Some(listing.more().await?);
        Ok(Box::new(listing))
    }

    async fn read(&self, path: &[u8]) -> Result<Box<dyn Reader>, Error> {
        let attributes = self.stat(path).await?;
        if attributes.kind != crate::storage::Kind::File {
            return Err(Error::NotFile);
        }
        Ok(Box::new(File { asked: self.0.clone(), path: path.to_vec(), size: attributes.size }))
    }

    async fn write(&self, path: &[u8], placement: Placement) -> Result<Box<dyn Writer>, Error> {
        let path = path.to_vec();
        let placement = match placement {
            Placement::Replace => wit::Placement::Replace,
            Placement::Resume(offset) => wit::Placement::Resume(offset),
            Placement::Append => wit::Placement::Append,
            Placement::Create => wit::Placement::Create,
        };
        let ask = self.0.ask(|guest, store| Box::pin(async move { guest.call_begin(store, &path, placement).await }));
        let (upload, instance) = ask.await?;
        Ok(Box::new(Upload { asked: self.0.clone(), instance, upload, over: false }))
    }

    async fn remove_file(&self, path: &[u8]) -> Result<(), Error> {
        let path = path.to_vec();
        let ask = self.0.ask(|guest, store| Box::pin(async move { guest.call_remove_file(store, &path).await }));
        ask.await.map(|(done, _)| done)
    }

    async fn make_directory(&self, path: &[u8]) -> Result<(), Error> {
        let path = path.to_vec();
        let ask = self.0.ask(|guest, store| Box::pin(async move { guest.call_make_directory(store, &path).await }));
        ask.await.map(|(done, _)| done)
    }

    async fn remove_directory(&self, path: &[u8]) -> Result<(), Error> {
        let path = path.to_vec();
        let ask = self.0.ask(|guest, store| Box::pin(async move { guest.call_remove_directory(store, &path).await }));
        ask.await.map(|(done, _)| done)
    }

    async fn rename(&self, from: &[u8], to: &[u8]) -> Result<(), Error> {
        let (from, to) = (from.to_vec(), to.to_vec());
        let ask = self.0.ask(|guest, store| Box::pin(async move { guest.call_rename(store, &from, &to).await }));
        ask.await.map(|(done, _)| done)
    }
}

/// A directory being read.
struct Listing {
    asked: Arc<Asked>,
    path: Vec<u8>,
    /// Entries that were given.
    seen: u32,
    first: Option<Vec<Entry>>,
}

impl Listing {
    async fn more(&mut self) -> Result<Vec<Entry>, Error> {
        let (path, seen) = (self.path.clone(), self.seen);
        let ask = self.asked.ask(|guest, store| Box::pin(async move { guest.call_list(store, &path, seen).await }));
        let (entries, _) = ask.await?;
        self.seen = self.seen.saturating_add(u32::try_from(entries.len()).unwrap_or(u32::MAX));
        let entry = |entry: wit::Entry| Entry { name: entry.name, attributes: entry.attributes.into() };
        Ok(entries.into_iter().map(entry).collect())
    }
}

#[async_trait]
impl Entries for Listing {
    async fn next(&mut self) -> Result<Vec<Entry>, Error> {
        match self.first.take() {
            Some(first) => Ok(first),
            None => self.more().await,
        }
    }
}

/// A file being read.
struct File {
    asked: Arc<Asked>,
    path: Vec<u8>,
    size: u64,
}

#[async_trait]
impl Reader for File {
    fn size(&self) -> u64 {
        self.size
    }

    async fn read(&mut self, offset: u64, length: usize) -> Result<Bytes, Error> {
        let path = self.path.clone();
        let length = u32::try_from(length.min(READ_MAX)).unwrap_or(u32::MAX);
        let ask =
            self.asked.ask(|guest, store| Box::pin(async move { guest.call_read(store, &path, offset, length).await }));
        Ok(ask.await?.0.into())
    }
}

/// A file being written, by one instance from its beginning to its end.
struct Upload {
    asked: Arc<Asked>,
    instance: u64,
    upload: u32,
    over: bool,
}

#[async_trait]
impl Writer for Upload {
    async fn write(&mut self, octets: &[u8]) -> Result<(), Error> {
        let (upload, octets) = (self.upload, octets.to_vec());
        self.asked
            .ask_same(self.instance, |guest, store| {
                Box::pin(async move { guest.call_write(store, upload, &octets).await })
            })
            .await
    }

    async fn finish(mut self: Box<Self>) -> Result<(), Error> {
        self.over = true;
        let upload = self.upload;
        self.asked
            .ask_same(self.instance, |guest, store| Box::pin(async move { guest.call_finish(store, upload).await }))
            .await
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        // When the runtime itself ends, the instance does too.
        let Ok(runtime) = Handle::try_current() else { return };
        let (asked, instance, upload) = (self.asked.clone(), self.instance, self.upload);
        runtime.spawn(async move {
            let discarded = asked.ask_same(instance, |guest, store| {
                Box::pin(async move { guest.call_discard(store, upload).await.map(Ok) })
            });
            // If it is gone, so is what was written.
            let _ = discarded.await;
        });
    }
}

impl From<wit::Attributes> for Attributes {
    fn from(attributes: wit::Attributes) -> Self {
        let modified = Time { seconds: attributes.modified, nanoseconds: 0 };
        if attributes.directory { Self::directory(modified) } else { Self::file(attributes.size, modified) }
    }
}

impl From<wit::Error> for Error {
    fn from(error: wit::Error) -> Self {
        match error {
            wit::Error::NotFound => Self::NotFound,
            wit::Error::Denied => Self::Denied,
            wit::Error::Exists => Self::Exists,
            wit::Error::NotDirectory => Self::NotDirectory,
            wit::Error::NotFile => Self::NotFile,
            wit::Error::NotEmpty => Self::NotEmpty,
            wit::Error::BadName => Self::BadName,
            wit::Error::NoSpace => Self::NoSpace,
            wit::Error::BadOffset => Self::BadOffset,
            wit::Error::Busy => Self::Busy,
            wit::Error::Unsupported => Self::Unsupported,
            wit::Error::Io => Self::Io,
        }
    }
}
