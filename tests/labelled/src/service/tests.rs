use super::*;
use crate::changes::{Planted, Shows, world};
use crate::{BANK, SHOP};

const SITES: [&Site; 2] = [&SHOP, &BANK];
const AT: Timestamp = Timestamp(1_795_739_200_000_000_000);

fn instance(version: Version) -> Instance {
    Instance::new(version, 5, 17, 0.5)
}

fn shown(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.bytes()).into_owned()
}

#[test]
fn an_answer_depends_on_its_inputs_alone() {
    for site in SITES {
        let world = world(site, 3, Planted::Some, Caches::Own);
        let all = |mut instance: Instance| -> Vec<String> {
            let answers = site.routes.iter();
            let answers = answers.map(|route| instance.answer(&world, route, 7, AT));
            answers.map(|reply| shown(&reply)).collect()
        };
        assert_eq!(all(instance(Version::New)), all(instance(Version::New)));
        let later = all(Instance::new(Version::New, 5, 18, 0.5));
        assert_ne!(all(instance(Version::New)), later);
    }
}

fn world_of(site: &'static Site, planted: &[&'static str]) -> World {
    World {
        site,
        seed: 0,
        planted: planted.iter().map(|name| (*name, 1.0)).collect(),
        caches: Caches::default(),
    }
}

#[test]
fn each_change_shows_where_it_is_planted_and_in_version_2_only() {
    for (site, change) in SITES
        .iter()
        .flat_map(|site| site.changes.iter().map(move |change| (site, change)))
    {
        let world = world_of(site, &[change.name]);
        let route = site.route(change.route).expect(change.name);
        let old = instance(Version::Old).answer(&world, route, 3, AT);
        let new = instance(Version::New).answer(&world, route, 3, AT);
        assert!(old.hits.is_empty(), "{}", change.name);
        assert_eq!(new.hits, [change.name]);
        let is_timed = matches!(change.shows, Shows::Rule(..)) && old.took != new.took;
        let differs = shown(&old) != shown(&new) || old.effects != new.effects;
        assert!(is_timed || differs, "{}", change.name);
    }
}

#[test]
fn more_than_thirty_changes_have_names_of_their_own() {
    for site in SITES {
        let changes = site.changes.iter();
        let names: std::collections::BTreeSet<&str> = changes.map(|change| change.name).collect();
        assert_eq!(names.len(), site.changes.len());
        assert!(names.len() >= 30);
    }
}

#[test]
fn a_server_answers_by_method_and_path() {
    let server = Server::new(world_of(&SHOP, &[]), instance(Version::Old));
    let answer = |line: &str| {
        let request = format!("{line} HTTP/1.1\r\nHost: a\r\n\r\n");
        String::from_utf8_lossy(&server.answer(request.as_bytes(), AT)).into_owned()
    };
    assert!(answer("GET /orders/17").contains("\"id\":17,"));
    assert!(answer("GET /robots").starts_with("HTTP/1.1 200"));
    assert!(answer("POST /orders/17").starts_with("HTTP/1.1 404"));
    assert!(answer("GET /orders/x").starts_with("HTTP/1.1 404"));
    for site in SITES {
        for route in site.routes {
            let (found, _) = site
                .route_of(route.method(), &route.path(4))
                .expect(route.name);
            assert_eq!(found.name, route.name);
        }
    }
}
