"""A whole tree up and down with libcurl over TLS, in one session. Arguments: ftp or ftps, host:port, passive or
active, the tree, where it goes on the server, and where it comes back to."""

import io
import os
import pathlib
import sys
from urllib.parse import quote

import pycurl

scheme, address, mode, up, remote, down = sys.argv[1:]
curl = pycurl.Curl()


def perform(path, *options):
    curl.reset()
    common = [
        (pycurl.URL, f"{scheme}://{address}/{remote}/{quote(os.fsencode(path))}"),
        (pycurl.USERPWD, "u:p"),
        (pycurl.USE_SSL, pycurl.USESSL_ALL),
        (pycurl.SSL_VERIFYPEER, 0),
        (pycurl.SSL_VERIFYHOST, 0),
        (pycurl.TIMEOUT, 20),
        (pycurl.FTP_CREATE_MISSING_DIRS, 1),
    ]
    if mode == "active":
        common.append((pycurl.FTPPORT, "-"))
    for option, value in common + list(options):
        curl.setopt(option, value)
    curl.perform()


files = sorted(path.relative_to(up) for path in pathlib.Path(up).rglob("*") if path.is_file())
for path in files:
    content = pathlib.Path(up, path).read_bytes()
    perform(path, (pycurl.UPLOAD, 1), (pycurl.READDATA, io.BytesIO(content)), (pycurl.INFILESIZE, len(content)))
for path in files:
    target = pathlib.Path(down, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        perform(path, (pycurl.WRITEDATA, file))
