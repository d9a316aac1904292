//! Where snapshots are kept: a folder, or a bucket of S3, Google Cloud Storage or Azure, by a URL. Keys come from the
//! environment, as the tools of each cloud read them. Calls wait for their answer; retries and time-outs are the crate's.

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
    runtime: Arc<Runtime>,
    objects: Arc<dyn ObjectStore>,
    /// In front of every name.
    root: Path,
    url: String,
}

/// An object that is on its way.
pub struct Transfer<T>(JoinHandle<Result<T, Error>>);

impl Store {
    /// Opens the place that a URL names; a folder is made when it is not there. Names begin with the group's, so that
    /// several groups can share a place.
    pub fn open(url: &str, group: &str) -> Result<Store, Error> {
        let refused = |why: String| Error::Place { url: url.to_owned(), why };
        let parsed = url::Url::parse(url).map_err(|error| refused(error.to_string()))?;
        let failed = |source: object_store::Error| refused(source.to_string());
        let prefix = Path::from_url_path(parsed.path()).map_err(|error| refused(error.to_string()))?;
        if parsed.scheme() != "file" {
            // Another part of the process may have chosen one before; either will do.
            drop(rustls::crypto::ring::default_provider().install_default());
        }
        let retry = RetryConfig { max_retries: RETRIES_MAX, retry_timeout: RETRY_TIMEOUT, ..RetryConfig::default() };
        let (objects, prefix): (Arc<dyn ObjectStore>, Path) = match parsed.scheme() {
            "file" => (Arc::new(open_folder(&parsed).map_err(refused)?), Path::default()),
            "s3" => {
                let builder = AmazonS3Builder::from_env().with_url(url).with_retry(retry);
                (Arc::new(builder.build().map_err(failed)?), prefix)
            }
            "gs" => {
                let builder = GoogleCloudStorageBuilder::from_env().with_url(url).with_retry(retry);
                (Arc::new(builder.build().map_err(failed)?), prefix)
            }
            "az" => {
                let builder = MicrosoftAzureBuilder::from_env().with_url(url).with_retry(retry);
                (Arc::new(builder.build().map_err(failed)?), prefix)
            }
            _ => return Err(refused("it begins with none of file://, s3://, gs://, az://".to_owned())),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("store")
            .enable_all()
            .build()
            .map_err(Error::Runtime)?;
        Ok(Store { runtime: Arc::new(runtime), objects, root: prefix.join(group), url: url.to_owned() })
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
        let (objects, path, name) = (Arc::clone(&self.objects), self.path(object), object.to_owned());
        Transfer(self.runtime.spawn(async move {
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            match objects.put_opts(&path, PutPayload::from(bytes), options).await {
                Ok(_) => Ok(()),
                Err(object_store::Error::AlreadyExists { .. }) => Err(Error::Exists { object: name }),
                Err(source) => Err(Error::Store { object: name, source }),
            }
        }))
    }

    pub fn read(&self, object: &str) -> Result<Vec<u8>, Error> {
        self.wait(self.start_read(object))
    }

    /// As [`Store::read`], without waiting.
    pub fn start_read(&self, object: &str) -> Transfer<Vec<u8>> {
        let (objects, path, name) = (Arc::clone(&self.objects), self.path(object), object.to_owned());
        Transfer(self.runtime.spawn(async move {
            let bytes = async { objects.get(&path).await?.bytes().await };
            match bytes.await {
                Ok(bytes) => Ok(bytes.into()),
                Err(object_store::Error::NotFound { .. }) => Err(Error::Missing { object: name }),
                Err(source) => Err(Error::Store { object: name, source }),
            }
        }))
    }

    /// Waits for a transfer.
    pub fn wait<T>(&self, transfer: Transfer<T>) -> Result<T, Error> {
        self.runtime.block_on(transfer.0).expect("a transfer neither panics nor is it given up while it is waited for")
    }

    /// The objects whose names begin with a folder's, with their sizes, sorted by name.
    pub fn list(&self, folder: &str) -> Result<Vec<(String, u64)>, Error> {
        let path = self.path(folder);
        let listed = self.runtime.block_on(self.objects.list(Some(&path)).try_collect::<Vec<_>>());
        let listed = listed.map_err(|source| Error::Store { object: folder.to_owned(), source })?;
        let root = format!("{}/", self.root);
        let mut objects: Vec<(String, u64)> = listed
            .into_iter()
            .filter_map(|meta| Some((meta.location.as_ref().strip_prefix(&root)?.to_owned(), meta.size)))
            .collect();
        objects.sort();
        Ok(objects)
    }

    /// Deletes an object; it is no error when it is not there.
    pub fn delete(&self, object: &str) -> Result<(), Error> {
        match self.runtime.block_on(self.objects.delete(&self.path(object))) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(Error::Store { object: object.to_owned(), source }),
        }
    }

    fn path(&self, object: &str) -> Path {
        object.split('/').fold(self.root.clone(), |path, name| path.join(name))
    }
}

fn open_folder(url: &url::Url) -> Result<LocalFileSystem, String> {
    let folder = url.to_file_path().map_err(|()| "it names no folder of this machine".to_owned())?;
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let store = LocalFileSystem::new_with_prefix(&folder).map_err(|error| error.to_string())?;
    // What is published must outlive a power cut, since older ones are deleted then.
    Ok(store.with_fsync(true))
}
