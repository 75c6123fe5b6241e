//! How a read or a write of a handler fails.

use crate::{DocumentError, StoreError};

#[derive(Debug, thiserror::Error)]
pub enum LoadError<E> {
    #[error("{0}")]
    Database(E),
    #[error("in production this read failed: {0}")]
    Recorded(String),
    #[error("no snapshot came for this request")]
    Missing,
    #[error("production did not read `{name}` of `{key}` for this request")]
    NotRecorded { name: String, key: String },
    #[error("several requests had this request's id: the rules must tell them apart")]
    Collided,
    #[error(transparent)]
    Store(StoreError),
    #[error(transparent)]
    Document(#[from] DocumentError),
}

#[derive(Debug, thiserror::Error)]
pub enum WriteError<E> {
    #[error("{0}")]
    Database(E),
    #[error("a mirror does not write `{0}`")]
    Refused(String),
    #[error("what the write gave is not known: {0}")]
    Unanswered(LoadError<E>),
}
