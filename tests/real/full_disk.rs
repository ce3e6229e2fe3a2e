//! `queuewatch watch --report` on a file system that is full: the old page stays, and the watch goes on.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::soak::Mounted;
use crate::support::running::{Running, wait_for};
use crate::support::spool::Spool;

const PATIENCE: Duration = Duration::from_secs(60);
/// The row of hold in the page, with its count of messages.
const SEVEN: &str = ">hold</th><td class=\"n\" data-key=\"7\">7</td>";
const SIX: &str = ">hold</th><td class=\"n\" data-key=\"6\">6</td>";

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_page_stays_on_a_full_disk_and_is_renewed_when_there_is_space() {
    let spool = Spool::of_corpus("short-mixed");
    let folder = tempfile::tempdir().unwrap();
    let web = folder.path().join("web");
    fs::create_dir(&web).unwrap();
    let _mounted = Mounted::tmpfs(&web, "1m");
    let page = web.join("queue.html");
    let complaints = folder.path().join("complaints");
    let mut watch = Running(
        Command::new(env!("CARGO_BIN_EXE_queuewatch"))
            .args(["watch", "--report-interval", "1", "--report"])
            .arg(&page)
            .arg("--queue-directory")
            .arg(spool.path())
            .stdout(Stdio::null())
            .stderr(File::create(&complaints).unwrap())
            .spawn()
            .unwrap(),
    );
    let shows = |text: &str| fs::read_to_string(&page).is_ok_and(|page| page.contains(text));
    wait_for("page", PATIENCE, || shows(SEVEN));

    let mut ballast = File::create(web.join("ballast")).unwrap();
    let mut fill = || while ballast.write_all(&[0; 512]).is_ok() {};
    fill();
    let message = fs::read_dir(spool.path().join("hold"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.is_file())
        .unwrap();
    let active = spool.path().join("active");
    fs::rename(&message, active.join(message.file_name().unwrap())).unwrap();
    let said = || fs::read_to_string(&complaints).unwrap();
    wait_for("complaint", PATIENCE, || {
        // A page that was under way gives space back.
        fill();
        !said().is_empty()
    });
    let expected = format!(
        "queuewatch: --report: cannot write {}: no space left on device (ENOSPC)",
        page.display()
    );
    assert!(said().starts_with(&expected), "{}", said());
    let old = fs::read_to_string(&page).unwrap();
    assert!(
        old.starts_with("<!DOCTYPE html>") && old.ends_with("</html>\n"),
        "{old}"
    );
    assert!(old.contains(SEVEN), "{old}");
    wait_for("end of the attempt", PATIENCE, || {
        names(&web) == ["ballast", "queue.html"]
    });
    assert!(watch.0.try_wait().unwrap().is_none(), "{}", said());

    fs::remove_file(web.join("ballast")).unwrap();
    drop(ballast);
    wait_for("new page", PATIENCE, || shows(SIX));
    assert_eq!(said().lines().count(), 1, "{}", said());
}
