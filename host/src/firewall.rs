//! `wasi-ftpd firewall`: what a packet filter must let through. Under TLS it cannot read PORT and PASV, so it has to
//! be told.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::SocketAddr;
use std::ops::RangeInclusive;

use clap::ValueEnum;
use wasi_ftpd_host::config::{ActivePort, Config};

/// A packet filter, or a front end of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tool {
    Nftables,
    Iptables,
    Ufw,
    Firewalld,
}

/// The rules for the tools that are wanted, as commands to be run by root.
pub(crate) fn rules(config: &Config, tools: &[Tool]) -> String {
    let open = Open::of(config);
    let tools = if tools.is_empty() { Tool::value_variants() } else { tools };
    let mut text = open.summary();
    for tool in tools {
        let (name, lines) = match tool {
            Tool::Nftables => ("nftables (into the chains of the usual table inet filter)", open.nftables()),
            Tool::Iptables => ("iptables and ip6tables", open.iptables()),
            Tool::Ufw => ("ufw", open.ufw()),
            Tool::Firewalld => ("firewalld", open.firewalld()),
        };
        // Writing to a String does not fail.
        let _ = writeln!(text, "\n# {name}\n{}", lines.join("\n"));
    }
    text
}

/// What is to be let through.
struct Open {
    /// Where clients connect.
    control: BTreeSet<u16>,
    /// From where we connect to clients; none if that can be any port.
    active: BTreeSet<u16>,
    passive: RangeInclusive<u16>,
    families: Vec<&'static str>,
}

impl Open {
    fn of(config: &Config) -> Self {
        let addresses = control_addresses(config);
        let control: BTreeSet<u16> = addresses.iter().map(SocketAddr::port).collect();
        let active = match config.active_port {
            ActivePort::BesideControl => control.iter().filter_map(|port| port.checked_sub(1)).collect(),
            ActivePort::Fixed(port) => BTreeSet::from([port]),
            ActivePort::Any => BTreeSet::new(),
        };
        let mut families = Vec::new();
        families.extend(addresses.iter().any(SocketAddr::is_ipv4).then_some("iptables"));
        families.extend(addresses.iter().any(SocketAddr::is_ipv6).then_some("ip6tables"));
        Self { control, active, passive: config.passive_ports.clone(), families }
    }

    fn summary(&self) -> String {
        let active = if self.active.is_empty() { "any port".to_owned() } else { list(&self.active, ", ") };
        format!(
            "# in   tcp to {}: control connections\n# in   tcp to {}-{}: passive data connections\n\
             # out  tcp from {active} to 1024-65535: active data connections\n",
            list(&self.control, ", "),
            self.passive.start(),
            self.passive.end(),
        )
    }

    fn nftables(&self) -> Vec<String> {
        let (first, last) = (self.passive.start(), self.passive.end());
        let from = if self.active.is_empty() {
            String::new()
        } else {
            format!("tcp sport {{ {} }} ", list(&self.active, ", "))
        };
        vec![
            format!(
                "nft add rule inet filter input tcp dport {{ {}, {first}-{last} }} ct state new accept",
                list(&self.control, ", ")
            ),
            format!("nft add rule inet filter output {from}tcp dport 1024-65535 ct state new accept"),
        ]
    }

    fn iptables(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for program in &self.families {
            let new = "-m conntrack --ctstate NEW -j ACCEPT";
            for port in &self.control {
                lines.push(format!("{program} -A INPUT -p tcp --dport {port} {new}"));
            }
            let (first, last) = (self.passive.start(), self.passive.end());
            lines.push(format!("{program} -A INPUT -p tcp --dport {first}:{last} {new}"));
            if self.active.is_empty() {
                lines.push(format!("{program} -A OUTPUT -p tcp --dport 1024:65535 {new}"));
            }
            for port in &self.active {
                lines.push(format!("{program} -A OUTPUT -p tcp --sport {port} --dport 1024:65535 {new}"));
            }
        }
        lines
    }

