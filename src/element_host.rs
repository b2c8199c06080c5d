//! The loaded elements: components admitted, compiled, called within limits and swapped while runs go on.
//! The only module with wasmtime. Must not send, store or retry anything: a call computes and returns.

mod admit;
mod bindings;
mod cache;
mod call;
mod compile;
#[cfg(test)]
mod contract_tests;
mod convert;
mod engine;
mod limits;
mod registry;
#[cfg(test)]
mod tests;
mod workers;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, Linker};

use crate::domain::element::{Element, Manifest};
use crate::domain::id::Digest;
use crate::domain::run::{Fault, Run, Step};
use crate::ports::{Call, CallError, Elements};
use tidegate_contract::Subject;

use self::bindings::ElementPre;
use self::cache::Cache;
use self::call::GuestState;
use self::registry::{Generation, Registry};
use self::workers::Workers;

pub use self::limits::Limits;

/// How the host is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Threads that compute, at least one; as many as cores is best, since they never wait for anything else.
    pub workers: usize,
    pub limits: Limits,
    /// Where compiled components are kept, made accessible to their owner alone. None compiles at every start.
    pub cache_dir: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the WebAssembly engine does not start")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the element host cannot start a thread")]
    Thread(#[source] io::Error),
    #[error("the directory for compiled elements, {path}, is not usable")]
    Cache { path: PathBuf, source: io::Error },
}

impl Error {
    fn engine(error: wasmtime::Error) -> Self {
        Self::Engine(error.into())
    }
}

/// Why a component was not taken; what was loaded before is untouched.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: io::Error },
    /// A sentence for its author.
    #[error("not an element: {0}")]
    Refused(String),
    #[error("the component does not compile")]
    Compile(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// An export or import has our name and another type.
    #[error("the component does not fit the contract")]
    Mismatch(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("asked for its manifest, the element gave none")]
    Call(#[source] CallError),
    /// Names field, found and expected.
    #[error("the element's manifest is wrong: {0}")]
    Manifest(String),
}

/// What became of a directory's files.
#[derive(Debug, Default)]
pub struct Loaded {
    pub elements: Vec<Arc<Element>>,
    /// With the reasons in words.
    pub refused: Vec<(PathBuf, String)>,
}

/// Implements [`Elements`]. Loading is synchronous and takes as long as compiling does (0.1 s for a small component, 10 s
/// for JavaScript): call it off the async threads.
pub struct ElementHost {
    engine: Engine,
    linker: Linker<GuestState>,
    limits: Limits,
    cache: Option<Cache>,
    registry: Registry,
    workers: Workers,
}

impl ElementHost {
    /// # Errors
    /// When threads or address space are lacking, or the cache's directory belongs to somebody else.
    pub fn new(options: Options) -> Result<Arc<Self>, Error> {
        let Options {
            workers,
            limits,
            cache_dir,
        } = options;
        let workers = workers.max(1);
        let engine = engine::start(workers, &limits)?;
        let mut linker = Linker::new(&engine);
        bindings::Element::add_to_linker::<_, HasSelf<GuestState>>(&mut linker, |state| state)
            .map_err(Error::engine)?;
        let cache = cache_dir
            .map(|path| Cache::open(&path, &engine).map_err(|source| Error::Cache { path, source }))
            .transpose()?;
        let registry = Registry::default();
        let workers = Workers::start(workers).map_err(Error::Thread)?;
        Ok(Arc::new(Self {
            engine,
            linker,
            limits,
            cache,
            registry,
            workers,
        }))
    }

    /// Admits, compiles and asks for the manifest; then new runs of its key take this component. The generation before
    /// stays callable by its digest. Loading what is loaded already makes it the active one again and compiles nothing.
    pub fn load(&self, bytes: &[u8]) -> Result<Arc<Element>, LoadError> {
        let generation = self.prepare(bytes)?;
        Ok(self.activate(generation))
    }

    /// Loads every `*.wasm` of a directory, in order of name. A file that is refused does not keep the others out; of two
    /// files with the same element, the second is refused.
    ///
    /// # Errors
    /// When the directory itself cannot be read.
    pub fn load_dir(&self, directory: &Path) -> Result<Loaded, LoadError> {
        let mut loaded = Loaded::default();
        let mut keys = BTreeSet::new();
        for path in components_in(directory).map_err(|source| LoadError::Read {
            path: directory.into(),
            source,
        })? {
            match self.prepare_file(&path) {
                Ok(generation) if keys.insert(generation.element.manifest.key.clone()) => {
                    loaded.elements.push(self.activate(generation));
                }
                Ok(generation) => {
                    let key = &generation.element.manifest.key;
                    loaded
                        .refused
                        .push((path, format!("another file of this directory is element `{key}` too")));
                }
                Err(error) => loaded.refused.push((path, in_words(&error))),
            }
        }
        Ok(loaded)
    }

    /// Forgets all generations of an element. Calls that run end; later ones get [`CallError::NotLoaded`]. False when
    /// there is none.
    pub fn remove(&self, key: &str) -> bool {
        self.registry.remove(key)
    }

    /// Admits and compiles, to be called on the caller's own thread: for the authoring kit. No run takes it.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn examine(&self, bytes: &[u8]) -> Result<Examined, LoadError> {
        self.prepare(bytes).map(Examined)
    }

    fn activate(&self, generation: Arc<Generation>) -> Arc<Element> {
        let element = generation.element.clone();
        self.registry.activate(generation);
        tracing::info!(
            element = element.manifest.key,
            version = element.manifest.version,
            digest = %element.digest,
            "element loaded"
        );
        element
    }

    fn prepare_file(&self, path: &Path) -> Result<Arc<Generation>, LoadError> {
        let unreadable = |source| LoadError::Read {
            path: path.into(),
            source,
        };
        // Before reading: the limit is there to spare the memory.
        let length = std::fs::metadata(path).map_err(unreadable)?.len();
        let limit = self.limits.component_bytes_max;
        if length > limit as u64 {
            return Err(LoadError::Refused(format!(
                "the file has {length} bytes, more than the limit of {limit}"
            )));
        }
        self.prepare(&std::fs::read(path).map_err(unreadable)?)
    }

    fn prepare(&self, bytes: &[u8]) -> Result<Arc<Generation>, LoadError> {
        admit::admit(bytes, self.limits.component_bytes_max).map_err(LoadError::Refused)?;
        let digest = Digest(Sha256::digest(bytes).into());
        if let Some(known) = self.registry.by_digest(digest) {
            return Ok(known);
        }
        let component = self.compile(bytes, digest)?;
        let guests = self
            .linker
            .instantiate_pre(&component)
            .and_then(ElementPre::new)
            .map_err(|error| LoadError::Mismatch(error.into()))?;
        // It has no name yet, and may be interpreted.
        let name = digest.to_string().into();
        let document = call::manifest(&guests, name, &self.limits.of(true)).map_err(LoadError::Call)?;
        let (manifest, document) = Manifest::parse(&document).map_err(LoadError::Manifest)?;
        let limits = self.limits.of(manifest.interpreted);
        Ok(Arc::new(Generation {
            limits,
            element: Arc::new(Element {
                manifest,
                document,
                digest,
            }),
            guests,
        }))
    }

    fn compile(&self, bytes: &[u8], digest: Digest) -> Result<Component, LoadError> {
        if let Some(component) = self.cache.as_ref().and_then(|cache| cache.load(&self.engine, digest)) {
            return Ok(component);
        }
        let failed = |error: wasmtime::Error| LoadError::Compile(error.into());
        let code = compile::compile(bytes, &self.limits).map_err(failed)?;
        if let Some(cache) = &self.cache
            && let Err(error) = cache.store(&code, digest)
        {
            tracing::warn!(%digest, %error, "cannot keep the compiled element, the next start compiles again");
        }
        cache::deserialize(&self.engine, &code).map_err(failed)
    }
}

