//! What was not taken, as lines of JSON: reason, detail, where it stood, and the original bytes.
//!
//! Bytes that are UTF-8 stand in `text`, others in `base64`. Of a line over the limit the first bytes are kept, and
//! `bytes_total` says how many there were.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::decode::Rejected;

#[derive(serde::Serialize)]
struct Line<'a> {
    reason: &'static str,
    detail: &'a str,
    file: &'a str,
    line: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_total: Option<u64>,
}

/// Writes one rejected record of `file`; `line` is its number there.
pub fn write(rejected: &Rejected<'_>, file: &str, line: u64, out: &mut dyn Write) -> io::Result<()> {
    let text = std::str::from_utf8(rejected.bytes).ok();
    let line = Line {
        reason: rejected.reject.reason.name(),
        detail: &rejected.reject.detail,
        file,
        line,
        text,
        base64: text.is_none().then(|| STANDARD.encode(rejected.bytes)),
        bytes_total: rejected.n_bytes,
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Reason, Reject};

    fn written(bytes: &[u8], n_bytes: Option<u64>) -> String {
        let mut out = Vec::new();
        let reject = Reject::new(Reason::BadTime, "time: no offset");
        write(&Rejected { line: 6, reject, bytes, n_bytes }, "a.jsonl", 7, &mut out).expect("memory takes it");
        String::from_utf8(out).expect("JSON is UTF-8")
    }

    #[test]
    fn bytes_are_kept_as_text_or_base64() {
        let start = r#"{"reason":"bad_time","detail":"time: no offset","file":"a.jsonl","line":7,"#;
        assert_eq!(written(b"{\"a\"", None), format!("{start}\"text\":\"{{\\\"a\\\"\"}}\n"));
        assert_eq!(written(b"\xff\x00", None), format!("{start}\"base64\":\"/wA=\"}}\n"));
        assert_eq!(written(b"xx", Some(9)), format!("{start}\"text\":\"xx\",\"bytes_total\":9}}\n"));
    }
}
