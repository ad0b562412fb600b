//! The contract, generated from `wit/`.

#![allow(missing_docs, clippy::all, clippy::restriction, unreachable_pub, reason = "generated")]

wit_bindgen::generate!({
    path: ["../../wit", "wit"],
    world: "example:quiet-events/layer",
    generate_all,
    merge_structurally_equal_types: true,
    pub_export_macro: true,
});
