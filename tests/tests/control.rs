//! The control socket as its clients see it: who may ask, what is answered, and that hostile clients keep nobody out.

use std::{
    fs,
    io::{self, Read, Write},
    os::unix::{
        fs::{MetadataExt, PermissionsExt, symlink},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use mirror_agent::control::socket::{Control, Handles, MAX_CONNECTIONS};
use mirror_agent::control::{Order, ask, create_log};
use mirror_tests::scratch::Scratch;
use mirror_tests::{needs, testing};
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinHandle};

const LIMIT: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    testing::main()
}

/// Runs one test's tasks on threads of their own.
fn block_on(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(test);
}

/// A directory of one test that only its owner writes to.
struct Directory(Scratch);

impl Directory {
    fn new() -> Self {
        let directory = Self(Scratch::new().unwrap());
        directory.set_mode(0o755);
        directory
    }

    fn set_mode(&self, mode: u32) {
        fs::set_permissions(self.0.path(), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn socket(&self) -> PathBuf {
        self.join("agent.sock")
    }
}

/// An agent without capture: it answers orders with their own text, and ends a run at once.
async fn agent(path: &Path) -> JoinHandle<()> {
    let control = Control::bind(path).await.unwrap();
    let (stop, mut stopped) = watch::channel(false);
    let (end, ended) = watch::channel(None);
    tokio::spawn(async move {
        let _ = stopped.wait_for(|stop| *stop).await;
        end.send_replace(Some(json!("report")));
        end.closed().await;
    });
    let handles = Handles {
        order: Box::new(|order| match order {
            Order::Reload => anyhow::bail!("nothing to read"),
            order => Ok(json!({ "order": format!("{order:?}") })),
        }),
        stop,
        ended,
    };
    tokio::spawn(control.serve(handles, MAX_CONNECTIONS))
}

async fn refused(path: &Path) -> String {
    format!("{:#}", Control::bind(path).await.unwrap_err())
}

/// What comes back for bytes as they are; the client may keep its own side open.
fn raw(path: &Path, bytes: &[u8], close: bool) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    // It may be refused before all is written.
    let _ = stream.write_all(bytes);
    if close {
        stream.shutdown(std::net::Shutdown::Write).unwrap();
    }
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

async fn raw_from_thread(path: &Path, bytes: Vec<u8>, close: bool) -> Value {
    let path = path.to_owned();
    let answer = tokio::task::spawn_blocking(move || raw(&path, &bytes, close))
        .await
        .unwrap();
    serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

#[needs(nothing)]
fn orders_are_answered_and_refusals_are_told() {
    block_on(async {
        let directory = Directory::new();
        let path = directory.socket();
        let _agent = agent(&path).await;
        let status = ask(&path, &Order::Status).await.unwrap();
        assert_eq!(status, json!({ "order": "Status" }));
        let error = ask(&path, &Order::Reload).await.unwrap_err().to_string();
        assert_eq!(error, "nothing to read");
        assert_eq!(ask(&path, &Order::Stop).await.unwrap(), json!("report"));
    });
}

#[needs(nothing)]
fn the_socket_is_for_its_owner_and_goes_with_the_agent() {
    block_on(async {
        let directory = Directory::new();
        let path = directory.socket();
        let control = Control::bind(&path).await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        drop(control);
        assert!(!path.exists());
    });
}

#[needs(nothing)]
fn a_directory_that_is_missing_is_made_for_the_owner_alone() {
    block_on(async {
        let directory = Directory::new();
        let missing = directory.join("mirror-agent");
        let _control = Control::bind(&missing.join("agent.sock")).await.unwrap();
        assert_eq!(fs::metadata(&missing).unwrap().mode() & 0o777, 0o700);
    });
}

#[needs(nothing)]
fn a_directory_where_others_may_replace_files_is_refused() {
    block_on(async {
        let directory = Directory::new();
        for open in [0o777, 0o775, 0o757] {
            directory.set_mode(open);
            let error = refused(&directory.socket()).await;
            assert!(error.contains("others may replace"), "{error}");
        }
        directory.set_mode(0o1777);
        Control::bind(&directory.socket()).await.unwrap();
    });
}

#[needs(nothing)]
fn what_is_not_a_stale_socket_of_ours_stays_as_it_is() {
    block_on(async {
        let directory = Directory::new();
        let path = directory.socket();
        let victim = directory.join("victim");
        fs::write(&victim, "precious").unwrap();

        fs::write(&path, "a file").unwrap();
        assert!(refused(&path).await.contains("is not a socket"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "a file");
        fs::remove_file(&path).unwrap();

        for to in [&victim, &directory.join("nothing")] {
            symlink(to, &path).unwrap();
            assert!(refused(&path).await.contains("is not a socket"));
            assert_eq!(&fs::read_link(&path).unwrap(), to);
            fs::remove_file(&path).unwrap();
        }
        // A link to a socket that nobody listens on is a link.
        let stale = directory.join("stale.sock");
        drop(UnixListener::bind(&stale).unwrap());
        symlink(&stale, &path).unwrap();
        assert!(refused(&path).await.contains("is not a socket"));
        assert!(stale.exists());
        fs::remove_file(&path).unwrap();

        fs::create_dir(&path).unwrap();
        assert!(refused(&path).await.contains("is not a socket"));
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    });
}

#[needs(nothing)]
fn a_stale_socket_is_replaced_and_a_living_one_is_not() {
    block_on(async {
        let directory = Directory::new();
        let path = directory.socket();
        drop(UnixListener::bind(&path).unwrap());
        let control = Control::bind(&path).await.unwrap();
        let error = refused(&path).await;
        assert!(error.contains("already running"), "{error}");
        assert!(path.exists());
        // Another's socket in its place is not removed with the agent.
        fs::remove_file(&path).unwrap();
        let other = UnixListener::bind(&path).unwrap();
        drop(control);
        assert!(UnixStream::connect(&path).is_ok());
        drop(other);
    });
}

#[needs(nothing)]
fn of_agents_that_start_at_once_over_a_stale_socket_one_wins_and_is_reached() {
    block_on(async {
        for _ in 0..20 {
            let directory = Directory::new();
            let path = directory.socket();
            drop(UnixListener::bind(&path).unwrap());
            let starts: Vec<_> = (0..8)
                .map(|_| {
                    let path = path.clone();
                    tokio::spawn(async move { Control::bind(&path).await.ok() })
                })
                .collect();
            let mut running = Vec::new();
            for start in starts {
                running.extend(start.await.unwrap());
            }
            assert_eq!(running.len(), 1);
            assert!(UnixStream::connect(&path).is_ok());
        }
    });
}

#[needs(nothing)]
fn paths_that_cannot_be_a_socket_are_refused() {
    block_on(async {
        let directory = Directory::new();
        let long = directory.join(&"x".repeat(200));
        for path in [Path::new("/"), Path::new(""), &long] {
            let error = refused(path).await;
            assert!(error.contains("--socket"), "{error}");
        }
    });
}

#[needs(nothing)]
fn a_log_is_never_written_through_a_link() {
    let directory = Directory::new();
    let victim = directory.join("victim");
    fs::write(&victim, "precious").unwrap();
    let log = directory.join("agent.log");
    symlink(&victim, &log).unwrap();
    assert!(create_log(&directory.socket()).is_err());
    fs::remove_file(&log).unwrap();
    fs::hard_link(&victim, &log).unwrap();
    assert!(create_log(&directory.socket()).is_err());
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    fs::remove_file(&log).unwrap();

    fs::write(&log, "of the run before").unwrap();
    let (path, _) = create_log(&directory.socket()).unwrap();
    assert_eq!(path, log);
    assert_eq!(fs::read_to_string(&log).unwrap(), "");
    assert_eq!(fs::metadata(&log).unwrap().mode() & 0o777, 0o600);
}

#[needs(nothing)]
fn junk_is_answered_with_a_reason() {
    block_on(async {
        let directory = Directory::new();
        let path = directory.socket();
        let _agent = agent(&path).await;
        let check = async |bytes: &[u8], close, expect: &str| {
            let answer = raw_from_thread(&path, bytes.to_vec(), close).await;
            let error = answer["error"].as_str().unwrap_or_default();
            assert!(error.contains(expect), "{bytes:?}: {answer}");
        };
        check(b"status\n", false, "reading the order").await;
        check(b"\xff\xfe\x00\n", false, "reading the order").await;
        check(b"GET / HTTP/1.1\r\n\r\n", false, "reading the order").await;
        check(br#"{"version":7,"order":"status"}"#, true, "has no end").await;
        check(b"{\"version\":7,\"order\":1}\n", false, "version 7").await;
        check(b"", true, "has no end").await;
        check(&vec![b'['; 5 << 20], true, "longer than").await;
    });
}

/// Again and again while the queue of the socket is full.
async fn connect_patiently(path: &Path) -> tokio::net::UnixStream {
    loop {
        match tokio::net::UnixStream::connect(path).await {
            Ok(stream) => return stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[needs(nothing)]
fn clients_that_say_nothing_or_read_nothing_keep_nobody_out() {
    block_on(async {
        let directory = Directory::new();
        let path = directory.socket();
        let agent = agent(&path).await;
        let mut hostile = Vec::new();
        for number in 0..1000 {
            let mut client = connect_patiently(&path).await;
            let part: &[u8] = match number % 3 {
                0 => b"",
                1 => b"{\"version\":1,",
                _ => b"{\"version\":1,\"order\":\"status\"}\n",
            };
            let _ = tokio::io::AsyncWriteExt::write_all(&mut client, part).await;
            hostile.push(client);
        }
        let status = ask(&path, &Order::Status).await.unwrap();
        assert_eq!(status, json!({ "order": "Status" }));
        let report = ask(&path, &Order::Stop).await.unwrap();
        assert_eq!(report, json!("report"));
        assert!(!agent.is_finished());
    });
}

/// Runs `work` as a user without rights, on a thread of its own: who connects is told by thread.
fn as_nobody<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    const NOBODY: libc::uid_t = 65534;
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            // SAFETY: no pointers; the bare system call changes this thread alone, which ends with `work`.
            let changed = unsafe { libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) };
            assert_eq!(changed, 0, "{}", io::Error::last_os_error());
            work()
        });
        other.join().unwrap()
    })
}

#[needs(root)]
fn another_user_is_refused_even_where_the_file_lets_them_in() {
    block_on(async {
        let directory = Directory::new();
        let path = directory.socket();
        let _agent = agent(&path).await;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        let question = b"{\"version\":1,\"order\":\"status\"}\n";
        let own = raw(&path, question, false);
        assert!(own.contains("Status"), "{own}");
        let others = as_nobody(|| raw(&path, question, false));
        assert!(others.contains("user 65534 may not"), "{others}");
        assert!(!others.contains("Status"), "{others}");
    });
}

#[needs(root)]
fn a_socket_of_another_user_is_neither_replaced_nor_believed() {
    block_on(async {
        let directory = Directory::new();
        let path = directory.socket();
        directory.set_mode(0o1777);
        let impostor = as_nobody(|| UnixListener::bind(&path).unwrap());
        let error = ask(&path, &Order::Status).await.unwrap_err().to_string();
        assert!(error.contains("user 65534"), "{error}");
        assert!(refused(&path).await.contains("belongs to user 65534"));
        // Stale now, and still another's.
        drop(impostor);
        assert!(refused(&path).await.contains("belongs to user 65534"));
        assert!(path.exists());
    });
}
