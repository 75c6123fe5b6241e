//! What was learnt, as a file for the next run: JSON, with the builds and dates that it came from.
//!
//! It holds routes, places, counts, bounds of numbers and digests of values, and no value of a text.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::variation::Variation;
use super::{Noise, NoiseDropped, Pairs, RouteNoise};
use crate::compare::Place;
use crate::time::Timestamp;

/// The version of the format that this build writes, and the only one that it reads: what a form means may change with it.
const FORMAT: u32 = 1;
/// Runs that a file names.
const MAX_ORIGINS: usize = 16;

/// A run that what was learnt came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoiseOrigin {
    /// The build of production that it was learnt from, as the user names it.
    pub build: String,
    pub at: Timestamp,
}

/// Why a file is not read.
#[derive(Debug, Error)]
pub enum SavedError {
    #[error("this is not a noise file: {0}")]
    NotNoise(#[source] serde_json::Error),
    #[error(
        "the noise file has format {found}, and this build reads format {FORMAT}: remove it, and let a run of this build write a new one"
    )]
    OtherFormat { found: u32 },
}

/// Read first, because nothing else of another version is known.
#[derive(Deserialize)]
struct SavedHead {
    noise_format: u32,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    noise_format: u32,
    /// The newest last.
    origins: Vec<NoiseOrigin>,
    max_rank: u64,
    dropped: NoiseDropped,
    routes: Vec<SavedRoute>,
}

#[derive(Serialize, Deserialize)]
struct SavedRoute {
    route: String,
    pairs: Pairs,
    differed: Pairs,
    places: Vec<(Place, Variation)>,
}

/// What was learnt, as a text; `origins` are those of the files that were read and that of this run. The same text for the
/// same knowledge.
pub fn save(noise: &Noise, origins: &[NoiseOrigin]) -> Result<String, serde_json::Error> {
    let newest = origins.len().saturating_sub(MAX_ORIGINS);
    let route = |name: &str| {
        let (pairs, differed) = noise.pairs(name);
        let places = noise.places(name).into_iter();
        SavedRoute {
            route: name.to_owned(),
            pairs,
            differed,
            places: places
                .map(|(place, variation)| (place.clone(), variation.clone()))
                .collect(),
        }
    };
    let saved = Saved {
        noise_format: FORMAT,
        origins: origins[newest..].to_vec(),
        max_rank: noise.max_rank,
        dropped: noise.dropped,
        routes: noise.routes().into_iter().map(route).collect(),
    };
    serde_json::to_string(&saved)
}

/// Reads what [`save`] has written. It is added within the bounds of [`Noise`], whatever the file holds.
pub fn load(text: &str) -> Result<(Noise, Vec<NoiseOrigin>), SavedError> {
    let head: SavedHead = serde_json::from_str(text).map_err(SavedError::NotNoise)?;
    if head.noise_format != FORMAT {
        return Err(SavedError::OtherFormat {
            found: head.noise_format,
        });
    }
    let saved: Saved = serde_json::from_str(text).map_err(SavedError::NotNoise)?;
    let mut noise = Noise {
        max_rank: saved.max_rank,
        dropped: saved.dropped,
        ..Noise::default()
    };
    for route in saved.routes {
        let pairs = RouteNoise {
            pairs: route.pairs,
            differed: route.differed,
            ..RouteNoise::default()
        };
        noise.add_route(&route.route, &pairs);
        for (place, variation) in route.places {
            if let Some(known) = noise.place_mut(&route.route, &place) {
                known.merge(&variation);
            }
        }
    }
    Ok((noise, saved.origins))
}
