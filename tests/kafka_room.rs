//! The Kafka room against a real broker: what is read is exact, what is published is fenced.

use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use dormouse::kafka::{
    Ends as _, Fence, Intake, Isolation, Member, Membership as _, Outcome, Outgoing, PREFETCH_BYTES, Publisher,
    Publishing as _, Reading as _, Reason, Rebalance, Requirement, Role, Settings, Stamp, Topics, Watermarks,
};
use rdkafka::mocking::{MockCluster, MockCoordinator};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use testbed::kafka::{Broker, Record};

const PATIENCE: Duration = Duration::from_secs(30);

fn settings(broker: &Broker, name: &str) -> Settings {
    Settings {
        brokers: broker.address().to_owned(),
        group: format!("group-{name}"),
        instance: format!("instance-{name}"),
        client: Vec::new(),
        is_embedded: false,
        prefetch_bytes: PREFETCH_BYTES,
    }
}

fn transactional(broker: &Broker, id: &str) -> BaseProducer {
    let producer: BaseProducer = broker.client().set("transactional.id", id).create().expect("a producer");
    producer.init_transactions(PATIENCE).expect("the coordinator answers");
    producer.begin_transaction().expect("a transaction begins");
    producer
}

fn send(producer: &BaseProducer, topic: &str, value: &str) {
    producer.send(BaseRecord::<str, str>::to(topic).partition(0).key("k").payload(value)).expect("the queue has room");
    producer.flush(PATIENCE).expect("the broker takes it");
}

