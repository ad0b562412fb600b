// Who may log in: users with passwords, of which only a slow hash is kept.

import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import { Refused } from "./resource.mjs";
import { Volume } from "./storage.mjs";

/** Passwords by names; both are octets. */
export class Accounts {
  #users = new Map();
  #nobody;

  /** `users`: pairs of a name and a password. */
  static async of(users) {
    const accounts = new Accounts();
    for (const [name, password] of users) accounts.#users.set(key(Buffer.from(name)), await hash(password));
    accounts.#nobody = await hash(randomBytes(16));
    return accounts;
  }

  /** Takes as long for a name that is unknown, and does not tell where passwords differ. */
  async check(name, password) {
    const { salt, digest } = this.#users.get(key(name)) ?? this.#nobody;
    return timingSafeEqual(digest, (await hash(password, salt)).digest);
  }
}

/** A name as what a map can find. */
function key(octets) {
  return Buffer.from(octets).toString("latin1");
}

/** On the threads of libuv, of which there are four: so many take 16 MiB at a time. */
async function hash(password, salt = randomBytes(16)) {
  return { salt, digest: await promisify(scrypt)(password, salt, 64, { N: 16_384, r: 8, p: 1 }) };
}

/** The interface. */
export function accounts(session) {
  let failures = 0;
  return {
    authenticateByCertificate: () => undefined,

    async authenticate(user, password) {
      session.tend();
      // A guest that goes on after it was told to end gets no more guesses.
      if (failures >= MAX_FAILURES || !(await session.server.accounts.check(user, password))) {
        failures++;
        session.log("log-in failed");
        if (failures >= MAX_FAILURES) session.ending.tell("login-failures");
        await setTimeout(FAILURE_DELAY);
        throw new Refused("denied");
      }
      session.user = Buffer.from(user);
      session.admitted = true;
      session.log("logged in");
      return { volume: new Volume(session), start: Buffer.from("/"), message: undefined, charset: undefined };
    },
  };
}

/** Wrong passwords in a session. */
const MAX_FAILURES = 3;

/** Milliseconds that the answer to a wrong password is held back. */
const FAILURE_DELAY = 500;
