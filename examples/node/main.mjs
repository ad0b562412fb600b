// An FTP server in JavaScript: it runs session.wasm, one instance for each client, over a tree in memory.

import { createServer, isIPv6 } from "node:net";
import { parseArgs } from "node:util";
import { Accounts } from "./accounts.mjs";
import { load } from "./component.mjs";
import { Session } from "./session.mjs";
import { Tree } from "./tree.mjs";

/** Sessions at once. */
const CONNECTIONS = 100;

const USAGE = "usage: main.mjs SESSION_WASM --user NAME:PASSWORD… [--listen ADDRESS:PORT]";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { listen: { type: "string", default: "127.0.0.1:2121" }, user: { type: "string", multiple: true } },
});
const [component] = positionals;
if (!component || !values.user) {
  console.error(USAGE);
  process.exit(2);
}
if (!("Suspending" in WebAssembly)) {
  console.error("this needs Node 24 or newer: a guest that waits must not keep the others from running");
  process.exit(1);
}

const users = values.user.map((user) => [user.split(":", 1)[0], user.slice(user.indexOf(":") + 1)]);
const server = { instantiate: await load(component), accounts: await Accounts.of(users), tree: new Tree() };
const sessions = new Set();

const listener = createServer({ allowHalfOpen: true, highWaterMark: 4096 }, async (socket) => {
  // It may have gone before anybody looked.
  if (!socket.remoteAddress) return socket.destroy();
  const session = new Session(server, socket);
  sessions.add(session);
  try {
    await session.run();
  } catch (error) {
    console.error("a session:", error);
  }
  sessions.delete(session);
});
listener.maxConnections = CONNECTIONS;
listener.on("error", (error) => {
  console.error(`listening: ${error.message}`);
  if (!listener.listening) process.exit(1);
});

/** Accept nobody any more, tell every session, and end with the last of them. */
function stop() {
  listener.close();
  for (const session of sessions) session.ending.tell("shutdown");
}

process.once("SIGTERM", stop);
process.once("SIGINT", stop);
const [, host, port] = /^\[?(.*?)\]?:(\d+)$/.exec(values.listen) ?? [];
listener.listen({ host, port: Number(port), backlog: 128 }, () => {
  const url = `ftp://${isIPv6(host) ? `[${host}]` : host}:${listener.address().port}/`;
  console.log(`Serving a tree in memory\n  at ${url}\nTry: curl --user ${users[0][0]} ${url}`);
});
