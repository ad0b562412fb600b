// The small interfaces: events, charsets, logging, the clock, and the parts of wasi:cli that language runtimes ask for,
// all of them empty.

import { Resource } from "./resource.mjs";
import { InputStream, Nothing, OutputStream } from "./streams.mjs";
import { now } from "./time.mjs";

/** What happened, as log lines. */
export function events(session) {
  return {
    recordEvent({ tag, val }) {
      const lines = {
        transfer: () => `${val.direction} ${printable(val.path)}: ${val.outcome}, ${val.octets} octets`,
        renamed: () => `renamed ${printable(val[0])} to ${printable(val[1])}`,
        changed: () => `${printable(val[0])} ${printable(val[1])}`,
        refused: () => `refused ${printable(val[0])} with ${val[1]}`,
      };
      session.log(`${printable(session.user ?? "-")}: ${lines[tag]()}`);
    },
  };
}

export function logging(session) {
  return {
    log(level, context, message) {
      if (LOGGED.includes(level)) session.log(`${level}: ${printable(context)}: ${printable(message)}`);
    },
  };
}

/** Names come from clients: no terminal and no log reader is to be misled. */
export function printable(text) {
  const shown = typeof text === "string" ? text : Buffer.from(text).toString();
  const escape = (character) => `\\u{${character.codePointAt(0).toString(16)}}`;
  return shown.slice(0, MAX_SHOWN).replace(/[^ -~]/gu, escape);
}

/** Those of the Encoding Standard that write an octet for each character. */
export const charsets = {
  encode(charset, text) {
    const codes = characters(charset);
    const octets = [...text].map((character) => codes?.indexOf(character) ?? -1);
    return octets.includes(-1) ? undefined : Uint8Array.from(octets);
  },

  decode(charset, octets) {
    const codes = characters(charset);
    const text = [...octets].map((octet) => codes?.[octet]);
    return text.includes(undefined) ? undefined : text.join("");
  },
};

/** The characters of all octets, if ASCII is where it belongs. */
function characters(charset) {
  let decoder;
  try {
    decoder = new TextDecoder(charset, { fatal: true });
  } catch {
    return undefined;
  }
  const codes = Array.from({ length: 256 }, (_, octet) => {
    try {
      return decoder.decode(Uint8Array.of(octet));
    } catch {
      return undefined;
    }
  });
  return codes.every((code, octet) => octet > 127 || code === String.fromCharCode(octet)) ? codes : undefined;
}

export const wallClock = {
  now,
};

/** There is none. */
class Terminal extends Resource {}

/** The interfaces of wasi:cli, but for `run`. */
export function cli(session) {
  const output = () => new OutputStream(session, new Nothing());
  return {
    "wasi:cli/environment": { getEnvironment: () => [], getArguments: () => [], initialCwd: () => undefined },
    "wasi:cli/exit": {
      exit() {
        throw new Error("the guest has left");
      },
    },
    "wasi:cli/stdin": { getStdin: () => new InputStream(session, new Nothing()) },
    "wasi:cli/stdout": { getStdout: output },
    "wasi:cli/stderr": { getStderr: output },
    "wasi:cli/terminal-input": { TerminalInput: Terminal },
    "wasi:cli/terminal-output": { TerminalOutput: Terminal },
    "wasi:cli/terminal-stdin": { getTerminalStdin: () => undefined },
    "wasi:cli/terminal-stdout": { getTerminalStdout: () => undefined },
    "wasi:cli/terminal-stderr": { getTerminalStderr: () => undefined },
  };
}

/** Levels that are worth a line. */
const LOGGED = ["warn", "error", "critical"];

/** Characters of a name in a log line. */
const MAX_SHOWN = 1024;
