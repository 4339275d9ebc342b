//! One HTTP answer before it goes out: status, headers, body.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};

/// Recorded on everything that Atlas itself answers, a challenge included.
const SERVER: (&str, &str) = ("server", "mdbws");

/// Recorded on every answer of a resource, success or error, but not on a challenge.
const OF_RESOURCES: [(&str, &str); 5] = [
    ("referrer-policy", "strict-origin-when-cross-origin"),
    ("strict-transport-security", "max-age=31536000; includeSubdomains;"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("x-permitted-cross-domain-policies", "none"),
];

/// Recorded on errors and challenges, but on no success; none of the recorded ones was compressed.
const VARY: (&str, &str) = ("vary", "Accept-Encoding");

const UNAUTHORIZED: &str = r#"{
  "error" : 401,
  "reason" : "Unauthorized",
  "detail" : "You are not authorized for this resource.",
  "errorCode" : "UNEXPECTED_ERROR"
}"#;

const UNAVAILABLE: &str = "<!DOCTYPE html>\n<html><head><title>MongoDB Cloud Manager Unavailable</title></head>\
    <body><h1>We will be back soon.</h1></body></html>\n";

#[derive(Debug)]
pub(super) struct Answer {
    /// The word for it in the log.
    pub(super) outcome: &'static str,
    pub(super) status: u16,
    /// Whether a resource of the API says it, rather than what stands before them.
    pub(super) of_resource: bool,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// An answer that does not come from Atlas, or does not seem to.
    pub(super) fn new(outcome: &'static str, status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
        let headers = vec![("content-type", content_type.to_owned())];
        Answer { outcome, status, of_resource: false, headers, body: body.into() }
    }

    /// What a resource of the API says.
    pub(super) fn of_resource(
        outcome: &'static str,
        status: u16,
        content_type: &str,
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        let answer = Answer::new(outcome, status, content_type, body).with(SERVER.0, SERVER.1);
        let answer = OF_RESOURCES.into_iter().fold(answer, |answer, (name, value)| answer.with(name, value));
        Answer { of_resource: true, ..answer }
    }

    /// What stands before the resources says, such as of a token.
    pub(super) fn of_server(outcome: &'static str, status: u16, body: impl Into<Vec<u8>>) -> Answer {
        Answer::new(outcome, status, "application/json", body).with(SERVER.0, SERVER.1)
    }

    /// The recorded answer to missing, old and wrong keys alike. Nothing is recorded about a bad token: it gets
    /// the same, but no challenge, because there is none that a client could answer with a token.
    pub(super) fn unauthorized(outcome: &'static str, challenge: Option<String>) -> Answer {
        let answer = Answer::of_server(outcome, 401, UNAUTHORIZED).varying();
        match challenge {
            Some(challenge) => answer.with("www-authenticate", challenge),
            None => answer,
        }
    }

    /// The page of a load balancer that finds no server.
    pub(super) fn html(status: u16) -> Answer {
        Answer::new("fault", status, "text/html", UNAVAILABLE)
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Answer {
        self.headers.push((name, value.into()));
        self
    }

    /// The same with the header of an answer that may be compressed.
    pub(super) fn varying(self) -> Answer {
        self.with(VARY.0, VARY.1)
    }

    /// The same, compressed; as it is where compression fails.
    pub(super) fn compressed(self) -> Answer {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        match encoder.write_all(&self.body).and_then(|()| encoder.finish()) {
            Ok(body) => Answer { body, ..self }.varying().with("content-encoding", "gzip"),
            Err(_) => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn the_body_of_a_challenge_has_the_recorded_length() {
        let answer = Answer::unauthorized("challenge", None);
        assert_eq!(answer.body.len(), 142);
    }

    #[test]
    fn a_compressed_answer_says_so_and_unpacks() {
        let answer = Answer::new("ok", 200, "text/plain", "hello").compressed();
        assert!(answer.headers.contains(&("content-encoding", "gzip".to_owned())));
        let mut text = String::new();
        flate2::read::GzDecoder::new(&answer.body[..]).read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
    }
}
