//! The cost of scrapes and polls at 250 groups with 50 peerings each; `make bench` prints it.
//!
//! The exporter is a separate process, so that its CPU time and memory exclude those of the simulator and the scraper,
//! which run in this process.

#![allow(clippy::unwrap_used, clippy::cast_precision_loss, missing_docs, reason = "a benchmark fails by panicking")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use atlas_simulator::{Scenario, Simulator};

const GROUPS: u32 = 250;
const LISTINGS: u32 = GROUPS * 3;
const SCRAPES: usize = 50;
const ROUNDS: usize = 5;
const LATENCY: f64 = 0.15;
const CONCURRENCY: u32 = 8;

fn main() {
    // cargo passes `--bench`, and test runners ask for a list.
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    println!("machine      {}", machine());
    println!("load         {GROUPS} groups, {} peerings, {LISTINGS} listings\n", GROUPS * 50);
    scrapes();
    polls();
    spread_of_polls();
}

fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name\t: ")).unwrap_or("unknown");
    format!("{} x {model}", cpus.matches("processor\t:").count())
}

/// Scrapes of the whole exposition, compared with the minimum of a server: writing the same bytes to a socket.
fn scrapes() {
    let atlas = Atlas::start(0.0);
    let config = atlas.config("1h");
    let mut exporter = Exporter::start(&["serve", "--web.listen-address=127.0.0.1:0"], &config);
    let address = exporter.address();
    Exporter::wait_until_ready(address);
    let mut least = Vec::new();
    for (name, accept) in [("plain", "identity"), ("gzip", "gzip")] {
        let exposition = scrape(address, accept);
        let cost = spread(|| {
            let before = exporter.processor_time();
            (0..SCRAPES).for_each(|_| drop(scrape(address, accept)));
            (exporter.processor_time() - before) / SCRAPES as f64
        });
        let copying = spread(|| copying(&exposition));
        println!("exposition   {name}: {} bytes", exposition.len());
        println!("scrape       {name}: {cost} of CPU time");
        println!("  copying    {name}: {copying} for the same bytes through a socket and nothing else");
        least.push(exposition);
    }
    let text = String::from_utf8(least.swap_remove(0)).unwrap();
    println!("series       {}", text.lines().filter(|line| line.starts_with("mongodbatlas")).count());
    println!("memory       {} kB resident, {} kB at the most\n", exporter.status("VmRSS:"), exporter.status("VmHWM:"));
}

/// Processor time of a poll, everything included that comes with it.
fn polls() {
    let atlas = Atlas::start(0.0);
    let config = atlas.config("1h");
    let cost = spread(|| {
        let mut exporter = Exporter::start(&["once"], &config);
        let mut exposition = String::new();
        exporter.child.stdout.take().unwrap().read_to_string(&mut exposition).unwrap();
        assert!(exposition.contains("mongodbatlas_peering_poll_success"));
        // The process is not waited for yet, so its times are still there.
        exporter.processor_time() / f64::from(LISTINGS)
    });
    println!("poll         {cost} of CPU time per listing, including process start and one exposition\n");
}

/// How long all listings take if every request takes 150 ms. Meanwhile the containers of each group are read, without a
/// concurrency permit.
fn spread_of_polls() {
    let atlas = Atlas::start(LATENCY);
    let config = atlas.config("1h");
    let begun = Instant::now();
    let mut exporter = Exporter::start(&["once"], &config);
    let mut exposition = Vec::new();
    exporter.child.stdout.take().unwrap().read_to_end(&mut exposition).unwrap();
    let status = exporter.child.wait().unwrap();
    let took = begun.elapsed().as_secs_f64();
    let ideal = f64::from(LISTINGS) * LATENCY / f64::from(CONCURRENCY);
    println!(
        "all listings {took:.2} s at {LATENCY} s a request and {CONCURRENCY} at once; {:.2} of the ideal {ideal:.2} s",
        took / ideal
    );
    assert!(status.success() && took <= 1.2 * ideal, "the bound is 1.2");
}

/// The simulator in this process.
struct Atlas {
    address: SocketAddr,
    scenario: Scenario,
    _runtime: tokio::runtime::Runtime,
    folder: std::path::PathBuf,
}

