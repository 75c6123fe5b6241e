//! Which routes have a label of their own.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::super::{OTHER, RouteData};

/// Routes with a label. Each is some thirty series in a monitoring system that may watch many agents.
const MAX_ROUTES: usize = 100;

/// The routes that have a label. One that has it keeps it, so that its counters, and those of the rest, only grow.
#[derive(Debug, Default)]
pub(super) struct LabelledRoutes(Mutex<BTreeSet<String>>);

impl LabelledRoutes {
    /// Puts routes together by their label; `routes` begins with those that have the most requests.
    pub(super) fn group<'a>(&self, routes: &'a [RouteData]) -> Vec<(&'a str, Vec<&'a RouteData>)> {
        let mut labelled = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_there = |name: &str| routes.iter().any(|route| route.route == name);
        // Routes that became one.
        labelled.retain(|name| is_there(name));
        let (mut groups, mut others) = (Vec::new(), Vec::new());
        for route in routes {
            if !labelled.contains(&route.route) && labelled.len() < MAX_ROUTES {
                labelled.insert(route.route.clone());
            }
            match labelled.contains(&route.route) && route.route != OTHER {
                true => groups.push((route.route.as_str(), vec![route])),
                false => others.push(route),
            }
        }
        if !others.is_empty() {
            groups.push((OTHER, others));
        }
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(names: impl Iterator<Item = usize>) -> Vec<RouteData> {
        names
            .map(|number| RouteData {
                route: format!("GET /{number}"),
                compared: 1,
                ..RouteData::default()
            })
            .collect()
    }

    #[test]
    fn the_first_have_a_label_and_keep_it() {
        let labelled = LabelledRoutes::default();
        let all = routes(0..MAX_ROUTES + 5);
        let groups = labelled.group(&all);
        assert_eq!(groups.len(), MAX_ROUTES + 1);
        let (name, others) = &groups[MAX_ROUTES];
        assert_eq!((*name, others.len()), (OTHER, 5));
        // Another order, another number of requests.
        let turned = routes((0..MAX_ROUTES + 5).rev());
        let names = |groups: Vec<(&str, Vec<&RouteData>)>| -> BTreeSet<String> {
            groups.iter().map(|(name, _)| (*name).to_owned()).collect()
        };
        assert_eq!(names(labelled.group(&turned)), names(groups));
    }

    #[test]
    fn a_route_that_is_gone_gives_its_label_to_another() {
        let labelled = LabelledRoutes::default();
        labelled.group(&routes(0..MAX_ROUTES));
        let later = routes(5..MAX_ROUTES + 5);
        let groups = labelled.group(&later);
        assert_eq!(groups.len(), MAX_ROUTES);
        assert!(groups.iter().all(|(name, _)| *name != OTHER));
    }
}
