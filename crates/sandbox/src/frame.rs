//! Messages over the socket between a node and an executor: a length, then postcard, with descriptors beside it.
//! Both ends distrust each other: lengths are bounded and memory grows only with bytes that came.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::limits::{FRAME_BYTES_MAX, PASSED_MAX};

/// Why a message could not be sent or read.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The other end is gone, or the system refused.
    #[error("the connection to an executor broke: {0}")]
    Io(#[from] io::Error),
    /// More than a frame may hold.
    #[error("a message of {0} bytes is beyond the limit of {FRAME_BYTES_MAX}")]
    TooLarge(usize),
    /// More descriptors than a frame may carry.
    #[error("a message with {0} files is beyond the limit of {PASSED_MAX}")]
    TooManyFiles(usize),
    /// Bytes that are no message.
    #[error("a message cannot be read: {0}")]
    Damaged(#[from] postcard::Error),
}

/// A message as it is sent.
///
/// # Errors
/// When it is more than a frame may hold.
pub fn frame(message: &impl Serialize) -> Result<Vec<u8>, FrameError> {
    let mut frame = postcard::to_extend(message, vec![0; 4])?;
    let len = frame.len() - 4;
    if len > FRAME_BYTES_MAX {
        return Err(FrameError::TooLarge(len));
    }
    frame[..4].copy_from_slice(&(len as u32).to_le_bytes());
    Ok(frame)
}

/// Sends a message and the descriptors that go with it.
///
/// # Errors
/// When a limit is passed or the other end is gone.
pub fn send(socket: &UnixStream, message: &impl Serialize, passed: &[BorrowedFd<'_>]) -> Result<(), FrameError> {
    send_frame(socket, &frame(message)?, passed)
}

/// Sends what [`frame`] made, or the rest of it, and the descriptors that go with it.
///
/// # Errors
/// When a limit is passed or the other end is gone.
pub fn send_frame(mut socket: &UnixStream, frame: &[u8], passed: &[BorrowedFd<'_>]) -> Result<(), FrameError> {
    let sent = send_some(socket, frame, passed, SendFlags::empty())?;
    Ok(socket.write_all(&frame[sent..])?)
}

/// Sends as much of a frame as can be sent without waiting, and says how much that is.
///
/// # Errors
/// When the other end is gone.
pub fn offer(socket: &UnixStream, frame: &[u8]) -> Result<usize, FrameError> {
    match send_some(socket, frame, &[], SendFlags::DONTWAIT) {
        Err(FrameError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        sent => sent,
    }
}

fn send_some(
    socket: &UnixStream,
    frame: &[u8],
    passed: &[BorrowedFd<'_>],
    flags: SendFlags,
) -> Result<usize, FrameError> {
    if passed.len() > PASSED_MAX {
        return Err(FrameError::TooManyFiles(passed.len()));
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(PASSED_MAX))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    if !passed.is_empty() {
        beside.push(SendAncillaryMessage::ScmRights(passed));
    }
    loop {
        match sendmsg(socket, &[IoSlice::new(frame)], &mut beside, flags | SendFlags::NOSIGNAL) {
            Err(rustix::io::Errno::INTR) => {}
            sent => return Ok(sent.map_err(io::Error::from)?),
        }
    }
}

/// Reads a message and the descriptors that came with it; nothing at the orderly end.
///
/// # Errors
/// When the other end breaks off or sends what is no message.
pub fn receive<T: DeserializeOwned>(socket: &UnixStream) -> Result<Option<(T, Vec<OwnedFd>)>, FrameError> {
    let mut head = [0; 4];
    let Some(passed) = receive_head(socket, &mut head)? else {
        return Ok(None);
    };
    let len = u32::from_le_bytes(head) as usize;
    if len > FRAME_BYTES_MAX {
        return Err(FrameError::TooLarge(len));
    }
    // Memory grows with what arrives, not with what was announced.
    let mut body = Vec::with_capacity(len.min(1 << 20));
    if socket.take(len as u64).read_to_end(&mut body)? < len {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok(Some((postcard::from_bytes(&body)?, passed)))
}

fn receive_head(mut socket: &UnixStream, head: &mut [u8; 4]) -> Result<Option<Vec<OwnedFd>>, FrameError> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(PASSED_MAX))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let came = loop {
        match recvmsg(socket, &mut [IoSliceMut::new(head)], &mut beside, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            came => break came.map_err(io::Error::from)?,
        }
    };
    if came.bytes == 0 {
        return Ok(None);
    }
    let mut passed = Vec::new();
    for message in beside.drain() {
        if let RecvAncillaryMessage::ScmRights(files) = message {
            passed.extend(files);
        }
    }
    if came.flags.contains(ReturnFlags::CTRUNC) {
        return Err(FrameError::TooManyFiles(passed.len() + 1));
    }
    socket.read_exact(&mut head[came.bytes..])?;
    Ok(Some(passed))
}
