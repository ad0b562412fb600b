// The octets on a TCP connection.

import { Broken } from "./streams.mjs";

/** A socket of Node's. */
export class Wire {
  /** Why it can be used no more: the first reason stays. */
  error;
  #session;
  #stall;
  #moved = performance.now();

  /** `permit`: octets that may be written at once; `stall`: milliseconds that it may stand still. */
  constructor(session, socket, permit, stall = Infinity) {
    this.socket = socket;
    this.#session = session;
    this.#stall = stall;
    const due = () => this.due();
    const receive = (length) => this.receive(length);
    const over = () => this.#over() !== undefined;
    /** The source of what comes. */
    this.input = { due, receive, ready: () => over() || socket.readableLength > 0 || socket.readableEnded };
    /** The source of what goes. */
    this.output = {
      due,
      permit,
      ready: () => over() || !this.owes(),
      send: (octets) => this.send(octets),
      relieve: () => this.relieve(),
      owes: () => this.owes(),
    };
    socket.on("readable", () => {
      // Node tells of the end only to whoever reads there.
      if (socket.readableLength === 0) socket.read();
      session.wake();
    });
    socket.on("error", () => {
      this.error ??= "broken";
      session.wake();
    });
    for (const event of ["end", "close"]) socket.on(event, () => session.wake());
  }

  due() {
    return this.#moved + this.#stall;
  }

  /** Octets moved. */
  #touch() {
    this.#moved = performance.now();
    this.#session.moved();
  }

  /** Why it is over, if it is. */
  #over() {
    if (this.socket.destroyed) this.error ??= "broken";
    if (performance.now() >= this.due()) this.error ??= "timeout";
    return this.error;
  }

  #check() {
    if (this.#over()) throw new Broken(this.error);
  }

  /** Octets, none if there are none now, `undefined` at the end. */
  receive(length) {
    this.#check();
    const there = Math.min(length, this.socket.readableLength);
    if (there === 0) return this.socket.readableEnded ? undefined : new Uint8Array();
    this.#touch();
    return this.socket.read(there);
  }

  /** Take octets, which nobody else uses any more. */
  send(octets) {
    this.#check();
    this.socket.write(octets, () => {
      this.#touch();
      this.#session.wake();
    });
  }

  /** Whether something that was sent has not left. */
  owes() {
    return this.socket.writableLength > 0;
  }

  /** Whether all has left. */
  relieve() {
    this.#check();
    return !this.owes();
  }
}
