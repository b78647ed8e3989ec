//! Links as neighbours see them: frames byte by byte, conversations over loopback, blobs with breaks, hostile nodes.

mod any;
mod blobs;
mod bounds;
mod frames;
mod golden;
mod home;
mod hostile;
mod peers;
mod talk;
