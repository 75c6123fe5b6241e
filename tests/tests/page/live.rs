//! The page of a run that goes on, served by a server that gives what the agent gives.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use mirror_tests::browser::Scheme;
use mirror_tests::{needs, wait_until};
use serde_json::Value;

use crate::{DESKTOP, Reader};

const LIMIT: Duration = Duration::from_secs(20);

#[needs(browser)]
fn a_live_page_follows_the_run_and_keeps_what_its_reader_chose() -> Result<()> {
    let reader = Reader::new()?;
    let server = Server::start(&reader.pages)?;
    reader.screen(DESKTOP, Scheme::Light)?;
    let browser = &reader.browser;
    browser.open(&server.url)?;
    let heading = || browser.text("return document.getElementById('verdict').innerText");
    assert_eq!(heading()?, "HOLD so far");
    browser.write("#routes-search", "orders")?;
    browser.click("#routes-drawn .opener[data-key='open GET /orders/{id}']")?;

    server.go_on.store(true, Ordering::SeqCst);
    wait_until("the next state", LIMIT, || {
        heading().is_ok_and(|text| text == "FAIL so far")
    })?;
    assert_eq!(browser.text("return document.title")?, "FAIL – release-1.5");
    let routes = reader.column("routes", "Route")?;
    assert_eq!(
        routes,
        ["GET /orders/{id}", "POST /orders"],
        "the filter stays"
    );
    let kept = browser
        .text("return document.activeElement.dataset.key + document.activeElement.ariaExpanded")?;
    assert_eq!(
        kept, "open GET /orders/{id}true",
        "and the focus, and what is open"
    );
    let state = browser.text("return document.getElementById('live-state').innerText")?;
    assert!(state.starts_with("live, as of "), "{state}");

    browser.click("#pause")?;
    wait_until("the order", LIMIT, || server.asked("POST /pause"))?;
    let label = || browser.text("return document.getElementById('pause').innerText");
    wait_until("the answer", LIMIT, || {
        label().is_ok_and(|text| text == "Resume")
    })?;
    browser.click("#pause")?;
    wait_until("the other order", LIMIT, || server.asked("POST /resume"))?;
    let errors = browser.log("browser")?;
    assert!(errors.is_empty(), "{errors:#?}");
    Ok(())
}

#[needs(browser)]
fn answers_that_are_not_in_a_live_page_are_asked_for() -> Result<()> {
    let reader = Reader::new()?;
    let server = Server::start(&reader.pages)?;
    reader.screen(DESKTOP, Scheme::Light)?;
    let browser = &reader.browser;
    server.go_on.store(true, Ordering::SeqCst);
    server.keep_answers_back.store(true, Ordering::SeqCst);
    browser.open(&server.url)?;
    let there = "return document.querySelector('#differences-drawn .opener') !== null";
    wait_until("groups", LIMIT, || {
        browser.run(there).is_ok_and(|is_there| is_there == true)
    })?;
    browser.click("#differences-drawn .opener")?;
    let whole = "#differences-drawn .answers";
    browser.click(&format!("{whole} button"))?;
    wait_until("the answers", LIMIT, || server.asked("GET /answers/1"))?;
    let text = || {
        browser.text(&format!(
            "return document.querySelector('{whole}').innerText"
        ))
    };
    wait_until("both bodies", LIMIT, || {
        text().is_ok_and(|text| text.contains("\"total\": 129.90"))
    })
}

/// What the agent's admin side gives to the page.
struct Server {
    url: String,
    go_on: Arc<AtomicBool>,
    /// Events without answers, as those of an agent are.
    keep_answers_back: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(pages: &Path) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("listening")?;
        let url = format!("http://{}/", listener.local_addr()?);
        let server = Self {
            url,
            go_on: Arc::default(),
            keep_answers_back: Arc::default(),
            asked: Arc::default(),
        };
        let shared = Shared {
            pages: pages.to_owned(),
            go_on: Arc::clone(&server.go_on),
            keep_answers_back: Arc::clone(&server.keep_answers_back),
            asked: Arc::clone(&server.asked),
        };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                // One that goes away ends its thread.
                std::thread::spawn(move || drop(shared.answer(stream)));
            }
        });
        Ok(server)
    }

    fn asked(&self, what: &str) -> bool {
        let asked = self.asked.lock().expect("no thread panics with it");
        asked.iter().any(|line| line.starts_with(what))
    }
}

#[derive(Clone)]
struct Shared {
    pages: PathBuf,
    go_on: Arc<AtomicBool>,
    keep_answers_back: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Shared {
    fn answer(&self, mut stream: TcpStream) -> Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let first = lines.next().context("a request line")??;
        // The head; bodies are empty.
        lines.find(|line| line.as_ref().is_ok_and(String::is_empty));
        self.asked
            .lock()
            .expect("no thread panics with it")
            .push(first.clone());
        let file = |name: &str| std::fs::read_to_string(self.pages.join(name));
        match first.split(' ').nth(1).unwrap_or_default() {
            "/" => write(&mut stream, "text/html; charset=utf-8", &file("live.html")?),
            "/events" => self.tell(stream),
            "/answers/1" => {
                let all: Value = serde_json::from_str(&file("answers.json")?)?;
                write(&mut stream, "application/json", &all[0].to_string())
            }
            _ => write(&mut stream, "application/json", "{}"),
        }
    }

    /// One event when the test says so, and then nothing more.
    fn tell(&self, mut stream: TcpStream) -> Result<()> {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")?;
        wait_until("a word", LIMIT, || self.go_on.load(Ordering::SeqCst))?;
        let mut event: Value =
            serde_json::from_str(&std::fs::read_to_string(self.pages.join("live.json"))?)?;
        if self.keep_answers_back.load(Ordering::SeqCst) {
            event["answers"] = Value::Array(Vec::new());
        }
        stream.write_all(format!("data: {event}\n\n").as_bytes())?;
        // Until the browser goes.
        let _ = stream.read(&mut [0]);
        Ok(())
    }
}

fn write(stream: &mut TcpStream, kind: &str, text: &str) -> Result<()> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        text.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(text.as_bytes())?;
    Ok(())
}
