//! Names of the headers on what is published, and those of a reject.

use std::borrow::Cow;

use crate::event::Reject;

pub const DIMENSION: &str = "dormouse-dimension";
/// Empty: in no segment.
pub const TO: &str = "dormouse-to";
pub const CAUSE: &str = "dormouse-cause";
pub const REASON: &str = "dormouse-reason";
pub const DETAIL: &str = "dormouse-detail";
pub const TOPIC: &str = "dormouse-topic";
pub const PARTITION: &str = "dormouse-partition";
pub const OFFSET: &str = "dormouse-offset";

/// Why a record was not taken, and where it stands. Key and value of the reject are the record's own.
pub fn reject_headers<'a>(
    reject: &'a Reject,
    topic: &'a str,
    partition: i32,
    offset: i64,
) -> [(&'static str, Cow<'a, str>); 5] {
    [
        (REASON, Cow::Borrowed(reject.reason.name())),
        (DETAIL, Cow::Borrowed(&reject.detail)),
        (TOPIC, Cow::Borrowed(topic)),
        (PARTITION, Cow::Owned(partition.to_string())),
        (OFFSET, Cow::Owned(offset.to_string())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Reason;

    #[test]
    fn a_reject_says_why_and_where_it_stood() {
        let reject = Reject::new(Reason::BadTime, "no `time`");
        let headers = reject_headers(&reject, "purchases", 3, 17);
        let expected = [
            ("dormouse-reason", "bad_time"),
            ("dormouse-detail", "no `time`"),
            ("dormouse-topic", "purchases"),
            ("dormouse-partition", "3"),
            ("dormouse-offset", "17"),
        ];
        assert_eq!(headers, expected.map(|(name, value)| (name, Cow::Borrowed(value))));
    }
}
