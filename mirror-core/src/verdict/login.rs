//! Whether production's clients are logged in on the mirror at all. When they are not, that is what a report must say, before
//! thousands of differences that follow from it.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use crate::exchange::Response;

/// Answers that are enough to tell.
const ENOUGH: u64 = 5;

/// In the path or the query of where a client is sent to log in, in lower case.
const LOGIN_WORDS: [&str; 5] = ["login", "log-in", "signin", "sign-in", "sso"];

/// What an answer of the mirror says of its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MirrorAnswer {
    /// 401 or 403.
    Refused,
    /// A redirect to a page to log in at.
    SentToLogin,
    Other,
}

impl MirrorAnswer {
    pub fn of(response: &Response) -> Self {
        match response.status {
            401 | 403 => Self::Refused,
            301 | 302 | 303 | 307 | 308 => {
                let location = response.headers.first("location").unwrap_or_default();
                let location = String::from_utf8_lossy(location).to_ascii_lowercase();
                match LOGIN_WORDS.iter().any(|word| location.contains(word)) {
                    true => Self::SentToLogin,
                    false => Self::Other,
                }
            }
            _ => Self::Other,
        }
    }
}

/// What the mirror answered where production's answer was a 2xx.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginCounts {
    /// Answers of production.
    pub good: u64,
    pub refused: u64,
    pub sent_to_login: u64,
}

impl LoginCounts {
    pub fn count(&mut self, production: Option<u16>, mirror: MirrorAnswer) {
        if production.is_some_and(|status| (200..300).contains(&status)) {
            self.good += 1;
            self.refused += u64::from(mirror == MirrorAnswer::Refused);
            self.sent_to_login += u64::from(mirror == MirrorAnswer::SentToLogin);
        }
    }

    /// What a report says first: none while most of the mirror's answers are to clients that it knows.
    pub fn headline(&self) -> Option<String> {
        let missed = self.refused + self.sent_to_login;
        if missed < ENOUGH || missed * 2 <= self.good {
            return None;
        }
        let how = match (self.refused, self.sent_to_login) {
            (_, 0) => "with 401 or 403",
            (0, _) => "by sending the client to log in",
            _ => "with 401 or 403, or by sending the client to log in",
        };
        Some(format!(
            "production's clients are not logged in on the mirror: it refused {missed} of {} requests {how} that production answered well, and most differences follow from that. Log them in with --carry (sessions, CSRF tokens and ids of the mirror's own; let their logins through with --allow, and with --allow-unsnapshotted-writes if they have no snapshots), --jwt-key FILE (their tokens signed anew) or --credential 'authorization: @FILE' (one credential for all)",
            self.good
        ))
    }
}

impl AddAssign for LoginCounts {
    fn add_assign(&mut self, other: Self) {
        self.good += other.good;
        self.refused += other.refused;
        self.sent_to_login += other.sent_to_login;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(good: u64, refused: u64, sent_to_login: u64, expect: Option<&str>) {
        let counts = LoginCounts {
            good,
            refused,
            sent_to_login,
        };
        let headline = counts.headline();
        assert_eq!(headline.is_some(), expect.is_some(), "{headline:?}");
        if let (Some(headline), Some(expect)) = (headline, expect) {
            assert!(headline.contains(expect), "{headline}");
            for remedy in ["--carry", "--jwt-key", "--credential"] {
                assert!(headline.contains(remedy), "{headline}");
            }
        }
    }

    #[test]
    fn it_is_told_when_most_are_refused() {
        check(0, 0, 0, None);
        check(4, 4, 0, None);
        check(
            5,
            5,
            0,
            Some("refused 5 of 5 requests with 401 or 403 that"),
        );
        check(10, 5, 0, None);
        check(10, 6, 0, Some("refused 6 of 10"));
        check(
            10,
            0,
            6,
            Some("requests by sending the client to log in that"),
        );
        check(10, 3, 3, Some("with 401 or 403, or by sending"));
        check(1000, 100, 100, None);
    }

    #[test]
    fn only_good_answers_of_production_count() {
        let mut counts = LoginCounts::default();
        for production in [None, Some(302), Some(401), Some(500)] {
            counts.count(production, MirrorAnswer::Refused);
        }
        assert_eq!(counts, LoginCounts::default());
        counts.count(Some(200), MirrorAnswer::Other);
        counts.count(Some(204), MirrorAnswer::Refused);
        counts.count(Some(299), MirrorAnswer::SentToLogin);
        assert_eq!(
            (counts.good, counts.refused, counts.sent_to_login),
            (3, 1, 1)
        );
    }

    #[test]
    fn an_answer_says_whether_its_client_is_known() {
        let check = |status, location: &str, expect| {
            let mut response = Response::new(status);
            response.headers = [("Location", location)].into_iter().collect();
            assert_eq!(MirrorAnswer::of(&response), expect, "{status} {location}");
        };
        check(401, "", MirrorAnswer::Refused);
        check(403, "", MirrorAnswer::Refused);
        check(302, "https://sso.shop/?next=/a", MirrorAnswer::SentToLogin);
        check(303, "/users/Sign-In", MirrorAnswer::SentToLogin);
        check(302, "/orders/7", MirrorAnswer::Other);
        check(200, "/login", MirrorAnswer::Other);
        check(404, "", MirrorAnswer::Other);
    }
}
