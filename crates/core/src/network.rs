//! Where requests may go, as addresses: what is public, what is never asked, and what whoever runs this process denies. Looks
//! no name up and connects to nothing; whoever does asks here before.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{OnceLock, PoisonError, RwLock};

use url::{Host, Url};

use crate::error::{Error, ErrorKind, Result};

/// Metadata services of clouds that are no link-local addresses: AWS over IPv6, Alibaba, Oracle.
const METADATA: [IpAddr; 3] = [
    IpAddr::V6(Ipv6Addr::new(0xFD00, 0xEC2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
];

/// How far a request may go, by what the document says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// To addresses of the public network.
    Public,
    /// Also to this machine and to private networks.
    Private,
}

/// What whoever runs this process says of networks; documents change nothing of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Where no request may go.
    pub denied: Vec<Range>,
    /// What of that it may nevertheless.
    pub allowed: Vec<Range>,
}

/// A range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// All that are not public.
    Private,
    /// Those that begin with the same bits.
    Bits(IpAddr, u8),
}

/// Why an address is not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The request is for the public network, and the address is none of it.
    NotPublic,
    /// It never is, or not by this process.
    Forbidden,
}

/// The rules of this process, and the port where it answers itself.
#[derive(Debug, Default)]
pub struct Guard {
    rules: Rules,
    own_port: OnceLock<u16>,
    /// Where other processes of Levada answer on this machine.
    other_ports: RwLock<Vec<u16>>,
}

impl Range {
    /// From `10.0.0.0/8`, an address, or `private`.
    ///
    /// # Errors
    /// `Config` for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || {
            Error::new(ErrorKind::Config, format!("`{}` is not a network", text.escape_debug()))
                .advise("Write `10.0.0.0/8`, `fd00::/8`, an address, or `private` for all that are not public.")
        };
        if text == "private" {
            return Ok(Self::Private);
        }
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |bits| bits.parse().map_err(|_| wrong()))?;
        if bits > most { Err(wrong()) } else { Ok(Self::Bits(address, bits)) }
    }

    fn contains(self, address: IpAddr) -> bool {
        match (self, address) {
            (Self::Private, address) => !is_public(address),
            (Self::Bits(IpAddr::V4(range), bits), IpAddr::V4(address)) => {
                let cut = |address: Ipv4Addr| u32::from(address).checked_shr(32 - u32::from(bits)).unwrap_or(0);
                cut(range) == cut(address)
            }
            (Self::Bits(IpAddr::V6(range), bits), IpAddr::V6(address)) => {
                let cut = |address: Ipv6Addr| u128::from(address).checked_shr(128 - u32::from(bits)).unwrap_or(0);
                cut(range) == cut(address)
            }
            _ => false,
        }
    }
}

impl Rules {
    /// Lists of networks, parted by commas.
    ///
    /// # Errors
    /// `Config` for what is no network.
    pub fn parse(denied: &str, allowed: &str) -> Result<Self> {
        let list = |text: &str| -> Result<Vec<Range>> {
            text.split(',').map(str::trim).filter(|one| !one.is_empty()).map(Range::parse).collect()
        };
        Ok(Self { denied: list(denied)?, allowed: list(allowed)? })
    }

    fn check(&self, address: IpAddr, reach: Reach, is_own_port: bool) -> Result<(), Refusal> {
        // all that it may be: what stands in the packet, and what a gateway makes of it
        let meant = [Some(address), inner(address)];
        let any = |is_so: &dyn Fn(IpAddr) -> bool| meant.iter().flatten().any(|address| is_so(*address));
        let is_in = |ranges: &[Range]| ranges.iter().any(|range| any(&|address| range.contains(address)));
        if any(&is_never_asked) || (is_own_port && any(&|address| address.is_loopback())) {
            return Err(Refusal::Forbidden);
        }
        if is_in(&self.denied) && !is_in(&self.allowed) {
            return Err(Refusal::Forbidden);
        }
        if reach == Reach::Public && !is_public(address) { Err(Refusal::NotPublic) } else { Ok(()) }
    }
}

