//! What clients do to harm others.

use std::{future::Future, io, net::Ipv4Addr, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Runtime,
    time::{sleep, timeout},
};
use tokio_rustls::client::TlsStream;

use super::site::{Exporter, PASSWORD, USER};

/// The pause after the exporter closed a connection, so that the attackers do not take the processors.
const PAUSE: Duration = Duration::from_millis(500);

/// The first bytes of a TLS handshake.
const HALF_A_HANDSHAKE: &[u8] = &[22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attack {
    WrongPasswords,
    SlowReaders,
    NoWindow,
    SilentConnections,
    JsonReaders,
    Uploads,
}

impl Attack {
    pub const ALL: [Self; 6] = [
        Self::WrongPasswords,
        Self::SlowReaders,
        Self::NoWindow,
        Self::SilentConnections,
        Self::JsonReaders,
        Self::Uploads,
    ];

    pub fn description(self) -> &'static str {
        match self {
            Self::WrongPasswords => "200 clients with new wrong passwords",
            Self::SlowReaders => "100 clients read 2 kB/s of plain text",
            Self::NoWindow => "40 requests over HTTP/2 with a window of zero, new ones each second",
            Self::SilentConnections => "400 connections without a request",
            Self::JsonReaders => "60 clients read 2 kB/s of JSON, 2,000 requests a second are given up",
            Self::Uploads => "200 uploads over HTTP/2 without a password",
        }
    }

    /// Starts the clients of the attack, one in `share` of them, from this address. They end with the runtime.
    pub fn start(self, exporter: &Arc<Exporter>, from: Ipv4Addr, share: usize, clients: &Runtime) {
        let (target, count) = (Target { exporter: exporter.clone(), from }, move |all: usize| all.div_ceil(share));
        match self {
            Self::WrongPasswords => spawn(clients, count(200), |n| send_wrong_passwords(target.clone(), n)),
            Self::SlowReaders => spawn(clients, count(100), |n| read_slowly(target.clone(), "/metrics", n)),
            Self::NoWindow => spawn(clients, count(10), |_| give_no_window(target.clone())),
            Self::SilentConnections => spawn(clients, count(400), |n| stay_silent(target.clone(), n)),
            Self::JsonReaders => {
                spawn(clients, count(60), |n| read_slowly(target.clone(), "/api/v1/peerings", n));
                spawn(clients, count(10), |_| give_up(target.clone()));
            }
            Self::Uploads => spawn(clients, count(200), |_| upload(target.clone())),
        }
    }
}

#[derive(Clone)]
struct Target {
    exporter: Arc<Exporter>,
    from: Ipv4Addr,
}

impl Target {
    async fn connect(&self) -> io::Result<TcpStream> {
        self.exporter.connect(self.from, false).await
    }

    async fn connect_tls(&self, is_slow: bool, is_http2: bool) -> io::Result<TlsStream<TcpStream>> {
        self.exporter.connect_tls(self.from, is_slow, is_http2).await
    }
}

/// Starts clients, spread over a second.
fn spawn<F>(clients: &Runtime, count: usize, client: impl Fn(usize) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    for number in 0..count {
        let client = client(number);
        clients.spawn(async {
            sleep(Duration::from_millis(fastrand::u64(..1000))).await;
            client.await;
        });
    }
}

fn authorization(password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{USER}:{password}")))
}

/// Repeats until the client is dropped; the exporter may end each turn early.
async fn repeat<F: Future<Output = io::Result<()>>>(turn: impl Fn() -> F) {
    loop {
        let _ = turn().await;
        sleep(PAUSE).await;
    }
}

async fn send_wrong_passwords(target: Target, client: usize) {
    repeat(async || {
        let mut stream = target.connect_tls(false, false).await?;
        for number in 0.. {
            let password = authorization(&format!("{client}-{number}-{}", fastrand::u64(..)));
            stream.write_all(format!("GET /metrics HTTP/1.1\r\nAuthorization: {password}\r\n\r\n").as_bytes()).await?;
            if stream.read(&mut [0; 4096]).await? == 0 {
                break;
            }
        }
        Ok(())
    })
    .await;
}

