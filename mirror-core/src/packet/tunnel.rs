//! Tunnels that are looked into when asked, by name.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use crate::counters::schema_of;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How a packet is wrapped into another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tunnel {
    Vxlan,
    Geneve,
    Gre,
    Erspan,
    IpInIp,
    Mpls,
}

impl Tunnel {
    const ALL: [Self; 6] = [
        Self::Vxlan,
        Self::Geneve,
        Self::Gre,
        Self::Erspan,
        Self::IpInIp,
        Self::Mpls,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Vxlan => "VXLAN",
            Self::Geneve => "Geneve",
            Self::Gre => "GRE",
            Self::Erspan => "ERSPAN",
            Self::IpInIp => "IP-in-IP",
            Self::Mpls => "MPLS",
        }
    }
}

/// Packets that were not looked into, by their tunnel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TunnelCounts([u64; Tunnel::ALL.len()]);

impl TunnelCounts {
    pub fn add(&mut self, tunnel: Tunnel) {
        self.0[tunnel as usize] += 1;
    }

    /// Those that occurred.
    pub fn iter(&self) -> impl Iterator<Item = (Tunnel, u64)> {
        let counts = Tunnel::ALL.into_iter().zip(self.0);
        counts.filter(|(_, count)| *count > 0)
    }
}

impl AddAssign for TunnelCounts {
    fn add_assign(&mut self, other: Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count += more;
        }
    }
}

schema_of!(TunnelCounts => BTreeMap<String, u64>);

impl Serialize for TunnelCounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(tunnel, count)| (tunnel.name(), count)))
    }
}

impl<'de> Deserialize<'de> for TunnelCounts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let named = BTreeMap::<String, u64>::deserialize(deserializer)?;
        let count = |tunnel: Tunnel| named.get(tunnel.name()).copied().unwrap_or(0);
        Ok(Self(Tunnel::ALL.map(count)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tunnels_are_counted_by_name() {
        let mut counts = TunnelCounts::default();
        for tunnel in Tunnel::ALL.into_iter().chain([Tunnel::Vxlan]) {
            counts.add(tunnel);
        }
        counts += counts;
        let json = serde_json::to_value(counts).unwrap();
        assert_eq!((&json["VXLAN"], &json["MPLS"]), (&4.into(), &2.into()));
        assert_eq!(counts.iter().count(), 6);
        assert_eq!(
            serde_json::from_value::<TunnelCounts>(json).unwrap(),
            counts
        );
        assert_eq!(TunnelCounts::default().iter().count(), 0);
    }
}
