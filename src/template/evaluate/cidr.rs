//! `Fn::Cidr`: blocks of addresses, cut from a larger one.

// Addresses without the sockets.
use core::net::{Ipv4Addr, Ipv6Addr};

/// What comes of cutting a block.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cut {
    Blocks(Vec<String>),
    /// CloudFormation refuses it, for this reason.
    Refused(String),
    /// How CloudFormation takes it is not documented.
    Unknown,
}

/// Returns the first `count` blocks in `block` whose addresses differ in their last `bits` bits.
pub(super) fn cut(block: &str, count: &str, bits: &str) -> Cut {
    let (Some(block), Some(count), Some(bits)) = (Block::parse(block), number(count), number(bits))
    else {
        return Cut::Unknown;
    };
    if !(1..=256).contains(&count) {
        return Cut::Refused(format!("it makes 1 to 256 blocks, not {count}"));
    }
    // What its addresses differ in, which is 32 bits at most, or 128.
    let free = block.width - block.prefix;
    if bits > free {
        return Cut::Refused(format!(
            "blocks of {bits} bits are larger than one with /{}, which has {free}",
            block.prefix
        ));
    }
    // Single addresses, the whole block and more blocks than there are: nobody says what comes of them.
    let is_enough = free - bits >= 8 || count <= 1 << (free - bits);
    if bits == 0 || bits == free || !is_enough {
        return Cut::Unknown;
    }
    let blocks = (0..u128::from(count)).map(|number| {
        let first = block.first + (number << bits);
        format!("{}/{}", block.text(first), block.width - bits)
    });
    Cut::Blocks(blocks.collect())
}

struct Block {
    first: u128,
    prefix: u32,
    /// The bits of an address.
    width: u32,
}

impl Block {
    fn parse(text: &str) -> Option<Block> {
        let (address, prefix) = text.split_once('/')?;
        let (first, width) = if address.contains(':') {
            let address: Ipv6Addr = address.parse().ok()?;
            // One that stands for an address of the older kind may become such a one.
            let is_plain = address.to_ipv4_mapped().is_none();
            (is_plain.then(|| u128::from(address))?, 128)
        } else {
            let address: Ipv4Addr = address.parse().ok()?;
            (u128::from(u32::from(address)), 32)
        };
        let prefix = number(prefix).filter(|prefix| *prefix <= width)?;
        // An address inside of the block may be refused, or taken for the block.
        let is_first = first.trailing_zeros() >= width - prefix || first == 0;
        is_first.then_some(Block {
            first,
            prefix,
            width,
        })
    }

    /// Returns an address as CloudFormation writes it, which does not shorten the longer kind.
    fn text(&self, address: u128) -> String {
        if self.width == 128 {
            let parts = Ipv6Addr::from(address).segments();
            parts.map(|part| format!("{part:x}")).join(":")
        } else {
            // Such a block ends with the last address of 32 bits.
            let low = u32::try_from(address).unwrap_or(u32::MAX);
            Ipv4Addr::from(low).to_string()
        }
    }
}

/// Returns a number that is written as people write it.
fn number(text: &str) -> Option<u32> {
    let is_usual = text == "0" || !text.starts_with(['0', '+', '-']);
    text.parse().ok().filter(|_| is_usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_cut_one_behind_the_other() {
        for (block, count, bits, expected) in [
            (
                // The example of the documentation.
                "192.168.0.0/24",
                "6",
                "5",
                "192.168.0.0/27 192.168.0.32/27 192.168.0.64/27 192.168.0.96/27 192.168.0.128/27 192.168.0.160/27",
            ),
            ("192.168.0.0/16", "2", "8", "192.168.0.0/24 192.168.1.0/24"),
            ("10.0.0.0/16", "1", "8", "10.0.0.0/24"),
            ("0.0.0.0/0", "3", "31", ""),
            ("0.0.0.0/0", "2", "31", "0.0.0.0/1 128.0.0.0/1"),
            ("255.255.255.254/31", "1", "1", ""),
            (
                "255.255.255.252/30",
                "2",
                "1",
                "255.255.255.252/31 255.255.255.254/31",
            ),
            (
                "2001:db8:1234:1a00::/56",
                "2",
                "64",
                "2001:db8:1234:1a00:0:0:0:0/64 2001:db8:1234:1a01:0:0:0:0/64",
            ),
            ("::/0", "2", "127", "0:0:0:0:0:0:0:0/1 8000:0:0:0:0:0:0:0/1"),
        ] {
            let expected = match expected {
                "" => Cut::Unknown,
                blocks => Cut::Blocks(blocks.split(' ').map(str::to_owned).collect()),
            };
            assert_eq!(cut(block, count, bits), expected, "{block} {count} {bits}");
        }
        let Cut::Blocks(blocks) = cut("10.0.0.0/8", "256", "16") else {
            panic!("256 blocks are allowed");
        };
        assert_eq!((blocks.len(), blocks[255].as_str()), (256, "10.255.0.0/16"));
    }

    #[test]
    fn what_is_refused_is_told_from_what_is_not_known() {
        let refused = |block, count, bits| match cut(block, count, bits) {
            Cut::Refused(why) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            refused("10.0.0.0/16", "0", "8"),
            "it makes 1 to 256 blocks, not 0"
        );
        assert_eq!(
            refused("10.0.0.0/8", "257", "8"),
            "it makes 1 to 256 blocks, not 257"
        );
        assert_eq!(
            refused("10.0.0.0/16", "8", "23"),
            "blocks of 23 bits are larger than one with /16, which has 16"
        );
        assert_eq!(
            refused("2001:db8::/64", "8", "4294967295"),
            "blocks of 4294967295 bits are larger than one with /64, which has 64"
        );
        for (block, count, bits) in [
            ("10.0.0.0", "1", "8"),
            ("10.0.0.0/33", "1", "8"),
            ("10.0.0.0/+8", "1", "8"),
            ("10.0.0/8", "1", "8"),
            ("10.0.0.01/8", "1", "8"),
            ("10.0.0.5/24", "1", "4"),
            ("text", "1", "8"),
            ("", "1", "8"),
            ("10.0.0.0/24", "one", "8"),
            ("10.0.0.0/24", "-1", "8"),
            ("10.0.0.0/24", "1", "4294967296"),
            ("10.0.0.0/24", "1", "0"),
            ("10.0.0.0/24", "1", "8"),
            ("10.0.0.0/24", "17", "4"),
            ("::ffff:10.0.0.0/104", "1", "8"),
            ("2001:db8::1/64", "1", "8"),
            ("2001:db8::/129", "1", "8"),
        ] {
            assert_eq!(
                cut(block, count, bits),
                Cut::Unknown,
                "{block} {count} {bits}"
            );
        }
    }
}
