//! How many connections there may be.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::rc::Rc;

use crate::limits::Limits;

/// How many connections there are.
#[derive(Default)]
pub(crate) struct Connections {
    all: usize,
    by_network: BTreeMap<IpAddr, usize>,
}

/// Counts a connection for as long as it lives.
pub(crate) struct Admission {
    connections: Rc<RefCell<Connections>>,
    network: IpAddr,
}

impl Admission {
    /// `None` if there are too many already.
    pub(crate) fn new(connections: &Rc<RefCell<Connections>>, limits: &Limits, peer: IpAddr) -> Option<Rc<Self>> {
        let network = network(peer);
        let mut count = connections.borrow_mut();
        let here = count.by_network.get(&network).copied().unwrap_or(0);
        if count.all >= limits.connections || here >= limits.connections_from(peer) {
            return None;
        }
        count.all += 1;
        count.by_network.insert(network, here + 1);
        Some(Rc::new(Self { connections: connections.clone(), network }))
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut count = self.connections.borrow_mut();
        count.all -= 1;
        let left = count.by_network.get(&self.network).map_or(0, |here| here - 1);
        if left == 0 {
            count.by_network.remove(&self.network);
        } else {
            count.by_network.insert(self.network, left);
        }
    }
}

/// What counts as one address: of IPv6, the /64 that a single customer has.
fn network(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bug_20_so_many_and_no_more() {
        let connections = Rc::default();
        let limits = Limits { connections: 3, connections_per_address: Some(2), ..Limits::default() };
        let admit = |address: &str| Admission::new(&connections, &limits, address.parse().unwrap());
        let (first, second) = (admit("192.0.2.1").unwrap(), admit("192.0.2.1").unwrap());
        assert!(admit("192.0.2.1").is_none());
        let third = admit("2001:db8::1").unwrap();
        assert!(admit("192.0.2.2").is_none());
        drop(first);
        let fourth = admit("2001:db8::ffff").unwrap();
        drop(second);
        assert!(admit("2001:db8::2").is_none() && admit("2001:db8:0:1::1").is_some());
        drop((third, fourth));
        assert!(connections.borrow().by_network.is_empty() && connections.borrow().all == 0);
    }
}
