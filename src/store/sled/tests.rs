//! The sled store under the contract, over restarts, kills and what they leave behind.
//! Runs on real files; waits for no clock.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::database::VALUE_BYTES_MAX;
use super::*;
use crate::domain::delivery::{Attempt, AttemptRow};
use crate::domain::record::SketchUpdate;
use crate::ports::Settlement;
use crate::store::contract::{self, at, contract, create, fingerprint, key, next_page, notification, notify};

async fn fresh() -> (Arc<dyn Store>, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (open(dir.path()), dir)
}

fn open(dir: &Path) -> Arc<SledStore> {
    SledStore::open(dir, Options::default()).unwrap()
}

contract!(fresh);

fn count_keys(store: &SledStore, kind: keys::Kind) -> usize {
    let database = store.handle.shared.database();
    let tree = database.as_ref().unwrap().tree();
    tree.scan_prefix(keys::all(kind)).count()
}

#[tokio::test]
async fn a_store_that_is_opened_again_has_everything() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let resource = create(&*store, "t").await;
    let mut page = next_page(&*store, &resource).await;
    page.fingerprints = (0..700).map(|id| (id.to_string(), fingerprint(id, 1))).collect();
    page.notifications = (0..30).map(|n| notification(&n.to_string(), at(n), 9_000)).collect();
    page.memo = Some(b"memo".to_vec());
    // Lazy: closing syncs it.
    page.durability = Durability::Lazy;
    store.commit(page.clone()).await.unwrap();
    store.close();
    assert!(matches!(store.sync().await, Err(StoreError::Transient(_))), "closed");

    let store = open(dir.path());
    assert_eq!(store.resource(resource.clone()).await.unwrap(), Some(page.state));
    let ids = (0..700).map(|id| id.to_string()).collect();
    let wanted: Vec<_> = (0..700).map(|id| Some(fingerprint(id, 1))).collect();
    assert_eq!(store.fingerprints(resource.clone(), ids).await.unwrap(), wanted);
    let outbox = store.outbox(resource.instance, 99).await.unwrap();
    assert_eq!(outbox.len(), 30);
    assert_eq!(
        store.memo(resource.instance).await.unwrap().as_deref(),
        Some(&b"memo"[..])
    );
    // Numbers go on where they were.
    notify(&*store, &resource, vec![notification("new", at(0), 10)]).await;
    let newest = store.notifications(resource.instance, None, 1).await.unwrap();
    assert!(newest[0].id.batch > outbox[29].id.batch);
    assert!(create(&*store, "u").await.instance > resource.instance);
}

#[tokio::test]
async fn a_snapshot_that_was_never_finished_does_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let store = open(dir.path());
        if round == 0 {
            create(&*store, "t").await;
        }
        assert_eq!(store.instances().await.unwrap().len(), 1);
        store.close();
        let torn: &[u8] = if round == 0 { b"" } else { &[7; 100] };
        std::fs::write(dir.path().join("snap.FFFFFFFFFFFFFFF0.generating"), torn).unwrap();
    }
    let store = open(dir.path());
    assert_eq!(store.instances().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_directory_in_use_is_refused_by_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let error = SledStore::open(dir.path(), Options::default()).err().unwrap();
    assert!(matches!(error, Error::InUse { .. }));
    assert!(error.to_string().contains(dir.path().to_str().unwrap()), "{error}");
    drop(store);
    open(dir.path());
}

