//! Measures how long the dashboard takes in Chromium, from the address to a page that can be used.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use harness::browser::{Browser, Look};

/// Opens the overview again and again, and prints the median and the slowest time.
#[derive(Debug, Parser)]
struct Arguments {
    /// The daemon's address: `http://127.0.0.1:8479`
    url: String,
    /// How often
    #[arg(long, default_value_t = 20)]
    tries: usize,
}

/// The time since the page was asked for, once the search field and the rows are there.
const USABLE: &str = "document.querySelector('#search') && document.querySelectorAll('#instances tbody tr').length > 0 ? performance.now() : null";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Arguments { url, tries } = Arguments::parse();
    let Some(mut browser) = Browser::start().await else { return ExitCode::FAILURE };
    browser.look(Look { width: 1200, height: 900, dark: false }).await;
    let mut times = Vec::new();
    for _ in 0..tries.max(1) {
        // Another document each time: the same address with another fragment would not load.
        browser.open("about:blank").await;
        browser.open(&url).await;
        let time = loop {
            if let Some(time) = browser.value(USABLE).await.as_f64() {
                break time;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        times.push(time);
    }
    times.sort_by(f64::total_cmp);
    println!("{:.0} ms | {:.0} ms", times[(times.len() - 1) / 2], times[times.len() - 1]);
    ExitCode::SUCCESS
}
