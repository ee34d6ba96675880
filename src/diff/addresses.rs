//! Blocks of addresses: which hold which, and how much of the internet they cover together.

use core::net::IpAddr;

/// A block of addresses, such as `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Block {
    is_v6: bool,
    /// The bits of its first address; those of IPv4 stand at the left.
    bits: u128,
    length: u32,
}

/// How much of the internet is covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Breadth {
    /// What a network or a few of them may have.
    Narrow,
    /// More than anybody's own networks: AWS itself calls a policy public that takes an IPv4 block wider than `/8`, or an
    /// IPv6 block wider than `/32`.
    Wide,
    /// At least half of it: whoever writes that means everybody.
    World,
}

/// IPv4 blocks that are nobody's on the internet.
const PRIVATE_V4: [&str; 8] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "224.0.0.0/3",
];

/// The part of IPv6 that is in use on the internet.
const PUBLIC_V6: &str = "2000::/3";

/// Addresses are counted in units of 2^64 of those at the left, so that all of them fit: an IPv6 network is one.
const ALL: u128 = 1 << 64;

impl Block {
    /// Reads a block; one without a length is a single address.
    pub(super) fn of(text: &str) -> Option<Self> {
        let (address, length) = match text.trim().split_once('/') {
            Some((address, length)) => (address, Some(length.parse::<u32>().ok()?)),
            None => (text.trim(), None),
        };
        let (is_v6, bits, longest) = match address.parse().ok()? {
            IpAddr::V4(v4) => (false, u128::from(u32::from(v4)) << 96, 32),
            IpAddr::V6(v6) => (true, u128::from(v6), 128),
        };
        let length = length.unwrap_or(longest);
        (length <= longest).then_some(Self {
            is_v6,
            bits,
            length,
        })
    }

    /// Returns whether every address of `other` is in this block.
    pub(super) fn holds(&self, other: &Self) -> bool {
        let differs = self.bits ^ other.bits;
        // A shift by the whole width is none.
        self.is_v6 == other.is_v6
            && self.length <= other.length
            && (self.length == 0 || differs >> (128 - self.length) == 0)
    }

    /// Returns whether some of its addresses may be anybody's.
    pub(super) fn is_public(&self) -> bool {
        if self.is_v6 {
            return Self::of(PUBLIC_V6).is_some_and(|all| all.holds(self) || self.holds(&all));
        }
        let mut private = PRIVATE_V4.iter().filter_map(|text| Self::of(text));
        !private.any(|private| private.holds(self))
    }

    /// Returns the units that it begins and ends with.
    fn units(&self) -> (u128, u128) {
        let rest = u128::MAX.checked_shr(self.length).unwrap_or(0);
        ((self.bits & !rest) >> 64, (self.bits | rest) >> 64)
    }
}

/// Returns how much of the internet the blocks cover together.
pub(super) fn breadth<'b>(blocks: impl IntoIterator<Item = &'b Block>) -> Breadth {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for block in blocks {
        let side = if block.is_v6 { &mut v6 } else { &mut v4 };
        side.push(block.units());
    }
    breadth_v4(&merged(v4)).max(breadth_v6(&merged(v6)))
}

fn breadth_v4(covered: &[(u128, u128)]) -> Breadth {
    let private = PRIVATE_V4.iter().filter_map(|text| Block::of(text));
    let private: u128 = private.map(|block| size(covered, block.units())).sum();
    let covered = size(covered, (0, ALL - 1));
    if covered >= ALL / 2 {
        Breadth::World
    } else if covered - private > ALL >> 8 {
        Breadth::Wide
    } else {
        Breadth::Narrow
    }
}

fn breadth_v6(covered: &[(u128, u128)]) -> Breadth {
    let public = Block::of(PUBLIC_V6).map_or((0, ALL - 1), |block| block.units());
    let of_public = size(covered, public);
    // Partners with many networks are common; what counts is how wide one of them is.
    let widest = covered
        .iter()
        .map(|range| size(std::slice::from_ref(range), public));
    if of_public * 2 > public.1 - public.0 || size(covered, (0, ALL - 1)) >= ALL / 2 {
        Breadth::World
    } else if widest.max().unwrap_or(0) > ALL >> 32 {
        Breadth::Wide
    } else {
        Breadth::Narrow
    }
}

/// Returns the same ranges sorted, and in one where they touch.
fn merged(mut ranges: Vec<(u128, u128)>) -> Vec<(u128, u128)> {
    ranges.sort_unstable();
    let mut merged: Vec<(u128, u128)> = Vec::new();
    for (first, last) in ranges {
        match merged.last_mut() {
            Some((_, end)) if first <= *end + 1 => *end = last.max(*end),
            Some(_) | None => merged.push((first, last)),
        }
    }
    merged
}

