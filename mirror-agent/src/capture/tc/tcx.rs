//! The chain of programs of an interface's TCX (Linux 6.6). A link holds its program there, so what an agent attached
//! goes with it. The kernel exchanges the chain at once: an agent that comes or goes costs the others no packet.

use anyhow::Context;
use aya::programs::{
    LinkOrder, ProgramInfo, SchedClassifier, TcAttachType,
    tc::{SchedClassifierLink, TcAttachOptions},
};

use super::{
    blind_times::{Cause, Standing},
    programs,
};

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

/// Whether a program of others is in the chain, after which no clsact filter may be run.
pub(super) fn has_others(interface: &str, direction: TcAttachType) -> bool {
    SchedClassifier::query_tcx(interface, direction)
        .is_ok_and(|(_, chain)| chain.iter().any(|program| !is_of_an_agent(program)))
}

/// Where a program of ours is; None when that cannot be told, as of an interface that is gone or while another
/// program goes.
pub(super) fn standing(interface: &str, direction: TcAttachType, program: u32) -> Option<Standing> {
    let (_, chain) = SchedClassifier::query_tcx(interface, direction).ok()?;
    let Some(place) = chain.iter().position(|found| found.id() == program) else {
        return Some(Standing::Blind(Cause::Missing));
    };
    Some(if chain[..place].iter().all(is_of_an_agent) {
        Standing::InPlace
    } else {
        Standing::Blind(Cause::Behind)
    })
}

fn is_of_an_agent(program: &ProgramInfo) -> bool {
    program.name_as_str().is_some_and(programs::is_of_an_agent)
}
