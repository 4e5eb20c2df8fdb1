//! Writes a seeded shop into a folder: `shop FOLDER [--seed N] [--scale F] [--gzip] [--more ORDERS]`.

use std::io::{Write, stderr};
use std::path::PathBuf;
use std::process::ExitCode;

use levada_testkit::shop::{Result, Shop, Sizes};

const USAGE: &str = "usage: shop FOLDER [--seed N] [--scale F] [--gzip] [--more ORDERS]
  --seed N       the same seed writes the same shop (default 42)
  --scale F      1 (the default) has 1,055,000 rows
  --gzip         compress the event files
  --more ORDERS  add a later day to the shop that is there";

struct Arguments {
    folder: PathBuf,
    seed: u64,
    scale: f64,
    gzip: bool,
    more: Option<u64>,
}

fn parse() -> Result<Arguments> {
    let mut parsed = Arguments { folder: PathBuf::new(), seed: 42, scale: 1.0, gzip: false, more: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--seed" => parsed.seed = value()?.parse()?,
            "--scale" => parsed.scale = value()?.parse()?,
            "--more" => parsed.more = Some(value()?.parse()?),
            "--gzip" => parsed.gzip = true,
            folder if !folder.starts_with('-') && parsed.folder.as_os_str().is_empty() => parsed.folder = folder.into(),
            other => return Err(format!("`{other}` is not known").into()),
        }
    }
    if parsed.folder.as_os_str().is_empty() { Err("a folder is missing".into()) } else { Ok(parsed) }
}

fn run(arguments: &Arguments) -> Result<()> {
    let shop = Shop::new(&arguments.folder, arguments.seed, arguments.gzip);
    let written = match arguments.more {
        Some(orders) => shop.grow(orders)?,
        None => shop.create(Sizes::scaled(arguments.scale))?,
    };
    for (name, rows) in written.rows {
        writeln!(stderr(), "  {rows:>9} {name}")?;
    }
    Ok(())
}

fn main() -> ExitCode {
    let (problem, code) = match parse().map(|arguments| run(&arguments)) {
        Ok(Ok(())) => return ExitCode::SUCCESS,
        Ok(Err(failed)) => (format!("shop: {failed}"), 1),
        Err(wrong) => (format!("shop: {wrong}\n{USAGE}"), 2),
    };
    let _ = writeln!(stderr(), "{problem}");
    ExitCode::from(code)
}
