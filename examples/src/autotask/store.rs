//! The simulated tenant's rows: sorted by id, indexed by date, each kept as the JSON that a page carries.
//! Decides nothing about dates, rights or faults; it keeps what it is given.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use super::cell::{Cell, write_json_text};
use super::filter::Filter;
use super::schema::Entity;

/// Up to this many rows a date index is quicker than walking the ids: collecting and sorting them takes about 0.2 ms.
const INDEX_CANDIDATES_MAX: usize = 4096;

/// Values of the user-defined fields, in the entity's order: strings or null, whatever their type.
pub(super) type UserDefined = Box<[Option<Box<str>>]>;

/// One row. `cells` follow the entity's fields, `user_defined` its user-defined ones.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) cells: Box<[Cell]>,
    pub(super) user_defined: UserDefined,
    /// The whole row as the vendor would write it, made once: a page is then a copy.
    json: Bytes,
}

impl Row {
    pub(super) fn id(&self) -> i64 {
        match self.cells[0] {
            Cell::Integer(id) => id,
            _ => unreachable!("every row is put with an id"),
        }
    }
}

/// Which fields a client asked for.
#[derive(Debug, Default)]
pub(super) struct Projection {
    pub(super) fields: Vec<usize>,
    pub(super) user_defined: Vec<usize>,
}

/// One entity with its rows.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) entity: Arc<Entity>,
    rows: BTreeMap<i64, Row>,
    /// Per indexed date field: milliseconds and id.
    dates: Vec<(usize, BTreeSet<(i64, i64)>)>,
    next_id: i64,
    zulu: bool,
}

/// Rows of one page, in the order of their ids.
#[derive(Debug)]
pub(super) struct Page<'t> {
    pub(super) rows: Vec<&'t Row>,
    /// Whether a further row matches.
    pub(super) more: bool,
}

impl Table {
    /// `zulu`: whether dates are written with their `Z`.
    pub(super) fn new(entity: Arc<Entity>, zulu: bool) -> Self {
        let dates = entity
            .created
            .iter()
            .chain(&entity.changed)
            .map(|field| (*field, BTreeSet::new()))
            .collect();
        Self {
            entity,
            rows: BTreeMap::new(),
            dates,
            next_id: 1,
            zulu,
        }
    }

    pub(super) fn next_id(&self) -> i64 {
        self.next_id
    }

    pub(super) fn get(&self, id: i64) -> Option<&Row> {
        self.rows.get(&id)
    }

    pub(super) fn ids(&self) -> Vec<i64> {
        self.rows.keys().copied().collect()
    }

    /// Adds a row or replaces the one with its id.
    pub(super) fn put(&mut self, cells: Box<[Cell]>, user_defined: UserDefined) {
        let json = row_json(&self.entity, &cells, &user_defined, None, self.zulu);
        let row = Row {
            cells,
            user_defined,
            json: json.into(),
        };
        let id = row.id();
        self.remove(id);
        for (field, index) in &mut self.dates {
            if let Cell::DateTime(millis) = row.cells[*field] {
                index.insert((millis, id));
            }
        }
        self.next_id = self.next_id.max(id + 1);
        self.rows.insert(id, row);
    }

    pub(super) fn remove(&mut self, id: i64) -> Option<Row> {
        let row = self.rows.remove(&id)?;
        for (field, index) in &mut self.dates {
            if let Cell::DateTime(millis) = row.cells[*field] {
                index.remove(&(millis, id));
            }
        }
        Some(row)
    }

    /// The first `limit` rows after the id `after` that match `filter` and are `visible`.
    pub(super) fn page(
        &self,
        filter: &Filter,
        after: Option<i64>,
        limit: usize,
        visible: &dyn Fn(i64) -> bool,
    ) -> Page<'_> {
        let mut rows = Vec::with_capacity(limit.min(self.rows.len()));
        for row in self.candidates(filter, after) {
            if !filter.matches(row) || !visible(row.id()) {
                continue;
            }
            if rows.len() == limit {
                return Page { rows, more: true };
            }
            rows.push(row);
        }
        Page { rows, more: false }
    }

    pub(super) fn count(&self, filter: &Filter, visible: &dyn Fn(i64) -> bool) -> usize {
        self.candidates(filter, None)
            .filter(|row| filter.matches(row) && visible(row.id()))
            .count()
    }

    /// A superset of the matching rows, sorted by id.
    fn candidates(&self, filter: &Filter, after: Option<i64>) -> Box<dyn Iterator<Item = &Row> + '_> {
        let bounds = filter.bounds();
        let lower = match (after, bounds.id_min) {
            (Some(after), Some(least)) if least > after => Bound::Included(least),
            (Some(after), _) => Bound::Excluded(after),
            (None, Some(least)) => Bound::Included(least),
            (None, None) => Bound::Unbounded,
        };
        for (field, millis) in &bounds.dates {
            let Some((_, index)) = self.dates.iter().find(|(indexed, _)| indexed == field) else {
                continue;
            };
            let mut ids: Vec<i64> = index
                .range((*millis, i64::MIN)..)
                .take(INDEX_CANDIDATES_MAX + 1)
                .map(|(_, id)| *id)
                .collect();
            if ids.len() <= INDEX_CANDIDATES_MAX {
                ids.sort_unstable();
                let start = ids.partition_point(|id| match lower {
                    Bound::Included(least) => *id < least,
                    Bound::Excluded(after) => *id <= after,
                    Bound::Unbounded => false,
                });
                return Box::new(ids.into_iter().skip(start).filter_map(|id| self.rows.get(&id)));
            }
        }
        Box::new(self.rows.range((lower, Bound::Unbounded)).map(|(_, row)| row))
    }

    /// Appends a row's JSON: the whole row, or the fields of `projection`.
    pub(super) fn write_row(&self, row: &Row, projection: Option<&Projection>, out: &mut Vec<u8>) {
        match projection {
            None => out.extend_from_slice(&row.json),
            Some(_) => {
                out.extend_from_slice(&row_json(
                    &self.entity,
                    &row.cells,
                    &row.user_defined,
                    projection,
                    self.zulu,
                ));
            }
        }
    }
}

fn row_json(
    entity: &Entity,
    cells: &[Cell],
    user_defined: &[Option<Box<str>>],
    projection: Option<&Projection>,
    zulu: bool,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    out.push(b'{');
    for (position, field) in entity.fields.iter().enumerate() {
        if projection.is_some_and(|projection| !projection.fields.contains(&position)) {
            continue;
        }
        if out.len() > 1 {
            out.push(b',');
        }
        write_json_text(&field.name, &mut out);
        out.push(b':');
        cells[position].write_json(zulu, &mut out);
    }
    if entity.has_user_defined {
        out.extend_from_slice(if out.len() > 1 {
            b",\"userDefinedFields\":["
        } else {
            b"\"userDefinedFields\":["
        });
        let mut first = true;
        for (position, name) in entity.user_defined.iter().enumerate() {
            if projection.is_some_and(|projection| !projection.user_defined.contains(&position)) {
                continue;
            }
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            out.extend_from_slice(b"{\"name\":");
            write_json_text(name, &mut out);
            out.extend_from_slice(b",\"value\":");
            match &user_defined[position] {
                Some(value) => write_json_text(value, &mut out),
                None => out.extend_from_slice(b"null"),
            }
            out.push(b'}');
        }
        out.push(b']');
    }
    out.push(b'}');
    out
}
