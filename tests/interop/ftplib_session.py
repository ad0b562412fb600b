"""Python's ftplib over everything it can do. Arguments: host, port, passive (0 or 1), "tls" or nothing. LACKS in
the environment: what the server has not."""

import ftplib
import io
import os
import pathlib
import socket
import ssl
import sys
import tempfile

host, port, passive = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "1"
LACKS = os.environ.get("LACKS", "").split()


secure = sys.argv[4:] == ["tls"]


class FTP(ftplib.FTP_TLS if secure else ftplib.FTP):
    encoding = "utf-8"


ftp = FTP(context=ssl._create_unverified_context()) if secure else FTP()
ftp.connect(host, port, timeout=20)
ftp.login("u", "p")
if secure:
    ftp.prot_p()
ftp.set_pasv(passive)
base = f"ftplib {host} {passive}".replace(":", "_")
assert ftp.mkd(base) == "/" + base
ftp.cwd(base)
assert ftp.pwd() == "/" + base

octets = bytes(range(256)) * 4000
ftp.storbinary("STOR bin", io.BytesIO(octets))
assert ftp.size("bin") == len(octets)
back = bytearray()
ftp.retrbinary("RETR bin", back.extend)
assert back == octets
back = bytearray()
ftp.retrbinary("RETR bin", back.extend, rest=1000)
assert back == octets[1000:]
ftp.storbinary("APPE bin", io.BytesIO(b"more"))
assert ftp.size("bin") == len(octets) + 4

lines = ["one", "two \u00fc", "", "four"]
ftp.storlines("STOR text", io.BytesIO("\n".join(lines).encode() + b"\n"))
got = []
ftp.retrlines("RETR text", got.append)
assert got == lines, got

ftp.rename("text", "renamed")
assert sorted(ftp.nlst()) == ["bin", "renamed"]
facts = dict(ftp.mlsd())
assert facts["bin"]["size"] == str(len(octets) + 4) and facts["bin"]["type"] == "file"
listing = []
ftp.dir(listing.append)
assert len(listing) == 2 and all(line.startswith("-rw") for line in listing)

# ABOR as ftplib sends it: as urgent data.
ftp.voidcmd("TYPE I")
data = ftp.transfercmd("RETR bin")
data.recv(100)
try:
    if "urgent" not in LACKS:
        reply = ftp.abort()
    else:
        ftp.putcmd("ABOR")
        reply = ftp.getmultiline()
    assert reply[:3] in ("426", "226"), reply
    if reply[:3] == "426":
        assert ftp.voidresp()[:3] == "226"
finally:
    data.close()
# The transfer may have ended just before.
ftp.sock.settimeout(0.5)
try:
    while True:
        ftp.getmultiline()
except (socket.timeout, TimeoutError):
    ftp.file = ftp.sock.makefile("r", encoding=ftp.encoding)
ftp.sock.settimeout(20)

for wrong in ("RETR missing", "STOR /no/such/directory/file"):
    try:
        ftp.retrbinary(wrong, print)
    except ftplib.error_perm as error:
        assert str(error)[:3] == "550", error
    else:
        raise AssertionError(wrong)

ftp.delete("bin")
ftp.delete("renamed")


# A whole tree, up and down.


def upload(local, remote):
    ftp.mkd(remote)
    for path in sorted(local.iterdir()):
        if path.is_dir():
            upload(path, f"{remote}/{path.name}")
        else:
            with path.open("rb") as file:
                ftp.storbinary(f"STOR {remote}/{path.name}", file)


def download(remote, local):
    local.mkdir()
    for name, facts in list(ftp.mlsd(remote)):
        if facts["type"] == "dir":
            download(f"{remote}/{name}", local / name)
        else:
            with (local / name).open("wb") as file:
                ftp.retrbinary(f"RETR {remote}/{name}", file.write)


def remove(remote):
    for name, facts in list(ftp.mlsd(remote)):
        (remove if facts["type"] == "dir" else ftp.delete)(f"{remote}/{name}")
    ftp.rmd(remote)


with tempfile.TemporaryDirectory() as directory:
    up, down = pathlib.Path(directory, "up"), pathlib.Path(directory, "down")
    inner = up / "a directory" / "d\u00fcr #1"
    inner.mkdir(parents=True)
    for number, name in enumerate(["empty", "with  spaces", "\u00fcn\u00efcode \u4e2d \U0001f600", "'q' (x); a=b"]):
        (inner / name).write_bytes(octets[: number * 3000])
    (up / "large").write_bytes(octets * 3)
    upload(up, "tree")
    download("tree", down)
    files = sorted(path.relative_to(up) for path in up.rglob("*"))
    assert files == sorted(path.relative_to(down) for path in down.rglob("*"))
    for path in files:
        assert (up / path).is_dir() or (up / path).read_bytes() == (down / path).read_bytes(), path
    remove("tree")

ftp.cwd("..")
ftp.rmd(base)
ftp.quit()
