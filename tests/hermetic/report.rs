//! `queuewatch report`: one page that is complete, loads nothing and runs nothing but its own script.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use queuewatch::drill::QueueFile;

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
    let place = format!(" --queue-directory {}", spool.path().display());
    let commands = format!(
        "<br><code>queuewatch status{place}; queuewatch shape deferred{place}; \
         queuewatch explain deferred.messages</code>"
    );
    assert!(verdict.contains(&commands), "{verdict}");
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

/// The part of a page with the heading that `id` names.
fn section<'p>(page: &'p str, id: &str) -> &'p str {
    let mark = format!("<section aria-labelledby=\"{id}\">");
    between(page, &mark, "</section>")
}

const NOW: i64 = 1_795_461_304;

/// Mail to as many unrelated destinations as there are letters; no server answers.
fn nobody_answers(letters: &str) -> Spool {
    let spool = Spool::empty();
    for letter in letters.chars() {
        let file = QueueFile::cleanup(NOW - 600, 0)
            .attribute("client_address", "192.0.2.7")
            .sender(b"anna@send.example");
        let (recipient, hop) = (
            format!("u@dest{letter}.example"),
            format!("mx.dest{letter}.example"),
        );
        let reason = format!("connect to {hop}[192.0.2.1]:25: Connection timed out");
        spool.defer(
            &format!("A0000{letter}X"),
            file,
            &recipient,
            "4.4.1",
            &reason,
        );
    }
    spool
}

#[test]
fn a_page_says_in_one_way_who_acts() {
    let spool = nobody_answers("ABCDEFGHIJKLM");
    let now = NOW.to_string();
    let page = report(&spool, &["--now", &now]);
    assert!(
        section(&page, "verdict").contains("unreachable is ours: 13 unrelated destinations"),
        "{page}"
    );
    assert!(
        section(&page, "causes").contains(
            ">unreachable</th><td class=\"n\" data-key=\"13\">13</td><td class=\"w\">us</td>"
        ),
        "{page}"
    );
    let messages = section(&page, "messages");
    assert_eq!(
        messages.matches(">unreachable, us<").count(),
        13,
        "{messages}"
    );
    // Few of them are the trouble of their owners.
    let page = report(&nobody_answers("ABC"), &["--now", &now]);
    assert!(page.contains(">unreachable, them<"), "{page}");
    assert!(!page.contains("unreachable, us"), "{page}");
}

/// The earlier check saw no such cause.
#[test]
fn a_new_cause_has_the_owner_that_the_verdict_names() {
    let spool = nobody_answers("ABCDEFGHIJKLM");
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    state_of(&spool, &state, NOW, &[]);
    let text = fs::read_to_string(&state).expect("a state");
    let mut document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    document["instances"][0]["causes"]["recipients"] = serde_json::json!({});
    fs::write(&state, document.to_string()).expect("written");
    let name = state.to_str().expect("UTF-8");
    let page = report(&spool, &["--now", &NOW.to_string(), "--since", name]);
    assert!(
        section(&page, "since").contains("unreachable, 13 recipients in deferred (who acts: us)"),
        "{page}"
    );
}

#[test]
fn the_oldest_messages_say_where_they_come_from_and_what_comes_next() {
    let spool = Spool::empty();
    let reason = "connect to mx.a.example[192.0.2.1]:25: Connection timed out";
    let of = |age: i64| QueueFile::cleanup(NOW - age, 0).sender(b"anna@send.example");
    let file = of(7200)
        .attribute("sasl_username", "anna")
        .attribute("client_address", "192.0.2.7");
    spool.defer("A000001", file, "u@a.example", "4.4.1", reason);
    let file = of(3600).attribute("client_address", "192.0.2.9");
    spool.defer("B000001", file, "u@a.example", "4.4.1", reason);
    let local = of(1800).todo(b"u@a.example").content(
        b"Received: by host.example (Postfix, from userid 33)\n\tid X; now\nSubject: x\n\nHello\n",
    );
    spool.write("hold/C000001", &local.build().bytes, 0o700);
    for (id, next) in [("A", NOW + 300), ("B", NOW - 5)] {
        let path = spool.path().join(format!("deferred/{id}/{id}000001"));
        let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(next as u64);
        let file = fs::File::options().write(true).open(path).expect("a file");
        file.set_modified(at).expect("a time");
    }
    let page = report(&spool, &["--now", &NOW.to_string()]);
    let messages = section(&page, "messages");
    let rows: Vec<&str> = messages.split("<tr>").skip(2).collect();
    for (row, parts) in rows.iter().zip([
        ["A000001", ">login anna<", ">in 5m<", ">in 4d 22h<"],
        ["B000001", ">client 192.0.2.9<", ">due<", ">in 4d 23h<"],
        ["C000001", ">user 33<", ">held<", ">-<"],
    ]) {
        for part in parts {
            assert!(row.contains(part), "{part}: {row}");
        }
    }
    assert_eq!(rows.len(), 3, "{messages}");
    // One instance needs no name.
    assert!(!messages.contains(">Instance<"), "{messages}");
    let origins = section(&page, "origins");
    assert!(
        origins.contains("1 message has neither login nor client")
            && origins.contains("queuewatch origins --by user"),
        "{origins}"
    );
    let page = report(&spool, &["--now", &NOW.to_string(), "--exclude", "hold"]);
    assert!(!page.contains("neither login nor client"), "{page}");
}

