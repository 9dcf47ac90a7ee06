//! Home, folders and downloads, and what is refused.

use futures::TryStreamExt as _;
use tonic::{Code, Status};
use wire::scow::portal::{
    DownloadRequest, GetHomeDirectoryRequest, ReadDirectoryRequest, file_info::FileType,
};

use crate::zone::{Refusal, Zone, bearing, refusal};

fn home(user_id: &str, cluster: &str) -> GetHomeDirectoryRequest {
    GetHomeDirectoryRequest {
        user_id: user_id.to_owned(),
        cluster: cluster.to_owned(),
    }
}

fn folder(user_id: &str, cluster: &str, path: &str) -> ReadDirectoryRequest {
    ReadDirectoryRequest {
        user_id: user_id.to_owned(),
        cluster: cluster.to_owned(),
        path: path.to_owned(),
        update_access_time: None,
    }
}

fn file(user_id: &str, cluster: &str, path: &str) -> DownloadRequest {
    DownloadRequest {
        user_id: user_id.to_owned(),
        cluster: cluster.to_owned(),
        path: path.to_owned(),
    }
}

/// The sizes of all frames and the bytes together.
async fn download(zone: &Zone, message: DownloadRequest) -> Result<(Vec<usize>, Vec<u8>), Status> {
    let answer = zone.files().download(bearing(&zone.ada, message)).await?;
    let frames: Vec<_> = answer.into_inner().try_collect().await?;
    let sizes = frames.iter().map(|frame| frame.chunk.len()).collect();
    let bytes = frames.iter().flat_map(|frame| frame.chunk.to_vec()).collect();
    Ok((sizes, bytes))
}

/// A zone whose home of ada is there.
async fn zone() -> Zone {
    let zone = Zone::new().await;
    let answer = zone
        .files()
        .get_home_directory(bearing(&zone.ada, home("ada", "local")))
        .await;
    let path = answer.expect("a home").into_inner().path;
    assert_eq!(std::path::PathBuf::from(path).join("x"), zone.home("x"));
    zone
}

#[tokio::test]
async fn a_folder_is_listed_in_scows_words() {
    let zone = zone().await;
    std::fs::create_dir(zone.home("b-folder")).expect("made");
    std::fs::write(zone.home("a-file"), b"1234").expect("written");
    std::os::unix::fs::symlink("b-folder", zone.home("c-link")).expect("linked");
    let answer = zone
        .files()
        .read_directory(bearing(&zone.ada, folder("ada", "local", ".")))
        .await;
    let rows = answer.expect("listed").into_inner().results;
    let seen: Vec<_> = rows
        .iter()
        .map(|row| (row.name.as_str(), row.r#type(), row.mode & 0o170_000))
        .collect();
    assert_eq!(
        seen,
        [
            ("a-file", FileType::File, 0o100_000),
            ("b-folder", FileType::Dir, 0o040_000),
            ("c-link", FileType::File, 0o120_000),
        ]
    );
    assert_eq!(rows[0].size, 4);
    let mtime = &rows[0].mtime;
    assert!(
        mtime.len() == 24 && mtime.ends_with('Z') && &mtime[10..11] == "T",
        "{mtime}"
    );
}

#[tokio::test]
async fn a_file_comes_in_frames_that_clients_take_and_an_empty_one_in_none() {
    let zone = zone().await;
    let content: Vec<u8> = (0..5_000_001).map(|i| (i % 251) as u8).collect();
    std::fs::write(zone.home("large"), &content).expect("written");
    std::fs::write(zone.home("empty"), b"").expect("written");
    let (sizes, bytes) = download(&zone, file("ada", "local", "large"))
        .await
        .expect("read");
    assert!(
        sizes.iter().all(|size| *size > 0 && *size <= 3_145_728),
        "{sizes:?}"
    );
    assert!(bytes == content);
    let nothing = download(&zone, file("ada", "local", "empty"))
        .await
        .expect("read");
    assert_eq!(nothing, (vec![], vec![]));
    let absolute = zone.home("large").to_string_lossy().into_owned();
    let (_, bytes) = download(&zone, file("ada", "local", &absolute))
        .await
        .expect("read");
    assert!(bytes == content);
}

#[tokio::test]
async fn what_cannot_be_listed_or_read_is_refused_as_scows_pages_expect() {
    let zone = zone().await;
    std::fs::write(zone.home("file"), b"1").expect("written");
    rustix::fs::mkfifoat(rustix::fs::CWD, zone.home("pipe"), rustix::fs::Mode::RUSR).expect("a named pipe");
    let (long, nul) = ("a".repeat(4096), "a\0b");
    for (path, expected) in [
        ("missing", Refusal::of(Code::PermissionDenied)),
        ("file", Refusal::fields(&["path"])),
        ("pipe", Refusal::fields(&["path"])),
        ("", Refusal::fields(&["path"])),
        (nul, Refusal::fields(&["path"])),
        (long.as_str(), Refusal::fields(&["path"])),
    ] {
        let answer = zone
            .files()
            .read_directory(bearing(&zone.ada, folder("ada", "local", path)))
            .await;
        assert_eq!(refusal(answer), expected, "{}", path.escape_debug());
    }
    for (path, expected) in [
        ("missing", Refusal::of(Code::PermissionDenied)),
        (".", Refusal::fields(&["path"])),
        ("pipe", Refusal::fields(&["path"])),
        ("/dev/zero", Refusal::fields(&["path"])),
        ("", Refusal::fields(&["path"])),
        (nul, Refusal::fields(&["path"])),
        (long.as_str(), Refusal::fields(&["path"])),
    ] {
        let answer = download(&zone, file("ada", "local", path)).await;
        assert_eq!(refusal(answer), expected, "{}", path.escape_debug());
    }
}

#[tokio::test]
async fn the_named_user_is_the_callers_own_and_the_cluster_the_zones() {
    let zone = zone().await;
    for (user_id, cluster, path, expected) in [
        ("", "", "", Refusal::fields(&["path", "user_id"])),
        ("", "local", ".", Refusal::fields(&["user_id"])),
        ("bob", "local", ".", Refusal::of(Code::PermissionDenied)),
        ("root", "local", ".", Refusal::of(Code::PermissionDenied)),
        ("Ada", "local", ".", Refusal::of(Code::PermissionDenied)),
        ("ada", "hpc01", ".", Refusal::unknown_cluster()),
        ("ada", "", ".", Refusal::unknown_cluster()),
    ] {
        let answer = zone
            .files()
            .read_directory(bearing(&zone.ada, folder(user_id, cluster, path)))
            .await;
        assert_eq!(refusal(answer), expected, "{user_id} {cluster}");
        let answer = download(&zone, file(user_id, cluster, path)).await;
        assert_eq!(refusal(answer), expected, "{user_id} {cluster}");
        if !path.is_empty() {
            let answer = zone
                .files()
                .get_home_directory(bearing(&zone.ada, home(user_id, cluster)))
                .await;
            assert_eq!(refusal(answer), expected, "{user_id} {cluster}");
        }
    }
}

#[tokio::test]
async fn without_a_good_bearer_no_file_call_says_anything() {
    let zone = Zone::new().await;
    let nobody = Refusal::of(Code::Unauthenticated);
    let answer = zone.files().get_home_directory(home("ada", "local")).await;
    assert_eq!(refusal(answer), nobody);
    let answer = zone.files().read_directory(folder("ada", "hpc01", "")).await;
    assert_eq!(refusal(answer), nobody);
    let answer = zone
        .files()
        .download(bearing("x.y.z", file("ada", "local", "/etc/passwd")))
        .await;
    assert_eq!(refusal(answer), nobody);
}
