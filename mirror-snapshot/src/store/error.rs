//! What went wrong at the store, with what can be done about it.

use std::time::Duration;

use redis::{Cmd, ErrorKind, RedisError, ServerErrorKind};

use crate::RequestId;

#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    #[error("snapshot store: {0}")]
    Redis(#[from] RedisError),
    #[error(
        "snapshot store: its user may not run {command} on keys that begin with `{keys}` (NOPERM: {reply}): allow it with ACL SETUSER, {advice}"
    )]
    NotAllowed {
        command: String,
        /// How the keys begin, prefix included.
        keys: String,
        /// What is given to the user.
        advice: String,
        reply: String,
    },
    #[error(
        "snapshot store: `{key}` holds a {kind}, and a snapshot is a string (WRONGTYPE): delete that key, or give snapshots a prefix of their own with `?prefix=` in the store's URL"
    )]
    WrongType { key: String, kind: String },
    #[error(
        "`{url}` is no snapshot store: {why}. Write redis://HOST:6379, rediss:// for TLS, redis+sentinel://HOST:26379,HOST:26379/MASTER or redis+cluster://HOST,HOST"
    )]
    Url { url: String, why: String },
    #[error("snapshot store: not reached yet, tried again in {0:?}")]
    Backoff(Duration),
    #[error("`{0}` is too long to take a number: an id has at most 256 characters")]
    TooLong(RequestId),
}

impl StoreError {
    /// The error of a command that was sent, in words that name what to do. `prefix` is how all keys begin.
    pub(super) fn of_command(error: RedisError, commands: &[&Cmd], prefix: &str) -> Self {
        let is = |kind| error.kind() == ErrorKind::Server(kind);
        if is(ServerErrorKind::NoPerm) {
            let names: Vec<_> = commands.iter().filter_map(|cmd| argument(cmd, 0)).collect();
            let effects = format!("{prefix}effects/");
            let is_of_effects =
                |cmd: &&Cmd| argument(cmd, 1).is_some_and(|key| key.starts_with(&effects));
            let keys = match commands.iter().copied().any(|cmd| is_of_effects(&cmd)) {
                true => effects.clone(),
                false => format!("{prefix}snapshot"),
            };
            let rights = names.iter().map(|name| format!("+{}", name.to_lowercase()));
            return Self::NotAllowed {
                command: names.join(" and "),
                advice: format!("as in `{} ~{keys}*`", rights.collect::<Vec<_>>().join(" ")),
                keys,
                reply: error.detail().unwrap_or_default().into(),
            };
        }
        if error.code() == Some("WRONGTYPE") {
            let key = commands.iter().find_map(|cmd| argument(cmd, 1));
            return Self::WrongType {
                key: key.unwrap_or_default(),
                kind: "value of another type".into(),
            };
        }
        Self::Redis(error)
    }
}

fn argument(command: &Cmd, at: usize) -> Option<String> {
    let mut arguments = command.args_iter();
    match arguments.nth(at)? {
        redis::Arg::Simple(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(code: &str, detail: &str) -> RedisError {
        let reply = format!("-{code} {detail}\r\n");
        let value = redis::parse_redis_value(reply.as_bytes()).expect("a reply");
        value.extract_error().expect_err("an error reply")
    }

    #[test]
    fn a_missing_right_names_the_command_and_what_to_allow() {
        let command = redis::cmd("LRANGE").arg("shop:snapshot:a 1").take();
        let error = server("NOPERM", "User reader has no permissions to run 'lrange'");
        let text = StoreError::of_command(error, &[&command], "shop:").to_string();
        for part in ["LRANGE", "+lrange ~shop:snapshot*", "NOPERM"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let command = redis::cmd("SET").arg("shop:effects/a:1").arg("x").take();
        let error = server("NOPERM", "User mirror has no permissions to run 'set'");
        let text = StoreError::of_command(error, &[&command], "shop:").to_string();
        assert!(text.contains("+set ~shop:effects/*"), "{text}");
    }

    #[test]
    fn a_key_of_another_type_is_named() {
        let command = redis::cmd("RPUSH").arg("snapshot:a 1").arg("x").take();
        let error = server("WRONGTYPE", "Operation against a key");
        let text = StoreError::of_command(error, &[&command], "").to_string();
        assert!(
            text.contains("`snapshot:a 1`") && text.contains("prefix="),
            "{text}"
        );
    }

    #[test]
    fn any_other_error_is_told_as_it_is() {
        let error = server("OOM", "command not allowed when used memory > 'maxmemory'");
        let told = StoreError::of_command(error, &[], "");
        assert!(matches!(told, StoreError::Redis(_)), "{told}");
    }
}
