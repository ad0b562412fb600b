//! The server-PI: one control connection, from greeting to goodbye.
//!
//! A handler takes what its verb was given and returns a reply; `Err` is a reply too, so that `?` ends a
//! command early. Only `transfer` waits for anything while the client may still speak.

mod access;
mod checksum;
mod control;
mod copy;
mod error;
mod facts;
mod files;
mod info;
mod lister;
mod listing;
mod names;
mod params;
mod ports;
mod race;
mod retrieve;
mod security;
mod site;
mod state;
mod store;
mod transfer;
mod walk;

use control::{Control, Incoming};
use state::{Login, Parameters, Pending, User};

use crate::env::{Ending, Env, Event, StorageError};
use crate::proto::arguments::FactChanges;
use crate::proto::command::{self, Command};
use crate::proto::line::Line;
use crate::proto::path::VPath;
use crate::proto::reply::{Code, Reply};
use crate::proto::verb::Verb;

/// Serve one client over `env`, until it or the host ends the session.
pub async fn serve<E: Env>(env: &E) {
    let mut session = Session {
        env,
        control: Control::new(env),
        login: Login::Nobody,
        parameters: Parameters { security: Session::initial_security(env), ..Parameters::default() },
        pending: None,
        misunderstood: 0,
        sized: None,
        ending: None,
    };
    session.run().await;
}

/// One session.
struct Session<'e, E: Env> {
    env: &'e E,
    control: Control<'e, E>,
    login: Login<E::Volume>,
    parameters: Parameters<E::Port>,
    /// What the last command has begun.
    pending: Option<Pending>,
    /// What SIZE was last asked of.
    sized: Option<VPath>,
    /// Lines in a row that were no commands.
    misunderstood: u32,
    /// Seen while a transfer ran, and due after it.
    ending: Option<Ending>,
}

/// What becomes of the session after a command.
enum After {
    Continue,
    Close,
}