#[test]
fn a_damaged_database_says_so_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    std::fs::write(dir.path().join("conf"), b"segment_size: what\n").unwrap();
    let error = SledStore::open(dir.path(), Options::default()).err().unwrap();
    assert!(error.to_string().contains("restore"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_that_meet_share_a_sync() {
    let (dir, before);
    dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let names: Vec<String> = (0..100).map(|name| name.to_string()).collect();
    let rows = names
        .iter()
        .map(|name| (name.clone(), ResourceState::new(None)))
        .collect();
    let id = store.create_instance(contract::instance("t"), rows).await.unwrap().id;
    let mut pages = Vec::new();
    for name in &names {
        pages.push(next_page(&*store, &key(id, name)).await);
    }
    before = store.stats();
    let commits = pages.into_iter().map(|page| tokio::spawn(store.commit(page)));
    for commit in commits.collect::<Vec<_>>() {
        commit.await.unwrap().unwrap();
    }
    let stats = store.stats();
    assert_eq!(stats.writes - before.writes, 100);
    assert!(stats.syncs - before.syncs < 60, "{} syncs", stats.syncs - before.syncs);
}

#[tokio::test]
async fn a_lazy_commit_waits_for_no_sync_and_goes_with_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let resource = create(&*store, "t").await;
    let before = store.stats();
    let mut page = next_page(&*store, &resource).await;
    page.durability = Durability::Lazy;
    store.commit(page).await.unwrap();
    store.sync().await.unwrap();
    store.sync().await.unwrap();
    assert!(store.stats().syncs - before.syncs <= 2);
    assert_eq!(store.resource(resource).await.unwrap().unwrap().revision, 1);
}

#[tokio::test]
async fn what_a_deleted_instance_leaves_is_removed_even_over_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let resource = create(&*store, "t").await;
    for round in 0..40u64 {
        let mut page = next_page(&*store, &resource).await;
        // Ids of 1 KiB: few to a leaf, so that there is more than one piece to remove.
        page.fingerprints = (0..300)
            .map(|id| (format!("{round:0>3}x{id:0>1000}"), fingerprint(1, 1)))
            .collect();
        page.notifications = vec![notification("n", at(1), 61_000), notification("m", at(2), 61_000)];
        page.sketches = Some(sketches(300, round));
        page.deliver = round % 2 == 0;
        page.durability = Durability::Lazy;
        store.commit(page).await.unwrap();
    }
    assert!(count_keys(&store, keys::Kind::Leaf) > 1_000);
    assert!(store.delete_instance(resource.instance).await.unwrap());
    store.close();

    let store = open(dir.path());
    // Removing goes on between other writes.
    while count_keys(&store, keys::Kind::Orphan) > 0 {
        store.sync().await.unwrap();
    }
    for kind in [
        keys::Kind::Leaf,
        keys::Kind::Sketch,
        keys::Kind::FieldNames,
        keys::Kind::Batch,
        keys::Kind::Alive,
        keys::Kind::Settled,
        keys::Kind::Wake,
        keys::Kind::DueCourier,
        keys::Kind::Number,
        keys::Kind::PurgeableLater,
        keys::Kind::Purgeable,
        keys::Kind::Row,
        keys::Kind::DuePoll,
        keys::Kind::Token,
    ] {
        assert_eq!(count_keys(&store, kind), 0, "{kind:?}");
    }
}

/// A sketch of so many records of this round, and a name.
fn sketches(count: usize, round: u64) -> SketchUpdate {
    let sketch = |id| (format!("{round}x{id}"), Some(vec![1; 100]));
    SketchUpdate {
        names: Some(vec!["name".into()]),
        sketches: (0..count).map(sketch).collect(),
    }
}

#[tokio::test]
async fn what_was_known_of_a_removed_resources_fields_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let resource = create(&*store, "t").await;
    let kept = create(&*store, "u").await;
    for round in 0..3 {
        for resource in [&resource, &kept] {
            let mut page = next_page(&*store, resource).await;
            page.sketches = Some(sketches(500, round));
            store.commit(page).await.unwrap();
        }
    }
    let update = Instance {
        id: resource.instance,
        revision: 1,
        ..contract::instance("t")
    };
    let removed = vec!["accounts".to_owned()];
    store.update_instance(update, Vec::new(), removed).await.unwrap();
    while count_keys(&store, keys::Kind::Orphan) > 0 {
        store.sync().await.unwrap();
    }
    assert_eq!(count_keys(&store, keys::Kind::Sketch), 1_500, "those of the other one");
    assert_eq!(count_keys(&store, keys::Kind::FieldNames), 1);
}

