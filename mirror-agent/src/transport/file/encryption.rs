//! Recordings are encrypted with age, each block as a file of its own.

use std::fs;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use age::x25519;
use anyhow::{Context, ensure};
use mirror_core::options::FromText;
use mirror_core::recording::{Seal, Unseal};

/// Whom a recording is encrypted to.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipient(x25519::Recipient);

impl FromText for Recipient {
    fn from_text(text: &str) -> Result<Self, String> {
        let recipient = text.parse().map(Self);
        recipient.map_err(|_| {
            "use a recipient of age, as `age-keygen` prints it: age1 and 58 letters and digits"
                .into()
        })
    }
}

/// The keys of recordings.
#[derive(Clone, Default)]
pub struct RecordingKeys {
    recipients: Vec<x25519::Recipient>,
    identities: Vec<x25519::Identity>,
}

impl RecordingKeys {
    /// Recordings are encrypted to these recipients and to the keys in the file, and read with the latter.
    pub fn new(recipients: &[Recipient], key_file: Option<&Path>) -> anyhow::Result<Self> {
        let mut keys = key_file.map_or_else(|| Ok(Self::default()), Self::read)?;
        let named = recipients.iter().map(|recipient| recipient.0.clone());
        keys.recipients.extend(named);
        Ok(keys)
    }

    /// Reads a file as `age-keygen` writes it.
    fn read(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let context = || format!("reading --recording-key-file {shown}");
        let text = fs::read_to_string(path).with_context(context)?;
        let mode = fs::metadata(path)
            .with_context(context)?
            .permissions()
            .mode();
        ensure!(
            mode & 0o004 == 0,
            "--recording-key-file {shown}: every user of this host can read it: chmod 600 {shown}"
        );
        let lines = text.lines().map(str::trim);
        let keys = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let identities: Result<Vec<x25519::Identity>, _> = keys.map(str::parse).collect();
        // The error would repeat a part of the key.
        let identities = identities.ok().filter(|keys| !keys.is_empty());
        let identities = identities.with_context(|| {
            format!("--recording-key-file {shown} holds no keys of age, or something else beside them: make one with `age-keygen -o {shown}`")
        })?;
        Ok(Self {
            recipients: identities.iter().map(x25519::Identity::to_public).collect(),
            identities,
        })
    }

    /// What encrypts, if anything does.
    pub fn seal(&self) -> Option<Box<dyn Seal>> {
        let recipients = self.recipients.clone();
        let seal = (!recipients.is_empty()).then_some(AgeSeal(recipients));
        seal.map(|seal| Box::new(seal) as Box<dyn Seal>)
    }

    /// What decrypts, if anything does.
    pub fn unseal(&self) -> Option<Box<dyn Unseal>> {
        let identities = self.identities.clone();
        let unseal = (!identities.is_empty()).then_some(AgeUnseal(identities));
        unseal.map(|unseal| Box::new(unseal) as Box<dyn Unseal>)
    }
}

struct AgeSeal(Vec<x25519::Recipient>);

impl Seal for AgeSeal {
    fn seal(&mut self, plain: &[u8]) -> io::Result<Vec<u8>> {
        let recipients = self
            .0
            .iter()
            .map(|recipient| recipient as &dyn age::Recipient);
        let encryptor = age::Encryptor::with_recipients(recipients).map_err(io::Error::other)?;
        let mut sealed = Vec::with_capacity(plain.len() + 512);
        let mut writer = encryptor.wrap_output(&mut sealed)?;
        io::Write::write_all(&mut writer, plain)?;
        writer.finish()?;
        Ok(sealed)
    }
}

struct AgeUnseal(Vec<x25519::Identity>);

impl Unseal for AgeUnseal {
    fn unseal(&mut self, sealed: &[u8], most: usize) -> io::Result<Vec<u8>> {
        let bad =
            |error: age::DecryptError| io::Error::new(ErrorKind::InvalidData, error.to_string());
        let decryptor = age::Decryptor::new_buffered(sealed).map_err(bad)?;
        let identities = self.0.iter().map(|key| key as &dyn age::Identity);
        let reader = decryptor.decrypt(identities).map_err(bad)?;
        let mut plain = Vec::new();
        reader.take(most as u64).read_to_end(&mut plain)?;
        Ok(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_file(name: &str, text: &str, mode: u32) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("mirror-{name}-{}", std::process::id()));
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn written(key: &x25519::Identity) -> String {
        let secret = age::secrecy::ExposeSecret::expose_secret(&key.to_string()).to_owned();
        format!(
            "# created: today\n# public key: {}\n{secret}\n",
            key.to_public()
        )
    }

    fn keys(name: &str, text: &str, mode: u32) -> anyhow::Result<RecordingKeys> {
        let path = key_file(name, text, mode);
        let keys = RecordingKeys::new(&[], Some(&path));
        fs::remove_file(path).unwrap();
        keys
    }

    #[test]
    fn what_is_sealed_is_read_with_the_key_and_with_no_other() {
        let keys = keys("key", &written(&x25519::Identity::generate()), 0o600).unwrap();
        let sealed = keys.seal().unwrap().seal(b"production's data").unwrap();
        assert!(sealed.starts_with(b"age-encryption.org/v1\n"));
        let mut unseal = keys.unseal().unwrap();
        assert_eq!(unseal.unseal(&sealed, 100).unwrap(), b"production's data");
        let mut other = AgeUnseal(vec![x25519::Identity::generate()]);
        assert!(other.unseal(&sealed, 100).is_err());
        for cut in 0..sealed.len() {
            assert!(unseal.unseal(&sealed[..cut], 100).is_err(), "{cut}");
        }
    }

    #[test]
    fn a_recipient_seals_and_does_not_read() {
        let key = x25519::Identity::generate();
        let text = key.to_public().to_string();
        let keys = RecordingKeys::new(&[Recipient::from_text(&text).unwrap()], None);
        let keys = keys.unwrap();
        assert!(keys.unseal().is_none());
        let sealed = keys.seal().unwrap().seal(b"a").unwrap();
        assert_eq!(AgeUnseal(vec![key]).unseal(&sealed, 1).unwrap(), b"a");
        assert!(Recipient::from_text("age1").is_err_and(|remedy| remedy.contains("age-keygen")));
        assert!(RecordingKeys::default().seal().is_none());
    }

    #[test]
    fn a_file_that_holds_no_key_or_that_others_can_read_is_refused() {
        let key = written(&x25519::Identity::generate());
        let told = |name, text, mode| keys(name, text, mode).err().unwrap().to_string();
        assert!(told("public", &key, 0o644).contains("chmod 600"));
        for (name, text) in [("none", "# nothing\n"), ("torn", &key[..key.len() - 9])] {
            let told = told(name, text, 0o600);
            assert!(
                told.contains("age-keygen") && !told.contains("AGE-SECRET"),
                "{told}"
            );
        }
    }
}
