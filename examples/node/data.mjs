// Data connections, and the files that go over them.

import { Refused, Resource } from "./resource.mjs";
import { Broken, InputStream, OutputStream, Pollable } from "./streams.mjs";
import { Wire } from "./wire.mjs";

/** An open data connection. */
export class DataConnection extends Resource {
  #finished = false;

  constructor(session, socket) {
    super(session);
    this.wire = new Wire(session, socket, PIECE, STALL);
    session.busy.add(this);
  }

  input() {
    return new InputStream(this.session, this.wire.input);
  }

  output() {
    return new OutputStream(this.session, this.wire.output);
  }

  sendFile(file, offset, length) {
    return new Transfer(this.session, this.wire, new Sending(this.wire, file.file, Number(offset), length));
  }

  receiveFile(file) {
    return new Transfer(this.session, this.wire, new Receiving(this.wire, file.file));
  }

  /** Close in good order: all was sent, and the client has not gone. */
  async finish() {
    const { wire } = this;
    if (!wire.error && wire.owes()) throw new Refused("pending");
    if (!wire.error) {
      await new Promise((resolve) => wire.socket.end(resolve));
      // What the network has to say of it is heard first.
      await new Promise(setImmediate);
    }
    if (wire.error) throw new Refused(wire.error);
    this.#finished = true;
  }

  close() {
    this.session.busy.delete(this);
    // Reset, so that the client does not take a part for the whole.
    if (this.#finished) this.wire.socket.destroy();
    else this.wire.socket.resetAndDestroy();
  }
}

/** A file on its way, which never enters the guest. It moves only while its session waits for it. */
class Transfer extends Resource {
  #wire;
  #step;
  #count = 0;
  #done = false;
  #error;

  constructor(session, wire, step) {
    super(session);
    this.#wire = wire;
    this.#step = step;
  }

  due() {
    return this.#wire.due();
  }

  ready() {
    try {
      for (let steps = 0; !this.#done && !this.#error; steps++) {
        // After so many, the session looks after its client.
        if (steps === STEPS) {
          setImmediate(() => this.session.wake());
          break;
        }
        const moved = this.#step.move();
        if (moved === 0) break;
        if (moved === undefined) this.#done = true;
        else this.#count += moved;
      }
    } catch (error) {
      if (error instanceof Broken) this.#error = { tag: "connection", val: this.#wire.error };
      else if (error instanceof Refused) this.#error = { tag: "storage", val: error.payload };
      else throw error;
    }
    return this.#done || this.#error !== undefined;
  }

  subscribe() {
    return new Pollable(this.session, this);
  }

  count() {
    return BigInt(this.#count);
  }

  finish() {
    if (!this.ready()) throw new Refused({ tag: "connection", val: "pending" });
    if (this.#error) throw new Refused(this.#error);
    return BigInt(this.#count);
  }
}

/** Out of a file: at most `length` octets from `offset`. */
class Sending {
  #wire;
  #file;
  #offset;
  #end;

  constructor(wire, file, offset, length) {
    this.#wire = wire;
    this.#file = file;
    this.#offset = offset;
    this.#end = offset + Number(length);
  }

  /** Octets moved, none if the client takes none now, `undefined` at the end. */
  move() {
    if (!this.#wire.relieve()) return 0;
    const octets = this.#file.read(this.#offset, Math.min(PIECE, this.#end - this.#offset));
    if (octets.length === 0) return undefined;
    this.#wire.send(octets);
    this.#offset += octets.length;
    return octets.length;
  }
}

/** Into a file. */
class Receiving {
  #wire;
  #file;

  constructor(wire, file) {
    this.#wire = wire;
    this.#file = file;
  }

  /** The same of what the client gives. */
  move() {
    const octets = this.#wire.receive(PIECE);
    if (octets) this.#file.write(octets);
    return octets?.length;
  }
}

/** Its part of the interface. */
export const connections = { DataConnection, Transfer };

/** Octets that are moved at once, and that the guest may write at once. */
const PIECE = 64 * 1024;

/** Pieces until the session looks whether its client says something. */
const STEPS = 16;

/** Milliseconds that a data connection may stand still. */
const STALL = 120_000;
