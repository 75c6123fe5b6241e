use super::*;
use crate::changes::{CHANGES, Planted, Shows, world};

const AT: Timestamp = Timestamp(1_795_739_200_000_000_000);

fn instance(version: Version) -> Instance {
    Instance::new(version, 5, 17, 0.5)
}

fn shown(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.bytes()).into_owned()
}

#[test]
fn an_answer_depends_on_its_inputs_alone() {
    let world = world(3, Planted::Some, Caches::Own);
    let all = |mut instance: Instance| -> Vec<String> {
        let answers = ROUTES
            .iter()
            .map(|route| instance.answer(&world, route, 7, AT));
        answers.map(|reply| shown(&reply)).collect()
    };
    assert_eq!(all(instance(Version::New)), all(instance(Version::New)));
    let later = all(Instance::new(Version::New, 5, 18, 0.5));
    assert_ne!(all(instance(Version::New)), later);
}

#[test]
fn each_change_shows_where_it_is_planted_and_in_version_2_only() {
    for change in &CHANGES {
        let world = World {
            planted: [(change.name, 1.0)].into(),
            ..World::default()
        };
        let route = ROUTES.iter().find(|route| route.name == change.route);
        let route = route.expect(change.name);
        let old = instance(Version::Old).answer(&world, route, 3, AT);
        let new = instance(Version::New).answer(&world, route, 3, AT);
        assert!(old.hits.is_empty(), "{}", change.name);
        assert_eq!(new.hits, [change.name]);
        let is_timed = matches!(change.shows, Shows::Rule(..)) && old.took != new.took;
        assert!(is_timed || shown(&old) != shown(&new), "{}", change.name);
    }
}

#[test]
fn more_than_thirty_changes_have_names_of_their_own_and_are_on_known_routes() {
    let names: std::collections::BTreeSet<&str> =
        CHANGES.iter().map(|change| change.name).collect();
    assert_eq!(names.len(), CHANGES.len());
    assert!(names.len() >= 30);
}

#[test]
fn a_server_answers_by_path() {
    let server = Server::new(World::default(), instance(Version::Old));
    let answer = |line: &str| {
        let request = format!("{line} HTTP/1.1\r\nHost: a\r\n\r\n");
        String::from_utf8_lossy(&server.answer(request.as_bytes(), AT)).into_owned()
    };
    assert!(answer("GET /orders/17").contains("\"id\":17,"));
    assert!(answer("GET /robots").starts_with("HTTP/1.1 200"));
    assert!(answer("GET /orders/x").starts_with("HTTP/1.1 404"));
    for route in &ROUTES {
        let (found, _) = Route::of_path(&route.path(4)).expect(route.name);
        assert_eq!(found.name, route.name);
    }
}