impl<E: Env> Session<'_, E> {
    async fn run(&mut self) {
        self.control.say(&Reply::new(Code::ReadyForUser, "FTP server ready"));
        loop {
            let incoming = match self.ending {
                Some(ending) => Incoming::Ending(ending),
                None => self.control.next().await,
            };
            let after = match incoming {
                Incoming::Line(line) => self.obey(line).await,
                Incoming::Closed => return,
                Incoming::Ending(ending) => {
                    self.control.say(&error::leaving(ending));
                    After::Close
                }
            };
            if let After::Close = after {
                return self.control.flush().await;
            }
        }
    }

    /// Do what a line says, and reply.
    async fn obey(&mut self, line: Line) -> After {
        let pending = self.pending.take();
        let (verb, result) = match &line {
            Line::Complete(line) => self.answer(line, pending).await,
            Line::TooLong => ("", Err(Reply::new(Code::LineTooLong, "Command line too long"))),
        };
        if let Err(refusal) = &result
            && refusal.code.number() >= 400
        {
            self.env.record(Event::Refused(verb, refusal.code.number()));
        }
        let (Ok(mut reply) | Err(mut reply)) = result;
        self.misunderstood = if reply.code == Code::SyntaxError { self.misunderstood + 1 } else { 0 };
        if self.misunderstood > MAX_MISUNDERSTOOD {
            reply = Reply::new(Code::Leaving, "Too many lines that are no commands");
        }
        if reply.code == Code::WrongProtocol {
            log::warn!("the client speaks another protocol");
        }
        self.control.say(&reply);
        if reply.code.ends_session() { After::Close } else { After::Continue }
    }

    /// The verb of a line, and the reply to it.
    async fn answer(&mut self, line: &[u8], pending: Option<Pending>) -> (&'static str, Result<Reply, Reply>) {
        let (row, argument) = match command::split(line) {
            Ok(found) => found,
            Err(error) => return ("", Err(error.into())),
        };
        if row.login && !matches!(self.login, Login::User(_)) {
            return (row.name, Err(not_logged_in()));
        }
        // Those of users, and passwords, are octets.
        let argument = match row.verb {
            Verb::User | Verb::Pass | Verb::Acct => argument.to_vec(),
            _ => self.control.names.to_disk(self.env, argument),
        };
        let result = match command::parse(row, &argument) {
            Ok(command) => self.perform(command, pending).await,
            Err(error) => Err(error.into()),
        };
        (row.name, result)
    }

    async fn perform(&mut self, command: Command, pending: Option<Pending>) -> Result<Reply, Reply> {
        match command {
            Command::Abor => Ok(self.abort_nothing()),
            Command::Acct => Ok(Reply::new(Code::Superfluous, "No account is needed")),
            Command::Allo(size) => self.allocate(size).await,
            Command::Appe(name) => self.append(&name).await,
            Command::Auth(mechanism) => self.protect(mechanism).await,
            Command::Avbl(name) => self.available(&name).await,
            Command::Ccc => self.clear_commands().await,
            Command::Cdup => self.change_directory(b"..").await,
            Command::Checksum(algorithm, argument) => self.checksum(algorithm, &argument).await,
            Command::Clnt => Ok(Reply::new(Code::Done, "Noted")),
            Command::Comb(names) => self.combine(&names).await,
            Command::Csid => Ok(info::identify()),
            Command::Cwd(name) => self.change_directory(&name).await,
            Command::Dele(name) => self.delete(&name).await,
            Command::Eprt(to) | Command::Lprt(to) | Command::Port(to) => self.active(to),
            Command::Epsv(which) => self.extended_passive(which),
            Command::Feat => Ok(self.features()),
            Command::Hash(name) => self.hash(&name).await,
            Command::Help(None) => Ok(info::help()),
            Command::Help(Some(verb)) => info::help_on(&verb),
            Command::Host(name) => self.host(&name),
            Command::Lang(tag) => info::language(tag.as_deref()),
            Command::List(argument) => self.list(&argument).await,
            Command::Lpsv => self.long_passive(),
            Command::Md5(name) => self.md5(&name).await,
            Command::Mdtm(argument) => self.modification_time(&argument).await,
            Command::Mfct(time, name) => self.change_facts("MFCT", FactChanges::created(time), &name).await,
            Command::Mff(changes, name) => self.change_facts("MFF", changes, &name).await,
            Command::Mfmt(time, name) => self.change_facts("MFMT", FactChanges::modified(time), &name).await,
            Command::Mkd(name) => self.make_directory(&name).await,
            Command::Mlsd(name) => self.machine_list(&name).await,
            Command::Mlst(name) => self.machine_list_one(&name).await,
            Command::Mode(mode) => Ok(self.mode(mode)),
            Command::Nlst(argument) => self.name_list(&argument).await,
            Command::Noop => Ok(Reply::new(Code::Done, "OK")),
            Command::Opts(options) => self.set_options(options),
            Command::Pass(password) => self.password(&password).await,
            Command::Pasv => self.passive(),
            Command::Pbsz => self.buffer_size(),
            Command::Pret => Ok(Reply::new(Code::Done, "OK")),
            Command::Prot(level) => self.protect_data(level),
            Command::Pwd => self.working_directory(),
            Command::Quit => Ok(Reply::new(Code::Goodbye, "Goodbye")),
            Command::Rang(range) => Ok(self.range(range)),
            Command::Rein => self.reinitialize().await,
            Command::Rest(offset) => Ok(self.restart(offset)),
            Command::Retr(name) => self.retrieve(&name).await,
            Command::Rmd(name) => self.remove_directory(&name).await,
            Command::Rmda(name) => self.remove_tree(&name).await,
            Command::Rnfr(name) => self.rename_from(&name).await,
            Command::Rnto(name) => self.rename_to(pending, &name).await,
            Command::Site(command) => self.site(command, pending).await,
            Command::Size(name) => self.size(&name).await,
            Command::Smnt => Ok(Reply::new(Code::Superfluous, "Everything is mounted")),
            Command::Stat(None) => Ok(self.status()),
            Command::Stat(Some(argument)) => self.status_of(&argument).await,
            Command::Stor(name) => self.store(&name).await,
            Command::Stou(name) => self.store_unique(name.as_deref()).await,
            Command::Stru(structure) => Ok(self.structure(structure)),
            Command::Syst => Ok(Reply::new(Code::SystemType, "UNIX Type: L8")),
            Command::Type(representation) => Ok(self.represent(representation)),
            Command::User(name) => self.user_name(name).await,
        }
    }

    /// What a pathname names.
    fn path(&self, name: &[u8]) -> Result<VPath, Reply> {
        Ok(self.user()?.directory.join(name)?)
    }

    /// The same, of something that is to be written: 553 if the name cannot be (RFC 959 §5.4).
    fn new_path(&self, name: &[u8]) -> Result<VPath, Reply> {
        self.user()?.directory.join(name).map_err(|_| error::to_be_written(StorageError::BadName))
    }

    /// The user, for verbs that need one.
    fn user(&self) -> Result<&User<E::Volume>, Reply> {
        match &self.login {
            Login::User(user) => Ok(user),
            Login::Nobody | Login::Named(_) => Err(not_logged_in()),
        }
    }
}

/// Lines in a row that are no commands: no client of FTP sends so many, and who speaks another protocol should not
/// be led on (ALPACA).
const MAX_MISUNDERSTOOD: u32 = 100;

fn not_logged_in() -> Reply {
    Reply::new(Code::NotLoggedIn, "Please log in with USER and PASS")
}
