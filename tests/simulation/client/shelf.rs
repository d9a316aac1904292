//! Where simulated instances keep their snapshots: in memory, beyond the same network, which may be slow for long.

use std::collections::BTreeMap;

use dormouse::snapshot::{Error, Manifest, Name, Objects};

use super::Client;

/// What stands there, for all processes.
#[derive(Default)]
pub struct Shelf {
    pub objects: BTreeMap<String, Vec<u8>>,
    /// The manifests that ever came, as they came.
    pub published: Vec<Manifest>,
    /// The longest that an object is on its way there.
    pub upload_max: u64,
    /// Processes that have just sent a manifest on its way.
    pub publishing: Vec<usize>,
}

impl Shelf {
    /// False when something stands there already.
    pub fn create(&mut self, object: &str, bytes: Vec<u8>) -> bool {
        if self.objects.contains_key(object) {
            return false;
        }
        if let Some((name, true)) = Name::parse(object) {
            self.published.push(Manifest::decode(&name, &bytes).expect("it comes as it was written"));
        }
        self.objects.insert(object.to_owned(), bytes);
        true
    }

    pub fn list(&self, folder: &str) -> Vec<(String, u64)> {
        let beginning = format!("{folder}/");
        let objects = self.objects.iter().filter(|(object, _)| object.starts_with(&beginning));
        objects.map(|(object, bytes)| (object.clone(), bytes.len() as u64)).collect()
    }
}

/// The shelf as one process reaches it.
pub struct Reach(pub Client);

impl Reach {
    /// Asks; who is cut off, or whose question or answer is lost, has no answer.
    fn ask<R>(&self, object: &str, question: impl FnOnce(&mut Shelf) -> R) -> Result<R, Error> {
        let no_answer = || Error::Place { url: object.to_owned(), why: "no answer".to_owned() };
        let Reach(client) = self;
        client.travel();
        if client.is_cut() || client.is_lost() {
            return Err(no_answer());
        }
        let answer = question(&mut client.world.shelf());
        client.travel();
        if client.is_cut() || client.is_lost() {
            return Err(no_answer());
        }
        Ok(answer)
    }
}

impl Objects for Reach {
    fn create(&self, object: &str, bytes: Vec<u8>) -> Result<(), Error> {
        let upload_max = self.0.world.shelf().upload_max;
        if Name::parse(object).is_some_and(|(_, is_manifest)| is_manifest) {
            self.0.world.shelf().publishing.push(self.0.threads.process);
        }
        self.0.schedule().rest(self.0.schedule().below(upload_max + 1));
        let is_new = self.ask(object, |shelf| shelf.create(object, bytes))?;
        if is_new { Ok(()) } else { Err(Error::Exists { object: object.to_owned() }) }
    }

    fn read(&self, object: &str) -> Result<Vec<u8>, Error> {
        let found = self.ask(object, |shelf| shelf.objects.get(object).cloned())?;
        found.ok_or_else(|| Error::Missing { object: object.to_owned() })
    }

    fn list(&self, folder: &str) -> Result<Vec<(String, u64)>, Error> {
        self.ask(folder, |shelf| shelf.list(folder))
    }

    fn delete(&self, object: &str) -> Result<(), Error> {
        self.ask(object, |shelf| drop(shelf.objects.remove(object)))
    }
}
