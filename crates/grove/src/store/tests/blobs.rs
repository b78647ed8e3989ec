//! Blobs: written, resumed, read by piece and by line, damaged, swept.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::super::{BlobId, Settings, Store, StoreError};
use super::{ROOMY, open};

fn bytes(len: usize) -> Vec<u8> {
    (0..len as u32).map(|n| (n.wrapping_mul(2654435761) >> 11) as u8).collect()
}

fn blob_file(dir: &Path, id: &BlobId) -> PathBuf {
    let name = id.to_string();
    dir.join("blobs").join(&name[..2]).join(name)
}

fn read_all(store: &Store, id: &BlobId) -> Vec<u8> {
    let mut all = Vec::new();
    store.blobs().open_blob(id).unwrap().read_to_end(&mut all).unwrap();
    all
}

#[test]
fn a_blob_is_read_back_whole_and_by_piece_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let sizes = [0, 1, 65_535, 65_536, 65_537, 300_000];
    let blobs: Vec<Vec<u8>> = sizes.map(bytes).to_vec();
    let ids: Vec<BlobId> = blobs.iter().map(|blob| store.blobs().put_bytes(blob).unwrap()).collect();
    assert_eq!(store.blobs().used_bytes(), sizes.iter().sum::<usize>() as u64);
    drop(store);

    let (store, _) = open(dir.path());
    assert_eq!(store.blobs().used_bytes(), sizes.iter().sum::<usize>() as u64);
    for (blob, id) in blobs.iter().zip(&ids) {
        assert_eq!(*id, BlobId::of(blob));
        assert_eq!(store.blobs().len(id).unwrap(), Some(blob.len() as u64));
        assert!(read_all(&store, id) == *blob);
    }
    let mut reader = store.blobs().open_blob(&ids[5]).unwrap();
    let mut piece = [0; 1000];
    for offset in [0, 64_000, 65_535, 65_536, 131_071, 299_500, 299_999] {
        let read = reader.read_at(offset as u64, &mut piece).unwrap();
        assert!(read > 0 && piece[..read] == blobs[5][offset..offset + read]);
    }
    assert_eq!(reader.read_at(300_000, &mut piece).unwrap(), 0);
}

#[test]
fn what_is_not_there_is_said_to_be_missing() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let id = BlobId::of(b"never stored");
    assert!(!store.blobs().has(&id).unwrap());
    assert!(matches!(store.blobs().open_blob(&id), Err(StoreError::NoBlob { id: missing }) if missing == id));
}

#[test]
fn a_writer_that_is_dropped_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let mut writer = store.blobs().writer().unwrap();
    writer.write(&bytes(100_000)).unwrap();
    assert_eq!(store.blobs().used_bytes(), 100_000);
    drop(writer);
    assert_eq!(store.blobs().used_bytes(), 0);
    assert_eq!(std::fs::read_dir(dir.path().join("blobs/partial")).unwrap().count(), 0);
    let too_long = store.blobs().put_stream(&bytes(5000)[..], 4999);
    assert!(matches!(too_long, Err(StoreError::TooLarge { max: 4999, .. })));
    assert_eq!(std::fs::read_dir(dir.path().join("blobs/partial")).unwrap().count(), 0);
}

#[test]
fn an_upload_goes_on_where_it_was_broken_off() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let whole = bytes(200_000);
    let id = BlobId::of(&whole);
    let mut upload = store.blobs().upload(id).unwrap();
    upload.write(&whole[..70_000]).unwrap();
    assert!(matches!(store.blobs().upload(id), Err(StoreError::Uploading { .. })));
    drop(upload);
    drop(store);

    let (store, _) = open(dir.path());
    let mut upload = store.blobs().upload(id).unwrap();
    assert_eq!(upload.offset(), 70_000);
    upload.write(&whole[70_000..]).unwrap();
    assert!(!store.blobs().has(&id).unwrap());
    assert_eq!(upload.finish().unwrap(), id);
    assert!(read_all(&store, &id) == whole);
    assert_eq!(store.blobs().used_bytes(), 200_000);
}

