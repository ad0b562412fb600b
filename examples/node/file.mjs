// Open files of the tree.

import { Content } from "./content.mjs";
import { Refused } from "./resource.mjs";
import { now } from "./time.mjs";

/** What an open file cannot do, it refuses. */
class File {
  content = new Content();

  get size() {
    return this.content.size;
  }

  read() {
    throw new Refused("denied");
  }

  write() {
    throw new Refused("denied");
  }

  /** Everything is written. */
  finish() {}

  /** Nobody has it open any more. */
  close() {}
}

/** To read: what it has now, whatever becomes of it. */
export class Reading extends File {
  #size;

  constructor(node) {
    super();
    this.content = node.content;
    this.#size = node.content.size;
  }

  get size() {
    return this.#size;
  }

  read(offset, length) {
    return this.content.read(offset, Math.max(0, Math.min(length, this.#size - offset)));
  }
}

/** One that nobody sees before it is finished, and which then has a name. */
export class New extends File {
  #tree;
  #node;
  #path;
  #exclusive;
  #finished = false;

  constructor(tree, node, path, exclusive) {
    super();
    this.#tree = tree;
    this.#node = node;
    this.#path = path;
    this.#exclusive = exclusive;
    this.content = node.content;
  }

  write(octets) {
    this.#tree.account(octets.length);
    this.content.append(octets);
    this.#node.modified = now();
  }

  finish() {
    if (this.#finished) return;
    this.#tree.publish(this.#path, this.#node, this.#exclusive);
    this.#finished = true;
  }

  close() {
    if (!this.#finished) this.#tree.account(-this.size);
  }
}

/** One that everybody sees, and nobody else writes. */
export class InPlace extends File {
  #tree;
  #node;
  #offset;

  constructor(tree, node, offset) {
    super();
    if (node.writing) throw new Refused("busy");
    node.writing = true;
    this.#tree = tree;
    this.#node = node;
    this.#offset = offset;
    this.content = node.content;
  }

  get size() {
    return this.#offset ?? this.content.size;
  }

  write(octets) {
    this.#cut();
    this.#tree.account(octets.length);
    this.content.append(octets);
    this.#node.modified = now();
  }

  finish() {
    this.#cut();
  }

  close() {
    if (!this.#node.gone) this.#cut();
    this.#node.writing = false;
  }

  /** What lies behind the offset goes. */
  #cut() {
    if (this.#node.gone) throw new Refused("io");
    if (this.#offset === undefined) return;
    const cut = Content.of(this.content, this.#offset);
    this.#tree.account(cut.size - this.content.size);
    this.#node.content = this.content = cut;
    this.#offset = undefined;
  }
}
