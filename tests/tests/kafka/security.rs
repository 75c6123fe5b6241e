//! Doors that ask who comes.

use anyhow::Result;
use mirror_agent::secret::SecretUrl;
use mirror_agent::transport::FleetOptions;
use mirror_agent::transport::engine::{EngineError, Shipping};
use mirror_agent::transport::kafka::Address;
use mirror_agent::transport::parcel::ProcessId;
use mirror_tests::kafka::{GUEST, Kafka, Listener, PASSWORD, USER};
use mirror_tests::needs;

/// What becomes of a host that opens a topic by this URL.
fn open(url: &str) -> Result<Result<u32, EngineError>> {
    let address = Address::parse(&SecretUrl::new(url))?;
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build()?;
    let process = ProcessId::random()?;
    let options = FleetOptions {
        partitions: 3,
        ..FleetOptions::default()
    };
    let opened = async { Ok(address.outbound(process, &options).await?.partitions()) };
    Ok(runtime.block_on(opened))
}

fn refused(result: Result<u32, EngineError>, words: &str) {
    let Err(error) = result else {
        panic!("it was opened")
    };
    assert!(error.to_string().contains(words), "{error:?}");
    assert!(!error.to_string().contains(PASSWORD), "{error}");
}

#[needs(kafka)]
fn tls_and_passwords_open_a_topic_and_what_is_wrong_is_told() -> Result<()> {
    let kafka = Kafka::start(1)?;
    let certificate = kafka.certificate().display().to_string();
    let tls = kafka.addresses(Listener::Tls);
    let trusted = format!("kafka+ssl://{tls}/shop?ssl.ca.location={certificate}");
    assert_eq!(open(&trusted)?, Ok(3));
    refused(open(&format!("kafka+ssl://{tls}/shop"))?, "certificate");
    let sasl = kafka.addresses(Listener::Sasl);
    let by = |user: &str, password: &str, mechanism: &str| -> Result<Result<u32, EngineError>> {
        let file = kafka.scratch().join("client.properties");
        let text = format!(
            "security.protocol=SASL_SSL\nsasl.mechanism={mechanism}\nssl.ca.location={certificate}\n\
             sasl.username={user}\nsasl.password={password}\n"
        );
        std::fs::write(&file, text)?;
        open(&format!(
            "kafka://{sasl}/shop?properties={}",
            file.display()
        ))
    };
    for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
        assert_eq!(by(USER, PASSWORD, mechanism)?, Ok(3), "{mechanism}");
    }
    let wrong = by(USER, "another one", "SCRAM-SHA-512")?;
    refused(wrong, "uthentication failed");
    // Kafka does not tell strangers which topics there are.
    refused(by(GUEST, PASSWORD, "SCRAM-SHA-512")?, "uthorization failed");
    refused(open("kafka://127.0.0.1:1/shop")?, "Connection refused");
    Ok(())
}