    fn ufw(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.control.iter().map(|port| format!("ufw allow {port}/tcp")).collect();
        lines.push(format!("ufw allow {}:{}/tcp", self.passive.start(), self.passive.end()));
        if self.active.is_empty() {
            lines.push("ufw allow out to any port 1024:65535 proto tcp".to_owned());
        }
        for port in &self.active {
            lines.push(format!("ufw allow out proto tcp from any port {port} to any port 1024:65535"));
        }
        lines
    }

    fn firewalld(&self) -> Vec<String> {
        let mut lines: Vec<String> =
            self.control.iter().map(|port| format!("firewall-cmd --permanent --add-port={port}/tcp")).collect();
        lines.push(format!("firewall-cmd --permanent --add-port={}-{}/tcp", self.passive.start(), self.passive.end()));
        // firewalld lets everything out unless a policy says otherwise.
        lines.push("firewall-cmd --reload".to_owned());
        lines
    }
}

/// Everywhere control connections are accepted.
pub(crate) fn control_addresses(config: &Config) -> Vec<SocketAddr> {
    let implicit = config.tls.iter().flat_map(|tls| &tls.implicit_listen);
    config.listen.iter().chain(implicit).copied().collect()
}

fn list(ports: &BTreeSet<u16>, separator: &str) -> String {
    ports.iter().map(u16::to_string).collect::<Vec<_>>().join(separator)
}

#[cfg(test)]
mod tests {
    use wasi_ftpd_host::config::{Identities, Tls};

    use super::*;

    fn config() -> Config {
        let listen = vec!["0.0.0.0:21".parse().unwrap(), "[::]:21".parse().unwrap()];
        Config { listen, passive_ports: 50_000..=50_100, ..Config::default() }
    }

    #[test]
    fn every_tool_has_all_three() {
        for (tool, wanted) in [
            (Tool::Nftables, ["{ 21, 50000-50100 }", "sport { 20 }", "dport 1024-65535"]),
            (Tool::Iptables, ["ip6tables -A INPUT -p tcp --dport 21", "--dport 50000:50100", "--sport 20"]),
            (Tool::Ufw, ["ufw allow 21/tcp", "50000:50100/tcp", "from any port 20 to"]),
            (Tool::Firewalld, ["--add-port=21/tcp", "--add-port=50000-50100/tcp", "--reload"]),
        ] {
            let text = rules(&config(), &[tool]);
            wanted.iter().for_each(|part| assert!(text.contains(part), "{part}: {text}"));
        }
        assert_eq!(rules(&config(), &[]).matches("\n# ").count(), 2 + 4);
    }

    #[test]
    fn of_the_family_that_is_listened_on() {
        for (address, program, other) in
            [("[::]:21", "ip6tables -A", "iptables -A"), ("0.0.0.0:21", "iptables -A", "ip6tables -A")]
        {
            let mut config = config();
            config.listen = vec![address.parse().unwrap()];
            let text = rules(&config, &[Tool::Iptables]);
            let lines = |program| text.lines().filter(|line| line.starts_with(program)).count();
            assert_eq!((lines(program), lines(other)), (3, 0), "{text}");
        }
    }

    #[test]
    fn under_implicit_tls() {
        let mut config = config();
        let mut tls = Tls::new(Identities::SelfSigned(None));
        tls.implicit_listen = vec!["0.0.0.0:990".parse().unwrap()];
        config.tls = Some(tls);
        let text = rules(&config, &[Tool::Nftables]);
        assert!(text.contains("dport { 21, 990, 50000-50100 }") && text.contains("sport { 20, 989 }"), "{text}");
    }

    #[test]
    fn any_active_port() {
        let mut config = config();
        config.active_port = ActivePort::Any;
        let text = rules(&config, &[Tool::Iptables]);
        assert!(!text.contains("--sport") && text.contains("-A OUTPUT -p tcp --dport 1024:65535"), "{text}");
    }
}
