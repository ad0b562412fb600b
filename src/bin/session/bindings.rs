//! The contract, generated from `wit/`.

#![allow(missing_docs, clippy::all, clippy::restriction, unreachable_pub, reason = "generated")]

wit_bindgen::generate!({
    path: "wit",
    world: "imports",
    with: {
        "wasi:io/error@0.2.12": ::wasi::io::error,
        "wasi:io/poll@0.2.12": ::wasi::io::poll,
        "wasi:io/streams@0.2.12": ::wasi::io::streams,
        "wasi:clocks/wall-clock@0.2.12": ::wasi::clocks::wall_clock,
    },
    generate_all,
});
