//! pyftpdlib, asynchronous.

use super::{Kind, PASSIVE_PORTS, USER};
use crate::client::PASSWORD;

pub(super) static KIND: Kind = Kind {
    name: "pyftpdlib",
    ours: false,
    lacks: &[],
    user: USER,
    program: |plan| plan.peers.join("python/bin/python3"),
    start: |setup| {
        let script = format!(
            "import logging\nfrom pyftpdlib.authorizers import DummyAuthorizer\n\
             from pyftpdlib.handlers import TLS_FTPHandler as Handler\nfrom pyftpdlib.servers import FTPServer\n\
             logging.basicConfig(level=logging.ERROR)\nauthorizer = DummyAuthorizer()\n\
             authorizer.add_user({USER:?}, {PASSWORD:?}, {root:?}, perm='elradfmwMT')\n\
             Handler.authorizer = authorizer\nHandler.certfile = {both:?}\nHandler.timeout = 3600\n\
             Handler.passive_ports = range({first}, {last})\n\
             server = FTPServer(('127.0.0.1', {port}), Handler)\nserver.max_cons = 100000\n\
             server.serve_forever()\n",
            root = setup.root.display().to_string(),
            both = setup.identity.both.display().to_string(),
            first = PASSIVE_PORTS.0,
            last = PASSIVE_PORTS.1,
            port = setup.port,
        );
        let mut command = setup.command();
        command.arg(setup.file("server.py", &script)?);
        Ok(command)
    },
};
