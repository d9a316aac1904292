//! Where snapshots are kept: a folder, or a bucket of S3, Google Cloud Storage or Azure, by a URL. Keys come from the
//! environment, as the tools of each cloud read them. Calls wait for their answer; retries and time-outs are the crate's.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, RetryConfig};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::error::Error;

/// A store that does not answer for so long will not.
const RETRY_TIMEOUT: Duration = Duration::from_secs(30);
const RETRIES_MAX: usize = 6;

/// A place for the snapshots of one group. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    kind: Kind,
    url: String,
}

#[derive(Clone)]
enum Kind {
    Remote(Remote),
    Given(Arc<dyn Objects>),
}

/// A store of somebody's own, such as a simulation's. What holds of every store: an object is created whole or not at all,
/// never when one of its name is there, and is seen by whoever lists or reads afterwards.
pub trait Objects: Send + Sync {
    fn create(&self, object: &str, bytes: Vec<u8>) -> Result<(), Error>;
    fn read(&self, object: &str) -> Result<Vec<u8>, Error>;
    /// The objects whose names begin with a folder's, with their sizes.
    fn list(&self, folder: &str) -> Result<Vec<(String, u64)>, Error>;
    /// It is no error when it is not there.
    fn delete(&self, object: &str) -> Result<(), Error>;
}

/// An object that is on its way.
pub enum Transfer<T> {
    Started(JoinHandle<Result<T, Error>>),
    Done(Result<T, Error>),
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.url)
    }
}

impl Store {
    /// Opens the place that a URL names; a folder is made when it is not there. Names begin with the group's, so that
    /// several groups can share a place. Of the environment what begins with `AWS_`, `GOOGLE_` and `AZURE_` is taken, as
    /// each cloud's own tools do.
    pub fn open(
        url: &str,
        group: &str,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Store, Error> {
        let refused = |why: String| Error::Place { url: url.to_owned(), why };
        let parsed = url::Url::parse(url).map_err(|error| refused(error.to_string()))?;
        let (objects, prefix) = open_objects(&parsed, environment.into_iter().collect()).map_err(refused)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("store")
            .enable_all()
            .build()
            .map_err(Error::Runtime)?;
        let remote = Remote { runtime: Arc::new(runtime), objects, root: prefix.join(group) };
        Ok(Store { kind: Kind::Remote(remote), url: url.to_owned() })
    }

    pub fn given(objects: Arc<dyn Objects>) -> Store {
        Store { kind: Kind::Given(objects), url: "given".to_owned() }
    }

    /// Whether it is somebody's own, whose calls are to be made by the thread that works.
    pub(super) fn is_given(&self) -> bool {
        matches!(self.kind, Kind::Given(_))
    }

    /// The place, for people.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Writes an object, unless one of its name is there.
    pub fn create(&self, object: &str, bytes: Vec<u8>) -> Result<(), Error> {
        self.wait(self.start_create(object, bytes))
    }

    /// As [`Store::create`], without waiting.
    pub fn start_create(&self, object: &str, bytes: Vec<u8>) -> Transfer<()> {
        match &self.kind {
            Kind::Remote(remote) => Transfer::Started(remote.create(object, bytes)),
            Kind::Given(objects) => Transfer::Done(objects.create(object, bytes)),
        }
    }

    pub fn read(&self, object: &str) -> Result<Vec<u8>, Error> {
        self.wait(self.start_read(object))
    }

    /// As [`Store::read`], without waiting.
    pub fn start_read(&self, object: &str) -> Transfer<Vec<u8>> {
        match &self.kind {
            Kind::Remote(remote) => Transfer::Started(remote.read(object)),
            Kind::Given(objects) => Transfer::Done(objects.read(object)),
        }
    }

    /// Waits for a transfer.
    pub fn wait<T>(&self, transfer: Transfer<T>) -> Result<T, Error> {
        match (transfer, &self.kind) {
            (Transfer::Done(outcome), _) => outcome,
            (Transfer::Started(task), Kind::Remote(remote)) => {
                let outcome = remote.runtime.block_on(task);
                outcome.expect("a transfer neither panics nor is it given up while it is waited for")
            }
            (Transfer::Started(_), Kind::Given(_)) => unreachable!("a given store answers at once"),
        }
    }

    /// The objects whose names begin with a folder's, with their sizes, sorted by name.
    pub fn list(&self, folder: &str) -> Result<Vec<(String, u64)>, Error> {
        let mut objects = match &self.kind {
            Kind::Remote(remote) => remote.list(folder)?,
            Kind::Given(objects) => objects.list(folder)?,
        };
        objects.sort();
        Ok(objects)
    }

    /// Deletes an object; it is no error when it is not there.
    pub fn delete(&self, object: &str) -> Result<(), Error> {
        match &self.kind {
            Kind::Remote(remote) => remote.delete(object),
            Kind::Given(objects) => objects.delete(object),
        }
    }
}

/// A folder or a bucket.
#[derive(Clone)]
struct Remote {
    runtime: Arc<Runtime>,
    objects: Arc<dyn ObjectStore>,
    /// In front of every name.
    root: Path,
}

impl Remote {
    fn create(&self, object: &str, bytes: Vec<u8>) -> JoinHandle<Result<(), Error>> {
        let (objects, path, object) = (Arc::clone(&self.objects), self.path(object), object.to_owned());
        self.runtime.spawn(async move {
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            match objects.put_opts(&path, PutPayload::from(bytes), options).await {
                Ok(_) => Ok(()),
                Err(object_store::Error::AlreadyExists { .. }) => Err(Error::Exists { object }),
                Err(source) => Err(Error::Store { object, source }),
            }
        })
    }

