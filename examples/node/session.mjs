// One session: an instance of the component, what it was given, and how long it may go on.

import { accounts } from "./accounts.mjs";
import { Control, control } from "./control.mjs";
import { connections } from "./data.mjs";
import { ports } from "./port.mjs";
import { charsets, cli, events, logging, wallClock } from "./services.mjs";
import { storage } from "./storage.mjs";
import { InputStream, IoError, OutputStream, Pollable } from "./streams.mjs";

/** What the interfaces share. */
export class Session {
  /** Who is logged in. */
  user;
  /** Somebody has been. */
  admitted = false;
  ports = new Set();
  /** What has time limits of its own: open ports and data connections, and works. */
  busy = new Set();
  ending = new Ending(this);
  #owned = new Set();
  #wake = () => {};
  #idle = IDLE;
  #started = performance.now();
  #moved = this.#started;
  #yielded = this.#started;

  constructor(server, socket) {
    this.server = server;
    this.control = new Control(this, socket);
  }

  log(line) {
    console.error(`${new Date().toISOString()} ${this.control.remote.address}: ${line}`);
  }

  /** Serve the client until one of the two has had enough. */
  async run() {
    this.log("connected");
    let last = "421 Service not available, closing control connection\r\n";
    try {
      const instance = await this.server.instantiate(this.#imports());
      await instance.run.run();
      last = "";
    } catch (error) {
      this.log(`session failed: ${error?.message ?? "the guest reported an error"}`);
    } finally {
      for (const resource of this.#owned) resource.close();
      this.control.close(last);
      this.log("disconnected");
    }
  }

  #imports() {
    return {
      "ftpd:server/control": control(this),
      "ftpd:server/data": { DataPort: ports(this), ...connections },
      "ftpd:server/storage": storage,
      "ftpd:server/accounts": accounts(this),
      "ftpd:server/events": events(this),
      "ftpd:server/charsets": charsets,
      "wasi:logging/logging": logging(this),
      "wasi:clocks/wall-clock": wallClock,
      "wasi:io/error": { Error: IoError },
      "wasi:io/poll": { Pollable, poll: (pollables) => this.wait(pollables.map(({ source }) => source)) },
      "wasi:io/streams": { InputStream, OutputStream },
      ...cli(this),
    };
  }

  /** The guest has a handle on it. */
  own(resource) {
    if (this.#owned.size >= MAX_HANDLES) throw new Error("too many handles");
    this.#owned.add(resource);
  }

  /** No more. */
  disown(resource) {
    this.#owned.delete(resource);
  }

  /** Octets moved: the session is not idle. */
  moved() {
    this.#moved = performance.now();
  }

  /** Something may be ready. */
  wake() {
    this.#wake();
  }

  /** Wait until at least one is ready: which. */
  async wait(sources) {
    for (;;) {
      this.tend();
      const ready = [...sources.keys()].filter((index) => sources[index].ready());
      if (ready.length > 0) {
        await this.#yield();
        return Uint32Array.from(ready);
      }
      await this.#sleep(sources);
    }
  }

  /** Let other sessions go on if this one always finds something to do. */
  async #yield() {
    if (performance.now() - this.#yielded < TURN) return;
    await new Promise(setImmediate);
    this.#yielded = performance.now();
  }

  async #sleep(sources) {
    const due = Math.min(this.#due()[0], ...sources.map((source) => source.due()));
    let timer;
    await new Promise((resolve) => {
      this.#wake = resolve;
      timer = setTimeout(resolve, Math.max(0, Math.min(due - performance.now(), MAX_SLEEP)));
    });
    clearTimeout(timer);
    this.#yielded = performance.now();
  }

  /** What happens whether the guest waits for it or not. Throws if it must have ended. */
  tend() {
    const [due, reason] = this.#due();
    if (due > performance.now()) return;
    if (this.ending.reason) throw new Error("did not end when told to");
    this.ending.tell(reason);
  }

  /** When the next limit is reached, and what it means. */
  #due() {
    if (this.ending.reason) return [this.ending.told + GRACE];
    const idle = this.busy.size > 0 ? Infinity : this.#moved + this.#idle;
    const login = this.admitted ? Infinity : this.#started + LOGIN;
    return login < idle ? [login, "login-timeout"] : [idle, "idle"];
  }

  idleLimits() {
    return [this.#idle / 1000, IDLE / 1000];
  }

  setIdleLimit(seconds) {
    this.#idle = Math.min(Math.max(seconds, 1) * 1000, IDLE);
  }
}

/** Whether the session must end, and knows it. */
class Ending {
  known = false;
  #session;

  constructor(session) {
    this.#session = session;
  }

  /** The first reason stays. */
  tell(reason) {
    if (this.reason) return;
    this.reason = reason;
    this.told = performance.now();
    this.#session.wake();
  }

  /** It must, and does not know. */
  isNews() {
    return this.reason !== undefined && !this.known;
  }
}

/** Milliseconds that a user may say nothing while nothing is transferred. */
const IDLE = 300_000;

/** Milliseconds until somebody must have logged in. */
const LOGIN = 60_000;

/** Milliseconds that a session has to end when told to. */
const GRACE = 5_000;

/** Milliseconds that one session may keep the others from theirs, if it only ever calls. */
const TURN = 5;

/** Milliseconds: what `setTimeout` can be told. */
const MAX_SLEEP = 3_600_000;

/** Handles of a guest: a session needs about eighteen. */
const MAX_HANDLES = 64;
