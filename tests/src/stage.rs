//! The usual set-up of a test: a network, a service on production's host, one on the mirror's, a store where there is one.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! use mirror_tests::{nginx::Nginx, stage::Stage};
//!
//! let stage = Stage::new()?
//!     .production(Nginx::answering("{}"))?
//!     .mirror(Nginx::answering("{}"))?;
//! let agent = stage.agent(&[])?;
//! stage.get(50)?;
//! assert_eq!(agent.stop()?.report.outcome("matched"), 50);
//! # Ok(())
//! # }
//! ```

use std::net::SocketAddr;

use anyhow::Result;

use crate::agent::Agent;
use crate::load::{Answers, Call, Load};
use crate::net::{Host, Network};
use crate::redis::Redis;
use crate::scratch::Scratch;
use crate::workspace::Profile;

/// Where production listens, and what agents capture.
pub const PRODUCTION_PORT: u16 = 8080;
/// Where the mirror listens, unless a test has another port in mind.
pub const MIRROR_PORT: u16 = 9090;

/// Requests a second of [`Stage::get`].
const USUAL_RATE: u32 = 500;

/// A program that can be put on a host, with its options.
pub trait Role {
    type Actor: Actor;

    /// Starts the program. Returns when it listens.
    fn start(
        &self,
        network: &Network,
        scratch: &Scratch,
        host: Host,
        port: u16,
    ) -> Result<Self::Actor>;
}

/// A program that answers HTTP requests.
pub trait Actor {
    fn address(&self) -> SocketAddr;

    fn url(&self) -> String {
        format!("http://{}", self.address())
    }
}

/// The programs end before their files and their network go: a struct drops its fields in this order.
#[derive(Debug)]
pub struct Stage<P = (), M = ()> {
    pub production: P,
    pub mirror: M,
    pub redis: Option<Redis>,
    pub scratch: Scratch,
    pub network: Network,
    build: Profile,
}

impl Stage {
    /// With the agent as `cargo xtask test` builds it.
    pub fn new() -> Result<Self> {
        Self::with(Profile::Debug)
    }

    pub fn with(build: Profile) -> Result<Self> {
        Ok(Self {
            production: (),
            mirror: (),
            redis: None,
            scratch: Scratch::new()?,
            network: Network::new()?,
            build,
        })
    }
}

impl<P, M> Stage<P, M> {
    /// A store on the mirror's host, which the agents use too.
    pub fn redis(mut self) -> Result<Self> {
        self.redis = Some(Redis::start(&self.network, &self.scratch)?);
        Ok(self)
    }

    pub fn production<R: Role>(self, role: R) -> Result<Stage<R::Actor, M>> {
        let actor = role.start(
            &self.network,
            &self.scratch,
            Host::Production,
            PRODUCTION_PORT,
        )?;
        Ok(Stage {
            production: actor,
            mirror: self.mirror,
            redis: self.redis,
            scratch: self.scratch,
            network: self.network,
            build: self.build,
        })
    }

    pub fn mirror<R: Role>(self, role: R) -> Result<Stage<P, R::Actor>> {
        self.mirror_on(MIRROR_PORT, role)
    }

    pub fn mirror_on<R: Role>(self, port: u16, role: R) -> Result<Stage<P, R::Actor>> {
        let actor = role.start(&self.network, &self.scratch, Host::Mirror, port)?;
        Ok(Stage {
            production: self.production,
            mirror: actor,
            redis: self.redis,
            scratch: self.scratch,
            network: self.network,
            build: self.build,
        })
    }

    /// An agent that captures production's port and replays nothing.
    pub fn observer(&self, args: &[&str]) -> Result<Agent> {
        Agent::observe(
            &self.network,
            PRODUCTION_PORT,
            args,
            self.build,
            &self.scratch,
        )
    }

    /// Production must answer each of these calls well.
    pub fn send(&self, calls: &[Call], per_second: u32) -> Result<()> {
        let answers = Load::start(&self.network, calls, per_second, &self.scratch)?.finish()?;
        let expected = Answers {
            ok: calls.len(),
            failed: 0,
        };
        assert_eq!(answers, expected, "production's clients noticed");
        Ok(())
    }
}

impl<P: Actor, M> Stage<P, M> {
    /// So many GETs of different targets to production.
    pub fn get(&self, count: usize) -> Result<()> {
        let call = |n| Call::get(format!("{}/{n}", self.production.url()));
        let calls: Vec<Call> = (0..count).map(call).collect();
        self.send(&calls, USUAL_RATE)
    }
}

impl<P, M: Actor> Stage<P, M> {
    /// An agent that captures production's port and replays to the mirror.
    pub fn agent(&self, args: &[&str]) -> Result<Agent> {
        self.agent_in(args, &self.scratch)
    }

    /// One with a folder of its own, beside another that runs or has run.
    pub fn agent_in(&self, args: &[&str], scratch: &Scratch) -> Result<Agent> {
        let store = Redis::url();
        let args = if self.redis.is_some() && !args.contains(&"--redis") {
            [&["--redis", &store], args].concat()
        } else {
            args.to_vec()
        };
        Agent::start(
            &self.network,
            PRODUCTION_PORT,
            &self.mirror.url(),
            &args,
            self.build,
            scratch,
        )
    }
}
