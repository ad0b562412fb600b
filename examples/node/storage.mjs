// Storage, as the guest has it: the tree's nodes as records.

import { Refused, Resource } from "./resource.mjs";
import { Copying, Summing, Work } from "./work.mjs";

/** One user's files; here, everybody's, and with every permission. */
export class Volume extends Resource {
  #umask = 0o022;

  get #tree() {
    if (!this.session.user) throw new Refused("denied");
    // Whoever works through a tree is not idle.
    this.session.moved();
    return this.session.server.tree;
  }

  permissions() {
    return Object.fromEntries(PERMISSIONS.map((name) => [name, true]));
  }

  stat(path) {
    return attributes(this.#tree.stat(path));
  }

  list(path) {
    return new Directory(this.session, this.#tree.list(path));
  }

  open(path, access) {
    return new File(this.session, this.#tree.open(path, access, this.#umask));
  }

  unfinished() {
    // What is cut short is not kept.
    throw new Refused("not-found");
  }

  removeFile(path) {
    this.#tree.removeFile(path);
  }

  makeDirectory(path) {
    this.#tree.makeDirectory(path, this.#umask);
  }

  removeDirectory(path) {
    this.#tree.removeDirectory(path);
  }

  rename(from, to) {
    this.#tree.rename(from, to);
  }

  makeLink() {
    throw new Refused("unsupported");
  }

  setTimes(path, modified, created) {
    const node = this.#tree.stat(path);
    node.modified = modified ?? node.modified;
    node.created = created ?? node.created;
  }

  setMode(path, mode) {
    if (path.length === 1) throw new Refused("denied");
    this.#tree.stat(path).mode = mode & 0o777;
  }

  umask() {
    return this.#umask;
  }

  setUmask(mask) {
    this.#umask = mask & 0o777;
  }

  space() {
    return BigInt(this.#tree.space());
  }
}

/** A directory being read. */
class Directory extends Resource {
  #entries;

  constructor(session, entries) {
    super(session);
    this.#entries = entries;
  }

  next() {
    const batch = this.#entries.splice(0, BATCH);
    return batch.map(([name, node]) => ({ name: Buffer.from(name, "latin1"), attributes: attributes(node) }));
  }

  nextNames() {
    return this.#entries.splice(0, BATCH).map(([name]) => Buffer.from(name, "latin1"));
  }
}

/** An open file. */
class File extends Resource {
  constructor(session, file) {
    super(session);
    this.file = file;
  }

  size() {
    return BigInt(this.file.size);
  }

  read(offset, length) {
    return this.file.read(Number(offset), length);
  }

  write(octets) {
    this.file.write(octets);
  }

  reserve() {
    // Nothing is kept for anybody.
  }

  copyFrom(source) {
    return new Work(this.session, new Copying(source.file, this.file));
  }

  checksum(algorithm, offset, length) {
    return new Work(this.session, new Summing(this.file, algorithm, Number(offset), Number(length)));
  }

  discard() {
    // What is cut short is not kept in any case.
  }

  finish() {
    this.file.finish();
  }

  close() {
    this.file.close();
  }
}

/** The interface. */
export const storage = { Volume, Directory, File, Work };

function attributes(node) {
  return {
    kind: node.entries ? "directory" : "file",
    size: BigInt(node.content?.size ?? 0),
    modified: node.modified,
    created: node.created,
    mode: node.mode,
    links: 1n,
    owner: 0,
    group: 0,
    unique: [0n, BigInt(node.number)],
  };
}

/** All of them. */
const PERMISSIONS = [
  ...["list", "read", "write", "delete", "rename"],
  ...["makeDirectory", "removeDirectory", "setAttributes", "setCreated"],
];

/** Entries of a directory that are given at once. */
const BATCH = 100;