impl Guard {
    /// With the rules of whoever runs this process.
    pub fn new(rules: Rules) -> Self {
        Self { rules, ..Self::default() }
    }

    /// One that lets nothing through, for where the rules cannot be told.
    pub fn closed() -> Self {
        let all = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
        Self::new(Rules { denied: all.map(|address| Range::Bits(address, 0)).to_vec(), allowed: Vec::new() })
    }

    /// Says at which port of this machine Levada answers, where no request of a document is to go.
    pub fn answers_at(&self, port: u16) {
        let _ = self.own_port.set(port);
    }

    /// Says at which ports of this machine other processes of Levada answer now.
    pub fn others_answer_at(&self, ports: Vec<u16>) {
        *self.other_ports.write().unwrap_or_else(PoisonError::into_inner) = ports;
    }

    /// Whether this is a port where Levada answers.
    pub fn is_own_port(&self, port: Option<u16>) -> bool {
        let Some(port) = port else { return false };
        let others = self.other_ports.read().unwrap_or_else(PoisonError::into_inner);
        self.own_port.get() == Some(&port) || others.contains(&port)
    }

    /// Refuses a URL with an address in place of a name, where that may not be asked. A name is checked where it is looked
    /// up.
    ///
    /// # Errors
    /// `Refused`.
    pub fn check(&self, url: &Url, reach: Reach) -> Result<()> {
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::from(address),
            Some(Host::Ipv6(address)) => IpAddr::from(address),
            Some(Host::Domain("localhost")) if reach == Reach::Private => Ipv4Addr::LOCALHOST.into(),
            _ => return Ok(()),
        };
        let checked = self.rules.check(literal, reach, self.is_own_port(url.port_or_known_default()));
        checked.map_err(Refusal::told)
    }

    /// Those of the addresses of a name that may be connected to.
    ///
    /// # Errors
    /// Why there is none.
    pub fn only(&self, found: Vec<SocketAddr>, reach: Reach, is_own_port: bool) -> Result<Vec<SocketAddr>, Refusal> {
        let mut refusal = Refusal::Forbidden;
        let mut may = Vec::with_capacity(found.len());
        for address in found {
            match self.rules.check(address.ip(), reach, is_own_port) {
                Ok(()) => may.push(address),
                // what the document can say helps
                Err(Refusal::NotPublic) => refusal = Refusal::NotPublic,
                Err(Refusal::Forbidden) => {}
            }
        }
        if may.is_empty() { Err(refusal) } else { Ok(may) }
    }
}

impl Refusal {
    /// What that means for whoever asked.
    pub fn told(self) -> Error {
        match self {
            Self::NotPublic => Error::new(ErrorKind::Refused, self.to_string())
                .advise("Set `private: true` if the request is to reach this machine or a private network."),
            Self::Forbidden => Error::new(ErrorKind::Refused, self.to_string()).advise(
                "Link-local addresses, metadata services and Levada itself never are; LEVADA_DENY_NETWORKS names others.",
            ),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotPublic => "the address is not of the public network",
            Self::Forbidden => "the address is not asked by tasks",
        })
    }
}

impl std::error::Error for Refusal {}

/// Whether an address is of no use but to find out about this machine: the link, metadata services, no address at all, groups.
fn is_never_asked(address: IpAddr) -> bool {
    let is_of_link = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.octets()[0] == 0 || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    is_of_link || address.is_unspecified() || address.is_multicast() || METADATA.contains(&address)
}

/// The address of IPv4 that one of IPv6 stands for: mapped, translated (NAT64), 6to4.
fn inner(address: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(v6) = address else { return None };
    let parts = v6.segments();
    let (high, low) = match parts {
        // the compatible ones too, which nobody uses any more
        [0, 0, 0, 0, 0, 0 | 0xFFFF, high, low] if high != 0 || low > 1 => (high, low),
        [0x64, 0xFF9B, 0, 0, 0, 0, high, low] => (high, low),
        [0x2002, high, low, ..] => (high, low),
        _ => return None,
    };
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Some(Ipv4Addr::new(a, b, c, d).into())
}

