//! HTTP/1.1 over a plain socket, so that tests control every byte.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
};

use serde_json::Value;

use crate::process::TIMEOUT;

/// A connection, kept open between requests.
pub(crate) struct Connection {
    address: String,
    stream: BufReader<TcpStream>,
}

/// A response; the names of its headers are in lower case.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(address: &str) -> Connection {
        let stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("connect to {address}: {error}"));
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        stream.set_write_timeout(Some(TIMEOUT)).unwrap();
        Connection { address: address.to_owned(), stream: BufReader::new(stream) }
    }

    /// Sends bytes as they are.
    pub(crate) fn write(&mut self, text: &str) {
        self.stream.get_mut().write_all(text.as_bytes()).unwrap();
    }

    /// Sends a request; `headers` are lines with their ends.
    pub(crate) fn send(&mut self, method: &str, path: &str, headers: &str, body: &str) {
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let host = &self.address;
        self.write(&format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{length}{headers}\r\n{body}"));
    }

    /// Waits for the first byte of a response, after which the server has read the request.
    pub(crate) fn wait_for_the_first_byte(&mut self) {
        assert!(!self.stream.fill_buf().unwrap().is_empty(), "the connection is closed");
    }

    /// Reads one response and keeps the connection open.
    pub(crate) fn receive(&mut self, method: &str) -> io::Result<Response> {
        let (status, headers) = self.head()?;
        let mut response = Response { status, headers, body: Vec::new() };
        if method == "HEAD" {
            return Ok(response);
        }
        match (response.header("content-length"), response.header("transfer-encoding")) {
            (Some(length), _) => {
                response.body.resize(length.parse().unwrap(), 0);
                self.stream.read_exact(&mut response.body)?;
            }
            (None, Some("chunked")) => response.body = self.chunks()?,
            _ => drop(self.stream.read_to_end(&mut response.body)?),
        }
        Ok(response)
    }

    pub(crate) fn ask(&mut self, method: &str, path: &str, headers: &str) -> Response {
        self.send(method, path, headers, "");
        self.receive(method).unwrap()
    }

    /// All bytes until the server closes the connection.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.stream.read_to_end(&mut bytes) {
            // The listener closed before the connection was accepted.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            read => drop(read.unwrap()),
        }
        bytes
    }

    fn head(&mut self) -> io::Result<(u16, Vec<(String, String)>)> {
        let line = self.line()?;
        let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("not a status line: `{line}`")))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { return Ok((status, headers)) };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = usize::from_str_radix(&self.line()?, 16).map_err(io::Error::other)?;
            let start = body.len();
            body.resize(start + size, 0);
            self.stream.read_exact(&mut body[start..])?;
            self.line()?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Sends a request on a new connection.
pub(crate) fn ask(address: &str, method: &str, path: &str, body: &str) -> Response {
    let mut connection = Connection::open(address);
    connection.send(method, path, "Connection: close\r\n", body);
    connection.receive(method).unwrap()
}

pub(crate) fn get(address: &str, path: &str) -> Response {
    ask(address, "GET", path, "")
}
