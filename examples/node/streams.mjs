// wasi:io: streams and what can be waited for.
//
// A source is anything with `ready()`, which also moves it on. Whenever that may have changed, it wakes its session;
// `due()` is when it changes by itself.

import { Refused, Resource } from "./resource.mjs";

/** The other end, or the network, ended it before its time. */
export class Broken extends Error {}

/** Something to wait for. */
export class Source {
  due() {
    return Infinity;
  }
}

/** Says no more than that there was one; `data-connection.finish` tells which. */
export class IoError extends Resource {}

export class Pollable extends Resource {
  constructor(session, source) {
    super(session);
    this.source = source;
  }

  ready() {
    return this.source.ready();
  }

  async block() {
    await this.session.wait([this.source]);
  }
}

/** Of a source with `receive(length)`: octets, none if there are none now, `undefined` at the end. */
export class InputStream extends Resource {
  #source;

  constructor(session, source) {
    super(session);
    this.#source = source;
  }

  read(length) {
    const octets = attempt(this.session, () => this.#source.receive(Number(length)));
    if (octets === undefined) throw new Refused({ tag: "closed" });
    return octets;
  }

  subscribe() {
    return new Pollable(this.session, this.#source);
  }
}

/** Of a source with `permit`: octets that it takes at once, `send(octets)`, and `relieve()`: whether all that was sent
 * has left. */
export class OutputStream extends Resource {
  #source;

  constructor(session, source) {
    super(session);
    this.#source = source;
  }

  checkWrite() {
    return attempt(this.session, () => BigInt(this.#source.relieve() ? this.#source.permit : 0));
  }

  write(octets) {
    if (octets.length > this.#source.permit || this.#source.owes()) {
      throw new Error("more was written than was permitted");
    }
    // What the guest may write over meanwhile.
    attempt(this.session, () => this.#source.send(Buffer.from(octets)));
  }

  flush() {
    attempt(this.session, () => this.#source.relieve());
  }

  async blockingFlush() {
    await this.session.wait([this.#source]);
    this.flush();
  }

  subscribe() {
    return new Pollable(this.session, this.#source);
  }
}

function attempt(session, call) {
  try {
    return call();
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    throw new Refused({ tag: "last-operation-failed", val: new IoError(session) });
  }
}

/** Standard input, which is empty, and standard output, which nobody reads. */
export class Nothing extends Source {
  permit = 4096;

  ready() {
    return true;
  }

  receive() {
    return undefined;
  }

  send() {}

  relieve() {
    return true;
  }

  owes() {
    return false;
  }
}
