//! The only unsafe code of the project: librdkafka's calls that rust-rdkafka does not offer.
//!
//! - reading a partition's queue in batches, a fifth of the cost of reading it message by message;
//! - the ids of topics, by which one that was made anew is told from the one before;
//! - a group's metadata with its generation and member, which rust-rdkafka hides and exactly once needs to see.
//!
//! What each block relies on stands above it. Pointers never leave this file.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::client::{Client, ClientContext};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{Producer, ProducerContext, ThreadedProducer};
use rdkafka_sys as sys;

use super::batch::{Record, Stamped};

/// What a partition's queue holds.
pub enum Item<'a> {
    Record(Record<'a>),
    /// The end of the partition as the reader may see it; the next offset.
    End(i64),
    Failed(RDKafkaErrorCode),
}

type Wake = Box<dyn Fn() + Send + Sync>;

/// The queue of one assigned partition, apart from its consumer's.
pub struct PartitionQueue<C: ConsumerContext + 'static> {
    queue: NonNull<sys::rd_kafka_queue_t>,
    messages: Vec<*mut sys::rd_kafka_message_t>,
    /// Called by librdkafka as long as the queue lives; boxed twice, since a pointer to `dyn Fn` is two words.
    _wake: Box<Wake>,
    /// Keeps the client alive; fields are dropped after `Drop` ran, so the queue goes first.
    _consumer: Arc<BaseConsumer<C>>,
}

// SAFETY: librdkafka's queues may be used from any thread; `messages` is empty between calls of `read`, and `read`
// needs `&mut`, so no two threads are ever in one batch call.
unsafe impl<C: ConsumerContext + 'static> Send for PartitionQueue<C> {}

impl<C: ConsumerContext + 'static> PartitionQueue<C> {
    /// Takes the partition's messages out of the consumer's own queue. To be called before it is assigned. `wake` is
    /// called from a thread of librdkafka when the queue is no longer empty, and must not call librdkafka.
    pub fn open(consumer: &Arc<BaseConsumer<C>>, topic: &str, partition: i32, wake: Wake) -> Option<PartitionQueue<C>> {
        let topic = CString::new(topic).ok()?;
        let wake = Box::new(wake);
        // SAFETY: the client lives as long as `consumer`, the name as long as this function; the queue is a reference
        // that we own and give back in `drop`. Forwarding to nothing is how a partition's queue is split off.
        let queue = unsafe {
            let client = consumer.client().native_ptr();
            let queue = NonNull::new(sys::rd_kafka_queue_get_partition(client, topic.as_ptr(), partition))?;
            sys::rd_kafka_queue_forward(queue.as_ptr(), ptr::null_mut());
            queue
        };
        // SAFETY: `wake` stays at its address in its box until `drop` has taken the callback away.
        unsafe {
            let opaque = ptr::from_ref::<Wake>(&wake).cast_mut().cast::<c_void>();
            sys::rd_kafka_queue_cb_event_enable(queue.as_ptr(), Some(call_wake), opaque);
        }
        Some(PartitionQueue { queue, messages: Vec::new(), _wake: wake, _consumer: Arc::clone(consumer) })
    }

    /// Hands over at most `n_max` items that are there now, in their order, and says how many. Never waits.
    pub fn read(&mut self, n_max: usize, each: &mut dyn FnMut(Item<'_>)) -> usize {
        self.messages.resize(n_max, ptr::null_mut());
        // SAFETY: the array has room for `n_max` pointers; a negative answer means none was written.
        let n = unsafe { sys::rd_kafka_consume_batch_queue(self.queue.as_ptr(), 0, self.messages.as_mut_ptr(), n_max) };
        let n = usize::try_from(n).unwrap_or(0);
        for message in self.messages.drain(..).take(n) {
            // SAFETY: the first `n` pointers are messages that are ours; each is looked at and then freed, once.
            unsafe {
                let headers = headers(message);
                each(item(&*message, &headers));
                sys::rd_kafka_message_destroy(message);
            }
        }
        n
    }
}

