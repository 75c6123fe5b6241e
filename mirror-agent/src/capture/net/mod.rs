//! The host's interfaces and network namespaces, as capture asks the kernel for them.

pub mod links;
pub mod namespace;
pub(super) mod netlink;
