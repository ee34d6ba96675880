//! Nothing that somebody writes into a file makes a reader panic, hang or take the memory.
//!
//! Inputs are made from the samples and tables of this repository by chance that comes from a seed, so each can be made
//! again: an input has the number of its seed. `make test` tries a few, `make fuzz SECONDS=300` as many as time allows.

mod check;
mod harm;
mod input;
mod memory;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use input::Inputs;
use memory::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many inputs are tried where nothing is said.
const INPUTS: u64 = 600;

/// An input that takes longer hangs. The largest take seconds on a busy machine.
const HANGS: Duration = Duration::from_secs(600);

/// A thread of the program has this much stack.
const STACK: usize = 2 << 20;

/// How many bytes reading may take at its peak: some for each byte of input, and what a template may make of itself at
/// most when it is worked out, with what the values of the tree take beside their text.
fn most_memory(input: usize) -> usize {
    input * 2500 + (128 << 20)
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is {text:?}, expected a number")),
    )
}

/// Where the input is that is being tried: it stays there when the program is killed or runs out of stack.
fn kept() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    folder.join(format!("fuzz-{}.input", std::process::id()))
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "how long one searches is chosen by the clock on the wall; no verdict is"
)]
fn readers_survive_whatever_is_in_a_file() {
    let seed = number("SEED").unwrap_or(1);
    let seconds = number("FUZZ_SECONDS");
    let inputs = number("INPUTS").unwrap_or(if seconds.is_some() { u64::MAX } else { INPUTS });
    let end = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let kept = kept();
    println!(
        "seed {seed}; the input being tried is in {}",
        kept.display()
    );

    let (sender, tried) = mpsc::channel::<Tried>();
    let path = kept.clone();
    let worker = std::thread::Builder::new().stack_size(STACK);
    let worker = worker.spawn(move || {
        let source = Inputs::of_the_repository();
        for number in (0..inputs).map(|number| seed.wrapping_add(number)) {
            if end.is_some_and(|end| Instant::now() > end) {
                break;
            }
            let input = source.make(number);
            std::fs::write(&path, &input).unwrap();
            let begin = Instant::now();
            let before = memory::begin();
            let result = catch_unwind(AssertUnwindSafe(|| check::all(&input, number)));
            let peak = memory::peak().saturating_sub(before);
            let read = result.unwrap_or_else(|_| Err("it panics".to_owned()));
            let most = most_memory(input.len());
            let is_template = read == Ok(true);
            let failure = read.err().or_else(|| {
                let said = format!(
                    "reading {} bytes takes {peak}, more than {most}",
                    input.len()
                );
                (peak > most).then_some(said)
            });
            let tried = Tried {
                number,
                took: begin.elapsed(),
                failure,
                is_template,
                peak,
            };
            if sender.send(tried).is_err() {
                break;
            }
        }
    });
    let worker = worker.unwrap();

    let (mut count, mut templates, mut peak) = (0_u64, 0_u64, 0);
    let mut slowest = (Duration::ZERO, seed);
    loop {
        let next = match tried.recv_timeout(HANGS) {
            Ok(next) => next,
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                fail(seed.wrapping_add(count), "it hangs", &kept)
            }
        };
        if let Some(what) = next.failure {
            fail(next.number, &what, &kept);
        }
        count += 1;
        templates += u64::from(next.is_template);
        peak = peak.max(next.peak);
        slowest = slowest.max((next.took, next.number));
    }
    worker.join().unwrap();
    let _ = std::fs::remove_file(&kept);
    println!("{count} inputs, {templates} of them templates, {peak} bytes at the most");
    println!("the slowest, {}, took {:?}", slowest.1, slowest.0);
    assert!(
        seconds.is_some() || inputs < 100 || templates > count / 10,
        "{templates} of {count} inputs are templates: the others test little"
    );
}

/// What came of one input.
struct Tried {
    number: u64,
    failure: Option<String>,
    is_template: bool,
    took: Duration,
    peak: usize,
}

fn fail(number: u64, what: &str, input: &std::path::Path) -> ! {
    panic!(
        "{what}\nthe input is in {}\nto try it again: SEED={number} INPUTS=1 cargo test --test fuzz -- --nocapture",
        input.display()
    )
}