impl<C: ConsumerContext + 'static> Drop for PartitionQueue<C> {
    fn drop(&mut self) {
        // SAFETY: the callback is taken away before its closure is freed, the queue's reference is given back once.
        unsafe {
            sys::rd_kafka_queue_cb_event_enable(self.queue.as_ptr(), None, ptr::null_mut());
            sys::rd_kafka_queue_destroy(self.queue.as_ptr());
        }
    }
}

/// Called by librdkafka with the queue's lock held, which the calls of `drop` take too.
unsafe extern "C" fn call_wake(_: *mut sys::rd_kafka_t, opaque: *mut c_void) {
    // SAFETY: `opaque` is the `Wake` that `open` gave, which outlives the callback.
    let wake = unsafe { &*opaque.cast::<Wake>().cast_const() };
    wake();
}

/// SAFETY: `message` must be one of librdkafka's, alive as long as the item.
unsafe fn item<'a>(message: &'a sys::rd_kafka_message_t, headers: &'a [(Vec<u8>, Option<Vec<u8>>)]) -> Item<'a> {
    match message.err {
        sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => {}
        sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__PARTITION_EOF => return Item::End(message.offset),
        code => return Item::Failed(code.into()),
    }
    // SAFETY: key and payload are null or have the lengths that stand beside them.
    let (key, value) = unsafe { (bytes(message.key, message.key_len), bytes(message.payload, message.len)) };
    // SAFETY: by the function's own condition.
    let stamped = unsafe { stamped(message) };
    Item::Record(Record { offset: message.offset, stamped, key, value, headers })
}

/// SAFETY: `start` is null or has `len` bytes that live as long as the answer.
unsafe fn bytes<'a>(start: *mut c_void, len: usize) -> Option<&'a [u8]> {
    // SAFETY: by the function's own condition.
    (!start.is_null()).then(|| unsafe { slice::from_raw_parts(start.cast::<u8>().cast_const(), len) })
}

/// SAFETY: `message` must be one of librdkafka's.
unsafe fn stamped(message: &sys::rd_kafka_message_t) -> Stamped {
    let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    // SAFETY: by the function's own condition; `kind` is written before the call returns.
    let timestamp = unsafe { sys::rd_kafka_message_timestamp(message, &mut kind) };
    match kind {
        sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME => Stamped::Appended(timestamp),
        sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_CREATE_TIME if timestamp >= 0 => Stamped::Created(timestamp),
        _ => Stamped::Absent,
    }
}

/// The headers, copied; without any, nothing is allocated.
///
/// SAFETY: `message` must be one of librdkafka's, not yet freed.
unsafe fn headers(message: *mut sys::rd_kafka_message_t) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let mut copied = Vec::new();
    let mut list = ptr::null_mut();
    // SAFETY: by the function's own condition; the list belongs to the message. Names and values that a successful
    // call wrote live as long as the list, names end with a zero, values have the length beside them or are null.
    unsafe {
        let found = sys::rd_kafka_message_headers(message, &mut list);
        if found != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return copied;
        }
        let (mut name, mut value, mut len) = (ptr::null(), ptr::null(), 0);
        while sys::rd_kafka_header_get_all(list, copied.len(), &mut name, &mut value, &mut len)
            == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
        {
            let value = bytes(value.cast_mut(), len).map(<[u8]>::to_vec);
            copied.push((CStr::from_ptr(name).to_bytes().to_vec(), value));
        }
    }
    copied
}

/// A member's view of its group at one moment.
pub struct GroupMetadata(NonNull<sys::rd_kafka_consumer_group_metadata_t>);

// SAFETY: it is a copy of its own, text and numbers that nothing but this value points to.
unsafe impl Send for GroupMetadata {}

impl GroupMetadata {
    /// As the consumer knows it now. `None` when it has no group.
    pub fn of<C: ConsumerContext>(consumer: &BaseConsumer<C>) -> Option<GroupMetadata> {
        // SAFETY: the client is alive; the answer is null or ours to free.
        unsafe {
            NonNull::new(sys::rd_kafka_consumer_group_metadata(consumer.client().native_ptr())).map(GroupMetadata)
        }
    }

