//! Counts what is open, in all and per address, and refuses what would be too much.
//!
//! Used twice: for connections when they are accepted, and for WebSockets when they ask to join.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex};

/// A count with a limit, in all and per address.
pub(crate) struct Admission {
    max_total: usize,
    max_per_address: usize,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// Leave to be open; given back when dropped.
pub(crate) struct Permit {
    admission: Arc<Admission>,
    address: IpAddr,
}

impl Admission {
    pub(crate) fn new(max_total: usize, max_per_address: usize) -> Arc<Self> {
        Arc::new(Self { max_total, max_per_address, open: Mutex::default() })
    }

    /// How many are open.
    pub(crate) fn count(&self) -> usize {
        self.open.lock().expect("no panic while counting").total
    }

    /// Counts one more, unless that is too many.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Permit> {
        let address = network(address);
        let mut open = self.open.lock().expect("no panic while counting");
        if open.total >= self.max_total {
            return None;
        }
        let here = open.by_address.entry(address).or_default();
        if *here >= self.max_per_address {
            // The entry was there before: a limit of zero would leave one behind for each address.
            if *here == 0 {
                open.by_address.remove(&address);
            }
            return None;
        }
        *here += 1;
        open.total += 1;
        Some(Permit { admission: self.clone(), address })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.admission.open.lock().expect("no panic while counting");
        open.total -= 1;
        if let Some(here) = open.by_address.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                open.by_address.remove(&self.address);
            }
        }
    }
}

/// What counts as one address: a subscriber usually has a whole IPv6 /64 to choose from, and an IPv4
/// client of a dual-stack socket shows as a mapped address.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_and_the_whole_are_limited_and_permits_return() {
        let admission = Admission::new(3, 2);
        let (a, b) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let first = admission.admit(a).unwrap();
        let _second = admission.admit(a).unwrap();
        assert!(admission.admit(a).is_none());
        let _third = admission.admit(b).unwrap();
        assert!(admission.admit(b).is_none(), "the whole is full");
        assert_eq!(admission.count(), 3);
        drop(first);
        assert!(admission.admit(a).is_some());
        assert_eq!(admission.count(), 2, "that permit was dropped at once");
    }

    #[test]
    fn neighbours_in_an_ipv6_network_and_mapped_addresses_count_as_one() {
        let same = |a: &str, b: &str| network(a.parse().unwrap()) == network(b.parse().unwrap());
        assert!(same("2001:db8::1", "2001:db8::2:3"));
        assert!(!same("2001:db8::1", "2001:db8:0:1::1"));
        assert!(same("::ffff:10.0.0.1", "10.0.0.1"));
        assert!(!same("::ffff:10.0.0.1", "::ffff:10.0.0.2"));
    }

    #[test]
    fn addresses_that_left_or_were_refused_are_forgotten() {
        let admission = Admission::new(1, 1);
        drop(admission.admit("10.0.0.1".parse().unwrap()));
        let closed = Admission::new(1, 0);
        assert!(closed.admit("10.0.0.1".parse().unwrap()).is_none());
        assert!(admission.open.lock().unwrap().by_address.is_empty());
        assert!(closed.open.lock().unwrap().by_address.is_empty());
    }
}
