//! Who a request is on the mirror: headers that are set for all, and tokens that are signed anew for each.

use std::cell::RefCell;
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use mirror_core::exchange::Request;
use mirror_core::options::FromText;
use mirror_core::rewrite::changeable_header;
use mirror_core::time::Timestamp;

use super::jwt::{JwtSigner, read_key};
use crate::secret::SecretText;

/// Between two looks at files that may have got another token.
const REFRESH_INTERVAL: Duration = Duration::from_secs(10);

mirror_core::options! {
    /// How requests are logged in on the mirror.
    #[derive(Clone, Debug)]
    pub struct CredentialOptions("Replay") {
        /// Header that every request gets, from a file or the environment, as in 'authorization: @/run/token',
        /// 'authorization: Bearer $MIRROR_TOKEN' or 'x-api-key: $KEY'; a file is read again when it changes (repeatable)
        #[option("credential", "HEADER")]
        pub headers: Vec<CredentialSource>,
        /// Key that JSON Web Tokens are signed anew with, claims and lifetime kept: a private key in PEM, or a file with the
        /// secret; no signature of production's is carried
        #[option("jwt-key", "FILE")]
        pub jwt_key: Option<PathBuf>,
        /// Where the tokens are, as in header:authorization, header:x-token or cookie:session (repeatable)
        #[option("jwt-in", "PLACE", default = "header:authorization")]
        pub jwt_places: Vec<TokenPlace>,
        /// Key id that the tokens get
        #[option("jwt-kid", "ID")]
        pub jwt_key_id: Option<String>,
        /// Issuer that the tokens get
        #[option("jwt-issuer", "NAME")]
        pub jwt_issuer: Option<String>,
    }
}

impl CredentialOptions {
    /// What concerns several options.
    pub fn check(&self) -> anyhow::Result<()> {
        let needs_key = [
            ("--jwt-kid", self.jwt_key_id.is_some()),
            ("--jwt-issuer", self.jwt_issuer.is_some()),
            ("--jwt-in", self.jwt_places != Self::default().jwt_places),
        ];
        for (option, is_given) in needs_key {
            ensure!(
                !is_given || self.jwt_key.is_some(),
                "{option} is for tokens that are signed anew, and there is no key to sign them with: add --jwt-key FILE"
            );
        }
        Ok(())
    }
}

/// A header and where its value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialSource {
    name: String,
    /// As in `Bearer `.
    scheme: String,
    from: SecretSource,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum SecretSource {
    File(PathBuf),
    Environment(String),
}

impl FromText for CredentialSource {
    fn from_text(text: &str) -> Result<Self, String> {
        let remedy = || {
            "use 'NAME: @FILE' or 'NAME: $VARIABLE', with a scheme before it if need be, as in 'authorization: Bearer $TOKEN'; a secret itself can be read by others on the command line".to_owned()
        };
        let (name, value) = text.split_once(':').ok_or_else(remedy)?;
        let name =
            changeable_header(name.trim()).map_err(|wrong| format!("{wrong}; {}", remedy()))?;
        let value = value.trim();
        let (scheme, source) = match value.rsplit_once(' ') {
            Some((scheme, source)) => (format!("{} ", scheme.trim()), source),
            None => (String::new(), value),
        };
        let from = match (source.strip_prefix('@'), source.strip_prefix('$')) {
            (Some(path), _) if !path.is_empty() => SecretSource::File(path.into()),
            (_, Some(name)) if !name.is_empty() => SecretSource::Environment(name.into()),
            _ => return Err(remedy()),
        };
        Ok(Self { name, scheme, from })
    }

    /// It may be a secret by mistake.
    fn shown(text: &str) -> String {
        match text.split_once(':') {
            Some((name, _)) => format!("{name}: …"),
            None => "…".into(),
        }
    }
}

impl CredentialSource {
    /// Of the header.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value; `option` is the one that names it, for errors.
    pub fn read(&self, option: &str) -> anyhow::Result<SecretText> {
        let (read, what) = match &self.from {
            SecretSource::File(path) => {
                let read = std::fs::read_to_string(path);
                (
                    read.map_err(anyhow::Error::from),
                    path.display().to_string(),
                )
            }
            SecretSource::Environment(name) => {
                let read = std::env::var(name);
                (read.map_err(anyhow::Error::from), format!("${name}"))
            }
        };
        let text = read.with_context(|| format!("{option} {}: reading {what}", self.name))?;
        let text = text.trim();
        if text.is_empty() || text.contains(|c: char| c.is_control()) {
            bail!(
                "{option} {}: {what} must hold one line with the credential",
                self.name
            );
        }
        Ok(SecretText::new(format!("{}{text}", self.scheme)))
    }
}

/// Where a request has a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenPlace {
    /// Alone, or after a scheme as `Bearer`.
    Header(String),
    Cookie(String),
}

