// basic-ftp over everything it can do. Arguments: host, port, how it becomes passive (epsv or pasv), and, for TLS,
// explicit or implicit. LACKS in the environment: what the server has not.

import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { Readable } from "node:stream";
import { Client, enterPassiveModeIPv4, enterPassiveModeIPv6 } from "basic-ftp";

const [host, port, passive, tls] = process.argv.slice(2);
const lacks = (process.env.LACKS ?? "").split(" ");
const secure = { explicit: true, implicit: "implicit" }[tls] ?? false;
const names = ["plain", "with  spaces", " leading", "#hash & 100%", "\u00fcn\u00efcode \u4e2d \u{1f600}", "'q' (x); a=b"];
const octets = Buffer.from(Uint32Array.from({ length: 3_000_000 }, (_, number) => Math.imul(number, 2654435761) >>> 24));
const local = fs.mkdtempSync(path.join(os.tmpdir(), "basic-ftp-"));

async function connect(encoding) {
    const client = new Client(20_000);
    client.ftp.encoding = encoding;
    const secureOptions = { rejectUnauthorized: false };
    await client.access({ host, port, user: "u", password: "p", secure, secureOptions });
    client.prepareTransfer = passive === "pasv" ? enterPassiveModeIPv4 : enterPassiveModeIPv6;
    return client;
}

async function listed(client, command) {
    client.availableListCommands = [command];
    return (await client.list()).map((file) => file.name).sort();
}

async function main() {
    const base = `basic-ftp ${host} ${passive}`.replaceAll(":", "_");
    const [up, down, part] = ["up", "down", "part"].map((name) => path.join(local, name));
    const inner = path.join(up, "a directory", "d\u00fcr #1");
    fs.mkdirSync(inner, { recursive: true });
    names.forEach((name, number) => fs.writeFileSync(path.join(inner, name), octets.subarray(0, number)));
    fs.writeFileSync(path.join(up, "large"), octets);

    let client = await connect("utf8");
    await client.ensureDir(`/${base}/made/below`);
    assert.equal(await client.pwd(), `/${base}/made/below`);
    await client.cd(`/${base}`);
    await client.removeDir("made");

    await client.uploadFromDir(up, "up");
    await client.downloadToDir(down, "up");
    const files = fs.readdirSync(up, { recursive: true }).sort();
    assert.deepEqual(fs.readdirSync(down, { recursive: true }).sort(), files);
    for (const file of files) {
        const [a, b] = [up, down].map((directory) => path.join(directory, file));
        assert(fs.statSync(a).isDirectory() || fs.readFileSync(a).equals(fs.readFileSync(b)), file);
    }
    await client.cd("up/a directory/d\u00fcr #1");
    assert.deepEqual(await listed(client, "MLSD"), [...names].sort());
    for (const command of ["LIST", "LIST -a"]) {
        // Whether a name begins with a space, no parser of LIST can tell.
        const trimmed = (await listed(client, command)).map((name) => name.trim());
        assert.deepEqual(trimmed.sort(), names.map((name) => name.trim()).sort());
    }
    client.availableListCommands = ["MLSD"];
    await client.cd(`/${base}`);

    // Resume down and up.
    fs.writeFileSync(part, octets.subarray(0, 1_000_000));
    await client.downloadTo(part, "up/large", 1_000_000);
    assert(fs.readFileSync(part).equals(octets));
    await client.uploadFrom(part, "part", { localEndInclusive: 999_999 });
    assert.equal(await client.size("part"), 1_000_000);
    await client.appendFrom(part, "part", { localStart: 1_000_000 });
    fs.rmSync(part);
    await client.downloadTo(part, "part");
    assert(fs.readFileSync(part).equals(octets));

    await client.rename("part", "up/re named");
    await assert.rejects(client.size("part"), { code: 550 });
    await client.send("MFMT 20010203040506 up/re named");
    const time = new Date("2001-02-03T04:05:06Z");
    assert.deepEqual(await client.lastMod("up/re named"), time);
    const [file] = (await client.list("up")).filter((file) => file.name === "re named");
    assert(file.isFile && file.size === 3_000_000);
    assert.equal(Math.trunc(file.modifiedAt / 1000), time / 1000);

    await client.remove("up/re named");
    await client.removeDir("up");
    client.close();

    // Octets that are not UTF-8, if the server takes them.
    client = await connect(lacks.includes("octets") ? "utf8" : "latin1");
    await client.cd(base);
    await client.uploadFrom(Readable.from([octets]), "latin \u00e9\u00ff x");
    for (const command of ["LIST", "MLSD"]) {
        assert.deepEqual(await listed(client, command), ["latin \u00e9\u00ff x"]);
    }
    await client.downloadTo(part, "latin \u00e9\u00ff x");
    assert(fs.readFileSync(part).equals(octets));
    await client.remove("latin \u00e9\u00ff x");
    await client.cdup();
    await client.removeEmptyDir(base);
    client.close();
}

try {
    await main();
} finally {
    fs.rmSync(local, { recursive: true });
}
