//! A page of results: consecutive items of one task and stage, one row of the database.
//! What an item's bytes mean is the caller's business; how they are told apart is this file's.

use serde::{Deserialize, Serialize};

use super::error::StoreError;

/// Bounds how far a reader must look back for a page that covers an item.
pub const PAGE_ITEMS_MAX: u32 = 1024;
/// A page is read and checked whole, so it stays small enough to be skipped cheaply.
pub const PAGE_BYTES_MAX: usize = 256 * 1024;
/// Outputs up to 4 KiB are kept in rows, larger ones are blobs; the rest is room for what is said about them.
pub const ITEM_BYTES_MAX: usize = 64 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PageKey {
    pub task: u64,
    /// Parts, inner answers, the merged answer: the caller's numbering.
    pub stage: u8,
    pub first_item: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    key: PageKey,
    items: u32,
    bytes: Vec<u8>,
}

impl Page {
    pub fn new(key: PageKey) -> Self {
        Self { key, items: 0, bytes: Vec::new() }
    }

    /// Packs results into as few pages as their gaps and the limits allow. Items must ascend.
    pub fn pack<B: AsRef<[u8]>>(
        task: u64,
        stage: u8,
        results: impl IntoIterator<Item = (u64, B)>,
    ) -> Result<Vec<Self>, StoreError> {
        let mut pages: Vec<Self> = Vec::new();
        for (item, bytes) in results {
            match pages.last_mut() {
                Some(page) if page.next_item() == item && page.has_room(bytes.as_ref().len()) => {
                    page.push(bytes.as_ref())?;
                }
                _ => {
                    let mut page = Self::new(PageKey { task, stage, first_item: item });
                    page.push(bytes.as_ref())?;
                    pages.push(page);
                }
            }
        }
        Ok(pages)
    }

    /// Adds the next item; refused when the page has no room for it.
    pub fn push(&mut self, item: &[u8]) -> Result<(), StoreError> {
        if item.len() > ITEM_BYTES_MAX {
            return Err(too_large("a result", item.len(), ITEM_BYTES_MAX));
        }
        if !self.has_room(item.len()) {
            return Err(too_large("a page of results", self.bytes.len() + item.len(), PAGE_BYTES_MAX));
        }
        write_length(&mut self.bytes, item.len());
        self.bytes.extend_from_slice(item);
        self.items += 1;
        Ok(())
    }

    pub fn has_room(&self, item: usize) -> bool {
        self.items < PAGE_ITEMS_MAX && self.bytes.len() + item + LENGTH_BYTES_MAX <= PAGE_BYTES_MAX
    }

    pub fn key(&self) -> &PageKey {
        &self.key
    }

    pub fn items(&self) -> u32 {
        self.items
    }

    pub fn next_item(&self) -> u64 {
        self.key.first_item + u64::from(self.items)
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.bytes
    }
}

/// The items of a page's body with their numbers; `None` in place of an item that cannot be told apart.
pub fn items_of(first: u64, count: u32, mut body: &[u8]) -> impl Iterator<Item = Option<(u64, &[u8])>> {
    let mut done = false;
    (0..u64::from(count)).map_while(move |nth| {
        if done {
            return None;
        }
        let item = read_length(&mut body).and_then(|length| body.split_off(..length));
        done = item.is_none();
        Some(item.map(|bytes| (first.saturating_add(nth), bytes)))
    })
}

/// `ITEM_BYTES_MAX` fits into three groups of seven bits.
const LENGTH_BYTES_MAX: usize = 3;

fn write_length(out: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        out.push(u8::try_from(length & 0x7f).expect("seven bits fit") | 0x80);
        length >>= 7;
    }
    out.push(u8::try_from(length).expect("seven bits fit"));
}

fn read_length(bytes: &mut &[u8]) -> Option<usize> {
    let mut length = 0;
    for group in 0..LENGTH_BYTES_MAX {
        let byte = *bytes.split_off_first()?;
        length |= usize::from(byte & 0x7f) << (7 * group);
        if byte & 0x80 == 0 {
            return Some(length);
        }
    }
    None
}

fn too_large(what: &'static str, bytes: usize, max: usize) -> StoreError {
    StoreError::TooLarge { what, bytes: bytes as u64, max: max as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_packed_into_runs_and_read_back() {
        let results: Vec<(u64, Vec<u8>)> =
            [3, 4, 5, 9, 10, 700].into_iter().map(|item| (item, vec![b'x'; item as usize * 40])).collect();
        let pages = Page::pack(1, 0, results.clone()).unwrap();
        assert_eq!(pages.iter().map(|p| (p.key.first_item, p.items)).collect::<Vec<_>>(), [(3, 3), (9, 2), (700, 1)]);
        let read: Vec<(u64, Vec<u8>)> = pages
            .iter()
            .flat_map(|p| items_of(p.key.first_item, p.items, &p.bytes).map(|i| i.unwrap()))
            .map(|(item, bytes)| (item, bytes.to_vec()))
            .collect();
        assert_eq!(read, results);
    }

    #[test]
    fn a_full_page_starts_the_next() {
        let pages = Page::pack(1, 0, (0..3000).map(|item| (item, b"ok"))).unwrap();
        assert_eq!(pages.iter().map(|p| p.items).collect::<Vec<_>>(), [1024, 1024, 952]);
        let pages = Page::pack(1, 0, (0..8).map(|item| (item, vec![0; ITEM_BYTES_MAX]))).unwrap();
        assert_eq!(pages.iter().map(|p| p.items).collect::<Vec<_>>(), [3, 3, 2]);
        assert!(pages.iter().all(|p| p.bytes.len() <= PAGE_BYTES_MAX));
    }

    #[test]
    fn an_item_beyond_its_limit_is_refused() {
        let error = Page::pack(1, 0, [(0, vec![0; ITEM_BYTES_MAX + 1])]).unwrap_err();
        assert!(matches!(error, StoreError::TooLarge { what: "a result", .. }));
    }

    #[test]
    fn a_body_cut_anywhere_never_yields_a_wrong_item() {
        let page = &Page::pack(1, 0, (0..5).map(|item| (item, vec![item as u8; 200]))).unwrap()[0];
        for cut in 0..page.bytes.len() {
            let read: Vec<_> = items_of(0, page.items, &page.bytes[..cut]).collect();
            assert!(read.last().unwrap().is_none());
            assert!(read.iter().flatten().all(|(item, bytes)| *bytes == vec![*item as u8; 200]));
        }
    }
}