impl FromText for TokenPlace {
    fn from_text(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("header", name)) if !name.is_empty() => changeable_header(name).map(Self::Header),
            Some(("cookie", name)) if !name.is_empty() => Ok(Self::Cookie(name.into())),
            _ => Err("use header:NAME or cookie:NAME".into()),
        }
    }
}

impl fmt::Display for TokenPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
        }
    }
}

/// The credentials of a run.
#[derive(Debug)]
pub(super) struct Credentials {
    sources: Vec<CredentialSource>,
    values: RefCell<Values>,
    jwt: Option<JwtSigner>,
    jwt_places: Vec<TokenPlace>,
}

#[derive(Debug)]
struct Values {
    /// In the order of their sources.
    texts: Vec<SecretText>,
    read_at: Instant,
}

impl Credentials {
    /// Reads every file and variable; each must hold something.
    pub(super) fn load(options: &CredentialOptions, now: Instant) -> anyhow::Result<Self> {
        let texts = options.headers.iter();
        let texts = texts.map(|source| source.read("--credential"));
        let jwt = options.jwt_key.as_ref().map(|path| {
            let (key_id, issuer) = (options.jwt_key_id.clone(), options.jwt_issuer.clone());
            read_key(path)
                .and_then(|file| JwtSigner::new(&file, key_id, issuer))
                .with_context(|| format!("--jwt-key {}", path.display()))
        });
        Ok(Self {
            sources: options.headers.clone(),
            values: RefCell::new(Values {
                texts: texts.collect::<anyhow::Result<_>>()?,
                read_at: now,
            }),
            jwt: jwt.transpose()?,
            jwt_places: options.jwt_places.clone(),
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sources.is_empty() && self.jwt.is_none()
    }

    /// Logs a request in that was captured at `captured_at`.
    pub(super) fn apply(&self, request: &mut Request, captured_at: Timestamp, now: Timestamp) {
        if let Some(jwt) = &self.jwt {
            let sign = |token: &[u8]| {
                let token = std::str::from_utf8(token).ok()?;
                jwt.sign(token, captured_at, now).map(String::into_bytes)
            };
            for place in &self.jwt_places {
                edit_token(request, place, &sign);
            }
        }
        for (source, text) in self.sources.iter().zip(&self.values.borrow().texts) {
            request.headers.set(&source.name, text.expose().as_bytes());
        }
    }

    /// Reads the files again from time to time. One that cannot be read now keeps its last value.
    pub(super) fn refresh(&self, now: Instant) {
        let mut values = self.values.borrow_mut();
        if self.sources.is_empty() || now < values.read_at + REFRESH_INTERVAL {
            return;
        }
        values.read_at = now;
        for (source, text) in self.sources.iter().zip(&mut values.texts) {
            match source.read("--credential") {
                Ok(read) => *text = read,
                Err(error) => tracing::warn!("{error:#}; the value before is used"),
            }
        }
    }
}

fn edit_token(request: &mut Request, place: &TokenPlace, sign: &dyn Fn(&[u8]) -> Option<Vec<u8>>) {
    request.headers.edit(|name, value| match place {
        TokenPlace::Header(header) if name.eq_ignore_ascii_case(header) => {
            let value = value.trim_ascii();
            let at = value.iter().rposition(|byte| *byte == b' ');
            let (scheme, token) = value.split_at(at.map_or(0, |at| at + 1));
            Some([scheme, &sign(token)?].concat())
        }
        TokenPlace::Cookie(cookie) if name.eq_ignore_ascii_case("cookie") => {
            let mut is_signed = false;
            let pieces = value.split(|byte| *byte == b';').map(|piece| {
                let token = cookie_value(piece, cookie);
                match token.and_then(|token| Some((token, sign(token)?))) {
                    Some((token, signed)) => {
                        is_signed = true;
                        let before = &piece[..piece.len() - token.len()];
                        [before, &signed].concat()
                    }
                    None => piece.to_vec(),
                }
            });
            let line = pieces.collect::<Vec<_>>().join(&b';');
            is_signed.then_some(line)
        }
        _ => None,
    });
}

fn cookie_value<'p>(piece: &'p [u8], name: &str) -> Option<&'p [u8]> {
    let piece = piece.trim_ascii_start();
    piece.strip_prefix(name.as_bytes())?.strip_prefix(b"=")
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
    use mirror_core::options::{Given, Options, Origin};

    use super::*;

    fn options(given: &[(&str, &str)]) -> CredentialOptions {
        let mut all = Given::default();
        for (key, text) in given {
            all.set(key, vec![(*text).into()], Origin::Flag);
        }
        CredentialOptions::read(&all).unwrap()
    }

