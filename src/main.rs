//! Arguments, logging, config, listeners, run, exit status; nothing else.

use std::{
    fs,
    io::{self, Write},
    path::Path,
    process::ExitCode,
    sync::Arc,
};

use anyhow::Context;
use atlas_simulator::{Scenario, ScenarioError, Simulator};
use clap::Parser;
use mongodbatlas_peering_exporter::{
    ReadConfigs, ReloadRequest, Reloads,
    cli::{Args, Command},
    commands::demo,
    commands::doctor,
    commands::healthcheck,
    config::{Config, ConfigError},
    http::{self, BindError},
    logging, once, render, run,
    shard::{Index, InvalidShard, Shard},
    systemd::{self, SocketError},
};
use tokio::{
    net::TcpListener,
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
    sync::{mpsc, oneshot, watch},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use web_config::WebConfig;

/// The config or a flag has faults; sysexits calls it a usage error.
const EX_USAGE: u8 = 64;

/// Someone did not want to wait for the end; shells have 128 and more for signals.
const KILLED: u8 = 130;

fn main() -> ExitCode {
    let args = Args::parse();
    let _log = logging::begin(args.command(), args.log_level, args.log_format);
    match run_to_the_end(&args) {
        Ok(code) => code,
        Err(error) => match error.downcast_ref::<ConfigError>() {
            Some(config) => report(&error, config),
            None => {
                error!("{error:#}");
                // A flag that is wrong stays so, however often the exporter is started again.
                let is_for_ever = error.is::<InvalidShard>()
                    || error.is::<ScenarioError>()
                    || matches!(error.downcast_ref(), Some(SocketError::None))
                    || error.downcast_ref().is_some_and(BindError::is_invalid_address);
                if is_for_ever { ExitCode::from(EX_USAGE) } else { ExitCode::FAILURE }
            }
        },
    }
}

fn run_to_the_end(args: &Args) -> anyhow::Result<ExitCode> {
    let runtime = Runtime::new().context("start the runtime")?;
    let ended = runtime.block_on(execute(args));
    // Not waited for: the system may take many seconds to resolve a name that nobody asks for any more.
    runtime.shutdown_background();
    ended
}

async fn execute(args: &Args) -> anyhow::Result<ExitCode> {
    match args.command() {
        Command::Serve => serve(args).await?,
        Command::CheckConfig => check_config(args)?,
        Command::Once => return print_once(args).await,
        Command::Doctor => return print_diagnosis(args).await,
        Command::Simulate => simulate(args).await?,
        Command::Demo => run_demo(args).await?,
        Command::Healthcheck => healthcheck::ask(&args.listen_addresses[0], args.healthcheck_ready)?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn serve(args: &Args) -> anyhow::Result<()> {
    let (config, shard) = (read_config(args)?, shard(args)?);
    let (wish, wishes) = mpsc::channel(1);
    let shutdown = signals(Some(wish.clone()))?;
    let web = guard(args)?;
    let listeners = listen(args).await?;
    let wish = args.enable_lifecycle.then_some(wish);
    let reloads = Reloads { wishes, wish, read: read_again(args) };
    run(&config, shard, listeners, &args.telemetry_path, web, shutdown, Some(reloads)).await
}

/// Reads both configs, so that neither is used where the other has a fault.
fn read_again(args: &Args) -> ReadConfigs {
    let (config, web) = (args.config_file.clone(), args.web_config_file().map(Path::to_owned));
    Box::new(move || {
        let config = Config::read(&config).map_err(|faults| faults.to_string())?;
        let web = web.as_deref().map(read_web).transpose().map_err(|error| format!("{error:#}"))?;
        Ok((config, Arc::new(web.unwrap_or_default())))
    })
}

/// Its faults are told with the name of the file.
fn read_config(args: &Args) -> anyhow::Result<Config> {
    Config::read(&args.config_file).with_context(|| args.config_file.display().to_string())
}

/// What guards the server; without a file, nothing. Whoever holds the sender may replace it.
fn guard(args: &Args) -> anyhow::Result<watch::Sender<Arc<WebConfig>>> {
    let Some(file) = args.web_config_file() else { return Ok(watch::Sender::default()) };
    let web = read_web(file)?;
    info!("connections are {}encrypted, as {} says", if web.has_tls() { "" } else { "not " }, file.display());
    Ok(watch::Sender::new(Arc::new(web)))
}

fn read_web(file: &Path) -> anyhow::Result<WebConfig> {
    let (web, warnings) = WebConfig::read(file).with_context(|| file.display().to_string())?;
    for warning in warnings {
        warn!("{}: {warning}", file.display());
    }
    Ok(web)
}

fn shard(args: &Args) -> anyhow::Result<Shard> {
    let host_name = gethostname::gethostname();
    Ok(Shard::new(args.shard_index, args.shard_count, &host_name.to_string_lossy())?)
}

fn check_config(args: &Args) -> anyhow::Result<()> {
    let config = read_config(args)?;
    // Another host's name says nothing about that of the pod.
    if args.shard_index != Index::HostName {
        shard(args)?;
    }
    let groups = config.accounts.iter().flat_map(|account| &account.groups);
    let targets: usize = groups.clone().map(|group| group.providers.len()).sum();
    let (accounts, groups) = (config.accounts.len(), groups.count());
    let discovering = config.accounts.iter().filter(|account| account.discover.is_some()).count();
    let file = args.config_file.display();
    print(&format!(
        "{file} is valid; accounts: {accounts}, of which {discovering} discover groups; groups listed: {groups}, \
         targets: {targets}\n"
    ))?;
    let Some(file) = args.web_config_file() else { return Ok(()) };
    read_web(file)?;
    print(&format!("{} is valid\n", file.display()))
}

async fn print_once(args: &Args) -> anyhow::Result<ExitCode> {
    let config = read_config(args)?;
    let state = once(&config, shard(args)?).await?;
    print(&render(&state))?;
    Ok(if state.all_succeeded() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn print_diagnosis(args: &Args) -> anyhow::Result<ExitCode> {
    let config = read_config(args)?;
    let diagnosis = doctor::examine(&config).await?;
    print(&diagnosis.text())?;
    Ok(if diagnosis.is_well() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn simulate(args: &Args) -> anyhow::Result<()> {
    let shutdown = signals(None)?;
    let scenario = scenario(args)?;
    let listener = listen_for_simulator(args).await?;
    info!("the simulator is on http://{}; see /simulator/ for what it can do", listener.local_addr()?);
    Simulator::new(scenario).serve(listener, shutdown.cancelled_owned()).await;
    Ok(())
}

async fn run_demo(args: &Args) -> anyhow::Result<()> {
    let shutdown = signals(None)?;
    let scenario = scenario(args)?;
    let atlas = listen_for_simulator(args).await?;
    let web = guard(args)?;
    let listeners = listen(args).await?;
    demo::run(scenario, atlas, listeners, &args.telemetry_path, web, shutdown).await
}

fn scenario(args: &Args) -> anyhow::Result<Scenario> {
    let Some(file) = &args.scenario else { return Ok(Scenario::demo()) };
    let text = fs::read_to_string(file).with_context(|| format!("read the scenario `{}`", file.display()))?;
    Scenario::parse(&text).with_context(|| format!("parse the scenario `{}`", file.display()))
}

async fn listen(args: &Args) -> anyhow::Result<Vec<TcpListener>> {
    let listeners =
        if args.systemd_socket { systemd::listeners()? } else { http::bind(&args.listen_addresses).await? };
    for listener in &listeners {
        info!("listening on {}", listener.local_addr()?);
    }
    Ok(listeners)
}

async fn listen_for_simulator(args: &Args) -> anyhow::Result<TcpListener> {
    let mut listeners = http::bind(std::slice::from_ref(&args.simulator_address)).await?;
    listeners.pop().context("no listener")
}

/// Cancelled when the system or a person asks for the end. SIGHUP wishes the config to be read again, where there is one.
fn signals(wish: Option<mpsc::Sender<ReloadRequest>>) -> anyhow::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate()).context("watch for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("watch for SIGINT")?;
    let mut hangup = signal(SignalKind::hangup()).context("watch for SIGHUP")?;
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    tokio::spawn(async move {
        let name = loop {
            tokio::select! {
                _ = terminate.recv() => break "SIGTERM",
                _ = interrupt.recv() => break "SIGINT",
                _ = hangup.recv() => match &wish {
                    // What comes of it is logged; a wish that waits already is enough.
                    Some(wish) => drop(wish.try_send(oneshot::channel().0)),
                    None => warn!("SIGHUP changes nothing: there is no config to read again"),
                },
            }
        };
        info!("stopping on {name}; a second signal ends at once");
        systemd::stopping();
        token.cancel();
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        std::process::exit(i32::from(KILLED));
    });
    Ok(shutdown)
}

/// The error itself is the name of the file.
fn report(file: &anyhow::Error, config: &ConfigError) -> ExitCode {
    for fault in &config.faults {
        error!("{file}: {fault}");
    }
    ExitCode::from(EX_USAGE)
}

fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever read it has read enough, as in `once | head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("write to standard output"),
    }
}
