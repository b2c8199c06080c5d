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

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, Linker};

use crate::domain::element::{Element, Manifest, Usage};
use crate::domain::id::Digest;
use crate::domain::run::{Fault, Run, Step};
use crate::ports::{Call, CallError, Case, Elements, Inadmissible, Replayed};
use tidegate_contract::{Subject, section, snapshot};

use self::bindings::ElementPre;
use self::cache::Cache;
use self::call::GuestState;
use self::registry::{Counts, Generation, Registry};
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
    /// Names the case and what differs.
    #[error("a case that the component carries does not come out as expected: {0}")]
    Case(String),
}

/// Implements [`Elements`]. Loading is synchronous and takes as long as compiling does (0.1 s for a small component, 10 s
/// for JavaScript): call it off the async threads.
pub struct ElementHost {
    /// For admission, which goes on on another thread.
    this: Weak<ElementHost>,
    engine: Engine,
    linker: Linker<GuestState>,
    limits: Limits,
    cache: Option<Cache>,
    registry: Registry,
    admissions: tokio::sync::Mutex<()>,
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
        Ok(Arc::new_cyclic(|this| Self {
            this: this.clone(),
            engine,
            linker,
            limits,
            cache,
            registry,
            admissions: tokio::sync::Mutex::default(),
            workers,
        }))
    }

    /// Admits, compiles and asks for the manifest; then new runs of its key take this component. What was active before
    /// stays callable by its digest. Loading what is loaded already makes it the active one again and compiles nothing.
    ///
    /// # Errors
    /// Why it is not taken; what was loaded before is untouched.
    pub fn load(&self, bytes: &[u8]) -> Result<Arc<Element>, LoadError> {
        let element = self.add(bytes)?;
        self.registry.activate(element.digest);
        Ok(element)
    }

    fn add(&self, bytes: &[u8]) -> Result<Arc<Element>, LoadError> {
        let generation = self.prepare(bytes)?;
        // Held before it is added: what nobody holds may be dropped at any time.
        let element = generation.element.clone();
        self.registry.add(generation);
        Ok(element)
    }

    /// Admits and compiles, to be called on the caller's own thread: for the authoring kit. No run takes it.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn examine(&self, bytes: &[u8]) -> Result<Examined, LoadError> {
        self.prepare(bytes).map(Examined)
    }

    fn prepare(&self, bytes: &[u8]) -> Result<Arc<Generation>, LoadError> {
        admit::admit(bytes, self.limits.component_bytes_max).map_err(LoadError::Refused)?;
        let digest = Digest(Sha256::digest(bytes).into());
        if let Some(known) = self.registry.by_digest(digest) {
            return Ok(known);
        }
        let component = self.compile(bytes, digest)?;
        admit::check_resources(&component, &self.limits.of(true)).map_err(LoadError::Refused)?;
        let guests = self
            .linker
            .instantiate_pre(&component)
            .and_then(ElementPre::new)
            .map_err(|error| LoadError::Mismatch(error.into()))?;
        // It has no name yet, and may be interpreted.
        let name = digest.to_string().into();
        let document = call::manifest(&guests, name, &self.limits.of(true)).map_err(LoadError::Call)?;
        let (manifest, document) = Manifest::parse(&document).map_err(LoadError::Manifest)?;
        let generation = Arc::new(Generation {
            limits: self.limits.of(manifest.interpreted),
            counts: Counts::default(),
            element: Arc::new(Element {
                manifest,
                document,
                digest,
            }),
            guests,
        });
        replay_carried_cases(bytes, generation.clone())?;
        Ok(generation)
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

/// What a component was tested with travels in it: here it must come out as it did at its author's desk.
fn replay_carried_cases(bytes: &[u8], generation: Arc<Generation>) -> Result<(), LoadError> {
    let cases = section::read_cases(bytes).map_err(|error| LoadError::Refused(error.to_string()))?;
    let subject = Examined(generation);
    for case in &cases {
        let tested = snapshot::test(&subject, case);
        if !tested.is_ok() {
            return Err(LoadError::Case(tested.to_string()));
        }
    }
    Ok(())
}

/// A component that is looked at and not used.
pub struct Examined(Arc<Generation>);

impl Examined {
    #[must_use]
    pub fn element(&self) -> &Arc<Element> {
        &self.0.element
    }

    /// Bytes of memory that one call takes.
    ///
    /// # Errors
    /// The call gave neither step nor fault.
    pub fn memory_of(&self, run: &Run, call: &Call) -> Result<usize, CallError> {
        let (outcome, cost) = self.0.measured_step(run, call);
        outcome.map(|_| cost.memory_bytes)
    }
}

impl Subject for Examined {
    fn manifest(&self) -> Result<Vec<u8>, CallError> {
        let Generation {
            element,
            guests,
            limits,
            ..
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
            ..
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

    fn admit(&self, component: Bytes) -> BoxFuture<'static, Result<Arc<Element>, Inadmissible>> {
        let host = self.this.upgrade().expect("whoever calls a method holds the host");
        // Not on a worker: compiling takes seconds, and calls must not wait for it. One after the other, since each takes
        // all cores and much memory.
        let admitted = async move {
            let _turn = host.admissions.lock().await;
            let host = host.clone();
            tokio::task::spawn_blocking(move || host.add(&component)).await
        };
        admitted
            .map(|admitted| match admitted {
                Ok(Ok(element)) => Ok(element),
                Ok(Err(error)) => Err(Inadmissible(in_words(&error))),
                Err(_) => Err(Inadmissible(
                    "the gateway failed while it looked at the component; see its log".into(),
                )),
            })
            .boxed()
    }

    fn activate(&self, digest: Digest) -> bool {
        self.registry.activate(digest)
    }

    fn deactivate(&self, key: &str) {
        self.registry.deactivate(key);
    }

    fn retain(&self, digests: &HashSet<Digest>) {
        self.registry.retain(digests);
    }

    fn call(
        &self,
        digest: Digest,
        run: Arc<Run>,
        call: Arc<Call>,
    ) -> BoxFuture<'static, Result<Result<Step, Fault>, CallError>> {
        let Some(generation) = self.registry.by_digest(digest) else {
            return std::future::ready(Err(CallError::NotLoaded(digest.to_string()))).boxed();
        };
        let answer = self.workers.run(move || generation.step(&run, &call));
        answer
            .map(|answer| answer.unwrap_or_else(|| Err(CallError::Host("see the gateway's log".into()))))
            .boxed()
    }

    fn replay(&self, digest: Digest, case: Arc<Case>) -> BoxFuture<'static, Option<Replayed>> {
        let Some(generation) = self.registry.by_digest(digest) else {
            return std::future::ready(None).boxed();
        };
        // Not on a worker: it is many steps, and a poll waits for no more than one.
        let replayed =
            tokio::task::spawn_blocking(move || tidegate_contract::replay::replay(&Examined(generation), &case));
        replayed.map(Result::ok).boxed()
    }

    fn usage(&self, digest: Digest) -> Usage {
        let generation = self.registry.by_digest(digest);
        generation
            .map(|generation| generation.counts.usage())
            .unwrap_or_default()
    }
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