#[test]
fn an_upload_that_is_not_what_it_was_called_is_thrown_away() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let id = BlobId::of(b"promised");
    let mut upload = store.blobs().upload(id).unwrap();
    upload.write(b"delivered").unwrap();
    let refused = upload.finish();
    assert!(matches!(refused, Err(StoreError::WrongBlob { expected, .. }) if expected == id));
    assert!(!store.blobs().has(&id).unwrap());
    assert_eq!(store.blobs().upload(id).unwrap().offset(), 0);
    assert_eq!(store.blobs().used_bytes(), 0);
}

#[test]
fn lines_are_read_from_anywhere() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let lines: Vec<String> = (0..40_000).map(|n| format!("line {n} {}", "x".repeat(n % 23))).collect();
    let text = lines.join("\n");
    let ended = format!("{text}\n");
    for text in [text, ended] {
        let id = store.blobs().put_bytes(text.as_bytes()).unwrap();
        assert_eq!(store.blobs().lines(&id).unwrap(), 40_000);
        for (from, count) in [(0, 3), (1, 1), (3_999, 2), (20_000, 1000), (39_998, 5), (39_999, 1), (40_000, 1)] {
            let read = store.blobs().line_range(&id, from, count).unwrap();
            let expected: Vec<&[u8]> = lines.iter().skip(from as usize).take(count).map(|l| l.as_bytes()).collect();
            assert_eq!(read, expected, "{count} lines from {from}");
        }
    }
}

#[test]
fn lines_of_every_shape_at_every_block_edge() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let block = 65_536;
    let texts = [
        String::new(),
        "\n".to_owned(),
        "\n\n\nx".to_owned(),
        "a".repeat(block),
        format!("{}\n", "a".repeat(block - 1)),
        format!("{}\nb", "a".repeat(block - 1)),
        format!("{}\n\nb\n", "a".repeat(block)),
        format!("{}\n{}\nz", "a".repeat(3 * block), "b".repeat(block)),
        "\n".repeat(2 * block + 3),
    ];
    for text in texts {
        let id = store.blobs().put_bytes(text.as_bytes()).unwrap();
        let expected: Vec<&[u8]> = text.split_terminator('\n').map(str::as_bytes).collect();
        let lines = store.blobs().lines(&id).unwrap();
        assert_eq!(lines, expected.len() as u64);
        for from in 0..lines.min(6) {
            assert!(
                store.blobs().line_range(&id, from, 4).unwrap()
                    == expected[from as usize..][..4.min(expected.len() - from as usize)]
            );
        }
        assert!(
            store.blobs().line_range(&id, lines.saturating_sub(1), 9).unwrap()
                == expected[expected.len().saturating_sub(1)..]
        );
    }
}

#[test]
fn a_line_beyond_its_limit_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let id = store.blobs().put_bytes(&vec![b'x'; (1 << 20) + 1]).unwrap();
    assert!(matches!(store.blobs().line_range(&id, 0, 1), Err(StoreError::TooLarge { what: "a line", .. })));
}

#[test]
fn a_missing_or_damaged_map_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let text = "some line of text\n".repeat(20_000);
    let id = store.blobs().put_bytes(text.as_bytes()).unwrap();
    let map = blob_file(dir.path(), &id).with_extension("map");
    let good = std::fs::read(&map).unwrap();
    for damage in [None, Some(0), Some(40), Some(good.len() / 2), Some(good.len() - 1)] {
        match damage {
            None => std::fs::remove_file(&map).unwrap(),
            Some(at) => {
                let mut bad = good.clone();
                bad[at] ^= 0x10;
                std::fs::write(&map, bad).unwrap();
            }
        }
        assert_eq!(store.blobs().line_range(&id, 19_999, 5).unwrap(), [b"some line of text".to_vec()]);
        assert_eq!(std::fs::read(&map).unwrap(), good);
    }
}

