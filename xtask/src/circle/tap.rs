//! Somebody at a computer's cable: writes down every packet that goes in or out. Linux lets root do that.

use anyhow::Context;
use rustix::net::{AddressFamily, Protocol, RecvFlags, SocketType, recv, socket};
use std::fs::File;
use std::io::Write;
use std::num::NonZeroU32;
use std::path::PathBuf;

/// All kinds of packets, in the byte order of the network.
const ALL: u32 = (3_u16).to_be() as u32;
/// Where a packet says what it is: the Internet's, of either version, is written down.
const KIND: usize = 12;
const INTERNET: [[u8; 2]; 2] = [[0x08, 0x00], [0x86, 0xdd]];

/// What `circle` starts in a namespace.
#[derive(Debug, clap::Args)]
pub(crate) struct Tap {
    #[arg(long)]
    record: PathBuf,
}

impl Tap {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let all = NonZeroU32::new(ALL).map(Protocol::from_raw).context("there is such a kind")?;
        let cable = socket(AddressFamily::PACKET, SocketType::RAW, Some(all))?;
        let mut record = File::create(&self.record)?;
        let mut packet = vec![0; 1 << 17];
        loop {
            let (len, _) = recv(&cable, &mut packet[4..], RecvFlags::empty())?;
            let kind = packet.get(4 + KIND..4 + KIND + 2);
            if kind.is_some_and(|kind| INTERNET.iter().any(|one| one == kind)) {
                packet[..4].copy_from_slice(&u32::try_from(len)?.to_le_bytes());
                record.write_all(&packet[..4 + len])?;
            }
        }
    }
}
