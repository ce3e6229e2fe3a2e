//! `queuewatch report`: one page that is complete, loads nothing and runs nothing but its own script.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::support::spool::{Spool, taken_at};

fn report(spool: &Spool, more: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_queuewatch"))
        .args(["report", "--queue-directory"])
        .arg(spool.path())
        .args(more)
        .output()
        .expect("it runs");
    assert!(matches!(output.status.code(), Some(0 | 4)), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The part of `text` between two marks.
fn between<'t>(text: &'t str, from: &str, to: &str) -> &'t str {
    let (_, rest) = text
        .split_once(from)
        .unwrap_or_else(|| panic!("{from} is in the page"));
    rest.split_once(to).expect(to).0
}

#[test]
fn a_page_says_what_is_in_the_queues() {
    let spool = Spool::of_corpus("short-mixed");
    let now = taken_at("short-mixed").to_string();
    let page = report(
        &spool,
        &["--now", &now, "--critical", "deferred.messages=100"],
    );
    let verdict = between(&page, "<section aria-labelledby=\"verdict\">", "</section>");
    assert!(
        verdict.contains("deferred.messages is 194 (critical 100)"),
        "{verdict}"
    );
    let queues = between(&page, "<section aria-labelledby=\"queues\">", "</section>");
    assert!(
        queues.contains(">deferred</th><td class=\"n\" data-key=\"194\">194</td>"),
        "{queues}"
    );
    let ages = between(&page, "<section aria-labelledby=\"ages\">", "</section>");
    assert!(
        ages.contains(">alpha.example</th><td class=\"n\" data-key=\"113\">113</td>"),
        "{ages}"
    );
    let causes = between(&page, "<section aria-labelledby=\"causes\">", "</section>");
    assert!(causes.contains(">greylisted</th>"), "{causes}");
    let messages = between(
        &page,
        "<section aria-labelledby=\"messages\">",
        "</section>",
    );
    assert_eq!(
        messages.matches("<tr><th scope=\"row\">").count(),
        50,
        "{messages}"
    );
    let times = between(&page, "<section aria-labelledby=\"times\">", "</section>");
    assert!(
        times.contains("<svg ") && times.contains("role=\"img\""),
        "{times}"
    );
}

#[test]
fn an_empty_queue_has_a_page() {
    let page = report(&Spool::empty(), &[]);
    assert!(page.contains("Everything was read."), "{page}");
    assert!(page.ends_with("</html>\n"), "{page}");
}

#[test]
fn the_page_loads_nothing_and_its_policy_permits_its_own_script_alone() {
    let page = report(&Spool::of_corpus("odd"), &[]);
    let policy = between(&page, "Content-Security-Policy\" content=\"", "\"");
    assert!(policy.starts_with("default-src 'none'; "), "{policy}");
    let permitted = between(policy, "script-src 'sha256-", "'");
    let script = between(&page, "<script>", "</script>");
    let mut hash = Command::new("sh")
        .args([
            "-c",
            "sha256sum | cut -d ' ' -f 1 | tr a-f A-F | basenc --base16 --decode | base64",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sh runs");
    let mut input = hash.stdin.take().expect("piped");
    input.write_all(script.as_bytes()).expect("written");
    drop(input);
    let hash = hash.wait_with_output().expect("coreutils run");
    assert_eq!(String::from_utf8_lossy(&hash.stdout).trim(), permitted);
    assert_eq!(page.matches("<script").count(), 1);
    for loads in [
        " src=",
        "<link",
        "<img",
        "<iframe",
        "@import",
        "url(",
        " onerror=",
        "javascript:",
    ] {
        assert!(!page.contains(loads), "{loads}");
    }
}

#[test]
fn a_file_is_replaced_and_belongs_to_its_owner_alone() {
    use std::os::unix::fs::MetadataExt as _;
    let spool = Spool::of_corpus("odd");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("report.html");
    let name = file.to_str().expect("UTF-8");
    assert_eq!(report(&spool, &["--output", name]), "");
    let page = fs::read_to_string(&file).expect("a page");
    assert!(page.starts_with("<!DOCTYPE html>"));
    assert_eq!(fs::metadata(&file).expect("a page").mode() & 0o777, 0o600);
}
