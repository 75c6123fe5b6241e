//! `kafka://BROKER,BROKER/TOPIC`, and what else a client must be told.

use anyhow::{Context as _, bail, ensure};
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use crate::secret::SecretUrl;

const FORM: &str = "kafka://BROKER:9092,BROKER:9092/TOPIC, or kafka+ssl:// for TLS";
const PORT: u16 = 9092;
/// The member of a URL's query that names a file of properties.
const FILE: &str = "properties";
/// What the agent's way of using Kafka rests on.
const OURS: [&str; 13] = [
    "bootstrap.servers",
    "metadata.broker.list",
    "group.id",
    "group.instance.id",
    "group.protocol",
    "transactional.id",
    "enable.idempotence",
    "acks",
    "isolation.level",
    "enable.auto.commit",
    "enable.partition.eof",
    "auto.offset.reset",
    "partition.assignment.strategy",
];

/// A topic by its URL, with the properties of a client that lead there.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    brokers: String,
    pub(super) topic: String,
    properties: Vec<(String, String)>,
}

impl std::fmt::Debug for Address {
    /// Properties may be passwords.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "kafka://{}/{}", self.brokers, self.topic)
    }
}

impl Address {
    /// Whether a URL is of this engine.
    pub fn is_ours(url: &SecretUrl) -> bool {
        let scheme = url.expose().split("://").next().unwrap_or_default();
        scheme == "kafka" || scheme.starts_with("kafka+")
    }

    /// Reads the file of properties that the URL names.
    pub fn parse(url: &SecretUrl) -> anyhow::Result<Self> {
        let (before, query) = url.expose().split_once('?').unwrap_or((url.expose(), ""));
        let mut properties = Vec::new();
        let rest = match before.split_once("://") {
            Some(("kafka", rest)) => rest,
            Some(("kafka+ssl", rest)) => {
                properties.push(("security.protocol".to_owned(), "ssl".to_owned()));
                rest
            }
            _ => bail!("{url} is not the URL of a topic: write {FORM}"),
        };
        let (brokers, topic) = rest
            .split_once('/')
            .with_context(|| format!("{url} names no topic: write {FORM}"))?;
        ensure!(
            !brokers.contains('@'),
            "{url} has a user in it, whom Kafka does not know: write sasl.username and sasl.password into a file, and name it with `?{FILE}=FILE`"
        );
        let is_usual = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        ensure!(
            (1..=200).contains(&topic.len()) && topic.chars().all(is_usual),
            "`{topic}` is not the name of a topic: use letters, digits, `-`, `_` and `.`; write {FORM}"
        );
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                FILE => properties.extend(read_file(&value)?),
                secret if is_secret(secret) => bail!(
                    "{secret} does not belong into a URL: write it into a file that only the agent can read, and name that with `?{FILE}=FILE`"
                ),
                _ => properties.push((name.into_owned(), value.into_owned())),
            }
        }
        if let Some((name, _)) = properties.iter().find(|(name, _)| OURS.contains(&&**name)) {
            bail!("{name} is the agent's own choice: leave it out");
        }
        let address = Self {
            brokers: brokers_of(brokers)
                .with_context(|| format!("{url} names no broker: write {FORM}"))?,
            topic: topic.to_owned(),
            properties,
        };
        address.check_properties()?;
        Ok(address)
    }

    /// Where the fleet keeps its state.
    pub(super) fn state_topic(&self) -> String {
        format!("{}.fleet", self.topic)
    }

    /// What all clients have in common.
    pub(super) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            // Why there is no connection is told by its log only.
            .set_log_level(RDKafkaLogLevel::Error)
            .set("client.id", "mirror-agent")
            .set("socket.keepalive.enable", "true")
            // A broker that comes back is found again within a second.
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "1000");
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config.set("bootstrap.servers", &self.brokers);
        config
    }

    /// librdkafka knows its properties.
    fn check_properties(&self) -> anyhow::Result<()> {
        match self.client().create_native_config() {
            Ok(_) => Ok(()),
            Err(rdkafka::error::KafkaError::ClientConfig(_, why, name, _)) => bail!(
                "{why} ({name}): properties have the names that librdkafka gives them, as security.protocol, sasl.mechanism, sasl.username, sasl.password, ssl.ca.location"
            ),
            Err(error) => Err(error).context("reading the properties of a Kafka client"),
        }
    }
}

