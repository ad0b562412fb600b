// What takes time and is done by the host: a little whenever its session waits for it.

import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { Refused, Resource } from "./resource.mjs";
import { Pollable } from "./streams.mjs";

/** Of a job with `step()`: what came of it, once it is done, and `undefined` before that. */
export class Work extends Resource {
  #job;
  #result;

  constructor(session, job) {
    super(session);
    this.#job = job;
    session.busy.add(this);
  }

  due() {
    return Infinity;
  }

  ready() {
    try {
      const octets = this.#result ? undefined : this.#job.step();
      if (octets) this.#result = { tag: "ok", val: octets };
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.#result = { tag: "err", val: error.payload };
    }
    if (!this.#result) setImmediate(() => this.session.wake());
    return this.#result !== undefined;
  }

  subscribe() {
    return new Pollable(this.session, this);
  }

  finish() {
    return this.#result;
  }

  close() {
    this.session.busy.delete(this);
  }
}

/** All of a file, behind what was written to another. */
export class Copying {
  #source;
  #target;
  #offset = 0;

  constructor(source, target) {
    this.#source = source;
    this.#target = target;
  }

  step() {
    const octets = this.#source.read(this.#offset, STEP);
    this.#offset += octets.length;
    this.#target.write(octets);
    return octets.length === 0 ? new Uint8Array() : undefined;
  }
}

/** The checksum of a part of a file. */
export class Summing {
  #file;
  #offset;
  #end;
  #sum;

  constructor(file, algorithm, offset, length) {
    this.#file = file;
    this.#offset = offset;
    this.#end = offset + length;
    this.#sum = algorithm === "crc32" ? new Crc32() : createHash(algorithm);
  }

  step() {
    const octets = this.#file.read(this.#offset, Math.min(STEP, this.#end - this.#offset));
    this.#offset += octets.length;
    this.#sum.update(octets);
    return octets.length === 0 ? this.#sum.digest() : undefined;
  }
}

/** zlib's, in the manner of a hash. */
class Crc32 {
  #sum = 0;

  update(octets) {
    this.#sum = crc32(octets, this.#sum);
  }

  digest() {
    const octets = Buffer.alloc(4);
    octets.writeUInt32BE(this.#sum);
    return octets;
  }
}

/** Octets that are read at once; a file gives fewer. */
const STEP = 1024 * 1024;
