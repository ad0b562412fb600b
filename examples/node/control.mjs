// The control connection.

import { toWit } from "./address.mjs";
import { Resource } from "./resource.mjs";
import { InputStream, OutputStream, Pollable } from "./streams.mjs";
import { Wire } from "./wire.mjs";

/** Its socket, and its ends. */
export class Control {
  constructor(session, socket) {
    this.socket = socket;
    // A reply must not wait for the acknowledgement of the one before.
    socket.setNoDelay(true);
    socket.setKeepAlive(true);
    this.local = { address: socket.localAddress, port: socket.localPort };
    this.remote = { address: socket.remoteAddress, port: socket.remotePort };
    this.wire = new Wire(session, socket, PERMIT);
  }

  /** Say a last line and close, so that it arrives: unread octets would make the end a reset. */
  close(last) {
    const timer = setTimeout(() => this.socket.destroy(), LINGER).unref();
    this.socket.once("close", () => clearTimeout(timer));
    this.socket.removeAllListeners("readable");
    this.socket.resume();
    this.socket.end(last, () => this.socket.destroySoon());
  }
}

/** The guest's handle on it. There is no TLS in this host. */
class Connection extends Resource {
  get #control() {
    return this.session.control;
  }

  input() {
    return new InputStream(this.session, new Input(this.session));
  }

  output() {
    return new OutputStream(this.session, this.#control.wire.output);
  }

  localAddress() {
    return toWit(this.#control.local);
  }

  remoteAddress() {
    return toWit(this.#control.remote);
  }

  tlsPolicy() {
    return "off";
  }

  protection() {
    return undefined;
  }

  startTls() {
    return new Handshake(this.session);
  }

  mayStopTls() {
    return false;
  }

  stopTls() {
    // There is nothing to stop; but whoever asks for it without leave is logged out.
    this.session.user = undefined;
  }

  selectHost() {
    return true;
  }

  idleLimit() {
    return this.session.idleLimits();
  }

  setIdleLimit(seconds) {
    this.session.setIdleLimit(seconds);
  }

  ending() {
    const { ending } = this.session;
    ending.known = ending.reason !== undefined;
    return ending.reason;
  }
}

/** What the client sends, and nothing while the session must first hear that it must end. */
class Input {
  #ending;
  #wire;

  constructor(session) {
    this.#ending = session.ending;
    this.#wire = session.control.wire.input;
  }

  ready() {
    return this.#ending.isNews() || this.#wire.ready();
  }

  due() {
    return this.#wire.due();
  }

  receive(length) {
    return this.#ending.isNews() ? new Uint8Array() : this.#wire.receive(length);
  }
}

/** It has failed from the start. */
class Handshake extends Resource {
  subscribe() {
    return new Pollable(this.session, { ready: () => true, due: () => Infinity });
  }

  finish() {
    return { tag: "some", val: undefined };
  }
}

/** The interface. */
export function control(session) {
  return { Connection, Handshake, getConnection: () => new Connection(session) };
}

/** Octets that the guest may write at once: what a client that does not read costs. */
const PERMIT = 16 * 1024;

/** Milliseconds that a client has to take the last line. */
const LINGER = 2000;
