//! Apache Kafka on the machine's own loopback interface: one broker or three, which are their own controllers (KRaft), each in a
//! process and a directory of its own. They go with the thread that started them, however it ends.

use std::fmt::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::process::{Process, Signal};
use crate::scratch::Scratch;
use crate::{java, wait_until, workspace};

/// The version that is fetched.
pub const VERSION: &str = "4.3.1";
pub const NEEDS: &str =
    "a JDK, openssl, setpriv, and Kafka in target, which `cargo xtask test` fetches with Maven";

/// May do everything, after it has shown its password.
pub const USER: &str = "mirror";
/// May log in, and nothing else.
pub const GUEST: &str = "guest";
pub const PASSWORD: &str = "only for tests";

const START: Duration = Duration::from_secs(90);
/// Enough for tests; three brokers must fit beside everything else.
const HEAP: &str = "-Xmx256m";

/// Where the jars are kept.
pub fn folder() -> Result<PathBuf> {
    Ok(workspace::target_dir()?.join(format!("kafka-{VERSION}")))
}

pub fn is_fetched() -> bool {
    folder().is_ok_and(|folder| folder.is_dir())
}

/// Whether there is a broker to start.
pub fn is_installed() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there =
        |program: &&str| std::env::split_paths(&path).any(|dir| dir.join(program).is_file());
    ["openssl", "setpriv"].iter().all(is_there) && java::jdk().is_some() && is_fetched()
}

/// The doors of a broker. Who comes by the first two is nobody by name, and may do everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    Plain,
    Tls,
    /// TLS, and SCRAM for [`USER`] and [`GUEST`].
    Sasl,
}

#[derive(Debug)]
pub struct Kafka {
    brokers: Vec<Broker>,
    scratch: Scratch,
}

#[derive(Debug)]
struct Broker {
    process: Process,
    ports: Ports,
}

#[derive(Clone, Copy, Debug)]
struct Ports {
    controller: u16,
    internal: u16,
    plain: u16,
    tls: u16,
    sasl: u16,
}

impl Kafka {
    /// A cluster of one broker, or of several that keep each topic on all of them.
    pub fn start(brokers: usize) -> Result<Self> {
        let scratch = Scratch::new()?;
        write_certificate(&scratch)?;
        std::fs::write(scratch.join("log4j2.properties"), LOG)
            .context("writing what a broker logs")?;
        let ports = free_ports(brokers)?;
        for number in 1..=brokers {
            let file = settings_file(&scratch, number);
            std::fs::write(&file, settings(&scratch, &ports, number))
                .with_context(|| format!("writing {}", file.display()))?;
            format(&scratch, &file)?;
        }
        let mut started = Vec::new();
        for (index, ports) in ports.iter().enumerate() {
            started.push(Broker {
                process: serve(&scratch, index + 1)?,
                ports: *ports,
            });
        }
        let mut kafka = Self {
            brokers: started,
            scratch,
        };
        for index in 0..brokers {
            kafka.wait_ready(index)?;
        }
        Ok(kafka)
    }

    /// The addresses of all brokers, as clients want them.
    pub fn addresses(&self, listener: Listener) -> String {
        let address = |broker: &Broker| {
            let port = match listener {
                Listener::Plain => broker.ports.plain,
                Listener::Tls => broker.ports.tls,
                Listener::Sasl => broker.ports.sasl,
            };
            format!("127.0.0.1:{port}")
        };
        let all: Vec<String> = self.brokers.iter().map(address).collect();
        all.join(",")
    }

    /// What the agent is given for a topic.
    pub fn url(&self, topic: &str) -> String {
        format!("kafka://{}/{topic}", self.addresses(Listener::Plain))
    }

    /// The certificate that clients must trust.
    pub fn certificate(&self) -> PathBuf {
        self.scratch.join("certificate.pem")
    }

    /// For what belongs to a test.
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    pub fn create_topic(&self, name: &str, partitions: u32, settings: &[&str]) -> Result<()> {
        let partitions = partitions.to_string();
        let mut arguments = vec!["--create", "--topic", name, "--partitions", &partitions];
        for setting in settings {
            arguments.extend(["--config", setting]);
        }
        self.topics(&arguments).map(drop)
    }

