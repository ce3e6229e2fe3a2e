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
    // What to run is a command as it is typed, without the words around it.
    assert!(
        verdict.contains(
            "<br><code>queuewatch status; queuewatch shape deferred; queuewatch explain deferred.messages</code>"
        ),
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
        messages.matches("<tr><th scope=\"row\"").count(),
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

/// The state file of a check of `spool` at the second `now`.
fn state_of(spool: &Spool, file: &std::path::Path, now: i64, more: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_check_postfix_queue"))
        .arg("--queue-directory")
        .arg(spool.path())
        .args(["--now", &now.to_string(), "--state"])
        .arg(file)
        .args(more)
        .output()
        .expect("it runs");
    assert!(
        output.status.code().is_some_and(|code| code < 3),
        "{output:?}"
    );
}

#[test]
fn a_page_says_what_changed_since_a_check() {
    let spool = Spool::of_corpus("short-mixed");
    let now = taken_at("short-mixed");
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let name = state.to_str().expect("UTF-8");
    state_of(&spool, &state, now - 600, &["-c", "deferred.messages=1000"]);
    for one in fs::read_dir(spool.path().join("hold"))
        .expect("hold")
        .take(3)
    {
        fs::remove_file(one.expect("a file").path()).expect("it goes");
    }
    let shown_at = now.to_string();
    // Both checks are of one boot: its clock says less than a second between them.
    let text = fs::read_to_string(&state).expect("a state");
    let mut document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    document["boot"] = serde_json::Value::Null;
    let before = document.to_string();
    fs::write(&state, &before).expect("written");
    let words = ["--now", &shown_at, "--critical", "deferred.messages=100"];
    let page = report(&spool, &[&words[..], &["--since", name]].concat());
    let since = between(&page, "<section aria-labelledby=\"since\">", "</section>");
    assert!(
        since.contains("The state was OK at ") && since.contains(", 10m ago, and is CRITICAL now."),
        "{since}"
    );
    assert!(
        since.contains(
            ">hold</th><td class=\"n\" data-key=\"7\">7</td><td class=\"n\" data-key=\"4\">4</td>\
             <td class=\"n\" data-key=\"-3\">-3</td><td class=\"n\" data-key=\"-30\">-0.3/min</td>"
        ),
        "{since}"
    );
    // The check had no rule about causes, so it did not read them.
    assert!(
        since.contains("did not read why deferred mail waits"),
        "{since}"
    );
    // A report changes no state, and without the option the page has no such part.
    assert_eq!(fs::read_to_string(&state).expect("a state"), before);
    assert!(!report(&spool, &words).contains("id=\"since\""));
}

#[test]
fn a_page_names_causes_that_are_new_and_that_have_gone() {
    let spool = Spool::of_corpus("short-mixed");
    let now = taken_at("short-mixed");
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let name = state.to_str().expect("UTF-8");
    state_of(&spool, &state, now, &[]);
    let text = fs::read_to_string(&state).expect("a state");
    let mut document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let causes = &mut document["instances"][0]["causes"];
    assert!(
        causes["recipients"]["greylisted"].as_u64() > Some(0),
        "{causes}"
    );
    let now = now.to_string();
    let words = ["--now", &now, "--since", name];
    let same = report(&spool, &words);
    assert!(
        same.contains("The causes of deferred mail are the same."),
        "{same}"
    );
    causes["recipients"] = serde_json::json!({"storage": 7});
    causes["sampled"] = true.into();
    fs::write(&state, document.to_string()).expect("written");
    let page = report(&spool, &words);
    let since = between(&page, "<section aria-labelledby=\"since\">", "</section>");
    for part in [
        "New cause: greylisted, ",
        "Gone: storage, which 7 recipients had.",
        "The earlier check read a sample",
    ] {
        assert!(since.contains(part), "{part}: {since}");
    }
}

#[test]
fn a_state_that_says_nothing_about_the_spool_is_refused() {
    let spool = Spool::of_corpus("odd");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("state");
    let name = file.to_str().expect("UTF-8");
    let other = Spool::empty();
    state_of(
        &other,
        &folder.path().join("other"),
        1_795_461_304,
        &["--exclude", "hold"],
    );
    let foreign = fs::read(folder.path().join("other")).expect("a state");
    for (content, code, part) in [
        (None, 1, "there is no "),
        (Some(&b""[..]), 2, "not a state of queuewatch"),
        (Some(b"<html>"), 2, "not a state of queuewatch"),
        (
            Some(&foreign),
            2,
            "belongs to other spools; name the state of a check of this spool",
        ),
    ] {
        if let Some(content) = content {
            fs::write(&file, content).expect("written");
        }
        let output = Command::new(env!("CARGO_BIN_EXE_queuewatch"))
            .args(["report", "--since", name, "--queue-directory"])
            .arg(spool.path())
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(part) && said.contains("--since"), "{said}");
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(output.stdout.is_empty());
    }
}