/// Reads one partition until the reader's position reaches `until`: (offset, value) of each record, and the position.
fn read(intake: &mut Intake, until: i64) -> (Vec<(i64, String)>, i64) {
    let (mut records, mut position) = (Vec::new(), 0);
    let deadline = Instant::now() + PATIENCE;
    while position < until && Instant::now() < deadline {
        let any = intake.read(usize::MAX, &mut |batch| {
            position = batch.position;
            let values = (0..batch.n_records()).filter_map(|i| batch.record(i));
            records.extend(values.map(|record| {
                let value = record.value.expect("all have values");
                (record.offset, String::from_utf8(value.to_vec()).expect("all are text"))
            }));
        });
        if !any.expect("the partition can be read") {
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }
    (records, position)
}

#[test]
fn a_reader_starts_where_it_is_told_and_comes_to_the_high_watermark_past_markers() {
    let broker = Broker::shared();
    broker.create_topic("room-read", 1, &[]);
    broker.produce("room-read", (0..5_000).map(|i| Record::new(0, "k", format!("v{i}"))));
    let producer = transactional(broker, "room-read-aborted");
    send(&producer, "room-read", "aborted");
    producer.abort_transaction(PATIENCE).expect("it aborts");

    let settings = settings(broker, "read");
    let high = Watermarks::open(&settings, Isolation::Uncommitted).expect("a client");
    assert_eq!(high.ends(&[("room-read", 0)], PATIENCE).expect("the leader answers"), [5_002]);

    let topics = ["room-read".to_owned()];
    let mut intake = Intake::open(&settings, Isolation::Committed, &topics, 1).expect("a client");
    intake.start(1, 0, &[10]).expect("it is assigned");
    let (records, position) = read(&mut intake, 5_002);
    assert_eq!((records.len(), position), (4_990, 5_002));
    assert_eq!((records[0].clone(), records[4_989].0), ((10, "v10".to_owned()), 4_999));

    // The end was seen; what is appended afterwards still comes, and a second start is as exact.
    broker.produce("room-read", [Record::new(0, "k", "later")]);
    assert_eq!(read(&mut intake, 5_003), (vec![(5_002, "later".to_owned())], 5_003));
    intake.stop(0).expect("it is given back");
    intake.start(2, 0, &[5_000]).expect("it is assigned again");
    assert_eq!(read(&mut intake, 5_003), (vec![(5_002, "later".to_owned())], 5_003));
}

#[test]
fn a_partition_over_its_quota_is_not_read_and_loses_nothing() {
    let broker = Broker::shared();
    broker.create_topic("room-quota", 1, &[]);
    broker.produce("room-quota", (0..9_000).map(|i| Record::new(0, "k", format!("value {i}"))));
    let settings = settings(broker, "quota");
    let topics = ["room-quota".to_owned()];
    let mut intake = Intake::open(&settings, Isolation::Committed, &topics, 1).expect("a client");
    intake.start(1, 0, &[0]).expect("it is assigned");
    let mut offsets = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while offsets.len() < 9_000 && Instant::now() < deadline {
        let mut held = Vec::new();
        let any = intake.read(1, &mut |batch| {
            offsets.extend((0..batch.n_records()).filter_map(|i| batch.record(i)).map(|record| record.offset));
            held.push(batch);
        });
        if any.expect("the partition can be read") {
            assert!(!intake.read(1, &mut |_| panic!("it is over its quota")).expect("it can be asked"));
        } else {
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }
    assert!(offsets.iter().copied().eq(0..9_000), "records are missing or out of order");
}

fn join(settings: &Settings, topic: &str) -> (std::sync::Arc<Member>, Receiver<Rebalance>) {
    let (sender, receiver) = channel();
    let listener = Box::new(move |rebalance| drop(sender.send(rebalance)));
    (Member::join(settings, &[topic.to_owned()], listener).expect("it joins"), receiver)
}

fn assigned(member: &Member, events: &Receiver<Rebalance>) -> (Stamp, Vec<i32>) {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        member.poll(Duration::from_millis(20)).expect("the group answers");
        if let Ok(Rebalance::Assigned(assignment)) = events.try_recv() {
            return (assignment.stamp, assignment.partitions.into_keys().collect());
        }
    }
    panic!("no assignment came");
}

fn outgoing<'a>(topic: &'a str, value: &'a str) -> Outgoing<'a> {
    Outgoing { topic, partition: 1, key: Some(b"k"), value: Some(value.as_bytes()), headers: &[], is_marked: true }
}

#[test]
fn a_transaction_commits_records_and_offsets_under_the_present_membership_only() {
    let broker = Broker::shared();
    broker.create_topic("room-in", 2, &[]);
    broker.create_topic("room-out", 2, &[]);
    let settings = settings(broker, "fence");
    let (member, events) = join(&settings, "room-in");
    let (stamp, partitions) = assigned(&member, &events);
    assert!(stamp.is_valid());
    assert_eq!(partitions, [0, 1]);

    let id = settings.transactional_id();
    let mut publisher = Publisher::open(&settings, &id, PATIENCE).expect("it starts");
    let fence = Fence { member: &*member, stamp: &stamp };
    let offsets = [("room-in", 0, 0), ("room-in", 1, 7)];
    for value in ["one", "two"] {
        let outcome = publisher.publish([outgoing("room-out", value)].into_iter(), &offsets, &fence);
        assert_eq!(outcome, Outcome::Committed);
        assert!(!publisher.is_spent());
    }
    // One record and one marker lie before the second record.
    assert_eq!(publisher.placed(), [("room-out".to_owned(), 1, 2)]);

    let stale = Stamp { generation: stamp.generation - 1, ..stamp.clone() };
    let fence = Fence { member: &*member, stamp: &stale };
    let outcome = publisher.publish([outgoing("room-out", "stale")].into_iter(), &offsets, &fence);
    assert!(matches!(outcome, Outcome::NotCommitted(Reason::Stale(_))), "{outcome:?}");
    assert!(publisher.is_spent());

    // The next producer under the id aborts what the spent one left open.
    let next = Publisher::open(&settings, &id, PATIENCE).expect("it starts");
    let texts: Vec<String> = broker.read_committed("room-out").iter().map(|r| r.text().to_owned()).collect();
    assert_eq!(texts, ["one", "two"]);
    assert_eq!(broker.committed_offsets(&settings.group, "room-in"), [Some(0), Some(7)]);
    drop((publisher, next));

    let left = Instant::now();
    member.leave(Duration::from_secs(10));
    assert!(matches!(events.try_recv(), Ok(Rebalance::Revoked)));
    drop(member);
    // Another instance need not wait for the session of the first to end.
    let (other, events) = join(&Settings { instance: "another".to_owned(), ..settings }, "room-in");
    let (_, partitions) = assigned(&other, &events);
    assert_eq!(partitions, [0, 1]);
    assert!(left.elapsed() < Duration::from_secs(10), "the group was not left: {:?}", left.elapsed());
}

/// The cluster in the process, since the moment must be hit: the group's coordinator is gone when offsets are added.
#[test]
fn a_group_without_a_coordinator_holds_nobody_up() {
    let cluster = MockCluster::new(2).expect("it starts");
    let settings = Settings {
        brokers: cluster.bootstrap_servers(),
        client: vec![("transaction.timeout.ms".to_owned(), "2000".to_owned())],
        is_embedded: true,
        ..settings(Broker::shared(), "no-coordinator")
    };
    let id = settings.transactional_id();
    for topic in ["in", "out"] {
        cluster.create_topic(topic, 2, 1).expect("it is made");
        for partition in [0, 1] {
            cluster.partition_leader(topic, partition, Some(1)).expect("it leads");
        }
    }
    cluster.coordinator(MockCoordinator::Transaction(id.clone()), 1).expect("it is set");
    cluster.coordinator(MockCoordinator::Group(settings.group.clone()), 2).expect("it is set");
    let (member, events) = join(&settings, "in");
    let (stamp, _) = assigned(&member, &events);
    let mut publisher = Publisher::open(&settings, &id, PATIENCE).expect("it starts");
    let (said, outcomes) = channel();
    let publishing = move || {
        let fence = Fence { member: &*member, stamp: &stamp };
        let outcome = publisher.publish([outgoing("out", "v")].into_iter(), &[("in", 0, 1)], &fence);
        said.send((outcome, publisher.is_spent())).expect("somebody listens");
    };
    cluster.broker_down(2).expect("it goes");
    std::thread::spawn(publishing);
    let (outcome, is_spent) = outcomes.recv_timeout(PATIENCE).expect("it gives up");
    assert!(matches!(outcome, Outcome::NotCommitted(Reason::TimedOut(_))), "{outcome:?}");
    assert!(is_spent);
}

#[test]
fn a_dead_owners_open_transaction_is_aborted_by_taking_over_its_id() {
    let broker = Broker::shared();
    broker.create_topic("room-dead", 1, &[]);
    let producer = transactional(broker, "room-dead-owner");
    send(&producer, "room-dead", "open");
    let settings = settings(broker, "dead");
    let stable = Watermarks::open(&settings, Isolation::Committed).expect("a client");
    assert_eq!(stable.ends(&[("room-dead", 0)], PATIENCE).expect("the leader answers"), [0]);
    Publisher::open(&settings, "room-dead-owner", PATIENCE).map(drop).expect("it is taken over");
    let deadline = Instant::now() + PATIENCE;
    while stable.ends(&[("room-dead", 0)], PATIENCE).expect("the leader answers") != [2] {
        assert!(Instant::now() < deadline, "the marker never came");
    }
    assert!(producer.commit_transaction(PATIENCE).is_err(), "the dead owner could still commit");
}

#[test]
fn topics_are_created_as_they_must_be_and_looked_at() {
    let broker = Broker::shared();
    let settings = settings(broker, "topics");
    let required = [
        ("room-topics-in", Role::Input),
        ("room-topics-changes", Role::Changes),
        ("room-topics-standing", Role::Standing),
        ("room-topics-rejects", Role::Rejects),
    ]
    .map(|(topic, role)| Requirement { topic: topic.to_owned(), role });
    let before = Topics::look(&settings, &required).expect("the broker answers");
    assert_eq!((before.missing.len(), before.errors().count(), before.n_partitions), (4, 4, 0));
    Topics::create(&settings, &before.missing, 3, 1).expect("they are created");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let after = Topics::look(&settings, &required).expect("the broker answers");
        if after.missing.is_empty() {
            assert_eq!((after.findings.as_slice(), after.n_partitions), (&[][..], 3));
            break;
        }
        assert!(Instant::now() < deadline, "the topics never came");
    }
}