/// Whether an address is one of the public network: in none of the ranges that IANA's special-purpose registries
/// (RFC 6890) keep for this machine, private networks, links, tests and groups, in whatever disguise.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || a == 0
        || a >= 224
        || (a, b & 0xC0) == (100, 64)
        || (a, b & 0xFE) == (198, 18)
        || (a, b, c) == (192, 0, 0)
        || (a, b, c) == (192, 88, 99))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    match parts {
        // IPv4 in IPv6: mapped, translated (NAT64) and 6to4.
        [0, 0, 0, 0, 0, 0xFFFF, ..] | [0x64, 0xFF9B, 0, 0, 0, 0, ..] | [0x2002, ..] => {
            inner(address.into()).is_some_and(is_public)
        }
        // Teredo, benchmarks, ORCHID and documentation.
        [0x2001, 0..=0x01FF | 0x0DB8, ..] | [0x3FFF, 0..=0x0FFF, ..] => false,
        // Of all others only 2000::/3 is given out.
        [first, ..] => first & 0xE000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        for address in ["1.1.1.1", "172.15.0.1", "172.32.0.1", "100.128.0.1", "2606:4700::1", "::ffff:1.1.1.1"] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        for address in [
            "127.0.0.1",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.100.100.200",
            "192.0.0.192",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "fe80::1",
            "fd00:ec2::254",
            "fec0::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "100::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }

    fn told(rules: &Rules, address: &str, reach: Reach, is_own_port: bool) -> &'static str {
        match rules.check(address.parse().unwrap(), reach, is_own_port) {
            Ok(()) => "asked",
            Err(Refusal::NotPublic) => "not public",
            Err(Refusal::Forbidden) => "forbidden",
        }
    }

    #[test]
    fn some_addresses_are_never_asked() {
        let rules = Rules::parse("", "private,0.0.0.0/0,::/0").unwrap();
        for address in [
            "169.254.169.254",
            "169.254.0.1",
            "fe80::1",
            "fd00:ec2::254",
            "100.100.100.200",
            "192.0.0.192",
            "0.0.0.0",
            "0.1.2.3",
            "::",
            "224.0.0.1",
            "255.255.255.255",
            "ff02::1",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::",
        ] {
            assert_eq!(told(&rules, address, Reach::Private, false), "forbidden", "{address}");
        }
        for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(told(&rules, address, Reach::Private, false), "asked", "{address}");
            assert_eq!(told(&rules, address, Reach::Private, true), "forbidden", "{address}");
        }
        for address in ["10.0.0.1", "192.168.1.1", "fd12::1"] {
            assert_eq!(told(&rules, address, Reach::Private, true), "asked", "{address}");
            assert_eq!(told(&rules, address, Reach::Public, false), "not public", "{address}");
        }
    }

    #[test]
    fn networks_are_denied_and_parts_of_them_allowed() {
        let rules = Rules::parse("private, 8.8.8.0/24", "10.5.0.0/16,::1").unwrap();
        for (address, wanted) in [
            ("10.4.255.255", "forbidden"),
            ("10.5.0.1", "asked"),
            ("10.6.0.0", "forbidden"),
            ("127.0.0.1", "forbidden"),
            ("::ffff:10.6.0.0", "forbidden"),
            ("::ffff:10.5.0.0", "asked"),
            ("::1", "asked"),
            ("8.8.8.8", "forbidden"),
            ("8.8.9.8", "asked"),
        ] {
            assert_eq!(told(&rules, address, Reach::Private, false), wanted, "{address}");
        }
        for wrong in ["10.0.0.0/33", "::/129", "ten", "10.0.0.0/", "10.0.0.0/-1", "/8"] {
            assert!(Range::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Range::parse("0.0.0.0/0").unwrap().contains("1.2.3.4".parse().unwrap()));
        assert!(Range::parse("::/0").unwrap().contains("2606::1".parse().unwrap()));
    }
}
