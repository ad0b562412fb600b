//! The worlds of components that are asked by the host, generated from `wit/`.

#![allow(missing_docs, clippy::all, clippy::restriction, unreachable_pub, reason = "generated")]

pub(super) mod accounts {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "accounts-provider",
        exports: { default: async },
    });
}

pub(super) mod storage {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "storage-provider",
        exports: { default: async },
    });
}

pub(super) mod events {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "events-listener",
        exports: { default: async },
    });
}
