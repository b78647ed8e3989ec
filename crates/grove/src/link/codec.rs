//! Protobuf on a stream, looked at before it is decoded. It knows no message in particular.

use super::flaw::Flaw;
use super::shape::{FRAME_BYTES_MAX, Shaped, examine};
use prost::Message;
use prost::bytes::Buf;
use std::marker::PhantomData;
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// What a stream gathers before it is handed to the connection, so that small frames travel together.
const BATCH_BYTES: usize = 64 << 10;
/// What a stream allocates to begin with: a hub has thousands of them.
const FIRST_BYTES: usize = 8 << 10;

/// The codec of all calls: sends `T`, hears `U`.
#[derive(Debug)]
pub struct Bounded<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for Bounded<T, U> {
    fn default() -> Self {
        Bounded(PhantomData)
    }
}

/// Makes a value of a whole frame, or says what is wrong with it.
pub fn decode<U: Shaped + Message + Default>(frame: prost::bytes::Bytes) -> Result<U, Flaw> {
    if frame.len() > FRAME_BYTES_MAX {
        return Err(Flaw::TooLong { what: "a frame", most: FRAME_BYTES_MAX });
    }
    examine(&frame, U::SHAPE)?;
    U::decode(frame).map_err(|_| Flaw::Garbled)
}

impl<T, U> Codec for Bounded<T, U>
where
    T: Message + Send + 'static,
    U: Shaped + Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = Writes<T>;
    type Decoder = Reads<U>;

    fn encoder(&mut self) -> Writes<T> {
        Writes(PhantomData)
    }

    fn decoder(&mut self) -> Reads<U> {
        Reads(PhantomData)
    }
}

#[derive(Debug)]
pub struct Writes<T>(PhantomData<T>);

impl<T: Message> Encoder for Writes<T> {
    type Item = T;
    type Error = Status;

    fn encode(&mut self, item: T, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(out).map_err(|error| Status::from_error(Box::new(error)))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(FIRST_BYTES, BATCH_BYTES)
    }
}

#[derive(Debug)]
pub struct Reads<U>(PhantomData<U>);

impl<U: Shaped + Message + Default> Decoder for Reads<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, frame: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let frame = frame.copy_to_bytes(frame.remaining());
        decode(frame).map(Some).map_err(|flaw| Status::from_error(Box::new(flaw)))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(FIRST_BYTES, BATCH_BYTES)
    }
}
