// The component as something that V8 can run: core modules, and JavaScript that stands between them and the host.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { transpileBytes } from "@bytecodealliance/jco-transpile";

/** What makes instances of the component in a file: a function from imports, by their names without versions, to
 * exports. */
export async function load(path) {
  const { files } = await transpileBytes(await readFile(path), {
    name: "session",
    instantiation: "async",
    asyncMode: "jspi",
    asyncImports: ASYNC_IMPORTS,
    asyncExports: ["wasi:cli/run#run"],
    wasiShim: false,
    emitTypescriptDeclarations: false,
  });
  const modules = new Map();
  for (const [name, octets] of Object.entries(files)) {
    if (name.endsWith(".wasm")) modules.set(name, await WebAssembly.compile(octets));
  }
  const { instantiate } = await importText(files["session.js"]);
  return (imports) => instantiate((name) => modules.get(name), imports);
}

/** Import a module that is in memory. */
async function importText(text) {
  const directory = await mkdtemp(join(tmpdir(), "session-"));
  try {
    const path = join(directory, "session.mjs");
    await writeFile(path, text);
    return await import(pathToFileURL(path));
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** The imports that return a promise. The guest is suspended until it is settled. */
const ASYNC_IMPORTS = [
  "wasi:io/poll#poll",
  "wasi:io/poll#[method]pollable.block",
  "wasi:io/streams#[method]output-stream.blocking-flush",
  "ftpd:server/accounts#authenticate",
  "ftpd:server/data#[static]data-port.passive",
  "ftpd:server/data#[method]data-connection.finish",
];
