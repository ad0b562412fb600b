//! Addresses in commands and replies: host-port (RFC 959 §4.1.2) and its successor (RFC 2428).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Why the argument of EPRT cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadEprt {
    /// Not of the form `|family|address|port|`.
    Syntax,
    /// A network protocol other than 1 and 2 (RFC 2428 §2: 522).
    Family,
}

/// ```text
/// <host-port> ::= <host-number>,<port-number>      h1,h2,h3,h4,p1,p2, each 0 to 255
/// ```
pub fn parse_host_port(argument: &[u8]) -> Option<SocketAddr> {
    let mut numbers = [0u8; 6];
    let mut fields = argument.split(|&octet| octet == b',');
    for number in &mut numbers {
        *number = u8::try_from(decimal(fields.next()?.trim_ascii())?).ok()?;
    }
    let [a, b, c, d, high, low] = numbers;
    let ip = Ipv4Addr::new(a, b, c, d);
    fields.next().is_none().then(|| SocketAddr::new(ip.into(), u16::from_be_bytes([high, low])))
}

/// The text inside the parentheses of a 227 reply.
pub fn host_port(ip: Ipv4Addr, port: u16) -> String {
    let [a, b, c, d] = ip.octets();
    let [high, low] = port.to_be_bytes();
    format!("{a},{b},{c},{d},{high},{low}")
}

/// ```text
/// EPRT <space> <d> <net-prt> <d> <net-addr> <d> <tcp-port> <d>
/// ```
/// where `<d>` is any of ASCII 33 to 126, the same each time.
pub fn parse_eprt(argument: &[u8]) -> Result<SocketAddr, BadEprt> {
    let (&delimiter, rest) = argument.split_first().ok_or(BadEprt::Syntax)?;
    if !(33..=126).contains(&delimiter) {
        return Err(BadEprt::Syntax);
    }
    let mut fields = rest.split(|&octet| octet == delimiter);
    let (Some(family), Some(address), Some(port), Some([]), None) =
        (fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(BadEprt::Syntax);
    };
    let family = decimal(family).ok_or(BadEprt::Syntax)?;
    let address = std::str::from_utf8(address).map_err(|_| BadEprt::Syntax)?;
    let ip: IpAddr = match family {
        1 => address.parse::<Ipv4Addr>().map(IpAddr::V4),
        2 => address.parse::<Ipv6Addr>().map(IpAddr::V6),
        _ => return Err(BadEprt::Family),
    }
    .map_err(|_| BadEprt::Syntax)?;
    let port = decimal(port).and_then(|port| u16::try_from(port).ok()).ok_or(BadEprt::Syntax)?;
    Ok(SocketAddr::new(ip, port))
}

/// Why the argument of LPRT cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadLprt {
    /// Not of the form that RFC 1639 §3 gives.
    Syntax,
    /// An address family other than 4 and 6 (RFC 1639 §3: 521).
    Family,
}

/// ```text
/// LPRT <SP> af,hal,h1,h2,h3,h4...,pal,p1,p2...      each 0 to 255 (RFC 1639 §3)
/// ```
pub fn parse_lprt(argument: &[u8]) -> Result<SocketAddr, BadLprt> {
    let octet = |field: &[u8]| u8::try_from(decimal(field.trim_ascii())?).ok();
    let octets: Option<Vec<u8>> = argument.split(|&octet| octet == b',').map(octet).collect();
    match octets.as_deref().ok_or(BadLprt::Syntax)? {
        [4, 4, a, b, c, d, 2, high, low] => {
            Ok(SocketAddr::new(Ipv4Addr::new(*a, *b, *c, *d).into(), u16::from_be_bytes([*high, *low])))
        }
        [6, 16, address @ .., 2, high, low] => {
            let address = <[u8; 16]>::try_from(address).map_err(|_| BadLprt::Syntax)?;
            Ok(SocketAddr::new(Ipv6Addr::from(address).into(), u16::from_be_bytes([*high, *low])))
        }
        [4 | 6, ..] => Err(BadLprt::Syntax),
        _ => Err(BadLprt::Family),
    }
}

/// The text inside the parentheses of a 228 reply (RFC 1639 §4).
pub fn long_host_port(address: SocketAddr) -> String {
    let (family, octets) = match address.ip().to_canonical() {
        IpAddr::V4(ip) => (4, ip.octets().to_vec()),
        IpAddr::V6(ip) => (6, ip.octets().to_vec()),
    };
    let host: String = octets.iter().map(|octet| format!(",{octet}")).collect();
    let [high, low] = address.port().to_be_bytes();
    format!("{family},{}{host},2,{high},{low}", octets.len())
}

