// Data ports: where data connections come from, and to whom they may go.

import { connect, createServer } from "node:net";
import { isAddress, same, toWit } from "./address.mjs";
import { DataConnection } from "./data.mjs";
import { Refused, Resource } from "./resource.mjs";
import { Pollable } from "./streams.mjs";

/** A listener for one client, on the address that it reached us by. */
class Passive {
  #listener;
  #timer;

  constructor(session) {
    this.session = session;
  }

  /** Listen; strangers are turned away, and do not use the port up. */
  async listen() {
    const { local, remote } = this.session.control;
    this.#listener = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      // One that was reset at once has no address any more, and counts as a stranger.
      if (this.socket || !same(socket.remoteAddress ?? "", remote.address)) return socket.destroy();
      this.socket = heard(socket);
      this.#stop();
      this.session.wake();
    });
    this.#listener.maxConnections = BACKLOG;
    await new Promise((resolve, reject) => {
      this.#listener.on("error", () => reject(new Refused("no-port")));
      this.#listener.listen({ host: local.address, port: 0, backlog: BACKLOG, exclusive: true }, resolve);
    });
    this.address = this.#listener.address();
    this.#timer = setTimeout(() => {
      this.error ??= "timeout";
      this.#stop();
      this.session.wake();
    }, CONNECT);
  }

  open() {}

  #stop() {
    clearTimeout(this.#timer);
    this.#listener.close();
  }

  close() {
    this.#stop();
    this.socket?.destroy();
  }
}

/** A port of the client's: checked here, whatever the guest has checked, and no packet is sent before `open`. */
class Active {
  #timer;
  #connecting;

  constructor(session, { ip, port }) {
    const { remote } = session.control;
    if (!isAddress(ip, remote.address) || port < FIRST_USER_PORT) {
      session.log(`refused a data connection to ${ip.val.join(" ")} port ${port}`);
      throw new Refused("refused");
    }
    this.session = session;
    // The peer's own address: it has the scope of a link-local one.
    this.address = { address: remote.address, port };
  }

  /** RFC 959 §5.2: from the port beside the control port; or from any, if that is not to be had. */
  open() {
    this.#timer = setTimeout(() => this.#end("timeout"), CONNECT);
    this.#connect(this.session.control.local.port - 1);
  }

  #connect(localPort) {
    const { local } = this.session.control;
    const to = { host: this.address.address, port: this.address.port, localAddress: local.address, localPort };
    const socket = heard(connect({ ...to, allowHalfOpen: true }));
    this.#connecting = socket;
    socket.once("error", (error) => {
      if (this.socket) return;
      if (localPort && LOCAL_ERRORS.includes(error.code)) this.#connect(0);
      else this.#end("unreachable");
    });
    socket.once("connect", () => {
      clearTimeout(this.#timer);
      this.socket = socket;
      this.session.wake();
    });
  }

  #end(error) {
    clearTimeout(this.#timer);
    this.error ??= error;
    this.#connecting.destroy();
    this.session.wake();
  }

  close() {
    clearTimeout(this.#timer);
    this.#connecting?.destroy();
  }
}

/** A socket whose errors are found by whoever uses it: Node ends a program that leaves them alone. */
function heard(socket) {
  return socket.on("error", () => {});
}

/** The next data connection. */
class Port extends Resource {
  #way;
  #opened = false;

  constructor(session, way) {
    super(session);
    this.#way = way;
    session.ports.add(this);
  }

  address() {
    return toWit(this.#way.address);
  }

  open(isProtected) {
    if (this.#opened) return;
    this.#opened = true;
    this.session.busy.add(this);
    if (isProtected) this.#way.error = "tls";
    else this.#way.open();
  }

  ready() {
    return this.#opened && Boolean(this.#way.socket ?? this.#way.error);
  }

  due() {
    return Infinity;
  }

  subscribe() {
    return new Pollable(this.session, this);
  }

  finish() {
    if (!this.ready()) throw new Refused("pending");
    const { socket, error } = this.#way;
    if (!socket) throw new Refused(error);
    // From here on it is the connection's.
    this.#way = { address: this.#way.address, error: "pending", close() {} };
    return new DataConnection(this.session, socket);
  }

  close() {
    this.session.ports.delete(this);
    this.session.busy.delete(this);
    this.#way.close();
  }
}

/** Its part of the interface: ports are for users only, and only so many. */
export function ports(session) {
  const admit = () => {
    if (!session.user) throw new Refused("refused");
    if (session.ports.size >= MAX_PORTS) throw new Refused("no-port");
  };
  return class DataPort extends Port {
    static async passive() {
      admit();
      const passive = new Passive(session);
      await passive.listen();
      return new DataPort(session, passive);
    }

    static active(to) {
      admit();
      return new DataPort(session, new Active(session, to));
    }
  };
}

/** Milliseconds until a data connection must be there. */
const CONNECT = 30_000;

/** Connections that may wait on a passive port. */
const BACKLOG = 64;

/** Ports below are those of services (RFC 2577 §3). */
const FIRST_USER_PORT = 1024;

/** Ports of a session: one, and those that it has not let go yet. */
const MAX_PORTS = 3;

/** What is wrong with the port that one connects from, and not with the one that one connects to. */
const LOCAL_ERRORS = ["EACCES", "EADDRINUSE", "EADDRNOTAVAIL"];
