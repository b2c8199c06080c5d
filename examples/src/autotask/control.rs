//! The handle that moves a simulated vendor: rows, faults, settings, the log of requests.
//! Speaks no HTTP; `control_api` offers the same to people with curl.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::SimulatorOptions;
use super::cell::Cell;
use super::faults::{Fault, Faults};
use super::generate::{self, Random};
use super::limits::{Threads, Usage};
use super::requests::{Log, Request};
use super::schema::{self, Entity};
use super::settings::Settings;
use super::store::Table;
use crate::clock::Clock;

/// The vendor's ids do not start at 1; 174 is where the recorded samples begin.
const FIRST_SEEDED_ID: i64 = 174;
const GAP_BETWEEN_IDS_MAX: u64 = 3;

/// Why a row could not be created, changed or deleted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the simulated vendor has no entity {0}")]
    UnknownEntity(String),
    #[error("{entity} has no field {field}")]
    UnknownField { entity: String, field: String },
    #[error("{entity}.{field} must be a {expected}, found {found}")]
    WrongType {
        entity: String,
        field: String,
        expected: &'static str,
        found: String,
    },
    #[error("the fields of a row must be a JSON object")]
    NotAnObject,
    #[error("{entity} has no row {id}")]
    NoSuchRow { entity: String, id: i64 },
    #[error("{entity} has a row {id} already")]
    IdTaken { entity: String, id: i64 },
}

type Hook = Arc<dyn Fn(&Request, &Control) + Send + Sync>;

/// Moves one simulator; clones move the same one.
#[derive(Clone)]
pub struct Control(Arc<Shared>);

pub(super) struct Shared {
    pub(super) clock: Clock,
    pub(super) zone_path: Option<String>,
    history_end: DateTime<Utc>,
    random: Mutex<Random>,
    tables: RwLock<HashMap<String, Table>>,
    settings: RwLock<Settings>,
    address: Mutex<Option<SocketAddr>>,
    hook: RwLock<Option<Hook>>,
    pub(super) faults: Faults,
    pub(super) log: Log,
    pub(super) threads: Arc<Threads>,
    pub(super) usage: Usage,
}

impl fmt::Debug for Control {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Control")
            .field("settings", &self.settings())
            .finish_non_exhaustive()
    }
}

impl Control {
    pub(super) fn new(options: SimulatorOptions) -> Self {
        let tables = schema::entities().into_iter().map(|entity| {
            let key = entity.name.to_ascii_lowercase();
            (key, Table::new(Arc::new(entity), !options.naive_dates))
        });
        let control = Self(Arc::new(Shared {
            clock: options.clock,
            zone_path: options
                .zone_path
                .map(|path| path.trim_matches('/').to_ascii_lowercase()),
            history_end: options.history_end,
            random: Mutex::new(Random::new(options.seed)),
            tables: RwLock::new(tables.collect()),
            settings: RwLock::new(options.settings),
            address: Mutex::default(),
            hook: RwLock::default(),
            faults: Faults::default(),
            log: Log::default(),
            threads: Arc::default(),
            usage: Usage::default(),
        }));
        control.seed_row("companies", 0);
        let own = json!({"companyName": "Simulated Services Ltd (the tenant itself)"});
        control
            .replace("companies", 0, &own, &[])
            .expect("company 0 was just made and the field exists");
        control
    }

    /// Creates a row now. `fields` is an object with any of the entity's fields; `id`, `createDate` and the change dates
    /// are set unless given. Returns the id.
    ///
    /// # Errors
    /// For an unknown entity or field, a value of the wrong type, or an id that is taken.
    pub fn create(&self, entity: &str, fields: Value) -> Result<i64, Error> {
        let now = self.now().timestamp_millis();
        let mut tables = self.write_tables();
        let table = table_mut(&mut tables, entity)?;
        let definition = Arc::clone(&table.entity);
        let mut cells: Vec<Cell> = vec![Cell::Null; definition.fields.len()];
        cells[0] = Cell::Integer(table.next_id());
        if let Some(active) = definition.field("isActive") {
            cells[active] = Cell::from_json(definition.fields[active].kind, &json!(1)).unwrap_or(Cell::Null);
        }
        for position in definition.created.iter().chain(&definition.changed) {
            cells[*position] = Cell::DateTime(now);
        }
        let mut user_defined: Vec<Option<Box<str>>> = vec![None; definition.user_defined.len()];
        assign(&definition, &fields, &mut cells, &mut user_defined)?;
        let Cell::Integer(id) = cells[0] else {
            return Err(wrong_type(&definition, 0, &fields["id"]));
        };
        if table.get(id).is_some() {
            return Err(Error::IdTaken {
                entity: definition.name.clone(),
                id,
            });
        }
        table.put(cells.into(), user_defined.into());
        Ok(id)
    }