/// Returns how much of `within` the ranges cover.
fn size(ranges: &[(u128, u128)], within: (u128, u128)) -> u128 {
    let parts = ranges.iter().map(|(first, last)| {
        let (first, last) = ((*first).max(within.0), (*last).min(within.1));
        (last + 1).saturating_sub(first)
    });
    parts.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_that_are_the_internet_together_are_it() {
        let without_private = [
            "0.0.0.0/5",
            "8.0.0.0/7",
            "11.0.0.0/8",
            "12.0.0.0/6",
            "16.0.0.0/4",
            "32.0.0.0/3",
            "64.0.0.0/2",
            "128.0.0.0/1",
        ];
        let many: Vec<String> = (11..126).map(|n| format!("{n}.0.0.0/8")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        for (blocks, wanted) in [
            (&["0.0.0.0/0"][..], Breadth::World),
            (&["128.0.0.0/1"], Breadth::World),
            (&["::/0"], Breadth::World),
            (&["::/1", "8000::/1"], Breadth::World),
            (&["2000::/3"], Breadth::World),
            (&["2000::/5", "2800::/5"], Breadth::World),
            (&["2000::/5"], Breadth::Wide),
            (
                &["0.0.0.0/2", "64.0.0.0/2", "128.0.0.0/2", "192.0.0.0/2"],
                Breadth::World,
            ),
            (&without_private, Breadth::World),
            (&["64.0.0.0/2"], Breadth::Wide),
            (&["64.0.0.0/2", "64.0.0.0/2"], Breadth::Wide),
            (&many, Breadth::Wide),
            (&["52.0.0.0/7"], Breadth::Wide),
            (&["52.0.0.0/8", "54.0.0.0/8"], Breadth::Wide),
            (&["52.0.0.0/8"], Breadth::Narrow),
            (
                &[
                    "10.0.0.0/8",
                    "172.16.0.0/12",
                    "192.168.0.0/16",
                    "100.64.0.0/10",
                ],
                Breadth::Narrow,
            ),
            (&["10.0.0.0/7"], Breadth::Narrow),
            (&["10.0.0.0/6"], Breadth::Wide),
            (&["2600::/12"], Breadth::Wide),
            (&["2001:db8::/32"], Breadth::Narrow),
            (&["2400:cb00::/32", "2606:4700::/32"], Breadth::Narrow),
            (&["fc00::/7"], Breadth::Narrow),
            (&["203.0.113.1"], Breadth::Narrow),
            (&[], Breadth::Narrow),
        ] {
            let read: Vec<Block> = blocks.iter().filter_map(|text| Block::of(text)).collect();
            assert_eq!(read.len(), blocks.len(), "{blocks:?}");
            assert_eq!(breadth(&read), wanted, "{blocks:?}");
        }
    }

    #[test]
    fn blocks_hold_what_is_in_them() {
        for (outer, inner, wanted) in [
            ("0.0.0.0/0", "10.0.0.0/8", true),
            ("10.0.0.0/8", "10.1.0.0/16", true),
            ("10.1.0.0/16", "10.0.0.0/8", false),
            ("0.0.0.0/0", "::/0", false),
            ("10.0.0.0/8", "10.1.2.3", true),
            ("::/0", "::1", true),
        ] {
            let of = |text| Block::of(text).unwrap();
            assert_eq!(of(outer).holds(&of(inner)), wanted, "{outer} {inner}");
        }
    }

    #[test]
    fn what_is_no_block_is_none() {
        for text in [
            "",
            "/",
            "sg-1",
            "0.0.0.0/33",
            "::/129",
            "0.0.0.0/-1",
            "1.2.3/8",
            "pl-1",
        ] {
            assert_eq!(Block::of(text), None, "{text}");
        }
    }

    #[test]
    fn private_addresses_are_not_public() {
        for (text, wanted) in [
            ("10.0.0.0/8", false),
            ("10.0.0.0/7", true),
            ("52.0.0.0/8", true),
            ("fd00::/8", false),
            ("2600::/12", true),
            ("::/0", true),
        ] {
            assert_eq!(Block::of(text).unwrap().is_public(), wanted, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn invariant_more_blocks_cover_no_less(bits in proptest::collection::vec((proptest::prelude::any::<u32>(), 0..33_u32), 0..20)) {
            let blocks: Vec<Block> = bits.into_iter()
                .map(|(bits, length)| Block { is_v6: false, bits: u128::from(bits) << 96, length })
                .collect();
            for some in 0..blocks.len() {
                proptest::prop_assert!(breadth(&blocks[..some]) <= breadth(&blocks));
                proptest::prop_assert!(breadth(&blocks[some..=some]) <= breadth(&blocks));
            }
        }
    }
}
