//! Records of a page against what was known of them: which changed, and how.
//! Knows nothing of events, ids or delivery.

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_128;

use crate::domain::event::Change;
use crate::domain::instance::FirstSight;
use crate::domain::record::{Fingerprint, Record};
use crate::domain::time::Timestamp;
use crate::engine::trust::Reread;

/// A record with its dates read.
#[derive(Clone, Debug)]
pub struct Dated {
    pub record: Record,
    pub created: Option<Timestamp>,
    pub updated: Option<Timestamp>,
}

/// What a page is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub first_sight: FirstSight,
    /// The first poll is over: an unknown record is news.
    pub baselined: bool,
    pub projection: u32,
    /// How far the resource was read: what the vendor changed later is news, also where the projection is another one.
    pub watermark: Option<Timestamp>,
    /// Records created at or after this were created within the poll's window.
    pub window_from: Timestamp,
    pub created_check_tolerance_ms: i64,
    /// Records updated after this are left to the next poll.
    pub not_after: Option<Timestamp>,
}

impl Rules {
    /// Is this record left to the next poll?
    #[must_use]
    pub fn leaves_out(&self, dated: &Dated) -> bool {
        matches!((self.not_after, dated.updated), (Some(end), Some(at)) if at > end)
    }
}

/// One record whose fingerprint must be written.
#[derive(Clone, Debug)]
pub struct Difference {
    pub dated: Dated,
    pub fingerprint: Fingerprint,
    /// Digest of the record before; None where it was not known, or was gone.
    pub before: Option<u128>,
    /// None for what is only remembered: a baseline, or another projection of the same content.
    pub change: Option<Change>,
    /// Paths of the fields that changed, once somebody has told them; see `fields`.
    pub fields: Option<Vec<String>>,
}

/// One entry per id: the last one of a page wins, at the place of the first.
#[must_use]
pub fn fold(records: Vec<Dated>) -> Vec<Dated> {
    let mut places: HashMap<String, usize> = HashMap::with_capacity(records.len());
    let mut folded: Vec<Dated> = Vec::with_capacity(records.len());
    for dated in records {
        if let Some(&place) = places.get(&dated.record.id) {
            folded[place] = dated;
        } else {
            places.insert(dated.record.id.clone(), folded.len());
            folded.push(dated);
        }
    }
    folded
}

/// The differences of a page, in its order. `known` is in the order of `records`; records have been folded.
#[must_use]
pub fn compare(records: Vec<Dated>, known: &[Option<Fingerprint>], rules: &Rules) -> Vec<Difference> {
    records
        .into_iter()
        .zip(known)
        .filter(|(dated, _)| !rules.leaves_out(dated))
        .filter_map(|(dated, known)| difference(dated, known.as_ref(), rules))
        .collect()
}

fn difference(dated: Dated, known: Option<&Fingerprint>, rules: &Rules) -> Option<Difference> {
    let digest = xxh3_128(&dated.record.body);
    let deleted = dated.record.deleted;
    let version = known.map_or(0, |known| known.version);
    let (change, version) = match known {
        None if deleted => return None,
        Some(known) if known.deleted && deleted => return None,
        Some(known) if !known.deleted && deleted => (Some(Change::Deleted), known.version + 1),
        Some(known) if !known.deleted && known.projection != rules.projection => {
            // Taken anew in silence, but for what the vendor itself changed meanwhile.
            if is_untouched(dated.updated, rules.watermark) {
                (None, known.version)
            } else {
                (Some(Change::Updated), known.version + 1)
            }
        }
        Some(known) if !known.deleted && known.digest == digest => return None,
        Some(known) if !known.deleted => (Some(Change::Updated), known.version + 1),
        // Unknown, or back after a deletion.
        _ => (first_seen(&dated, rules), version + 1),
    };
    let fingerprint = Fingerprint {
        digest,
        projection: rules.projection,
        version,
        deleted,
    };
    Some(Difference {
        dated,
        fingerprint,
        before: known.filter(|known| !known.deleted).map(|known| known.digest),
        change,
        fields: None,
    })
}