    /// What Kafka's own command for topics prints.
    pub fn topics(&self, arguments: &[&str]) -> Result<String> {
        self.by(
            Listener::Plain,
            "org.apache.kafka.tools.TopicCommand",
            arguments,
        )
    }

    /// What one of Kafka's own commands for administrators prints.
    pub fn by(&self, listener: Listener, class: &str, arguments: &[&str]) -> Result<String> {
        let mut command = java(&self.scratch)?;
        command
            .arg(class)
            .args(["--bootstrap-server", &self.addresses(listener)])
            .args(arguments);
        run(&mut command)
    }

    /// Waits until every partition of a topic has all its copies.
    pub fn wait_whole(&self, topic: &str) -> Result<()> {
        const LACKING: [&str; 3] = ["--describe", "--under-replicated-partitions", "--topic"];
        let mut lacking = String::new();
        let waited = wait_until("all copies of a topic", START, || {
            lacking = match self.topics(&[&LACKING[..], &[topic]].concat()) {
                Ok(lacking) => lacking,
                Err(error) => format!("{error:#}"),
            };
            lacking.trim().is_empty()
        });
        waited.with_context(|| lacking.clone())
    }

    /// SIGKILL, and the end of it.
    pub fn kill(&mut self, index: usize) {
        self.brokers[index].process.kill();
    }

    /// A broker that was killed, with what it had on disk.
    pub fn start_again(&mut self, index: usize) -> Result<()> {
        self.brokers[index].process = serve(&self.scratch, index + 1)?;
        self.wait_ready(index)
    }

    /// From now on it takes connections and answers nothing.
    pub fn freeze(&self, index: usize) -> Result<()> {
        self.brokers[index].process.signal(Signal::STOP)
    }

    pub fn thaw(&self, index: usize) -> Result<()> {
        self.brokers[index].process.signal(Signal::CONT)
    }

    /// A broker opens its doors when its controller has let it in.
    fn wait_ready(&mut self, index: usize) -> Result<()> {
        let Broker { process, ports } = &mut self.brokers[index];
        let ports = [ports.plain, ports.tls, ports.sasl];
        process.wait_ready("a Kafka broker", START, |_| {
            ports
                .iter()
                .all(|port| TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_ok())
        })
    }
}

/// What a client of Kafka's own tools must know to come by a door with a password.
pub fn client_settings(kafka: &Kafka, user: &str) -> String {
    format!(
        "security.protocol=SASL_SSL\nssl.truststore.type=PEM\nssl.truststore.location={}\n\
         sasl.mechanism=SCRAM-SHA-256\nsasl.jaas.config={SCRAM} required username=\"{user}\" password=\"{PASSWORD}\";\n",
        kafka.certificate().display()
    )
}

fn serve(scratch: &Scratch, number: usize) -> Result<Process> {
    let mut command = java(scratch)?;
    command
        .arg("kafka.Kafka")
        .arg(settings_file(scratch, number));
    Process::spawn(&format!("kafka-{number}"), command, scratch.path())
}

/// Writes a broker's first entries, among them who may log in.
fn format(scratch: &Scratch, settings: &Path) -> Result<()> {
    let mut command = java(scratch)?;
    command
        .args(["kafka.tools.StorageTool", "format"])
        .args(["--cluster-id", CLUSTER, "--config"])
        .arg(settings);
    for mechanism in MECHANISMS {
        for user in [USER, GUEST] {
            let user = format!("{mechanism}=[name={user},password=\"{PASSWORD}\"]");
            command.args(["--add-scram", &user]);
        }
    }
    run(&mut command).map(drop)
}