/// The address that a client means which does not know its own: lftp sends `::`, clients behind NAT send
/// private addresses. Both can only be where the control connection comes from.
pub fn meant(to: SocketAddr, client: IpAddr) -> SocketAddr {
    let private = |ip: IpAddr| matches!(ip.to_canonical(), IpAddr::V4(ip) if ip.is_private());
    if to.ip().is_unspecified() || private(to.ip()) && !private(client) {
        SocketAddr::new(client, to.port())
    } else {
        to
    }
}

/// A data connection to anybody but the client, or to a port that a service may listen on: an FTP
/// bounce (RFC 2577 §3).
pub fn is_bounce(to: SocketAddr, client: IpAddr) -> bool {
    to.ip().to_canonical() != client.to_canonical() || to.port() < FIRST_USER_PORT
}

/// A decimal number of digits alone.
pub fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Ports below are those of services (RFC 2577 §3).
const FIRST_USER_PORT: u16 = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_port_both_ways() {
        let address: SocketAddr = "127.0.0.1:5001".parse().unwrap();
        assert_eq!(parse_host_port(b"127,0,0,1,19,137"), Some(address));
        assert_eq!(host_port(Ipv4Addr::LOCALHOST, 5001), "127,0,0,1,19,137");
        for bad in ["", "1,2,3,4,5", "1,2,3,4,5,6,7", "1,2,3,4,5,256", "1,2,3,4,5,-1", "1,2,3,4,,6", "a,2,3,4,5,6"] {
            assert_eq!(parse_host_port(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn eprt() {
        assert_eq!(parse_eprt(b"|1|132.235.1.2|6275|"), Ok("132.235.1.2:6275".parse().unwrap()));
        assert_eq!(parse_eprt(b"|2|1080::8:800:200C:417A|5282|"), Ok("[1080::8:800:200c:417a]:5282".parse().unwrap()));
        assert_eq!(parse_eprt(b"!1!127.0.0.1!2000!"), Ok("127.0.0.1:2000".parse().unwrap()));
        assert_eq!(parse_eprt(b"|3|x|1|"), Err(BadEprt::Family));
        for bad in ["", "|", "|1|127.0.0.1|2000", "|1|::1|2000|", "|1|127.0.0.1|65536|", "|1|127.0.0.1|1|x|", "|||"] {
            assert_eq!(parse_eprt(bad.as_bytes()), Err(BadEprt::Syntax), "{bad}");
        }
    }

    #[test]
    fn long_addresses_both_ways() {
        for (address, text) in [
            ("127.0.0.1:5001", "4,4,127,0,0,1,2,19,137"),
            ("[::1]:5001", "6,16,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,2,19,137"),
        ] {
            let address: SocketAddr = address.parse().unwrap();
            assert_eq!(long_host_port(address), text);
            assert_eq!(parse_lprt(text.as_bytes()), Ok(address));
        }
        assert_eq!(parse_lprt(b"5,4,1,2,3,4,2,5,6"), Err(BadLprt::Family));
        for bad in ["", "4", "4,4,1,2,3,4,2,5", "4,4,1,2,3,4,2,5,256", "4,4,1,2,3,4,3,5,6", "6,16,1,2,5,6", "x"] {
            assert_eq!(parse_lprt(bad.as_bytes()), Err(BadLprt::Syntax), "{bad}");
        }
    }

    #[test]
    fn clients_that_do_not_know_their_address() {
        let client: IpAddr = "192.0.2.1".parse().unwrap();
        for typed in ["0.0.0.0:2000", "[::]:2000", "10.0.0.1:2000"] {
            assert_eq!(meant(typed.parse().unwrap(), client), SocketAddr::new(client, 2000), "{typed}");
        }
        let other = "198.51.100.1:2000".parse().unwrap();
        assert_eq!(meant(other, client), other);
        let neighbour = "10.0.0.2:2000".parse().unwrap();
        assert_eq!(meant(neighbour, "10.0.0.1".parse().unwrap()), neighbour);
    }

    #[test]
    fn bug_01_bounces() {
        let client: IpAddr = "127.0.0.1".parse().unwrap();
        assert!(!is_bounce("127.0.0.1:1024".parse().unwrap(), client));
        assert!(!is_bounce("[::ffff:127.0.0.1]:1024".parse().unwrap(), client));
        assert!(is_bounce("127.0.0.1:1023".parse().unwrap(), client));
        assert!(is_bounce("127.0.0.2:2000".parse().unwrap(), client));
        assert!(is_bounce("[::1]:2000".parse().unwrap(), client));
        assert!(is_bounce("224.0.0.1:2000".parse().unwrap(), client));
        assert!(is_bounce("[::ffff:127.0.0.2]:2000".parse().unwrap(), client));
    }
}
