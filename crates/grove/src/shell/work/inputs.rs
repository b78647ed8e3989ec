//! Where the inputs of a gift come from: large ones are fetched from the giver, into memory where that is small enough.
//! An input is used once, so it need not go over this machine's disk.

use super::{Bench, Trouble};
use crate::shell::answers;
use grove_core::id::{Digest, Lease, NodeId};
use grove_core::message::{Data, Gift, Inputs};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Inputs of one gift that are held in memory; what goes beyond is kept on the disk until its turn.
const MEMORY_BYTES_MAX: usize = 64 << 20;
/// Fetched at one time, so that the next is on its way while one is looked at.
const AT_ONCE: usize = 3;

/// Inputs that have been fetched.
pub(super) type Fetched = BTreeMap<Digest, Arc<[u8]>>;

impl Bench {
    /// Brings everything onto the disk that a task needs which this node will cut, run and give on.
    pub(super) async fn bring_task(&self, giver: NodeId, gift: &Gift) -> Result<(), Trouble> {
        self.bring_here(giver, gift.lease, gift.tool.module).await?;
        self.bring_image(giver, gift).await?;
        for blob in blobs(gift) {
            self.bring_here(giver, gift.lease, blob).await?;
        }
        Ok(())
    }

    /// What runs a tool that is a script. Its name stands in the script.
    pub(super) async fn bring_image(&self, giver: NodeId, gift: &Gift) -> Result<Option<Digest>, Trouble> {
        let image = self.packages.image_of(gift.tool.module);
        if let Some(image) = image {
            if let Some((above, lease)) = self.upstream.of(gift.tool.module) {
                self.upstream.note(above, lease, [image]);
            }
            self.bring_here(giver, gift.lease, image).await?;
        }
        Ok(image)
    }

    /// Brings everything here that a gift needs; what is in memory comes back.
    pub(super) async fn bring_all(&self, giver: NodeId, gift: &Gift) -> Result<Fetched, Trouble> {
        self.bring_here(giver, gift.lease, gift.tool.module).await?;
        let Inputs::Carried { data } = &gift.inputs else { return Ok(Fetched::new()) };
        let mut room = MEMORY_BYTES_MAX;
        let mut wanted = BTreeMap::new();
        for one in data {
            let Some(blob) = answers::blob_of(one) else { continue };
            let len = usize::try_from(one.len()).unwrap_or(usize::MAX);
            if giver == self.me || len > room || self.has(blob)? {
                self.bring_here(giver, gift.lease, blob).await?;
            } else if wanted.insert(blob, len).is_none() {
                room -= len;
            }
        }
        self.read_all(giver, gift.lease, wanted).await
    }

    async fn read_all(&self, giver: NodeId, lease: Lease, wanted: BTreeMap<Digest, usize>) -> Result<Fetched, Trouble> {
        let (mut coming, mut fetched) = (JoinSet::new(), Fetched::new());
        let mut wanted = wanted.into_iter();
        loop {
            while coming.len() < AT_ONCE
                && let Some((blob, len)) = wanted.next()
            {
                let wires = Arc::clone(&self.wires);
                coming.spawn(async move { (blob, wires.read(giver, lease, blob, len).await) });
            }
            match coming.join_next().await {
                Some(Ok((blob, bytes))) => drop(fetched.insert(blob, bytes?)),
                // It does not panic, and only this aborts it.
                Some(Err(_)) => {}
                None => return Ok(fetched),
            }
        }
    }
}

/// The blobs that the inputs of a gift name.
pub(super) fn blobs(gift: &Gift) -> impl Iterator<Item = Digest> + '_ {
    let data = match &gift.inputs {
        Inputs::Carried { data } => &data[..],
        Inputs::Numbers { .. } => &[],
    };
    data.iter().filter_map(answers::blob_of)
}

/// The bytes of an input that was fetched into memory.
pub(super) fn fetched(all: &Fetched, data: &Data) -> Option<Arc<[u8]>> {
    all.get(&answers::blob_of(data)?).map(Arc::clone)
}