/// Starts quickly and stays small, which matters more than its speed after minutes.
fn java(scratch: &Scratch) -> Result<Command> {
    let jdk = java::jdk().context("there is no JDK")?;
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL"])
        .arg(jdk.home.join("bin/java"))
        .args([HEAP, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
        .arg(format!(
            "-Dlog4j2.configurationFile={}",
            scratch.join("log4j2.properties").display()
        ))
        .arg("-cp")
        .arg(folder()?.join("*"));
    Ok(command)
}

fn run(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("running {command:?}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success(),
        "{command:?}: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(text)
}

fn settings_file(scratch: &Scratch, number: usize) -> PathBuf {
    scratch.join(format!("kafka-{number}.properties"))
}

fn settings(scratch: &Scratch, all: &[Ports], number: usize) -> String {
    let Ports {
        controller,
        internal,
        plain,
        tls,
        sasl,
    } = all[number - 1];
    let voters: Vec<String> = (1..)
        .zip(all)
        .map(|(number, ports)| format!("{number}@127.0.0.1:{}", ports.controller))
        .collect();
    let doors = format!(
        "INTERNAL://127.0.0.1:{internal},PLAIN://127.0.0.1:{plain},TLS://127.0.0.1:{tls},SASL://127.0.0.1:{sasl}"
    );
    let copies = all.len();
    let acknowledging = copies / 2 + 1;
    let directory = scratch.join(format!("kafka-{number}"));
    let mut text = format!(
        "node.id={number}\ncontroller.quorum.voters={}\nlog.dirs={}\n\
         listeners=CONTROLLER://127.0.0.1:{controller},{doors}\nadvertised.listeners={doors}\n\
         ssl.keystore.location={}\n\
         default.replication.factor={copies}\nmin.insync.replicas={acknowledging}\n\
         offsets.topic.replication.factor={copies}\n\
         transaction.state.log.replication.factor={copies}\ntransaction.state.log.min.isr={acknowledging}\n\
         share.coordinator.state.topic.replication.factor={copies}\n{SETTINGS}",
        voters.join(","),
        directory.display(),
        scratch.join("identity.pem").display(),
    );
    for mechanism in MECHANISMS {
        let name = mechanism.to_lowercase();
        let _ = writeln!(
            text,
            "listener.name.sasl.{name}.sasl.jaas.config={SCRAM} required;"
        );
    }
    text
}

const CLUSTER: &str = "bWlycm9yLWluLXRlc3RzMQ";
const MECHANISMS: [&str; 2] = ["SCRAM-SHA-256", "SCRAM-SHA-512"];
const SCRAM: &str = "org.apache.kafka.common.security.scram.ScramLoginModule";

/// What all brokers have in common: little of everything, and groups that form at once.
const SETTINGS: &str = "\
process.roles=broker,controller
controller.listener.names=CONTROLLER
inter.broker.listener.name=INTERNAL
listener.security.protocol.map=CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT,PLAIN:PLAINTEXT,TLS:SSL,SASL:SASL_SSL
ssl.keystore.type=PEM
sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:mirror
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
num.network.threads=2
num.io.threads=2
background.threads=2
log.cleaner.dedupe.buffer.size=4194304
log.retention.check.interval.ms=500
transaction.abort.timed.out.transaction.cleanup.interval.ms=500
log.initial.task.delay.ms=500
";

const LOG: &str = "\
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d %p %m (%c)%n
rootLogger.level=WARN
rootLogger.appenderRefs=console
rootLogger.appenderRef.console.ref=console
";

/// A certificate that signs itself, and a file with its key, which a broker reads.
fn write_certificate(scratch: &Scratch) -> Result<()> {
    let (key, certificate) = (scratch.join("key.pem"), scratch.join("certificate.pem"));
    let mut openssl = Command::new("openssl");
    openssl
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes"])
        .args(["-days", "2", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate);
    run(&mut openssl)?;
    let read = |path: &Path| {
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
    };
    let both = read(&key)? + &read(&certificate)?;
    std::fs::write(scratch.join("identity.pem"), both).context("writing a broker's identity")
}

/// Ports that nobody has now, below those that the kernel gives to clients: a broker that was killed gets its own again.
fn free_ports(brokers: usize) -> Result<Vec<Ports>> {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    // Programs that run at the same time begin at different places.
    let begin = (std::process::id().wrapping_mul(97) % u32::from(COUNT)) as u16;
    let mut free = (0..COUNT)
        .map(|step| FIRST + (begin + step) % COUNT)
        .filter(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok());
    let mut next = || free.next().context("no port is free");
    let ports = |_| {
        Ok(Ports {
            controller: next()?,
            internal: next()?,
            plain: next()?,
            tls: next()?,
            sasl: next()?,
        })
    };
    (0..brokers).map(ports).collect()
}
