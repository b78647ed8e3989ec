//! A picture as PNG, eight bits for each of three colours. Its bytes are stored as they are: deflate would need a
//! library, and a reader does not mind.

/// Bytes in one stored block of deflate.
const BLOCK_MAX: usize = 65_535;

/// The whole file.
pub(crate) fn picture(width: u32, height: u32, pixels: &[u8]) -> Vec<u8> {
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut head = [width.to_be_bytes(), height.to_be_bytes()].concat();
    head.extend([8, 2, 0, 0, 0]);
    chunk(&mut out, b"IHDR", &head);
    chunk(&mut out, b"IDAT", &stored(&rows(width, pixels)));
    chunk(&mut out, b"IEND", &[]);
    out
}

/// Each row begins with how it was filtered: not at all.
fn rows(width: u32, pixels: &[u8]) -> Vec<u8> {
    let row = usize::try_from(width).unwrap_or(usize::MAX).saturating_mul(3).max(1);
    pixels.chunks(row).flat_map(|row| std::iter::once(0).chain(row.iter().copied())).collect()
}

/// A zlib stream of stored blocks.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let count = bytes.chunks(BLOCK_MAX).len();
    for (nth, block) in bytes.chunks(BLOCK_MAX).enumerate() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(u8::from(nth + 1 == count));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(block);
    }
    out.extend(adler(bytes).to_be_bytes());
    out
}

fn chunk(out: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    out.extend(u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes());
    let begin = out.len();
    out.extend(kind);
    out.extend(data);
    let sum = crc(&out[begin..]);
    out.extend(sum.to_be_bytes());
}

fn adler(bytes: &[u8]) -> u32 {
    let (low, high) = bytes.iter().fold((1_u32, 0_u32), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % 65_521;
        (low, (high + low) % 65_521)
    });
    high << 16 | low
}

fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    let table: Vec<u32> = (0..256).map(|byte| (0..8).fold(byte, |crc, _| step(crc))).collect();
    !bytes.iter().fold(u32::MAX, |crc, byte| table[usize::from(crc.to_le_bytes()[0] ^ byte)] ^ crc >> 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_everybody() {
        assert_eq!(crc(b"123456789"), 0xcbf4_3926);
        assert_eq!(adler(b"Wikipedia"), 0x11e6_0398);
        assert_eq!(crc(b"IEND"), 0xae42_6082);
    }

    #[test]
    fn a_picture_of_one_pixel_is_whole() {
        let picture = picture(1, 1, &[1, 2, 3]);
        assert!(picture.ends_with(b"\0\0\0\0IEND\xae\x42\x60\x82"));
        // Two bytes of zlib, five of the block, a filter, three colours, four of the sum.
        assert!(picture.windows(8).any(|part| part == b"\0\0\0\x0fIDAT"));
    }

    #[test]
    fn long_data_is_cut_into_blocks() {
        let bytes = vec![7; BLOCK_MAX + 1];
        let stored = stored(&bytes);
        assert_eq!(stored.len(), 2 + 5 + BLOCK_MAX + 5 + 1 + 4);
        assert_eq!((stored[2], stored[2 + 5 + BLOCK_MAX]), (0, 1), "the last one says so");
    }
}