#[test]
fn a_flipped_bit_is_never_served() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    for len in [5_000, 200_000] {
        let whole = bytes(len);
        let id = store.blobs().put_bytes(&whole).unwrap();
        let file = blob_file(dir.path(), &id);
        let mut random = 99_u64;
        for _ in 0..100 {
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1);
            let (at, bit) = ((random >> 20) as usize % len, (random >> 60) % 8);
            let mut bad = whole.clone();
            bad[at] ^= 1 << bit;
            std::fs::write(&file, bad).unwrap();
            let mut served = Vec::new();
            let outcome = match store.blobs().open_blob(&id) {
                Ok(mut reader) => reader.read_to_end(&mut served).err().map(|error| error.to_string()),
                Err(error) => Some(error.to_string()),
            };
            assert!(outcome.unwrap().contains("is damaged"));
            assert!(served == whole[..served.len()] && served.len() <= at);
        }
        // Sending it again heals it.
        assert_eq!(store.blobs().put_bytes(&whole).unwrap(), id);
        assert!(read_all(&store, &id) == whole);
    }
    assert_eq!(store.blobs().used_bytes(), 205_000);
}

#[test]
fn a_sweep_takes_what_is_old_and_unnamed() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let live = store.blobs().put_bytes(&bytes(100_000)).unwrap();
    let dead = store.blobs().put_bytes(&bytes(150_000)).unwrap();
    let unfinished = BlobId::of(b"unfinished");
    store.blobs().upload(unfinished).unwrap().write(b"unfin").unwrap();
    let is_live = |id: &BlobId| *id == live;

    let spared = store.blobs().sweep(is_live, SystemTime::now() - Duration::from_secs(3600)).unwrap();
    assert_eq!((spared.blobs, spared.partials, spared.bytes), (0, 0, 0));
    let soon = SystemTime::now() + Duration::from_secs(60);
    let busy = store.blobs().upload(unfinished).unwrap();
    let swept = store.blobs().sweep(is_live, soon).unwrap();
    assert_eq!((swept.blobs, swept.partials, swept.bytes), (1, 0, 150_000));
    drop(busy);
    let swept = store.blobs().sweep(is_live, soon).unwrap();
    assert_eq!((swept.blobs, swept.partials, swept.bytes), (0, 1, 5));
    assert!(store.blobs().has(&live).unwrap() && !store.blobs().has(&dead).unwrap());
    assert_eq!(store.blobs().used_bytes(), 100_000);
    assert!(!blob_file(dir.path(), &dead).with_extension("map").exists());
}

#[test]
fn a_blob_beyond_the_quota_is_refused_while_it_streams() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(dir.path(), Settings { quota_bytes: 100_000, ..ROOMY }).unwrap();
    let id = store.blobs().put_bytes(&bytes(60_000)).unwrap();
    assert!(matches!(store.blobs().put_bytes(&bytes(60_001)), Err(StoreError::OverQuota { .. })));
    assert_eq!(store.blobs().used_bytes(), 60_000);
    assert!(read_all(&store, &id) == bytes(60_000));
}

#[cfg(unix)]
#[test]
fn everything_is_the_owners_alone_and_links_are_not_followed() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("made/by/the/store");
    let (store, _) = open(&home);
    let id = store.blobs().put_bytes(&bytes(100_000)).unwrap();
    let mut seen = 0;
    let mut folders = vec![home.clone()];
    while let Some(folder) = folders.pop() {
        assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700, "{folder:?}");
        for entry in std::fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 6, "lock, database, log, witness, blob, map");

    let file = blob_file(&home, &id);
    let secret = dir.path().join("secret");
    std::fs::rename(&file, &secret).unwrap();
    std::os::unix::fs::symlink(&secret, &file).unwrap();
    assert!(store.blobs().open_blob(&id).is_err());
    assert_eq!(store.blobs().len(&id).unwrap(), None);
}