    fn request(fields: &[(&str, &str)]) -> Request {
        let mut request = Request::new("GET", "/");
        request.headers = fields.iter().copied().collect();
        request
    }

    fn sent(options: &CredentialOptions, fields: &[(&str, &str)]) -> Request {
        let credentials = Credentials::load(options, Instant::now()).unwrap();
        let mut request = request(fields);
        credentials.apply(&mut request, Timestamp(1), Timestamp(1));
        request
    }

    #[test]
    fn a_header_is_set_from_a_file_and_from_the_environment() {
        let file = std::env::temp_dir().join(format!("credential-{}", std::process::id()));
        std::fs::write(&file, "hunter2\n").unwrap();
        let check = |text: &str, expect: &str| {
            let sent = sent(
                &options(&[("credential", text)]),
                &[("Authorization", "x"), ("A", "b")],
            );
            assert_eq!(sent, request(&[("Authorization", expect), ("A", "b")]));
        };
        check(&format!("authorization: @{}", file.display()), "hunter2");
        check(
            &format!("authorization: Bearer @{}", file.display()),
            "Bearer hunter2",
        );
        // Cargo gives it to every test.
        check("authorization: $CARGO_PKG_NAME", "mirror-agent");
        // A new token in the file is used without a new start.
        let text = format!("x-key: @{}", file.display());
        let begun = Instant::now();
        let credentials = Credentials::load(&options(&[("credential", &text)]), begun).unwrap();
        std::fs::write(&file, "hunter3").unwrap();
        let value = |after: Duration| {
            credentials.refresh(begun + after);
            let mut request = request(&[]);
            credentials.apply(&mut request, Timestamp(1), Timestamp(1));
            String::from_utf8(request.headers.first("x-key").unwrap().to_vec()).unwrap()
        };
        assert_eq!(value(Duration::ZERO), "hunter2");
        assert_eq!(value(REFRESH_INTERVAL), "hunter3");
        std::fs::remove_file(&file).unwrap();
        assert_eq!(value(REFRESH_INTERVAL * 3), "hunter3");
        let shown = format!("{credentials:?}");
        assert!(!shown.contains("hunter"), "{shown}");
    }

    #[test]
    fn what_is_no_source_is_refused_and_not_repeated() {
        for text in [
            "authorization: hunter2",
            "hunter2",
            "a b: $X",
            "x: @",
            "x: $",
            ": $X",
            "content-length: $X",
            "Transfer-Encoding: $X",
        ] {
            let error = CredentialSource::from_text(text).unwrap_err();
            assert!(
                error.contains("NAME: @FILE") && !error.contains("hunter2"),
                "{error}"
            );
            assert!(!CredentialSource::shown(text).contains("hunter2"));
        }
        let missing = options(&[("credential", "a: $MIRROR_TEST_IS_NOT_SET")]);
        let error = Credentials::load(&missing, Instant::now()).unwrap_err();
        assert!(
            format!("{error:#}").contains("$MIRROR_TEST_IS_NOT_SET"),
            "{error:#}"
        );
        assert!(TokenPlace::from_text("authorization").is_err());
    }

    #[test]
    fn tokens_are_signed_where_they_stand() {
        let file = std::env::temp_dir().join(format!("jwt-key-{}", std::process::id()));
        std::fs::write(&file, "secret").unwrap();
        let key = file.to_str().unwrap();
        let token = format!(
            "{}.{}.",
            BASE64.encode(r#"{"alg":"HS256"}"#),
            BASE64.encode("{}")
        );
        let signed_now = {
            let sent = sent(&options(&[("jwt-key", key)]), &[("authorization", &token)]);
            String::from_utf8(sent.headers.first("authorization").unwrap().to_vec()).unwrap()
        };
        assert!(signed_now.starts_with(&token) && signed_now.len() == token.len() + 43);
        let check = |place: &str, fields: (&str, String), expect: String| {
            let given = options(&[("jwt-key", key), ("jwt-in", place)]);
            let sent = sent(&given, &[(fields.0, &fields.1)]);
            assert_eq!(sent, request(&[(fields.0, &expect)]));
        };
        let bearer = |token: &str| format!("Bearer {token}");
        check(
            "header:authorization",
            ("Authorization", bearer(&token)),
            bearer(&signed_now),
        );
        check(
            "header:x-token",
            ("X-Token", token.clone()),
            signed_now.clone(),
        );
        let cookie = |token: &str| format!("a=b; session={token};  c=d");
        check(
            "cookie:session",
            ("Cookie", cookie(&token)),
            cookie(&signed_now),
        );
        check("cookie:sess", ("Cookie", cookie(&token)), cookie(&token));
        check(
            "header:authorization",
            ("Authorization", "Basic abc".into()),
            "Basic abc".into(),
        );
        std::fs::remove_file(file).unwrap();
    }
}