    /// Changes a row now: the given fields, and its change dates unless given.
    ///
    /// # Errors
    /// For an unknown entity, field or id, or a value of the wrong type.
    pub fn update(&self, entity: &str, id: i64, fields: Value) -> Result<(), Error> {
        let changed = self.entity(entity)?.changed.clone();
        self.replace(entity, id, &fields, &changed)
    }

    /// Moves a row's activity date as a note or a time entry on it would: nothing else of the row changes.
    ///
    /// # Errors
    /// For an unknown entity or id.
    pub fn touch(&self, entity: &str, id: i64) -> Result<(), Error> {
        let activity: Vec<usize> = self.entity(entity)?.changed.first().copied().into_iter().collect();
        self.replace(entity, id, &json!({}), &activity)
    }

    /// Deletes a row. A deleted ticket appears in `DeletedTicketLogs`; nothing else leaves a trace.
    ///
    /// # Errors
    /// For an unknown entity or id.
    pub fn delete(&self, entity: &str, id: i64) -> Result<(), Error> {
        let mut tables = self.write_tables();
        let table = table_mut(&mut tables, entity)?;
        let definition = Arc::clone(&table.entity);
        let row = table.remove(id).ok_or_else(|| no_such_row(&definition, id))?;
        drop(tables);
        if definition.name == "Tickets" {
            let text = |name: &str| match definition.field(name).map(|position| &row.cells[position]) {
                Some(Cell::Text(text)) => json!(text),
                _ => Value::Null,
            };
            let entry = json!({"ticketID": id, "ticketNumber": text("ticketNumber"), "ticketTitle": text("title")});
            self.create("DeletedTicketLogs", entry)
                .expect("the log has these fields and numbers its own rows");
        }
        Ok(())
    }

    /// The row as the vendor would answer it.
    pub fn record(&self, entity: &str, id: i64) -> Option<Value> {
        let tables = self.tables();
        let table = tables.get(&entity.to_ascii_lowercase())?;
        let mut json = Vec::new();
        table.write_row(table.get(id)?, None, &mut json);
        serde_json::from_slice(&json).ok()
    }

    /// All ids of an entity, ascending; none for an unknown entity.
    pub fn ids(&self, entity: &str) -> Vec<i64> {
        self.tables()
            .get(&entity.to_ascii_lowercase())
            .map(Table::ids)
            .unwrap_or_default()
    }

    /// Adds `count` made-up rows with old dates and returns their ids.
    ///
    /// # Errors
    /// For an unknown entity.
    pub fn seed(&self, entity: &str, count: usize) -> Result<Vec<i64>, Error> {
        let key = self.entity(entity)?.name.to_ascii_lowercase();
        Ok((0..count).map(|_| self.seed_row(&key, FIRST_SEEDED_ID)).collect())
    }

    /// Adds `count` made-up companies and returns their ids.
    pub fn seed_companies(&self, count: usize) -> Vec<i64> {
        self.seed("Companies", count).expect("the simulator has companies")
    }

    /// Adds `count` made-up contacts and returns their ids.
    pub fn seed_contacts(&self, count: usize) -> Vec<i64> {
        self.seed("Contacts", count).expect("the simulator has contacts")
    }

    /// Adds a fault to those in force.
    pub fn set_fault(&self, fault: Fault) {
        self.0.faults.add(fault);
    }

    /// Ends every fault.
    pub fn clear_faults(&self) {
        self.0.faults.clear();
    }

    /// The faults in force, each with what is left of it.
    pub fn faults(&self) -> Vec<Fault> {
        self.0.faults.list()
    }

    /// The last requests to the vendor's API, oldest first; calls under `/simulator` are not among them.
    pub fn requests(&self) -> Vec<Request> {
        self.0.log.list()
    }

    /// Waits until `enough` says so of the requests; `None` when `timeout` passes first.
    pub async fn wait_for_requests(
        &self,
        timeout: Duration,
        enough: impl Fn(&[Request]) -> bool,
    ) -> Option<Vec<Request>> {
        self.0.log.wait_until(timeout, enough).await
    }

