// A tree of files in memory: what the volumes of this host are. Nothing here knows of WebAssembly, or of FTP.
//
// Names are octets, kept as strings of code points below 256.

import { Content } from "./content.mjs";
import { InPlace, New, Reading } from "./file.mjs";
import { Refused } from "./resource.mjs";
import { now } from "./time.mjs";

/** A file if it has content, or a directory if it has entries. */
class Node {
  number = next++;
  created = now();
  modified = this.created;
  /** Somebody goes on with it in its place. */
  writing = false;
  /** It has been removed. */
  gone = false;

  constructor(mode, { content, entries }) {
    this.mode = mode;
    this.content = content;
    this.entries = entries;
  }
}

/** Each method takes absolute, normalised paths, and refuses others. */
export class Tree {
  #root = new Node(0o755, { entries: new Map() });
  #used = 0;

  /** The node. */
  stat(path) {
    return this.#walk(parts(path));
  }

  /** What is in a directory: pairs of a name and a node. */
  list(path) {
    return [...(this.stat(path).entries ?? refuse("not-directory"))];
  }

  /** A file, for what the WIT's `access` says. */
  open(path, { tag, val }, umask) {
    const [parent, name] = this.#parent(path, "not-file");
    const node = parent.entries.get(name);
    if (node && (node.entries || tag === "create")) throw new Refused(tag === "create" ? "exists" : "not-file");
    if (tag === "read") return new Reading(node ?? refuse("not-found"));
    const size = node?.content.size ?? 0;
    const offset = { resume: Number(val), append: size }[tag] ?? 0;
    if (offset > size) throw new Refused("bad-offset");
    if (node && (offset > 0 || tag === "append")) return new InPlace(this, node, offset);
    return new New(this, new Node(0o666 & ~umask, { content: new Content() }), path, tag === "create");
  }

  /** Give a node a name. */
  publish(path, node, exclusive) {
    const [parent, name] = this.#parent(path, "not-file");
    const there = parent.entries.get(name);
    if (there && (exclusive || there.entries)) throw new Refused(exclusive ? "exists" : "not-file");
    node.mode = there?.mode ?? node.mode;
    this.#forget(there);
    parent.entries.set(name, node);
  }

  removeFile(path) {
    const [parent, name] = this.#parent(path, "not-file");
    const node = parent.entries.get(name) ?? refuse("not-found");
    if (node.entries) throw new Refused("not-file");
    parent.entries.delete(name);
    this.#forget(node);
  }

  makeDirectory(path, umask) {
    const [parent, name] = this.#parent(path, "exists");
    if (parent.entries.has(name)) throw new Refused("exists");
    parent.entries.set(name, new Node(0o777 & ~umask, { entries: new Map() }));
  }

  removeDirectory(path) {
    const [parent, name] = this.#parent(path, "denied");
    const { entries } = parent.entries.get(name) ?? refuse("not-found");
    if (!entries) throw new Refused("not-directory");
    if (entries.size > 0) throw new Refused("not-empty");
    parent.entries.delete(name);
  }

  rename(from, to) {
    const [parent, name] = this.#parent(from, "denied");
    const [target, newName] = this.#parent(to, "exists");
    const node = parent.entries.get(name) ?? refuse("not-found");
    if (Buffer.from(to).toString("latin1").startsWith(`${Buffer.from(from).toString("latin1")}/`)) {
      throw new Refused("bad-name");
    }
    const there = target.entries.get(newName);
    if (there === node) return;
    if (there && (there.entries || node.entries)) throw new Refused("exists");
    this.#forget(there);
    parent.entries.delete(name);
    target.entries.set(newName, node);
  }

  /** Octets that may still be written. */
  space() {
    return QUOTA - this.#used;
  }

  /** So many more octets are kept, or fewer. */
  account(octets) {
    if (octets > this.space()) throw new Refused("no-space");
    this.#used += octets;
  }

  #forget(file) {
    if (!file) return;
    file.gone = true;
    this.#used -= file.content.size;
  }

  /** The directory that a path is in, and its last part; of the root, an error. */
  #parent(path, ofRoot) {
    const names = parts(path);
    const name = names.pop() ?? refuse(ofRoot);
    const parent = this.#walk(names);
    if (!parent.entries) throw new Refused("not-directory");
    return [parent, name];
  }

  #walk(names) {
    return names.reduce((node, name) => {
      if (!node.entries) throw new Refused("not-directory");
      return node.entries.get(name) ?? refuse("not-found");
    }, this.#root);
  }
}

/** The names in a path; `bad-name` if it is not absolute and normalised. */
function parts(path) {
  const text = Buffer.from(path).toString("latin1");
  if (text === "/") return [];
  const [first, ...names] = text.split("/");
  const bad = (name) => ["", ".", ".."].includes(name) || name.length > MAX_NAME || name.includes("\0");
  if (first !== "" || names.length === 0 || names.some(bad)) throw new Refused("bad-name");
  return names;
}

function refuse(error) {
  throw new Refused(error);
}

/** The number of the next node. */
let next = 0;

/** Octets of all files. */
const QUOTA = 256 * 1024 * 1024;

/** Octets of a name. */
const MAX_NAME = 255;