/// Records of a page that were known, that the vendor did not touch since, and how many of them differ all the same.
#[must_use]
pub fn reread(records: &[Dated], known: &[Option<Fingerprint>], rules: &Rules) -> Reread {
    let mut reread = Reread::default();
    for (dated, known) in records.iter().zip(known) {
        let Some(known) = known.filter(|known| !known.deleted && known.projection == rules.projection) else {
            continue;
        };
        // A record without a date may have changed at any time.
        let is_dated = dated.updated.is_some();
        if is_dated && !dated.record.deleted && is_untouched(dated.updated, rules.watermark) {
            reread.records += 1;
            reread.differ += u64::from(xxh3_128(&dated.record.body) != known.digest);
        }
    }
    reread
}

/// Does the vendor say that nothing happened since the resource was read? A record without a date says nothing, and is
/// taken for untouched.
fn is_untouched(updated: Option<Timestamp>, watermark: Option<Timestamp>) -> bool {
    match (updated, watermark) {
        (Some(updated), Some(watermark)) => updated <= watermark,
        _ => true,
    }
}

fn first_seen(dated: &Dated, rules: &Rules) -> Option<Change> {
    match rules.first_sight {
        FirstSight::Baseline if !rules.baselined => None,
        FirstSight::Snapshot if !rules.baselined => Some(Change::Created),
        _ => Some(created_or_updated(dated, rules)),
    }
}

