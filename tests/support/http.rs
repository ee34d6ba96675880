//! As much HTTP/1.1 as a test needs to read, count and disturb what goes over a loopback connection.

use std::io::{self, BufRead, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Longer than any call to an emulator on a busy machine; a test that hits it fails instead of hanging.
const TIMEOUT: Duration = Duration::from_secs(120);

/// One request or reply, with its bytes as they were.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// The request line or the status line.
    pub start: String,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body without transfer coding.
    pub body: Vec<u8>,
    /// Everything as it came, to be passed on unchanged.
    pub raw: Vec<u8>,
}

impl Message {
    /// Returns the value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Returns the status code of a reply.
    pub fn status(&self) -> u16 {
        self.start
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .unwrap_or(0)
    }

    /// Returns the body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns whether the sender closes the connection after this message.
    pub fn closes(&self) -> bool {
        self.header("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    /// Returns the bytes without any `connection` header, or nothing where only the end of the connection ends the body.
    pub fn kept_alive(&self) -> Option<Vec<u8>> {
        self.header("content-length")
            .or_else(|| self.header("transfer-encoding"))?;
        let end = self.raw.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
        let (head, rest) = self.raw.split_at(end);
        let head = String::from_utf8_lossy(head);
        let lines: Vec<&str> = head
            .split("\r\n")
            .filter(|line| !line.to_ascii_lowercase().starts_with("connection:"))
            .collect();
        Some([lines.join("\r\n").as_bytes(), rest].concat())
    }

    /// Returns the value of a field of a form body, or nothing.
    pub fn form(&self, name: &str) -> Option<String> {
        self.text().split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            (key == name).then(|| decode(value))
        })
    }
}

/// Returns text without the percent-encoding of forms.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits: String = rest.by_ref().take(2).map(char::from).collect();
                bytes.push(u8::from_str_radix(&digits, 16).unwrap_or(b'?'));
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Returns a connection to `host:port` that gives up after a while.
pub fn connect(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

/// Returns the next message, or nothing at the end of the connection.
pub fn read(stream: &mut impl BufRead) -> io::Result<Option<Message>> {
    let Some(mut message) = read_head(stream)? else {
        return Ok(None);
    };
    let is_reply = message.start.starts_with("HTTP/");
    if message
        .header("transfer-encoding")
        .is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
    {
        chunks(stream, &mut message)?;
    } else if let Some(length) = message.header("content-length") {
        let length: usize = length.parse().map_err(|_| io::ErrorKind::InvalidData)?;
        message.body = vec![0; length];
        stream.read_exact(&mut message.body)?;
        message.raw.extend_from_slice(&message.body);
    } else if is_reply && message.closes() {
        stream.read_to_end(&mut message.body)?;
        message.raw.extend_from_slice(&message.body);
    }
    Ok(Some(message))
}

/// Returns the next message without its body, which a reply to `HEAD` does not have, whatever its headers say.
pub fn read_head(stream: &mut impl BufRead) -> io::Result<Option<Message>> {
    let mut message = Message::default();
    let Some(start) = line(stream, &mut message.raw)? else {
        return Ok(None);
    };
    message.start = start;
    loop {
        let header = line(stream, &mut message.raw)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if header.is_empty() {
            return Ok(Some(message));
        }
        let (name, value) = header.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
        message
            .headers
            .push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

/// Returns one line without its end, which `raw` keeps.
fn line(stream: &mut impl BufRead, raw: &mut Vec<u8>) -> io::Result<Option<String>> {
    let from = raw.len();
    if stream.read_until(b'\n', raw)? == 0 {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&raw[from..]);
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}

fn chunks(stream: &mut impl BufRead, message: &mut Message) -> io::Result<()> {
    loop {
        let size = line(stream, &mut message.raw)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let size = size.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
        let mut chunk = vec![0; size];
        stream.read_exact(&mut chunk)?;
        message.raw.extend_from_slice(&chunk);
        message.body.extend_from_slice(&chunk);
        // The line that ends the chunk, or after the last one the end of the trailers.
        while line(stream, &mut message.raw)?
            .is_some_and(|trailer| size == 0 && !trailer.is_empty())
        {}
        if size == 0 {
            return Ok(());
        }
    }
}

/// Returns the bytes of a reply.
pub fn reply(status: u16, content_type: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status} x\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Sends one request on a connection of its own and returns the reply.
pub fn send(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> io::Result<Message> {
    let rest = url
        .strip_prefix("http://")
        .ok_or(io::ErrorKind::InvalidInput)?;
    let (host, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, "/"),
    };
    let mut stream = connect(host)?;
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    request.push_str(body);
    stream.write_all(request.as_bytes())?;
    read(&mut io::BufReader::new(stream))?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// Returns the text between the first `<tag>` and `</tag>`; enough for the flat replies of a query protocol.
pub fn xml<'a>(text: &'a str, tag: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{tag}>"))?;
    rest.split_once(&format!("</{tag}>"))
        .map(|(value, _)| value)
}