fn brokers_of(text: &str) -> Option<String> {
    let all = text.split(',').map(|broker| {
        let has_port = broker.rsplit(':').next()?.parse::<u16>().is_ok();
        match (broker.is_empty(), has_port && broker.contains(':')) {
            (true, _) => None,
            (false, true) => Some(broker.to_owned()),
            (false, false) => Some(format!("{broker}:{PORT}")),
        }
    });
    Some(all.collect::<Option<Vec<_>>>()?.join(","))
}

fn is_secret(name: &str) -> bool {
    ["password", "secret", ".pem", "sasl.oauthbearer.config"]
        .iter()
        .any(|word| name.contains(word))
}

/// `name=value` lines, as the programs of Kafka read them.
fn read_file(path: &str) -> anyhow::Result<Vec<(String, String)>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("reading the properties of a Kafka client from {path}"))?;
    let mut properties = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let (name, value) = line.split_once('=').with_context(|| {
            format!("{path}, line {number}: write `name=value`, as in `sasl.username=mirror`")
        })?;
        properties.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    Ok(properties)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> anyhow::Result<Address> {
        Address::parse(&SecretUrl::new(url))
    }

    #[test]
    fn a_topic_is_named_after_its_brokers() {
        let check = |url: &str, expect: &str| {
            assert_eq!(format!("{:?}", parse(url).unwrap()), expect, "{url}");
        };
        check("kafka://h/shop", "kafka://h:9092/shop");
        check("kafka://a:1,b/shop.v1", "kafka://a:1,b:9092/shop.v1");
        check("kafka://[::1]:7/shop", "kafka://[::1]:7/shop");
        let tls = parse("kafka+ssl://h/t?ssl.ca.location=/ca.pem").unwrap();
        assert_eq!(tls.client().get("security.protocol"), Some("ssl"));
        assert_eq!(tls.client().get("ssl.ca.location"), Some("/ca.pem"));
    }

    #[test]
    fn a_url_that_names_no_topic_is_refused_with_the_remedy() {
        for url in [
            "kafka://h",
            "kafka://h/",
            "kafka://h/a b",
            "kafka:///t",
            "kafka://a,,b/t",
        ] {
            let error = format!("{:#}", parse(url).unwrap_err());
            assert!(error.contains("kafka://BROKER"), "{url}: {error}");
        }
    }

    #[test]
    fn secrets_come_from_a_file_and_show_nowhere() {
        let scratch = mirror_tests::scratch::Scratch::new().unwrap();
        let file = scratch.join("client.properties");
        let text = "# who we are\n\nsasl.username = mirror\nsasl.password=p=q\n";
        std::fs::write(&file, text).unwrap();
        let address = parse(&format!("kafka://h/t?properties={}", file.display())).unwrap();
        assert_eq!(address.client().get("sasl.password"), Some("p=q"));
        assert!(!format!("{address:?}").contains("p=q"));
        for url in ["kafka://u:hidden@h/t", "kafka://h/t?sasl.password=hidden"] {
            let error = format!("{:#}", parse(url).unwrap_err());
            assert!(error.contains("properties=FILE"), "{error}");
            assert!(!error.contains("hidden"), "{error}");
        }
    }

    #[test]
    fn properties_that_nobody_knows_or_that_are_the_agents_are_refused_by_name() {
        let check = |query: &str, expect: &str| {
            let error = format!("{:#}", parse(&format!("kafka://h/t?{query}")).unwrap_err());
            assert!(error.contains(expect), "{query}: {error}");
        };
        check("sasl.jaas.config=x", "sasl.jaas.config");
        check("acks=1", "acks is the agent's own choice");
        check("properties=/nowhere", "/nowhere");
    }
}
