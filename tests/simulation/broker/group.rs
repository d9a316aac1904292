//! The group coordinator: members with a session, generations, range assignment, static members that come back.

use std::collections::{BTreeMap, BTreeSet};

use super::Broker;

pub const SESSION: u64 = 4_000_000;
/// How long the others wait for a member that does not rejoin.
const REBALANCE: u64 = 5_000_000;

#[derive(Debug)]
pub struct Group {
    n_partitions: i32,
    pub generation: i32,
    /// By member id.
    members: BTreeMap<String, Member>,
    /// The member id under which a static instance was last seen.
    instances: BTreeMap<String, String>,
    /// Members that have joined the generation to come; `None`: stable.
    joined: Option<BTreeSet<String>>,
    n_rebalances: u64,
    n_members: u64,
}

#[derive(Debug)]
struct Member {
    instance: String,
    seen: u64,
    partitions: Vec<i32>,
}

/// Why the group does not take a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    IllegalGeneration,
    UnknownMember,
    /// Another process came under the same instance name.
    FencedInstance,
    Rebalancing,
}

impl Group {
    pub fn new(n_partitions: i32) -> Group {
        Group {
            n_partitions,
            generation: 0,
            members: BTreeMap::new(),
            instances: BTreeMap::new(),
            joined: None,
            n_rebalances: 0,
            n_members: 0,
        }
    }

    /// Whether a member speaks for the present generation.
    pub fn check(&self, member: &str, generation: i32) -> Result<(), Refused> {
        // A broker takes a generation below 0 without looking.
        if generation < 0 {
            return Ok(());
        }
        self.known(member)?;
        // While the next generation gathers, the present one may still commit.
        if generation == self.generation { Ok(()) } else { Err(Refused::IllegalGeneration) }
    }

    fn known(&self, member: &str) -> Result<(), Refused> {
        if self.members.contains_key(member) {
            return Ok(());
        }
        let instance = member.rsplit_once('-').map(|(instance, _)| instance);
        let is_replaced = instance.is_some_and(|instance| self.instances.contains_key(instance));
        Err(if is_replaced { Refused::FencedInstance } else { Refused::UnknownMember })
    }

    fn assign(&mut self) {
        let n = self.members.len() as i32;
        for (index, member) in self.members.values_mut().enumerate() {
            let (each, more) = (self.n_partitions / n, self.n_partitions % n);
            let index = index as i32;
            let start = index * each + index.min(more);
            let len = each + i32::from(index < more);
            member.partitions = (start..start + len).collect();
        }
    }
}

impl Broker {
    /// Joins, or joins again under the same member id. The new member id; a generation comes with [`Broker::sync_group`].
    pub fn join_group(&mut self, instance: &str, member: &str) -> Result<String, Refused> {
        let now = self.now;
        if !member.is_empty() {
            self.group.known(member)?;
            self.group.members.get_mut(member).expect("it is known").seen = now;
            match &mut self.group.joined {
                Some(joined) => {
                    joined.insert(member.to_owned());
                }
                // It asks for a new round.
                None => self.rebalance(Some(member)),
            }
            self.complete_rebalance(false);
            return Ok(member.to_owned());
        }
        self.group.n_members += 1;
        let new = format!("{instance}-{}", self.group.n_members);
        let old = self.group.instances.insert(instance.to_owned(), new.clone());
        let replaced = old.and_then(|old| self.group.members.remove(&old).map(|member| (old, member)));
        match replaced {
            // The same instance again, and nobody is to move: it goes on with what it had, in the same generation.
            Some((_, member)) if self.group.joined.is_none() => {
                self.group.members.insert(new.clone(), Member { seen: now, ..member });
            }
            replaced => {
                let partitions = replaced.as_ref().map(|(_, member)| member.partitions.clone()).unwrap_or_default();
                let member = Member { instance: instance.to_owned(), seen: now, partitions };
                self.group.members.insert(new.clone(), member);
                if let (Some((old, _)), Some(joined)) = (&replaced, &mut self.group.joined) {
                    joined.remove(old);
                }
                match &mut self.group.joined {
                    Some(joined) => {
                        joined.insert(new.clone());
                    }
                    None => self.rebalance(Some(&new)),
                }
                self.complete_rebalance(false);
            }
        }
        self.watch_session(new.clone());
        Ok(new)
    }

    /// The generation and what the member owns in it, once the round is over.
    pub fn sync_group(&mut self, member: &str) -> Result<Option<(i32, Vec<i32>)>, Refused> {
        self.group.known(member)?;
        let now = self.now;
        let group = &mut self.group;
        let known = group.members.get_mut(member).expect("it is known");
        known.seen = now;
        Ok(match &group.joined {
            None => Some((group.generation, known.partitions.clone())),
            Some(_) => None,
        })
    }

    pub fn heartbeat(&mut self, member: &str, generation: i32) -> Result<(), Refused> {
        self.group.known(member)?;
        let now = self.now;
        self.group.members.get_mut(member).expect("it is known").seen = now;
        if generation != self.group.generation {
            return Err(Refused::IllegalGeneration);
        }
        match &self.group.joined {
            Some(joined) if !joined.contains(member) => Err(Refused::Rebalancing),
            _ => Ok(()),
        }
    }

    pub fn leave_group(&mut self, member: &str) {
        if let Some(left) = self.group.members.remove(member) {
            self.group.instances.remove(&left.instance);
            if let Some(joined) = &mut self.group.joined {
                joined.remove(member);
            }
            self.rebalance(None);
            self.complete_rebalance(false);
        }
    }

    fn watch_session(&mut self, member: String) {
        let Some(known) = self.group.members.get(&member) else { return };
        let expires = known.seen + SESSION;
        if expires <= self.now {
            self.leave_group(&member);
        } else {
            self.later(expires - self.now, move |broker| broker.watch_session(member));
        }
    }

    /// Calls everybody to join again, unless they are called already.
    fn rebalance(&mut self, by: Option<&str>) {
        if self.group.joined.is_none() {
            self.group.n_rebalances += 1;
            self.group.joined = Some(by.map(str::to_owned).into_iter().collect());
            let number = self.group.n_rebalances;
            self.later(REBALANCE, move |broker| {
                if broker.group.n_rebalances == number {
                    broker.complete_rebalance(true);
                }
            });
        }
    }

    /// Ends the round when all have joined, or without those who have not when time is up.
    fn complete_rebalance(&mut self, is_time_up: bool) {
        let group = &mut self.group;
        let Some(joined) = &group.joined else { return };
        if is_time_up {
            let late: Vec<String> = group.members.keys().filter(|id| !joined.contains(*id)).cloned().collect();
            for id in late {
                if let Some(member) = group.members.remove(&id) {
                    group.instances.remove(&member.instance);
                }
            }
        }
        let Some(joined) = &group.joined else { return };
        if group.members.is_empty() {
            group.joined = None;
        } else if group.members.keys().all(|id| joined.contains(id)) {
            group.joined = None;
            group.generation += 1;
            group.assign();
        }
    }
}
