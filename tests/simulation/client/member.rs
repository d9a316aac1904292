//! A member of the group, as librdkafka is one: heartbeats and joining go on beside whoever polls, who is told of
//! rebalances when they poll next. So the generation may move before anybody has heard of the assignment.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dormouse::kafka::{Assignment, Error, Listener, Membership, Rebalance, Stamp};
use dormouse::pipeline::pace::Simulated as _;

use super::Client;
use crate::broker::group::Refused;

const HEARTBEAT: u64 = 300_000;
const PATIENCE: Duration = Duration::from_secs(2);

pub struct Member {
    client: Client,
    listener: Listener,
    state: Mutex<State>,
}

struct State {
    member: String,
    generation: i32,
    phase: Phase,
    /// To be told at the next poll.
    pending: VecDeque<Pending>,
    is_taken: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Joining,
    Syncing,
    Stable,
    /// Until the revoke was served.
    Revoking,
    Left,
}

enum Pending {
    Assigned(Vec<i32>),
    Revoked,
}

impl Member {
    pub fn join(client: Client, listener: Listener) -> Arc<Member> {
        let state = State {
            member: String::new(),
            generation: -1,
            phase: Phase::Joining,
            pending: VecDeque::new(),
            is_taken: false,
        };
        let member = Arc::new(Member { client, listener, state: Mutex::new(state) });
        let background = Arc::clone(&member);
        member.client.threads.spawn("group", Box::new(move || background.take_part()));
        member
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_part(&self) {
        loop {
            let phase = self.state().phase;
            match phase {
                Phase::Left => return,
                Phase::Joining => self.rejoin(),
                Phase::Syncing => self.sync(),
                Phase::Stable => self.beat(),
                Phase::Revoking => {}
            }
            if self.state().is_taken {
                return;
            }
            self.client.schedule().rest(if phase == Phase::Stable { HEARTBEAT } else { 50_000 });
        }
    }

    fn rejoin(&self) {
        let (member, instance) = (self.state().member.clone(), self.client.instance.clone());
        let answer = self.client.call(PATIENCE, move |broker| broker.join_group(&instance, &member));
        let mut state = self.state();
        match answer.map(|answer| answer.value) {
            Some(Ok(member)) if state.phase == Phase::Joining => {
                state.member = member;
                state.phase = Phase::Syncing;
            }
            Some(Err(Refused::FencedInstance)) => self.taken(&mut state),
            Some(Err(_)) => state.member.clear(),
            _ => {}
        }
    }

    fn sync(&self) {
        let member = self.state().member.clone();
        let answer = self.client.call(PATIENCE, move |broker| broker.sync_group(&member));
        let Some(answer) = answer else { return };
        match answer.value {
            Ok(Some((generation, partitions))) => {
                self.state().generation = generation;
                // It is known here a while before anybody is told.
                self.client.travel();
                let mut state = self.state();
                if state.phase == Phase::Syncing {
                    state.pending.push_back(Pending::Assigned(partitions));
                    state.phase = Phase::Stable;
                }
            }
            Ok(None) => {}
            Err(refused) => self.lost(refused),
        }
    }

    fn beat(&self) {
        let Stamp { member, generation } = self.stamp();
        let answer = self.client.call(PATIENCE, move |broker| broker.heartbeat(&member, generation));
        match answer.map(|answer| answer.value) {
            Some(Err(Refused::Rebalancing)) => {
                let mut state = self.state();
                if state.phase == Phase::Stable {
                    state.pending.push_back(Pending::Revoked);
                    state.phase = Phase::Revoking;
                }
            }
            Some(Err(refused)) => self.lost(refused),
            _ => {}
        }
    }

    /// The group does not know us as we are.
    fn lost(&self, refused: Refused) {
        let mut state = self.state();
        if state.phase == Phase::Left {
            return;
        }
        if refused == Refused::FencedInstance {
            return self.taken(&mut state);
        }
        if refused == Refused::UnknownMember {
            state.member.clear();
        }
        state.generation = -1;
        if matches!(state.phase, Phase::Stable) {
            state.pending.push_back(Pending::Revoked);
            state.phase = Phase::Revoking;
        } else {
            state.phase = Phase::Joining;
        }
    }

    fn taken(&self, state: &mut State) {
        state.is_taken = true;
        (state.member, state.generation) = (String::new(), -1);
    }

    /// Tells what has happened, one thing at a time; false when there is nothing.
    fn tell(&self) -> bool {
        let Some(pending) = self.state().pending.pop_front() else { return false };
        match pending {
            Pending::Assigned(partitions) => {
                let topics: Vec<String> = self.client.world.topics[..2].to_vec();
                let partitions: BTreeMap<i32, Vec<String>> =
                    partitions.into_iter().map(|partition| (partition, topics.clone())).collect();
                (self.listener)(Rebalance::Assigned(Assignment { stamp: self.stamp(), partitions }));
            }
            Pending::Revoked => {
                (self.listener)(Rebalance::Revoked);
                let mut state = self.state();
                if state.phase == Phase::Revoking {
                    state.phase = Phase::Joining;
                }
            }
        }
        true
    }
}

impl Membership for Member {
    fn poll(&self, timeout: Duration) -> Result<(), Error> {
        if self.state().is_taken {
            return Err(Error::InstanceTaken { instance: self.client.instance.clone() });
        }
        if !self.tell() {
            self.client.threads.park_until(self.client.threads.now() + timeout);
        }
        Ok(())
    }

    fn stamp(&self) -> Stamp {
        let state = self.state();
        Stamp { member: state.member.clone(), generation: state.generation }
    }

    fn leave(&self, _timeout: Duration) {
        while self.tell() {}
        (self.listener)(Rebalance::Revoked);
        let member = std::mem::take(&mut self.state().member);
        self.state().generation = -1;
        self.state().phase = Phase::Left;
        self.client.call(PATIENCE, move |broker| broker.leave_group(&member));
    }
}
