//! A secret as commands write it without meaning to: in base64, percent-encoded, or inside a JSON text.

use std::collections::BTreeSet;

use crate::model::base64;

/// How wide tools break lines of base64: `base64` and MIME, `openssl` and PEM.
const WIDTHS: [usize; 2] = [76, 64];

/// Shorter pieces of base64 occur by chance.
const SHORTEST_PIECE: usize = 12;

/// What encoders leave as it is beside letters and digits: RFC 3986, JavaScript's `encodeURIComponent`, forms, and what
/// Python's `quote` does.
const LEFT: [&str; 4] = ["-._~", "-_.!~*'()", "*-._", "-._~/"];

/// Returns the usual encodings of a whole value. What is encoded together with something else, as `user:secret` in base64,
/// looks unlike it.
pub(super) fn encodings(secret: &str) -> BTreeSet<String> {
    let mut texts = BTreeSet::new();
    // `echo "$SECRET" | base64` encodes the line break, too.
    for value in [secret.to_owned(), format!("{secret}\n")] {
        let standard = base64(value.as_bytes());
        let url_safe = standard.replace('+', "-").replace('/', "_");
        for text in [standard, url_safe] {
            texts.insert(text.trim_end_matches('=').to_owned());
            for width in WIDTHS.into_iter().filter(|width| text.len() > *width) {
                let pieces = pieces(&text, width).filter(|piece| piece.len() >= SHORTEST_PIECE);
                texts.extend(pieces.map(str::to_owned));
            }
            texts.insert(text);
        }
    }
    for left in LEFT {
        for is_upper in [true, false] {
            let text = percent(secret, left, is_upper);
            texts.insert(text.replace("%20", "+"));
            texts.insert(text);
        }
    }
    let quoted = serde_json::Value::from(secret).to_string();
    let escaped = quoted.get(1..quoted.len() - 1).unwrap_or_default();
    for text in [escaped.to_owned(), ascii(escaped)] {
        // A slash may be escaped, and some do.
        texts.insert(text.replace('/', "\\/"));
        texts.insert(text);
    }
    texts
}

/// Returns a text without letters of more than one byte in pieces of `width`, the last one shorter.
fn pieces(text: &str, width: usize) -> impl Iterator<Item = &str> {
    let starts = (0..text.len()).step_by(width);
    starts.filter_map(move |start| text.get(start..text.len().min(start + width)))
}

fn percent(text: &str, left: &str, is_upper: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let is_left = byte.is_ascii_alphanumeric() || left.as_bytes().contains(&byte);
        match (is_left, is_upper) {
            (true, _) => out.push(char::from(byte)),
            (false, true) => out.push_str(&format!("%{byte:02X}")),
            (false, false) => out.push_str(&format!("%{byte:02x}")),
        }
    }
    out
}

/// Returns a JSON text with nothing but ASCII, as Python and others write it.
fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_in_its_usual_encodings() {
        let texts = encodings("p\"ä/ss?>>");
        for encoded in [
            // base64, base64url, each also without padding and of a whole line
            "cCLDpC9zcz8+Pg==",
            "cCLDpC9zcz8-Pg",
            "cCLDpC9zcz8+Pgo=",
            "p%22%C3%A4%2Fss%3F%3E%3E",
            "p%22%c3%a4%2fss%3f%3e%3e",
            "p%22%C3%A4/ss%3F%3E%3E",
            "p\\\"ä/ss?>>",
            "p\\\"\\u00e4/ss?>>",
            "p\\\"\\u00e4\\/ss?>>",
        ] {
            assert!(texts.contains(encoded), "{encoded} is not in {texts:?}");
        }
        assert!(encodings("a b").contains("a+b"));
        assert!(encodings("😀").contains("\\ud83d\\ude00"));
    }

    #[test]
    fn a_long_secret_is_known_line_by_line() {
        let secret: String = (0..100u8).map(|n| char::from(b'a' + n % 26)).collect();
        let whole = base64(secret.as_bytes());
        let texts = encodings(&secret);
        for piece in [&whole[..76], &whole[76..], &whole[..64], &whole[64..128]] {
            assert!(texts.contains(piece), "{piece}");
        }
        // The end of it is too short to stand for anything.
        assert!(!texts.contains(&whole[128..]));
    }
}