    /// Below 0: no member of any generation.
    pub fn generation(&self) -> i32 {
        // SAFETY: the metadata is alive.
        unsafe { sys::rd_kafka_consumer_group_metadata_generation_id(self.0.as_ptr()) }
    }

    /// Empty: no member.
    pub fn member(&self) -> String {
        // SAFETY: the metadata is alive and owns the text, which ends with a zero or is not there.
        unsafe {
            let text = sys::rd_kafka_consumer_group_metadata_member_id(self.0.as_ptr());
            if text.is_null() { String::new() } else { CStr::from_ptr(text).to_string_lossy().into_owned() }
        }
    }
}

impl Drop for GroupMetadata {
    fn drop(&mut self) {
        // SAFETY: it is ours and freed once.
        unsafe { sys::rd_kafka_consumer_group_metadata_destroy(self.0.as_ptr()) }
    }
}

/// Why a transactional call was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub code: RDKafkaErrorCode,
    pub text: String,
}

/// Adds offsets to the producer's transaction, fenced by the generation and the member in `group`.
pub fn send_offsets<C: ProducerContext + 'static>(
    producer: &ThreadedProducer<C>,
    offsets: &TopicPartitionList,
    group: &GroupMetadata,
    timeout: Duration,
) -> Result<(), Refused> {
    let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: client, list and metadata are alive; the answer is null or an error that is read and then freed, once.
    unsafe {
        let client = producer.client().native_ptr();
        let error = sys::rd_kafka_send_offsets_to_transaction(client, offsets.ptr(), group.0.as_ptr(), timeout_ms);
        if error.is_null() {
            return Ok(());
        }
        let text = CStr::from_ptr(sys::rd_kafka_error_string(error)).to_string_lossy().into_owned();
        let refused = Refused { code: sys::rd_kafka_error_code(error).into(), text };
        sys::rd_kafka_error_destroy(error);
        Err(refused)
    }
}

/// The ids of topics that are there, by name. A broker that is too old, or does not answer, tells none.
pub fn topic_ids<C: ClientContext>(client: &Client<C>, topics: &[&str], timeout: Duration) -> BTreeMap<String, String> {
    let names: Vec<CString> = topics.iter().filter_map(|topic| CString::new(*topic).ok()).collect();
    let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    let mut ids = BTreeMap::new();
    // SAFETY: the client is alive. The names live until the collection, which copies them, is made; queue, collection and
    // event are ours and freed once, in the end, after everything that was borrowed from the event has been copied.
    unsafe {
        let queue = sys::rd_kafka_queue_new(client.native_ptr());
        let collection = sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
        sys::rd_kafka_DescribeTopics(client.native_ptr(), collection, ptr::null(), queue);
        sys::rd_kafka_TopicCollection_destroy(collection);
        let event = sys::rd_kafka_queue_poll(queue, timeout_ms);
        if !event.is_null() {
            let result = sys::rd_kafka_event_DescribeTopics_result(event);
            if !result.is_null() {
                let mut n = 0;
                let descriptions = sys::rd_kafka_DescribeTopics_result_topics(result, &mut n);
                ids.extend((0..n).filter_map(|index| topic_id(*descriptions.add(index))));
            }
            sys::rd_kafka_event_destroy(event);
        }
        sys::rd_kafka_queue_destroy(queue);
    }
    ids
}

/// SAFETY: `topic` must be a description that is alive.
unsafe fn topic_id(topic: *const sys::rd_kafka_TopicDescription_t) -> Option<(String, String)> {
    // SAFETY: by the function's own condition; name and id belong to the description, texts end with a zero.
    unsafe {
        let error = sys::rd_kafka_TopicDescription_error(topic);
        let id = sys::rd_kafka_TopicDescription_topic_id(topic);
        let is_there = sys::rd_kafka_error_code(error) == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
        if !is_there || id.is_null() {
            return None;
        }
        let text = |text: *const c_char| CStr::from_ptr(text).to_string_lossy().into_owned();
        Some((text(sys::rd_kafka_TopicDescription_name(topic)), text(sys::rd_kafka_Uuid_base64str(id))))
    }
}
