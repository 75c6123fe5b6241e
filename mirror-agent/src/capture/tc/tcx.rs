//! The chain of programs of an interface's TCX (Linux 6.6). A link holds its program there, so what an agent attached goes with
//! it, and the kernel exchanges the chain at once: who comes or goes costs the others no packet.

use anyhow::Context;
use aya::programs::{
    LinkOrder, SchedClassifier, TcAttachType,
    tc::{SchedClassifierLink, TcAttachOptions},
};

use super::{gaps::Standing, programs::is_of_an_agent};

/// Attaches first in the chain.
pub(super) fn attach(
    program: &mut SchedClassifier,
    interface: &str,
    direction: TcAttachType,
) -> anyhow::Result<SchedClassifierLink> {
    let first = TcAttachOptions::TcxOrder(LinkOrder::first());
    let link = program.attach_with_options(interface, direction, first)?;
    program.take_link(link).context("keeping the link")
}

/// Where a program of ours is; None when that cannot be told, as of an interface that is gone or while another
/// program goes.
pub(super) fn standing(interface: &str, direction: TcAttachType, program: u32) -> Option<Standing> {
    let (_, chain) = SchedClassifier::query_tcx(interface, direction).ok()?;
    let Some(place) = chain.iter().position(|found| found.id() == program) else {
        return Some(Standing::Missing);
    };
    let agents =
        |found: &aya::programs::ProgramInfo| found.name_as_str().is_some_and(is_of_an_agent);
    Some(if chain[..place].iter().all(agents) {
        Standing::InPlace
    } else {
        Standing::Behind
    })
}
