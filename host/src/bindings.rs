//! The contract, generated from `wit/`.

#![allow(missing_docs, clippy::all, clippy::restriction, unreachable_pub, reason = "generated")]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "imports",
    imports: {
        "ftpd:server/accounts": async | trappable,
        "ftpd:server/control.get-connection": async | trappable,
        "ftpd:server/events.record-event": async | trappable,
        "ftpd:server/storage.[method]volume.permissions": trappable,
        "ftpd:server/storage.[method]volume.umask": trappable,
        "ftpd:server/storage.[method]volume.set-umask": trappable,
        "ftpd:server/storage.[method]file.copy-from": trappable,
        "ftpd:server/storage.[method]file.checksum": trappable,
        "ftpd:server/storage.[method]file.discard": trappable,
        "ftpd:server/storage.[method]work.subscribe": trappable,
        "ftpd:server/storage.[method]work.finish": trappable,
        "ftpd:server/storage": async | trappable,
        "ftpd:server/storage.[drop]volume": trappable,
        "ftpd:server/storage.[drop]file": trappable,
        "ftpd:server/storage.[drop]directory": trappable,
        "ftpd:server/storage.[drop]work": trappable,
        default: trappable,
    },
    with: {
        "wasi:clocks": wasmtime_wasi::p2::bindings::clocks,
        "wasi:io": wasmtime_wasi::p2::bindings::io,
        "ftpd:server/control.connection": crate::control::Connection,
        "ftpd:server/control.handshake": crate::handshake::Handshake,
        "ftpd:server/data.data-connection": crate::data::DataConnection,
        "ftpd:server/data.data-port": crate::data::DataPort,
        "ftpd:server/data.transfer": crate::data::AnyTransfer,
        "ftpd:server/storage.directory": crate::storage::host::DirectoryResource,
        "ftpd:server/storage.file": crate::storage::host::FileResource,
        "ftpd:server/storage.volume": crate::storage::tree::Tree,
        "ftpd:server/storage.work": crate::storage::tree::AnyWork,
    },
});