#[tokio::test]
async fn a_database_that_is_opened_anew_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let resource = create(&*store, "t").await;
    let failed = store
        .read(|_| -> Result<(), _> { Err(StoreError::Transient("disk".into())) })
        .await;
    assert!(failed.is_err());
    notify(&*store, &resource, vec![notification("a", at(0), 10)]).await;
    assert_eq!(store.stats().reopened, 1);
    // Who failed before that asks in vain.
    store.handle.sender.send(Message::Reopen(0)).unwrap();
    store.sync().await.unwrap();
    assert_eq!(store.stats().reopened, 1);
    assert_eq!(store.outbox(resource.instance, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_write_that_panics_is_an_error_and_the_store_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let resource = create(&*store, "t").await;
    let panicked = store
        .write(Durability::Synced, 0, |_| -> Result<(), _> { panic!("torn page") })
        .await;
    assert!(matches!(panicked, Err(StoreError::Corrupt(text)) if text.contains("torn page")));
    notify(&*store, &resource, vec![notification("a", at(0), 10)]).await;
    assert_eq!(store.outbox(resource.instance, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_attempt_whose_answer_takes_much_room_makes_no_file_beside_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let resource = create(&*store, "t").await;
    notify(&*store, &resource, vec![notification("n", at(0), 10)]).await;
    let outgoing = store.outbox(resource.instance, 1).await.unwrap().remove(0);
    let attempt = |number, response_headers: Vec<(String, String)>| AttemptRow {
        number,
        attempt: Attempt {
            at: at(0),
            took_ms: 1,
            status: Some(500),
            error: Some("the callback answered 500".into()),
        },
        url: "https://callback.example/".into(),
        request_headers: vec![("webhook-id".into(), "n".into())],
        response_headers,
        // As JSON six times as long.
        response_body: "\0".repeat(4_096),
        body_is_cut: false,
    };
    let long = vec![("x".to_owned(), "\u{1}".repeat(4_096))];
    for (number, headers) in [(1, vec![]), (2, long)] {
        let settlement = Settlement {
            id: outgoing.id,
            delivery: outgoing.delivery.clone(),
            attempt: Some(attempt(number, headers)),
        };
        store.settle(resource.instance, vec![settlement].into()).await.unwrap();
    }
    let longest = {
        let database = store.handle.shared.database();
        let tree = database.as_ref().unwrap().tree();
        let values = tree.scan_prefix(keys::all(keys::Kind::Attempt)).values();
        values.map(|value| value.unwrap().len()).max()
    };
    assert!(longest.unwrap() <= VALUE_BYTES_MAX, "{longest:?}");
    let attempts = store.attempts(resource.instance, outgoing.id).await.unwrap();
    let kept = |row: &AttemptRow| (row.request_headers.len(), row.attempt.status, row.body_is_cut);
    assert_eq!(attempts.iter().map(kept).collect::<Vec<_>>(), [(1, Some(500), true); 2]);
}

#[tokio::test]
async fn large_notifications_make_no_file_beside_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let resource = create(&*store, "t").await;
    for round in 0..12 {
        let notifications = (0..5)
            .map(|n| notification(&format!("{round}/{n}"), at(0), 90_000))
            .collect();
        notify(&*store, &resource, notifications).await;
    }
    assert_eq!(std::fs::read_dir(dir.path().join("blobs")).unwrap().count(), 0);
    let read = store.notifications(resource.instance, None, 99).await.unwrap();
    assert_eq!(read.len(), 60);
    assert!(read.iter().all(|one| one.notification.body.len() == 90_000));
}

#[tokio::test]
async fn what_goes_into_a_file_beside_the_log_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let resource = create(&*store, "t").await;
    let mut page = next_page(&*store, &resource).await;
    page.memo = Some(vec![7; 3 << 20]);
    store.commit(page).await.unwrap();
    assert!(std::fs::read_dir(dir.path().join("blobs")).unwrap().count() > 0);
    drop(store);
    let memo = open(dir.path()).memo(resource.instance).await.unwrap();
    assert_eq!(memo, Some(vec![7; 3 << 20]));
}

#[tokio::test]
async fn a_change_of_too_many_keys_is_refused_whole() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let resource = create(&*store, "t").await;
    let mut page = next_page(&*store, &resource).await;
    page.notifications = (0..600).map(|n| notification(&n.to_string(), at(0), 61_000)).collect();
    assert!(matches!(store.commit(page).await, Err(StoreError::Corrupt(text)) if text.contains("refused")));
    assert_eq!(store.resource(resource).await.unwrap().unwrap().revision, 0);
}

