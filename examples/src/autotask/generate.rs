//! Made-up rows that look like a tenant's: the same seed gives the same rows, byte for byte.
//! Reads no clock and no randomness of the machine.

use chrono::{DateTime, Duration, Utc};

use super::cell::{Cell, Kind};
use super::schema::{Entity, Field};
use super::store::UserDefined;

const HISTORY_DAYS: u64 = 6 * 365;
const RESOURCE_ID_FIRST: i64 = 29_682_885;

const FIRST_WORDS: [&str; 16] = [
    "Alder",
    "Birch",
    "Cobalt",
    "Delta",
    "Ember",
    "Fjord",
    "Granite",
    "Harbour",
    "Indigo",
    "Juniper",
    "Kestrel",
    "Larch",
    "Meridian",
    "Northgate",
    "O'Hara",
    "Zoë",
];
const SECOND_WORDS: [&str; 12] = [
    "Analytics",
    "Bakery",
    "Clinics",
    "Dental",
    "Engineering",
    "Foods",
    "Graphics",
    "Homes",
    "Insurance",
    "Legal",
    "Motors",
    "R&D",
];
const LEGAL_FORMS: [&str; 6] = ["Ltd", "GmbH", "Inc.", "B.V.", "LLP", "& Sons"];
const FIRST_NAMES: [&str; 10] = [
    "Ada", "Björn", "Chloé", "Dev", "Elif", "Finn", "Grace", "Hana", "Iván", "Joan",
];
const LAST_NAMES: [&str; 10] = [
    "Abara", "Brandt", "Costa", "Dubois", "Eriksen", "Fischer", "Gupta", "Hughes", "Ito", "Jansen",
];
const CITIES: [&str; 8] = [
    "Albany", "Bristol", "Ghent", "Kraków", "Leeds", "Münster", "Utrecht", "Zürich",
];
const STREETS: [&str; 6] = [
    "Canal Street",
    "Church Lane",
    "Hauptstraße",
    "Mill Road",
    "Station Road",
    "Quayside",
];
const TASKS: [&str; 6] = [
    "Replace switch",
    "Quarterly review",
    "Printer offline",
    "Renew licence",
    "New starter",
    "Restore mailbox",
];

/// SplitMix64: small, fast and fixed for good, where a crate's generator may change with its version.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// 0 up to, not including, `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn pick<'t>(&mut self, items: &[&'t str]) -> &'t str {
        items[self.below(items.len() as u64) as usize]
    }

    fn signed_below(&mut self, end: u64) -> i64 {
        i64::try_from(self.below(end)).unwrap_or(i64::MAX)
    }
}

/// A row of `entity` with the id `id`, created and changed within the years before `history_end`.
pub(super) fn row(
    entity: &Entity,
    id: i64,
    history_end: DateTime<Utc>,
    random: &mut Random,
) -> (Box<[Cell]>, UserDefined) {
    let history_millis = HISTORY_DAYS * 86_400_000;
    let created = history_end - Duration::milliseconds(random.signed_below(history_millis));
    let age = u64::try_from((history_end - created).num_milliseconds()).unwrap_or_default();
    let changed = created + Duration::milliseconds(random.signed_below(age));
    let cells = entity.fields.iter().enumerate().map(|(position, field)| {
        if position == 0 {
            Cell::Integer(id)
        } else if entity.created == Some(position) {
            Cell::DateTime(created.timestamp_millis())
        } else if entity.changed.contains(&position) {
            Cell::DateTime(changed.timestamp_millis())
        } else {
            cell(field, id, created, random)
        }
    });
    let cells = cells.collect();
    let user_defined = entity
        .user_defined
        .iter()
        .map(|_| random.chance(40).then(|| "0.0000".into()))
        .collect();
    (cells, user_defined)
}

fn cell(field: &Field, id: i64, created: DateTime<Utc>, random: &mut Random) -> Cell {
    match field.kind {
        Kind::Text => text(&field.name, id, random),
        Kind::Integer | Kind::Long => integer(&field.name, random),
        Kind::Boolean => Cell::Boolean(field.name == "isActive" || random.chance(25)),
        Kind::Decimal if random.chance(50) => Cell::Null,
        Kind::Decimal => Cell::Decimal(random.below(100_000) as f64 / 100.0),
        Kind::DateTime if random.chance(60) => Cell::Null,
        // Other dates are due dates and the like: whole days.
        Kind::DateTime => {
            let day = created.date_naive() + Duration::days(random.signed_below(60));
            Cell::DateTime(day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis())
        }
    }
}

fn integer(name: &str, random: &mut Random) -> Cell {
    let folded = name.to_ascii_lowercase();
    match folded.as_str() {
        "isactive" => Cell::Integer(1),
        "companyid" | "ticketid" | "projectid" => Cell::Integer(random.signed_below(200)),
        _ if folded.contains("resourceid") => Cell::Integer(RESOURCE_ID_FIRST + random.signed_below(40)),
        _ if random.chance(50) => Cell::Null,
        _ => Cell::Integer(1 + random.signed_below(30)),
    }
}

fn text(name: &str, id: i64, random: &mut Random) -> Cell {
    let folded = name.to_ascii_lowercase();
    match folded.as_str() {
        "companyname" => Cell::text(&company_name(random)),
        "firstname" => Cell::text(random.pick(&FIRST_NAMES)),
        "lastname" => Cell::text(random.pick(&LAST_NAMES)),
        "emailaddress" => Cell::text(&format!("contact.{id}@customer.example")),
        "ticketnumber" => Cell::text(&format!("T20200924.{:04}", id % 10_000)),
        "webaddress" => Cell::text(&format!("https://customer-{id}.example")),
        "city" | "billtocity" => Cell::text(random.pick(&CITIES)),
        "postalcode" | "billtozipcode" | "zipcode" => Cell::text(&format!("{:05}", random.below(100_000))),
        "address1" | "billingaddress1" | "addressline" => {
            Cell::text(&format!("{} {}", 1 + random.below(200), random.pick(&STREETS)))
        }
        "phone" => Cell::text(&format!("+44 20 7946 {:04}", random.below(10_000))),
        _ if folded.ends_with("title") || folded.ends_with("name") || folded == "description" => {
            Cell::text(random.pick(&TASKS))
        }
        // The vendor has both, without a rule that anyone found.
        _ if random.chance(60) => Cell::text(""),
        _ => Cell::Null,
    }
}

fn company_name(random: &mut Random) -> String {
    format!(
        "{} {} {}",
        random.pick(&FIRST_WORDS),
        random.pick(&SECOND_WORDS),
        random.pick(&LEGAL_FORMS)
    )
}