    /// Calls `hook` with each request before it is answered: rows can change between two pages, clocks can move.
    pub fn before_request(&self, hook: impl Fn(&Request, &Self) + Send + Sync + 'static) {
        *self.0.hook.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(hook));
    }

    /// Changes settings for the requests that follow.
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.0.settings.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// The settings as they are.
    pub fn settings(&self) -> Settings {
        self.0.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes the calls of the last hour `total`, as if other integrations had made them.
    pub fn set_usage(&self, total: u64) {
        self.0.usage.set(total);
    }

    /// What the simulator's clock shows.
    pub fn now(&self) -> DateTime<Utc> {
        (self.0.clock)()
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.0
    }

    pub(super) fn call_hook(&self, request: &Request) {
        let hook = self.0.hook.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(hook) = hook {
            hook(request, self);
        }
    }

    pub(super) fn set_address(&self, address: SocketAddr) {
        *self.0.address.lock().unwrap_or_else(PoisonError::into_inner) = Some(address);
    }

    /// Scheme, host and zone path of the data calls, without a slash at the end.
    pub(super) fn own_zone(&self) -> String {
        let address = self.0.address.lock().unwrap_or_else(PoisonError::into_inner);
        let host = address.map(|address| address.to_string()).unwrap_or_default();
        match &self.0.zone_path {
            Some(path) => format!("http://{host}/{path}"),
            None => format!("http://{host}"),
        }
    }

    pub(super) fn tables(&self) -> RwLockReadGuard<'_, HashMap<String, Table>> {
        self.0.tables.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_tables(&self) -> RwLockWriteGuard<'_, HashMap<String, Table>> {
        self.0.tables.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn entity(&self, name: &str) -> Result<Arc<Entity>, Error> {
        match self.tables().get(&name.to_ascii_lowercase()) {
            Some(table) => Ok(Arc::clone(&table.entity)),
            None => Err(Error::UnknownEntity(name.to_owned())),
        }
    }

    /// Adds one made-up row, with an id from `id_min` on.
    fn seed_row(&self, key: &str, id_min: i64) -> i64 {
        let mut random = self.0.random.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tables = self.write_tables();
        let table = tables.get_mut(key).expect("the caller looked the entity up");
        let gap = i64::try_from(random.below(GAP_BETWEEN_IDS_MAX)).unwrap_or_default();
        let id = if id_min == 0 {
            0
        } else {
            id_min.max(table.next_id() + gap)
        };
        let (cells, user_defined) = generate::row(&table.entity, id, self.0.history_end, &mut random);
        table.put(cells, user_defined);
        id
    }

    fn replace(&self, entity: &str, id: i64, fields: &Value, moved_dates: &[usize]) -> Result<(), Error> {
        let now = self.now().timestamp_millis();
        let mut tables = self.write_tables();
        let table = table_mut(&mut tables, entity)?;
        let definition = Arc::clone(&table.entity);
        let row = table.get(id).ok_or_else(|| no_such_row(&definition, id))?;
        let (mut cells, mut user_defined) = (row.cells.clone(), row.user_defined.clone());
        for position in moved_dates {
            cells[*position] = Cell::DateTime(now);
        }
        assign(&definition, fields, &mut cells, &mut user_defined)?;
        // An id names a row; changing it would be another row.
        cells[0] = Cell::Integer(id);
        table.put(cells, user_defined);
        Ok(())
    }
}

fn table_mut<'t>(tables: &'t mut HashMap<String, Table>, entity: &str) -> Result<&'t mut Table, Error> {
    tables
        .get_mut(&entity.to_ascii_lowercase())
        .ok_or_else(|| Error::UnknownEntity(entity.to_owned()))
}

fn no_such_row(entity: &Entity, id: i64) -> Error {
    Error::NoSuchRow {
        entity: entity.name.clone(),
        id,
    }
}

fn wrong_type(entity: &Entity, position: usize, found: &Value) -> Error {
    let field = &entity.fields[position];
    Error::WrongType {
        entity: entity.name.clone(),
        field: field.name.clone(),
        expected: field.kind.data_type(),
        found: found.to_string(),
    }
}

fn assign(
    entity: &Entity,
    fields: &Value,
    cells: &mut [Cell],
    user_defined: &mut [Option<Box<str>>],
) -> Result<(), Error> {
    for (name, value) in fields.as_object().ok_or(Error::NotAnObject)? {
        if name.eq_ignore_ascii_case("userDefinedFields") {
            assign_user_defined(entity, value, user_defined)?;
            continue;
        }
        let position = entity.field(name).ok_or_else(|| unknown_field(entity, name))?;
        cells[position] =
            Cell::from_json(entity.fields[position].kind, value).ok_or_else(|| wrong_type(entity, position, value))?;
    }
    Ok(())
}

fn assign_user_defined(entity: &Entity, list: &Value, values: &mut [Option<Box<str>>]) -> Result<(), Error> {
    for entry in list.as_array().into_iter().flatten().filter_map(Value::as_object) {
        let member = |entry: &Map<String, Value>, key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
        let name = member(entry, "name").unwrap_or_default();
        let position = entity
            .user_defined_field(&name)
            .ok_or_else(|| unknown_field(entity, &name))?;
        values[position] = member(entry, "value").map(String::into_boxed_str);
    }
    Ok(())
}

fn unknown_field(entity: &Entity, field: &str) -> Error {
    Error::UnknownField {
        entity: entity.name.clone(),
        field: field.to_owned(),
    }
}