fn created_or_updated(dated: &Dated, rules: &Rules) -> Change {
    let Some(created) = dated.created else {
        return Change::Created;
    };
    if created >= rules.window_from {
        return Change::Created;
    }
    match dated.updated {
        Some(updated) if (updated.as_ms() - created.as_ms()).abs() <= rules.created_check_tolerance_ms => {
            Change::Created
        }
        _ => Change::Updated,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn dated(id: &str, body: &str, created: i64, updated: i64) -> Dated {
        let at = |ms: i64| (ms >= 0).then(|| Timestamp::from_ms(ms));
        let record = Record {
            id: id.into(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            created: None,
            updated: None,
            deleted: body.is_empty(),
        };
        Dated {
            record,
            created: at(created),
            updated: at(updated),
        }
    }

    fn known(body: &str, projection: u32, version: u32) -> Option<Fingerprint> {
        Some(Fingerprint {
            digest: xxh3_128(body.as_bytes()),
            projection,
            version,
            deleted: false,
        })
    }

    fn rules() -> Rules {
        Rules {
            first_sight: FirstSight::Baseline,
            baselined: true,
            projection: 1,
            watermark: Some(Timestamp::from_ms(1_500)),
            window_from: Timestamp::from_ms(1_000),
            created_check_tolerance_ms: 10,
            not_after: None,
        }
    }

    fn change_of(dated: Dated, known: Option<Fingerprint>, rules: &Rules) -> Option<Option<Change>> {
        compare(vec![dated], &[known], rules)
            .pop()
            .map(|difference| difference.change)
    }

    #[test]
    fn an_unknown_record_is_judged_by_its_dates() {
        let rules = rules();
        let table = [
            // created, updated: expected
            (1_000, 5_000, Change::Created), // made in the window, edited since
            (999, 1_009, Change::Created),   // made before it, untouched within the tolerance
            (999, 1_010, Change::Updated),   // one millisecond past the tolerance
            (999, -1, Change::Updated),      // made before it, no updated date
            (-1, 5_000, Change::Created),    // no created date: unknown is new
            (-1, -1, Change::Created),
        ];
        for (created, updated, expected) in table {
            let change = change_of(dated("7", "{}", created, updated), None, &rules);
            assert_eq!(change, Some(Some(expected)), "created {created}, updated {updated}");
        }
    }

    #[test]
    fn a_known_record_is_judged_by_its_content_alone() {
        let rules = rules();
        assert_eq!(
            change_of(dated("7", "{\"a\":1}", 1, 9_000), known("{\"a\":1}", 1, 3), &rules),
            None
        );
        let differences = compare(
            vec![dated("7", "{\"a\":2}", 1, 9_000)],
            &[known("{\"a\":1}", 1, 3)],
            &rules,
        );
        assert_eq!(differences[0].change, Some(Change::Updated));
        assert_eq!(differences[0].fingerprint.version, 4);
    }

    #[test]
    fn what_the_vendor_changed_since_is_news_under_another_projection_too() {
        let rules = Rules {
            projection: 2,
            ..rules()
        };
        let page = vec![dated("6", "{\"b\":1}", 1, 1_500), dated("7", "{\"b\":1}", 1, 1_501)];
        let known = [known("{\"a\":1}", 1, 3), known("{\"a\":1}", 1, 3)];
        let differences = compare(page, &known, &rules);
        assert_eq!(differences[0].change, None);
        assert_eq!(differences[1].change, Some(Change::Updated));
        assert_eq!(differences[1].fingerprint.version, 4);
    }

    #[test]
    fn what_differs_though_the_vendor_did_not_touch_it_is_counted() {
        let page = [
            dated("1", "{\"a\":1}", 1, 1_500),
            dated("2", "{\"b\":1}", 1, 1_500),
            dated("3", "{\"b\":1}", 1, 1_501),
            dated("4", "{\"b\":1}", 1, -1),
            dated("5", "{\"b\":1}", 1, 1_000),
            dated("6", "{\"b\":1}", 1, 1_000),
        ];
        let mut before: Vec<_> = (0..5).map(|_| known("{\"a\":1}", 1, 3)).collect();
        before[4] = known("{\"a\":1}", 0, 3);
        before.push(None);
        let expected = Reread { records: 2, differ: 1 };
        assert_eq!(reread(&page, &before, &rules()), expected);
    }

    #[test]
    fn another_projection_is_remembered_in_silence() {
        let rules = Rules {
            projection: 2,
            ..rules()
        };
        let differences = compare(vec![dated("7", "{\"b\":1}", 1, 2)], &[known("{\"a\":1}", 1, 3)], &rules);
        assert_eq!(differences[0].change, None);
        assert_eq!(differences[0].fingerprint.version, 3);
        assert_eq!(differences[0].fingerprint.projection, 2);
    }

    #[test]
    fn first_sight_decides_what_existing_records_mean() {
        let first = Rules {
            baselined: false,
            ..rules()
        };
        let old = || dated("7", "{}", 1, 500);
        assert_eq!(change_of(old(), None, &first), Some(None));
        let snapshot = Rules {
            first_sight: FirstSight::Snapshot,
            ..first
        };
        assert_eq!(change_of(old(), None, &snapshot), Some(Some(Change::Created)));
        let since = Rules {
            first_sight: FirstSight::Since(Timestamp::from_ms(1_000)),
            ..first
        };
        assert_eq!(change_of(old(), None, &since), Some(Some(Change::Updated)));
    }

    #[test]
    fn a_deletion_is_told_once_and_a_return_is_a_creation() {
        let rules = rules();
        assert_eq!(
            change_of(dated("7", "", -1, -1), known("{}", 1, 1), &rules),
            Some(Some(Change::Deleted))
        );
        assert_eq!(change_of(dated("7", "", -1, -1), None, &rules), None);
        let gone = Some(Fingerprint {
            digest: 0,
            projection: 1,
            version: 2,
            deleted: true,
        });
        assert_eq!(change_of(dated("7", "", -1, -1), gone, &rules), None);
        let back = compare(vec![dated("7", "{}", 5_000, 5_000)], &[gone], &rules);
        assert_eq!(
            (back[0].change, back[0].fingerprint.version),
            (Some(Change::Created), 3)
        );
    }

    #[test]
    fn a_record_on_a_page_twice_counts_once_with_its_newest_content() {
        let folded = fold(vec![
            dated("7", "{\"a\":1}", 1, 1),
            dated("8", "{}", 1, 1),
            dated("7", "{\"a\":2}", 1, 2),
        ]);
        let bodies: Vec<_> = folded
            .iter()
            .map(|dated| (dated.record.id.as_str(), &dated.record.body[..]))
            .collect();
        assert_eq!(bodies, [("7", &b"{\"a\":2}"[..]), ("8", &b"{}"[..])]);
    }

    #[test]
    fn what_is_newer_than_the_poll_is_left_to_the_next_one_on_request() {
        let rules = Rules {
            not_after: Some(Timestamp::from_ms(2_000)),
            ..rules()
        };
        assert_eq!(change_of(dated("7", "{}", 1_500, 2_001), None, &rules), None);
        assert!(change_of(dated("7", "{}", 1_500, 2_000), None, &rules).is_some());
    }
}
