//! Blobs over loopback, whole, broken, forged.

use super::home::{HUB, LEASE, Place, Whole, put, token};
use grove::link::{BlobError, Source};
use grove_core::id::{Digest, Lease, NodeId};
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};

const LENDER: NodeId = NodeId(2);
const LARGE: usize = 64 << 20;

/// A wire through which the first call may carry only so many bytes to the caller, and so many from it.
async fn wire(to: SocketAddr, back: u64, forth: u64) -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let calls = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&calls);
    tokio::spawn(async move {
        loop {
            let (near, _) = listener.accept().await.unwrap();
            let far = TcpStream::connect(to).await.unwrap();
            let first = count.fetch_add(1, Ordering::Relaxed) == 0;
            let (back, forth) = if first { (back, forth) } else { (u64::MAX, u64::MAX) };
            tokio::spawn(async move {
                let (near_out, mut near_in) = near.into_split();
                let (far_out, mut far_in) = far.into_split();
                let (mut near_out, mut far_out) = (near_out.take(forth), far_out.take(back));
                tokio::select! {
                    done = copy(&mut near_out, &mut far_in) => drop(done),
                    done = copy(&mut far_out, &mut near_in) => drop(done),
                }
                let _ = near_in.shutdown().await;
            });
        }
    });
    (address, calls)
}

async fn pair(address: SocketAddr, hub: &mut Place) -> (Place, grove::link::Calling) {
    let mut lender = Place::new(LENDER);
    let calling = lender.links.dial(&address.to_string(), token());
    lender.linked(HUB).await;
    hub.linked(LENDER).await;
    (lender, calling)
}

fn source(place: &Place, digest: Digest) -> Box<dyn Source> {
    let file = File::open(place.blob(digest)).unwrap();
    let len = file.metadata().unwrap().len();
    Box::new(Whole { file, len })
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_travel_both_ways() {
    let (mut hub, address) = Place::hub().await;
    let (lender, _calling) = pair(address, &mut hub).await;
    for len in [0, 1, 256 << 10, (1 << 20) + 1] {
        let digest = put(hub.folder.path(), len);
        lender.links.fetch_blob(HUB, LEASE, digest, lender.sink(digest)).await.unwrap();
        let fetched = std::fs::read(lender.blob(digest)).unwrap();
        assert_eq!(*blake3::hash(&fetched).as_bytes(), digest.0);
        std::fs::remove_file(hub.blob(digest)).unwrap();
        lender.links.send_blob(HUB, LEASE, digest, source(&lender, digest)).await.unwrap();
        assert_eq!(std::fs::read(hub.blob(digest)).unwrap(), fetched);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_fetch_goes_on_where_it_was() {
    let (mut hub, address) = Place::hub().await;
    let (address, calls) = wire(address, LARGE as u64 / 2, u64::MAX).await;
    let (lender, _calling) = pair(address, &mut hub).await;
    let digest = put(hub.folder.path(), LARGE);
    lender.links.fetch_blob(HUB, LEASE, digest, lender.sink(digest)).await.unwrap();
    assert_eq!(std::fs::metadata(lender.blob(digest)).unwrap().len(), LARGE as u64);
    assert!(calls.load(Ordering::Relaxed) >= 2, "it never broke");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_bring_goes_on_where_it_was() {
    let (mut hub, address) = Place::hub().await;
    let (address, calls) = wire(address, u64::MAX, LARGE as u64 / 2).await;
    let (lender, _calling) = pair(address, &mut hub).await;
    let digest = put(lender.folder.path(), LARGE);
    let (read, len) = (Arc::new(AtomicU64::new(0)), LARGE as u64);
    let counted = Counted { inner: source(&lender, digest), read: Arc::clone(&read) };
    lender.links.send_blob(HUB, LEASE, digest, Box::new(counted)).await.unwrap();
    assert_eq!(std::fs::metadata(hub.blob(digest)).unwrap().len(), len);
    assert!(calls.load(Ordering::Relaxed) >= 2, "it never broke");
    let read = read.load(Ordering::Relaxed);
    assert!(read < len + len / 2, "{read} bytes read for {len}");
}

struct Counted {
    inner: Box<dyn Source>,
    read: Arc<AtomicU64>,
}

impl Source for Counted {
    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn read_at(&mut self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read_at(offset, out)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_blob_is_refused_and_nothing_of_it_kept() {
    let (mut hub, address) = Place::hub().await;
    let (lender, _calling) = pair(address, &mut hub).await;
    let digest = put(hub.folder.path(), 3 << 20);
    let mut bytes = std::fs::read(hub.blob(digest)).unwrap();
    bytes[2 << 20] ^= 1;
    std::fs::write(hub.blob(digest), &bytes).unwrap();
    let fetched = lender.links.fetch_blob(HUB, LEASE, digest, lender.sink(digest)).await;
    assert!(matches!(fetched, Err(BlobError::Wrong { blob }) if blob == digest), "{fetched:?}");
    std::fs::write(lender.blob(digest), &bytes).unwrap();
    std::fs::remove_file(hub.blob(digest)).unwrap();
    let brought = lender.links.send_blob(HUB, LEASE, digest, source(&lender, digest)).await;
    assert!(matches!(brought, Err(BlobError::Wrong { blob }) if blob == digest), "{brought:?}");
    assert_eq!(std::fs::read_dir(hub.folder.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_is_only_had_under_its_lease() {
    let (mut hub, address) = Place::hub().await;
    let (lender, _calling) = pair(address, &mut hub).await;
    let digest = put(hub.folder.path(), 10);
    let other = Lease(8);
    let fetched = lender.links.fetch_blob(HUB, other, digest, lender.sink(digest)).await;
    assert!(matches!(fetched, Err(BlobError::Denied { .. })), "{fetched:?}");
    let mine = put(lender.folder.path(), 11);
    let brought = lender.links.send_blob(HUB, other, mine, source(&lender, mine)).await;
    assert!(matches!(brought, Err(BlobError::Denied { .. })), "{brought:?}");
    // Whoever was called does not call.
    let fetched = hub.links.fetch_blob(LENDER, LEASE, mine, hub.sink(mine)).await;
    assert!(matches!(fetched, Err(BlobError::NotLinked(LENDER))), "{fetched:?}");
}
