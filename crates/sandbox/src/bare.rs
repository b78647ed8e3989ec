//! A module without what it says about its maker: names of functions, producers, debug information with paths. None of
//! it changes what the module does; only what a tool declares about itself stays.

use crate::inspect::MANIFEST_SECTION;

/// Magic and version.
const HEADER_BYTES: usize = 8;
/// The kind of section that means nothing to the engine.
const CUSTOM: u8 = 0;

/// The module without custom sections but for its manifest. None where there are none, or where the bytes are no module.
pub fn bare(module: &[u8]) -> Option<Vec<u8>> {
    // A script's package is no module, and holds nothing that its maker did not put there.
    let (header, mut rest) = module.split_at_checked(HEADER_BYTES).filter(|_| module.starts_with(b"\0asm"))?;
    let mut bare = header.to_vec();
    while !rest.is_empty() {
        let (section, after) = section(rest)?;
        if !section.tells {
            bare.extend_from_slice(section.whole);
        }
        rest = after;
    }
    (bare.len() < module.len()).then_some(bare)
}

struct Section<'a> {
    whole: &'a [u8],
    /// It is about the maker and nothing else.
    tells: bool,
}

fn section(bytes: &[u8]) -> Option<(Section<'_>, &[u8])> {
    let (kind, rest) = bytes.split_first()?;
    let (len, rest) = number(rest)?;
    let (inside, after) = rest.split_at_checked(len)?;
    let whole = &bytes[..bytes.len() - after.len()];
    let tells = *kind == CUSTOM && {
        let (len, rest) = number(inside)?;
        rest.get(..len)? != MANIFEST_SECTION.as_bytes()
    };
    Some((Section { whole, tells }, after))
}

/// A length, seven bits in a byte, the lowest first.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_u64;
    for (nth, byte) in bytes.iter().take(5).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * nth);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(value).ok()?, &bytes[nth + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect;

    const TEXT: &str = r#"(module $from-home-ann
        (@custom "producers" "ann@kitchen")
        (@custom "grove" "abilities: check\n")
        (@custom ".debug_line" "/home/ann/secret.c")
        (memory (export "memory") 1)
        (func $a_name (export "_start")))"#;

    #[test]
    fn what_tells_of_the_maker_goes_and_the_manifest_stays() {
        let module = wat::parse_str(TEXT).unwrap();
        let left = bare(&module).unwrap();
        let said = |bytes: &[u8], word: &str| bytes.windows(word.len()).any(|part| part == word.as_bytes());
        for word in ["ann", "producers", "debug", "a_name", "from-home"] {
            assert!(said(&module, word) && !said(&left, word), "{word}");
        }
        assert_eq!(inspect(&left), inspect(&module));
        assert_eq!(inspect(&left).unwrap().abilities, ["check"]);
        assert_eq!(bare(&left), None, "there is nothing left");
    }

    #[test]
    fn damaged_modules_are_left_as_they_are() {
        let module = wat::parse_str(TEXT).unwrap();
        for end in 0..module.len() {
            // Whatever comes out, nothing panics, and it is never longer.
            assert!(bare(&module[..end]).is_none_or(|bare| bare.len() < end));
        }
        assert_eq!(bare(b"\0asm\x01\0\0\0\x00\xff\xff\xff\xff\x7f"), None);
    }
}