    fn read(&self, object: &str) -> JoinHandle<Result<Vec<u8>, Error>> {
        let (objects, path, object) = (Arc::clone(&self.objects), self.path(object), object.to_owned());
        self.runtime.spawn(async move {
            let bytes = async { objects.get(&path).await?.bytes().await };
            match bytes.await {
                Ok(bytes) => Ok(bytes.into()),
                Err(object_store::Error::NotFound { .. }) => Err(Error::Missing { object }),
                Err(source) => Err(Error::Store { object, source }),
            }
        })
    }

    fn list(&self, folder: &str) -> Result<Vec<(String, u64)>, Error> {
        let listed = self.runtime.block_on(self.objects.list(Some(&self.path(folder))).try_collect::<Vec<_>>());
        let listed = listed.map_err(|source| Error::Store { object: folder.to_owned(), source })?;
        let root = format!("{}/", self.root);
        let named = listed.into_iter();
        Ok(named.filter_map(|meta| Some((meta.location.as_ref().strip_prefix(&root)?.to_owned(), meta.size))).collect())
    }

    fn delete(&self, object: &str) -> Result<(), Error> {
        match self.runtime.block_on(self.objects.delete(&self.path(object))) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(Error::Store { object: object.to_owned(), source }),
        }
    }

    fn path(&self, object: &str) -> Path {
        object.split('/').fold(self.root.clone(), |path, name| path.join(name))
    }
}

/// The store of a URL, and what stands in front of all names there.
fn open_objects(url: &url::Url, environment: BTreeMap<String, String>) -> Result<(Arc<dyn ObjectStore>, Path), String> {
    if url.scheme() == "file" {
        return Ok((Arc::new(open_folder(url)?), Path::default()));
    }
    let prefix = Path::from_url_path(url.path()).map_err(|error| error.to_string())?;
    // Another part of the process may have chosen one before; either will do.
    drop(rustls::crypto::ring::default_provider().install_default());
    let retry = RetryConfig { max_retries: RETRIES_MAX, retry_timeout: RETRY_TIMEOUT, ..RetryConfig::default() };
    let text = url.as_str();
    let objects: Result<Arc<dyn ObjectStore>, object_store::Error> = match url.scheme() {
        "s3" => {
            let builder = AmazonS3Builder::new().with_url(text).with_retry(retry);
            let builder =
                settings(&environment, "AWS_").fold(builder, |builder, (key, value)| builder.with_config(key, value));
            builder.build().map(|store| Arc::new(store) as _)
        }
        "gs" => {
            let builder = GoogleCloudStorageBuilder::new().with_url(text).with_retry(retry);
            let builder = settings(&environment, "GOOGLE_")
                .fold(builder, |builder, (key, value)| builder.with_config(key, value));
            builder.build().map(|store| Arc::new(store) as _)
        }
        "az" => {
            let builder = MicrosoftAzureBuilder::new().with_url(text).with_retry(retry);
            let builder =
                settings(&environment, "AZURE_").fold(builder, |builder, (key, value)| builder.with_config(key, value));
            builder.build().map(|store| Arc::new(store) as _)
        }
        _ => return Err("it begins with none of file://, s3://, gs://, az://".to_owned()),
    };
    Ok((objects.map_err(|error| error.to_string())?, prefix))
}

/// The variables that are settings of a cloud's client.
fn settings<'e, K: FromStr>(
    environment: &'e BTreeMap<String, String>,
    beginning: &'static str,
) -> impl Iterator<Item = (K, &'e str)> {
    let ours = environment.iter().filter(move |(name, _)| name.starts_with(beginning));
    ours.filter_map(|(name, value)| Some((name.to_ascii_lowercase().parse().ok()?, value.as_str())))
}

fn open_folder(url: &url::Url) -> Result<LocalFileSystem, String> {
    let folder = url.to_file_path().map_err(|()| "it names no folder of this machine".to_owned())?;
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let store = LocalFileSystem::new_with_prefix(&folder).map_err(|error| error.to_string())?;
    // What is published must outlive a power cut, since older ones are deleted then.
    Ok(store.with_fsync(true))
}