/// A component that is looked at and not used.
pub struct Examined(Arc<Generation>);

impl Examined {
    #[must_use]
    pub fn element(&self) -> &Arc<Element> {
        &self.0.element
    }
}

impl Subject for Examined {
    fn manifest(&self) -> Result<Vec<u8>, CallError> {
        let Generation {
            element,
            guests,
            limits,
        } = &*self.0;
        call::manifest(guests, element.manifest.key.as_str().into(), limits)
    }

    fn call(&self, run: &Run, call: &Call) -> Result<Result<Step, Fault>, CallError> {
        self.0.step(run, call)
    }

    fn kept(&self) -> Result<Option<Box<dyn Subject + '_>>, CallError> {
        let Generation {
            element,
            guests,
            limits,
        } = &*self.0;
        let kept = call::Kept::open(guests, element.manifest.key.as_str().into(), limits)?;
        Ok(Some(Box::new(kept)))
    }
}

impl Elements for ElementHost {
    fn find(&self, key: &str) -> Option<Arc<Element>> {
        self.registry.active(key)
    }

    fn list(&self) -> Vec<Arc<Element>> {
        self.registry.all()
    }

    fn call(
        &self,
        digest: Digest,
        run: Arc<Run>,
        call: Call,
    ) -> BoxFuture<'static, Result<Result<Step, Fault>, CallError>> {
        let Some(generation) = self.registry.by_digest(digest) else {
            return std::future::ready(Err(CallError::NotLoaded(digest.to_string()))).boxed();
        };
        let answer = self.workers.run(move || generation.step(&run, &call));
        answer
            .map(|answer| answer.unwrap_or_else(|| Err(CallError::Trap("the host gave up the call".into()))))
            .boxed()
    }
}

fn components_in(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// The whole chain in one line, for a report.
fn in_words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