/// Names the directory in which the child of the next test commits.
const CHILD_DIR: &str = "TIDEGATE_TEST_STORE_DIR";
const PAGE_RECORDS: u64 = 120;

/// Commits page after page and prints the number of each that was acknowledged. Does nothing unless it is the child.
#[tokio::test(flavor = "multi_thread")]
async fn child_that_commits_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let store = open(Path::new(&dir));
    let resource = match store.instances().await.unwrap().first() {
        Some(instance) => key(instance.id, "accounts"),
        None => create(&*store, "t").await,
    };
    loop {
        let mut page = next_page(&*store, &resource).await;
        let number = page.state.revision;
        let digest = u128::from(number);
        let ids = (0..PAGE_RECORDS).map(|record| {
            if record % 2 == 0 {
                number * 1_000 + record
            } else {
                record
            }
        });
        page.fingerprints = ids.map(|id| (id.to_string(), fingerprint(digest, 1))).collect();
        page.notifications = (0..8)
            .map(|n| notification(&format!("{number}/{n}"), at(0), 11_000))
            .collect();
        store.commit(page).await.unwrap();
        let lines: String = format!("committed {number}\n");
        use std::io::Write as _;
        std::io::stdout().write_all(lines.as_bytes()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_and_no_page_is_halved_by_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for round in 0..20u64 {
        // From the very opening to dozens of commits later.
        acknowledged = acknowledged.max(commit_and_kill(dir.path(), round * round % 23));
        let store = open(dir.path());
        let Some(instance) = store.instances().await.unwrap().pop() else {
            assert_eq!(acknowledged, 0);
            continue;
        };
        check_after_kill(&store, &key(instance.id, "accounts"), acknowledged).await;
    }
    assert!(acknowledged > 20);
}

/// Runs the child until it acknowledged `pages`, kills it, and gives the last number that it printed.
fn commit_and_kill(dir: &Path, pages: u64) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "store::sled::tests::child_that_commits_until_it_is_killed",
            "--nocapture",
        ])
        .env(CHILD_DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut numbers = lines
        .map_while(Result::ok)
        .filter_map(|line| line.rsplit_once("committed ")?.1.parse().ok());
    let mut last = 0;
    for _ in 0..pages {
        last = numbers.next().expect("the child commits until it is killed");
    }
    child.kill().unwrap();
    // What it printed before the kill came.
    let last = numbers.last().unwrap_or(last);
    child.wait().unwrap();
    last
}

async fn check_after_kill(store: &SledStore, resource: &ResourceKey, acknowledged: u64) {
    let state = store.resource(resource.clone()).await.unwrap().unwrap();
    assert!(state.revision >= acknowledged, "{} of {acknowledged}", state.revision);
    let newest = store.notifications(resource.instance, None, usize::MAX).await.unwrap();
    assert_eq!(newest.len() as u64, 8 * state.revision, "half a page in the outbox");
    assert!(newest.is_sorted_by(|newer, older| newer.id > older.id));
    let last = u128::from(state.revision);
    for number in 1..=state.revision + 1 {
        let own = (0..PAGE_RECORDS)
            .step_by(2)
            .map(|record| (number * 1_000 + record).to_string());
        let known = store.fingerprints(resource.clone(), own.collect()).await.unwrap();
        let wanted = (number <= state.revision).then(|| fingerprint(u128::from(number), 1));
        assert!(
            known.iter().all(|known| *known == wanted),
            "page {number} of {}",
            state.revision
        );
    }
    if state.revision > 0 {
        let shared = (0..PAGE_RECORDS).skip(1).step_by(2).map(|record| record.to_string());
        let known = store.fingerprints(resource.clone(), shared.collect()).await.unwrap();
        assert!(
            known.iter().all(|known| *known == Some(fingerprint(last, 1))),
            "half a page"
        );
    }
}

#[test]
fn a_copy_of_a_file_in_a_child_that_is_being_started_holds_up_no_opening() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    // What a child holds between its fork and its program: one more descriptor of the very same file.
    let file = std::fs::File::open(dir.path().join("db")).unwrap();
    store.close();
    file.lock().unwrap();
    let opening = {
        let dir = dir.path().to_owned();
        std::thread::spawn(move || open(&dir))
    };
    drop(file);
    opening.join().unwrap();
}
