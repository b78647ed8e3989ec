//! TLS for the command line: every connection is with the one key that it knows beforehand, or there is none.

use crate::device::nameless;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::fmt;
use std::io::{Read, Write};
use std::sync::Arc;
use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport, TransportAdapter,
};

/// Somebody else answers there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key that answers there is not the hub's: somebody may be in between")]
pub(super) struct OtherKey;

/// Puts TLS around a connection that has just been made.
pub(super) struct Pinned(Arc<ClientConfig>);

impl Pinned {
    pub(super) fn new(config: Arc<ClientConfig>) -> Pinned {
        Pinned(config)
    }
}

impl fmt::Debug for Pinned {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Pinned")
    }
}

impl<In: Transport> Connector<In> for Pinned {
    type Out = Channel;

    fn connect(&self, details: &ConnectionDetails<'_>, made: Option<In>) -> Result<Option<Channel>, Error> {
        let Some(made) = made else { return Ok(None) };
        let mut tls =
            ClientConnection::new(Arc::clone(&self.0), nameless()).map_err(|error| Error::Other(error.into()))?;
        let mut under = TransportAdapter::new(made.boxed(), Arc::clone(&details.current_time));
        under.set_timeout(details.timeout);
        while tls.is_handshaking() {
            tls.complete_io(&mut under).map_err(said)?;
        }
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Channel { buffers, stream: StreamOwned::new(tls, under) }))
    }
}

/// A key that is not the right one is no trouble of the network.
fn said(error: std::io::Error) -> Error {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidCertificate(_)) => Error::Other(Box::new(OtherKey)),
        _ => Error::Io(error),
    }
}

/// A connection with the right key.
pub(super) struct Channel {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl fmt::Debug for Channel {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Channel")
    }
}

impl Transport for Channel {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.get_mut().set_timeout(timeout);
        self.stream.write_all(&self.buffers.output()[..amount])?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.get_mut().set_timeout(timeout);
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.get_mut().get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}