impl Atlas {
    fn start(latency: f64) -> Self {
        let peerings = "{provider: AWS, status: AVAILABLE, vpcId: 'vpc-0a1b2c3d4e5f{n}', awsAccountId: '123456789012', routeTableCidrBlock: 10.0.0.0/16, connectionId: pcx-05530fa865e7a44f4, containerId: 5e57d85c854180642f7844bf, accepterRegionName: eu-west-1, repeat: 20},
          {provider: AZURE, status: AVAILABLE, vnetName: 'vnet-production-{n}', azureSubscriptionId: 4ac3b1de-0e5f-4c0e-9d61-9c1d4d2f3a10, resourceGroupName: network-production, containerId: 5e57d85c854180642f7844c0, repeat: 15},
          {provider: GCP, status: AVAILABLE, networkName: 'network-{n}', gcpProjectId: shop-network-production, containerId: 5e57d85c854180642f7844c1, repeat: 15}";
        let group =
            |n: u32| format!("  - {{id: '5e57d85c854180642f{n:06x}', name: group-{n}, peerings: [{peerings}]}}\n");
        let groups: String = (0..GROUPS).map(group).collect();
        let scenario =
            Scenario::parse(&format!("latency: {latency}s\ngroups:\n{groups}").replace("latency: 0s", "")).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(Simulator::new(scenario.clone()).serve(listener, std::future::pending()));
        let folder =
            std::env::temp_dir().join(format!("peering-exporter-bench-{}-{}", std::process::id(), address.port()));
        fs::create_dir_all(&folder).unwrap();
        Self { address, scenario, _runtime: runtime, folder }
    }

    /// The path of a config for every group.
    fn config(&self, interval: &str) -> String {
        let groups: Vec<String> =
            self.scenario.groups.iter().map(|group| format!("{{id: '{}', name: {}}}", group.id, group.name)).collect();
        let text = format!(
            "poll: {{interval: {interval}}}\naccounts: [{{base_url: 'http://{}', allow_http: true, public_key: demo, private_key_env: KEY, groups: [{}]}}]",
            self.address,
            groups.join(", ")
        );
        let path = self.folder.join("config.yaml");
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Atlas {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

struct Exporter {
    child: Child,
}

impl Exporter {
    fn start(arguments: &[&str], config: &str) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_mongodbatlas-peering-exporter"))
            .args(arguments)
            .args(["--config.file", config])
            .env("KEY", "demo")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child }
    }

    /// Read from the log.
    fn address(&mut self) -> SocketAddr {
        let log = BufReader::new(self.child.stderr.take().unwrap());
        let mut lines = log.lines().map(Result::unwrap);
        let address =
            lines.find_map(|line| line.split_once("listening on ").map(|(_, address)| address.parse().unwrap()));
        std::thread::spawn(move || lines.for_each(drop));
        address.unwrap()
    }

    fn wait_until_ready(address: SocketAddr) {
        let begun = Instant::now();
        while !answer(address, "/-/ready", "identity").starts_with(b"HTTP/1.1 200") {
            assert!(begun.elapsed() < Duration::from_secs(60), "not ready");
            std::thread::sleep(Duration::from_millis(50));
        }
        // The last exposition is rendered up to some seconds after the last poll; wait, so that it does not distort the result.
        std::thread::sleep(Duration::from_secs(5));
    }

    /// In seconds; the system counts in hundredths.
    fn processor_time(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks = |place: usize| fields[place].parse::<f64>().unwrap();
        (ticks(11) + ticks(12)) / 100.0
    }

    fn status(&self, name: &str) -> String {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").to_owned()
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn scrape(address: SocketAddr, accept: &str) -> Vec<u8> {
    let answer = answer(address, "/metrics", accept);
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    answer[end + 4..].to_vec()
}

fn answer(address: SocketAddr, path: &str, accept: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept-Encoding: {accept}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).unwrap();
    response
}

/// CPU time of a thread that writes the bytes to each connection.
fn copying(bytes: &[u8]) -> f64 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::scope(|scope| {
        let server = scope.spawn(move || {
            let before = thread_time();
            for _ in 0..SCRAPES {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.read(&mut [0; 1024]).unwrap();
                stream.write_all(bytes).unwrap();
            }
            (thread_time() - before) / SCRAPES as f64
        });
        (0..SCRAPES).for_each(|_| drop(answer(address, "/", "identity")));
        server.join().unwrap()
    })
}

/// Of this thread, in seconds.
fn thread_time() -> f64 {
    let statistics = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    statistics.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

/// The least, the median and the most of some rounds.
fn spread(mut round: impl FnMut() -> f64) -> String {
    let mut rounds: Vec<f64> = (0..ROUNDS).map(|_| round() * 1e3).collect();
    rounds.sort_by(f64::total_cmp);
    format!("{:.3} ms ({:.3} to {:.3}, {ROUNDS} rounds)", rounds[ROUNDS / 2], rounds[0], rounds[ROUNDS - 1])
}