/// The oldest of all, whatever queue and hash directory they are in, and no more than 50.
#[test]
fn the_oldest_are_those_that_a_sorted_list_begins_with() {
    let spool = Spool::of_corpus("short-mixed");
    let now = taken_at("short-mixed").to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_queuewatch"))
        .args(["list", "--sort", "arrival", "--limit", "50", "--ids"])
        .arg("--queue-directory")
        .arg(spool.path())
        .output()
        .expect("it runs");
    let listed = String::from_utf8(output.stdout).expect("UTF-8");
    let page = report(&spool, &["--now", &now]);
    let messages = section(&page, "messages");
    let shown: Vec<&str> = messages
        .split("<code>")
        .skip(1)
        .map(|rest| rest.split_once('<').expect("its end").0)
        .collect();
    assert_eq!(shown, listed.lines().collect::<Vec<_>>());
}

/// The same queue ID in two instances is two messages, and the page says whose each is.
#[test]
fn messages_of_several_instances_name_theirs() {
    let folder = tempfile::tempdir().expect("a folder");
    let spools = ["one", "two"].map(|name| {
        let spool = nobody_answers("AB");
        let config = folder.path().join(name);
        fs::create_dir(&config).expect("a folder");
        let others = match name {
            "one" => format!(
                "multi_instance_directories = {}\n",
                folder.path().join("two").display()
            ),
            _ => String::new(),
        };
        let main_cf = format!(
            "queue_directory = {}\nmulti_instance_name = postfix-{name}\n{others}",
            spool.path().display()
        );
        fs::write(config.join("main.cf"), main_cf).expect("a main.cf");
        spool
    });
    let output = Command::new(env!("CARGO_BIN_EXE_queuewatch"))
        .args(["report", "--all-instances", "--now", &NOW.to_string(), "-c"])
        .arg(folder.path().join("one"))
        .output()
        .expect("it runs");
    let page = String::from_utf8(output.stdout).expect("UTF-8");
    let messages = section(&page, "messages");
    for name in ["one", "two"] {
        let row = format!("<code>A0000AX</code></th><td>postfix-{name}</td>");
        assert_eq!(messages.matches(&row).count(), 1, "{messages}");
    }
    assert!(messages.contains("The 4 oldest"), "{messages}");
    drop(spools);
}

/// One spool is the same whichever way its path is written, and the page has the words of `status`.
#[test]
fn a_spool_is_known_again_by_a_relative_path() {
    let spool = nobody_answers("AB");
    let folder = spool.path();
    let folder = folder.parent().expect("a folder");
    let state = folder.join("state");
    state_of(&spool, &state, NOW, &[]);
    let run = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_queuewatch"))
            .current_dir(folder)
            .args(words)
            .args(["--queue-directory", "spool/", "--now", &NOW.to_string()])
            .output()
            .expect("it runs");
        assert!(output.stderr.is_empty(), "{output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let page = run(&["report", "--since", "state"]);
    assert!(section(&page, "since").contains("The state was "), "{page}");
    let words = "no master runs on this spool, which may be a copy";
    assert!(section(&page, "queues").contains(words), "{page}");
    assert!(run(&["status"]).contains(words));
}
