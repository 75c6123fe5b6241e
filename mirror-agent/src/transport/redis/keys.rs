//! The names of keys.

use super::super::parcel::ProcessId;

#[derive(Clone, Debug)]
pub(super) struct Keys {
    prefix: String,
    name: String,
}

impl Keys {
    pub(super) fn new(prefix: &str, name: &str) -> Self {
        Self {
            prefix: prefix.into(),
            name: name.into(),
        }
    }

    pub(super) fn stream(&self, partition: u32) -> String {
        format!("{}{{{}:{partition}}}", self.prefix, self.name)
    }

    pub(super) fn shipped(&self, partition: u32) -> String {
        format!("{}:shipped", self.stream(partition))
    }

    fn state(&self, what: &str) -> String {
        format!("{}{{{}}}:{what}", self.prefix, self.name)
    }

    pub(super) fn partitions(&self) -> String {
        self.state("partitions")
    }

    /// The processes that capture, or those that replay in a group.
    pub(super) fn processes(&self, group: Option<&str>) -> String {
        match group {
            None => self.state("capture"),
            Some(group) => self.state(&format!("replay:{group}")),
        }
    }

    pub(super) fn process(&self, group: Option<&str>, process: ProcessId) -> String {
        format!("{}:{process}", self.processes(group))
    }

    pub(super) fn members(&self, group: &str) -> String {
        self.state(&format!("members:{group}"))
    }

    /// Who took each partition last.
    pub(super) fn readers(&self, group: &str) -> String {
        self.state(&format!("readers:{group}"))
    }

    pub(super) fn lease(&self, group: &str, partition: u32) -> String {
        self.state(&format!("lease:{group}:{partition}"))
    }
}
