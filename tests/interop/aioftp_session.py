"""aioftp over everything it can do. Arguments: host, port, how it becomes passive (epsv or pasv). LACKS in the
environment: what the server has not."""

import asyncio
import os
import pathlib
import sys
import tempfile

import aioftp

HOST, PORT, PASSIVE = sys.argv[1], int(sys.argv[2]), sys.argv[3]
LACKS = os.environ.get("LACKS", "").split()
NAMES = ["plain", "with  spaces", "#hash & 100%", "\u00fcn\u00efcode \u4e2d \U0001f600", "'q' (x); a=b"]
OCTETS = bytes((number * 2654435761 >> 24) & 255 for number in range(3_000_000))


def context(encoding="utf-8"):
    return aioftp.Client.context(
        HOST, PORT, "u", "p", socket_timeout=20, encoding=encoding, passive_commands=(PASSIVE,)
    )


async def read(client, path, offset=0):
    async with client.download_stream(path, offset=offset) as stream:
        return await stream.read()


async def names(client, command):
    return sorted(str(path) for path, _ in await client.list(raw_command=command))


async def main(local):
    base = f"aioftp {HOST} {PASSIVE}".replace(":", "_")
    up, down = local / "up", local / "down"
    inner = up / "a directory" / "d\u00fcr #1"
    inner.mkdir(parents=True)
    for number, name in enumerate(NAMES):
        (inner / name).write_bytes(OCTETS[:number])
    (up / "large").write_bytes(OCTETS)

    async with context() as client:
        await client.make_directory(f"/{base}/made/below")
        await client.change_directory(base)
        assert str(await client.get_current_directory()) == "/" + base
        await client.remove_directory("made/below")
        await client.remove_directory("made")

        await client.upload(up)
        await client.download("up", down)
        files = sorted(path.relative_to(up) for path in up.rglob("*"))
        assert files == sorted(path.relative_to(down / "up") for path in (down / "up").rglob("*"))
        for path in files:
            assert (up / path).is_dir() or (up / path).read_bytes() == (down / "up" / path).read_bytes(), path
        found = sorted([str(path) async for path, _ in client.list("up", recursive=True)])
        assert found == sorted("up/" + str(path) for path in files), found

        await client.change_directory("up/a directory/d\u00fcr #1")
        assert await names(client, "MLSD") == await names(client, "LIST") == sorted(NAMES)
        await client.change_directory("/" + base)

        # Resume down and up, and append.
        assert await read(client, "up/large", 1_000_000) == OCTETS[1_000_000:]
        for command, offset in [("upload_stream", 0), ("upload_stream", 1_000_000), ("append_stream", 0)]:
            async with getattr(client, command)("part", offset=offset) as stream:
                await stream.write(OCTETS[offset:2_000_000])
        assert await read(client, "part") == OCTETS[:2_000_000] * 2

        await client.rename("part", "up/re named")
        assert not await client.exists("part") and await client.is_file("up/re named")
        await client.command("MFMT 20010203040506 up/re named", "213")
        facts = await client.stat("up/re named")
        assert facts["size"] == "4000000" and facts["modify"].split(".")[0] == "20010203040506", facts

        await client.remove("up")

    # Octets that are not UTF-8, if the server takes them.
    async with context("utf-8" if "octets" in LACKS else "latin-1") as client:
        await client.change_directory(base)
        async with client.upload_stream("latin \u00e9\u00ff x") as stream:
            await stream.write(OCTETS)
        assert await names(client, "MLSD") == await names(client, "LIST") == ["latin \u00e9\u00ff x"]
        assert await read(client, "latin \u00e9\u00ff x") == OCTETS
        await client.remove_file("latin \u00e9\u00ff x")
        await client.change_directory()
        assert await names(client, "MLSD") == [base]
        await client.remove_directory(base)


with tempfile.TemporaryDirectory() as directory:
    asyncio.run(main(pathlib.Path(directory)))
