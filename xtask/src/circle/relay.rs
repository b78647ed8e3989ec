//! Somebody in between: passes on every byte and writes down what callers say, or says it all again.

use anyhow::Context;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

/// How long somebody who says everything again waits for an answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// What `circle` starts in a namespace.
#[derive(Debug, clap::Args)]
pub(crate) struct Relay {
    #[arg(long)]
    listen: Option<SocketAddr>,
    #[arg(long)]
    to: SocketAddr,
    #[arg(long)]
    record: PathBuf,
    #[arg(long)]
    again: bool,
}

impl Relay {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        if self.again {
            return self.say_again();
        }
        let listener = TcpListener::bind(self.listen.context("where to listen")?)?;
        let record = File::create(&self.record)?;
        for near in listener.incoming() {
            let (near, far) = (near?, TcpStream::connect(self.to)?);
            let (back, forth) = (near.try_clone()?, far.try_clone()?);
            let record = record.try_clone()?;
            std::thread::spawn(move || pass(near, forth, Some(record)));
            std::thread::spawn(move || pass(far, back, None));
        }
        Ok(())
    }

    fn say_again(&self) -> anyhow::Result<()> {
        let mut far = TcpStream::connect(self.to)?;
        far.set_read_timeout(Some(PATIENCE))?;
        // The hub may hang up in the middle of it.
        let _ = far.write_all(&std::fs::read(&self.record)?);
        let mut answer = Vec::new();
        let _ = far.read_to_end(&mut answer);
        Ok(())
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, mut record: Option<File>) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let written = record.as_mut().map_or(Ok(()), |record| record.write_all(&buffer[..read]));
        if written.and_then(|()| to.write_all(&buffer[..read])).is_err() {
            break;
        }
    }
    // The other side may have hung up before.
    let _ = to.shutdown(Shutdown::Write);
}
