//! Opens what a replay reads: a file or standard input, plain, zstd or gzip.
//!
//! What it is compressed with is seen from its first bytes, so that standard input may be compressed too; a name that
//! ends in `.zst` or `.gz` is taken at its word, so that a damaged file is an error and not a page of bad records.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Standard input, on the command line and as the `file` of causes.
pub const STANDARD_INPUT: &str = "-";

const ZSTD: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
const GZIP: [u8; 2] = [0x1F, 0x8B];

/// The bytes of a file as they were before compression.
pub type Source = Box<dyn Read + Send>;

/// Opens `path`; the bytes that are read from it, still compressed, are counted in `n_bytes_read`.
pub fn open(path: &Path, n_bytes_read: Arc<AtomicU64>) -> io::Result<Source> {
    let raw: Source = if is_standard_input(path) { Box::new(io::stdin()) } else { Box::new(File::open(path)?) };
    let mut counted = Counted { raw, n_bytes_read };
    let start = read_start(&mut counted)?;
    let is_named = |extension: &str| path.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension));
    let is_zstd = start.starts_with(&ZSTD) || is_named("zst");
    let is_gzip = start.starts_with(&GZIP) || is_named("gz");
    let whole = io::Cursor::new(start).chain(counted);
    Ok(if is_zstd {
        Box::new(zstd::Decoder::new(whole)?)
    } else if is_gzip {
        Box::new(flate2::read::MultiGzDecoder::new(whole))
    } else {
        Box::new(whole)
    })
}

pub fn is_standard_input(path: &Path) -> bool {
    path == Path::new(STANDARD_INPUT)
}

/// As many of the first bytes as tell the format; fewer at the end. A pipe may give them one by one.
fn read_start(source: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut start = Vec::with_capacity(ZSTD.len());
    source.take(ZSTD.len() as u64).read_to_end(&mut start)?;
    Ok(start)
}

/// Counts what is read through it, for the progress bar.
struct Counted {
    raw: Source,
    n_bytes_read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.raw.read(buffer)?;
        self.n_bytes_read.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn write(name: &str, bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("the file can be written");
        (folder, path)
    }

    fn read(path: &Path) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        open(path, Arc::default())?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory takes it")
    }

    #[test]
    fn compression_is_seen_whatever_the_name_and_parts_may_follow_each_other() {
        let text = b"{}\n{}\n";
        let twice = [&text[..], &text[..]].concat();
        let zstd = zstd::encode_all(&text[..], 1).expect("memory takes it");
        for name in ["events.jsonl", "events.jsonl.zst"] {
            let (_folder, path) = write(name, &[&zstd[..], &zstd[..]].concat());
            assert_eq!(read(&path).expect("it is sound"), twice);
        }
        for name in ["events.jsonl", "events.jsonl.gz"] {
            let (_folder, path) = write(name, &[gzip(text), gzip(text)].concat());
            assert_eq!(read(&path).expect("it is sound"), twice);
        }
    }

    #[test]
    fn short_plain_files_stay_as_they_are() {
        for text in [&b""[..], b"{", b"{}\n"] {
            let (_folder, path) = write("events.jsonl", text);
            assert_eq!(read(&path).expect("it is sound"), text);
        }
    }

    #[test]
    fn damage_is_an_error() {
        let zstd = zstd::encode_all(&[b'x'; 1000][..], 1).expect("memory takes it");
        for (name, bytes) in [("a.zst", &zstd[..zstd.len() - 1]), ("b.zst", b"{}\n{}\n"), ("c.gz", &gzip(b"abc")[..9])]
        {
            let (_folder, path) = write(name, bytes);
            assert!(read(&path).is_err(), "{name}");
        }
    }
}
