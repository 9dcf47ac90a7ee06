//! The SQLite file: for one process, for its owner, and well again after a fault of the storage.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

use model::ErrorKind;
use rustix::process::{Resource, Rlimit, prlimit};
use store::{Config, Engine, Error, Store};

use crate::{
    bed::{Bed, TABLES},
    workload::{History, Worker},
};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn the_folder_and_the_files_are_for_their_owner_only() {
    let bed = Bed::sqlite();
    let store = bed.open().await;
    let folder = bed.folder.path().join("zone");
    assert_eq!(mode(&folder), 0o700);
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
    }
    names.sort();
    assert_eq!(
        names,
        ["store.db", "store.db-shm", "store.db-wal", "store.db.lock"]
    );
    store.close().await;
    fs::set_permissions(folder.join("store.db"), fs::Permissions::from_mode(0o644)).unwrap();
    let _store = bed.open().await;
    assert_eq!(mode(&folder.join("store.db")), 0o600);
}

#[tokio::test]
async fn a_folder_that_others_may_write_into_is_refused() {
    let bed = Bed::sqlite();
    let folder = bed.folder.path().join("zone");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o770)).unwrap();
    let error = bed.try_open(&[TABLES]).await.unwrap_err();
    assert!(matches!(error, Error::OpenFolder { .. }), "{error:?}");
    assert!(!folder.join("store.db").exists());
}

#[tokio::test]
async fn a_second_store_on_the_same_file_is_refused_also_by_another_name() {
    let bed = Bed::sqlite();
    let store = bed.open().await;
    let error = bed.try_open(&[TABLES]).await.unwrap_err();
    assert!(matches!(error, Error::InUse { .. }), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Precondition);
    let path = bed.folder.path().join("other.db");
    symlink(bed.folder.path().join("zone/store.db"), &path).unwrap();
    let engine = Engine::Sqlite { path };
    let error = Store::open(&Config { engine }, &[TABLES], &bed.tasks)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::InUse { .. }), "{error:?}");
    drop(store);
    assert!(
        !bed.tasks.token().is_cancelled(),
        "dropping the store is no fault"
    );
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let bed = Bed::sqlite();
    let path = bed.folder.path().join("zone/store.db");
    fs::create_dir(bed.folder.path().join("zone")).unwrap();
    fs::set_permissions(bed.folder.path().join("zone"), fs::Permissions::from_mode(0o700)).unwrap();
    let text = "a letter to a friend, long enough to be no empty database at all. ".repeat(40);
    fs::write(&path, &text).unwrap();
    let error = bed.try_open(&[TABLES]).await.unwrap_err();
    assert!(matches!(error, Error::Open { .. }), "{error:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

/// D05: while the file may not grow, every write is answered with a fault; afterwards it goes on by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_full_disk_the_store_goes_on_and_has_lost_nothing() {
    let bed = Bed::sqlite();
    let mut history = History::default();
    let worker = Worker::start(&bed, &["env", "--ignore-signal=XFSZ"]);
    worker.hear(&mut history, |history| history.len() > 20);
    let narrow = |limit| {
        let limits = Rlimit {
            current: limit,
            maximum: None,
        };
        prlimit(Some(worker.process()), Resource::Fsize, limits).unwrap();
    };
    for _ in 0..3 {
        narrow(Some(4096));
        let faults = history.faults.len();
        worker.hear(&mut history, |history| history.faults.len() > faults + 30);
        narrow(None);
        let before = history.len();
        worker.hear(&mut history, |history| history.len() > before + 50);
    }
    worker.kill(&mut history);
    assert!(
        history.faults.iter().all(|fault| fault == "unavailable"),
        "{:?}",
        history.faults
    );
    history.judge(&bed).await;
}
