//! Reads partitions: as much at a time as the network brings, never past what its isolation allows.

use std::sync::Arc;

use dormouse::kafka::{Batch, Error, Isolation, Quota, Reading, Record, Stamped};

use super::Client;

pub struct Intake {
    client: Client,
    isolation: Isolation,
    topics: Vec<String>,
    flows: Vec<Flow>,
}

struct Flow {
    reading: u64,
    input: usize,
    partition: i32,
    position: i64,
    quota: Arc<Quota>,
}

impl Intake {
    pub fn new(client: Client, isolation: Isolation, topics: &[String]) -> Intake {
        Intake { client, isolation, topics: topics.to_vec(), flows: Vec::new() }
    }
}

impl Reading for Intake {
    fn start(&mut self, reading: u64, partition: i32, starts: &[i64]) -> Result<(), Error> {
        for (input, &position) in starts.iter().enumerate() {
            self.flows.push(Flow { reading, input, partition, position, quota: Arc::default() });
        }
        Ok(())
    }

    fn stop(&mut self, partition: i32) -> Result<(), Error> {
        self.flows.retain(|flow| flow.partition != partition);
        Ok(())
    }

    fn read(&mut self, quota_bytes: usize, sink: &mut dyn FnMut(Batch)) -> Result<bool, Error> {
        let Intake { client, isolation, topics, flows } = self;
        if client.is_cut() {
            return Ok(false);
        }
        let received = client.schedule().moment(client.schedule().micros());
        let mut any = false;
        for flow in flows.iter_mut().filter(|flow| flow.quota.held_bytes() < quota_bytes) {
            // Not every answer is there when one looks, and few bring everything.
            if client.schedule().one_in(3) {
                continue;
            }
            let n_max = if client.schedule().one_in(4) { 1 + client.schedule().below(3) as usize } else { 1_000 };
            let broker = client.world.broker();
            let Some(log) = broker.log(&topics[flow.input], flow.partition) else { continue };
            let end = if *isolation == Isolation::Committed { log.last_stable() } else { log.end() };
            if flow.position >= end {
                continue;
            }
            if flow.position < log.low() {
                let (topic, partition, offset) = (topics[flow.input].clone(), flow.partition, flow.position);
                return Err(Error::Gone { topic, partition, offset });
            }
            let mut batch = Batch::new(flow.reading, flow.input, flow.partition, flow.position, received);
            for entry in log.range(flow.position, end).take(n_max) {
                let is_given = *isolation == Isolation::Uncommitted || log.is_visible(entry);
                if let Some(data) = entry.record.as_ref().filter(|_| is_given) {
                    batch.push(&Record {
                        offset: entry.offset,
                        stamped: Stamped::Appended(client.world.wall_ms(entry.at)),
                        key: data.key.as_deref(),
                        value: data.value.as_deref(),
                        headers: &[],
                    });
                }
                batch.position = entry.offset + 1;
            }
            // What compaction has taken away is passed by.
            if log.range(batch.position, end).next().is_none() {
                batch.position = end;
            }
            flow.position = batch.position;
            drop(broker);
            batch.hold(&flow.quota);
            sink(batch);
            any = true;
        }
        Ok(any)
    }
}