async fn read_slowly(target: Target, path: &str, client: usize) {
    // So that each begins with another version.
    sleep(Duration::from_millis(100) * u32::try_from(client).unwrap()).await;
    repeat(async || {
        let mut stream = target.connect_tls(true, false).await?;
        let password = authorization(PASSWORD);
        stream.write_all(format!("GET {path} HTTP/1.1\r\nAuthorization: {password}\r\n\r\n").as_bytes()).await?;
        while stream.read(&mut [0; 1000]).await? > 0 {
            sleep(Duration::from_millis(500)).await;
        }
        Ok(())
    })
    .await;
}

async fn stay_silent(target: Target, client: usize) {
    repeat(async || {
        match client % 4 {
            0 => target.connect().await?.read_u8().await?,
            1 => {
                let mut stream = target.connect().await?;
                stream.write_all(HALF_A_HANDSHAKE).await?;
                stream.read_u8().await?
            }
            2 => target.connect_tls(false, false).await?.read_u8().await?,
            _ => {
                let mut stream = target.connect_tls(false, false).await?;
                stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: te").await?;
                stream.read_u8().await?
            }
        };
        Ok(())
    })
    .await;
}

/// Frames of HTTP/2.
mod frame {
    pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    }

    /// The start of a connection with a window for responses.
    pub fn preface(window: u32) -> Vec<u8> {
        let settings = [[0, 4].as_slice(), &window.to_be_bytes()].concat();
        [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &frame(4, 0, 0, &settings)].concat()
    }

    /// A GET request, without compression of its header.
    pub fn get(stream: u32, path: &str, authorization: &str) -> Vec<u8> {
        let fields = [
            (":method", "GET"),
            (":scheme", "https"),
            (":path", path),
            (":authority", "localhost"),
            ("authorization", authorization),
        ];
        let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
        let field = |(name, value): (&str, &str)| [vec![0], text(name), text(value)].concat();
        frame(1, 5, stream, &fields.map(field).concat())
    }

    /// `RST_STREAM`: the request is given up.
    pub fn reset(stream: u32) -> Vec<u8> {
        frame(3, 0, stream, &8_u32.to_be_bytes())
    }
}

async fn give_no_window(target: Target) {
    repeat(async || {
        let mut stream = target.connect_tls(false, true).await?;
        stream.write_all(&frame::preface(0)).await?;
        for number in 0..60 {
            // Four at a time: the fifth takes the place of the first, so each second another version is kept.
            if number >= 4 {
                stream.write_all(&frame::reset(number * 2 - 7)).await?;
            }
            stream.write_all(&frame::get(number * 2 + 1, "/metrics", &authorization(PASSWORD))).await?;
            if let Ok(read) = timeout(Duration::from_secs(1), stream.read(&mut [0; 4096])).await
                && read? == 0
            {
                break;
            }
        }
        Ok(())
    })
    .await;
}

async fn give_up(target: Target) {
    repeat(async || {
        let mut stream = target.connect_tls(false, true).await?;
        stream.write_all(&frame::preface(65_535)).await?;
        for number in 0..10_000 {
            let stream_id = number * 2 + 1;
            let request = frame::get(stream_id, "/api/v1/peerings", &authorization(PASSWORD));
            stream.write_all(&[request, frame::reset(stream_id)].concat()).await?;
            sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    })
    .await;
}

async fn upload(target: Target) {
    let client = target.exporter.client(target.from);
    repeat(async || {
        let request = client.post(target.exporter.url("/metrics")).header("authorization", authorization("wrong"));
        request.body(vec![0; 4 << 20]).send().await.map_err(io::Error::other)?;
        Ok(())
    })
    .await;
}
