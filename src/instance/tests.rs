//! Tests with generated instances: which are found, which are rejected, and that a broken instance hides
//! no other.

use super::*;
use crate::error::ErrorKind;
use crate::escape;
use crate::postfix::main_cf::MAX_BYTES;
use std::fs;
use tempfile::TempDir;

/// Configuration directories below one root; `ROOT` in a text stands for its path.
struct Etc(TempDir);

impl Etc {
    fn new(files: &[(&str, &str)]) -> Etc {
        let etc = Etc(tempfile::tempdir().unwrap());
        for (directory, text) in files {
            let directory = etc.path(directory);
            fs::create_dir_all(&directory).unwrap();
            let text = text.replace("ROOT", etc.0.path().to_str().unwrap());
            fs::write(directory.join("main.cf"), text).unwrap();
        }
        etc
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn find(&self, selection: &Selection) -> Result<Vec<Result<Instance>>> {
        find(selection, Some(self.path("postfix").as_os_str()))
    }

    /// `name queue_directory` for each instance, or the error with `ROOT` put back.
    fn lines(&self, selection: &Selection) -> Vec<String> {
        let root = self.0.path().to_str().unwrap();
        let line = |found: Result<Instance>| match found {
            Ok(found) => format!("{} {}", found.name, found.queue_directory.display()),
            Err(error) => error.to_string(),
        };
        match self.find(selection) {
            Ok(list) => list.into_iter().map(line).collect::<Vec<_>>(),
            Err(error) => vec![format!("none: {error}")],
        }
        .into_iter()
        .map(|line| line.replace(root, "ROOT"))
        .collect()
    }
}

fn three() -> Etc {
    Etc::new(&[
        (
            "postfix",
            "multi_instance_directories = ROOT/postfix-in, ROOT/postfix-out\n",
        ),
        (
            "postfix-in",
            "multi_instance_name = postfix-in\nqueue_directory = /srv/$multi_instance_name\n\
             multi_instance_enable = yes\n",
        ),
        (
            "postfix-out",
            "multi_instance_name = postfix-out\nqueue_directory = $config_directory/spool\n",
        ),
    ])
}

fn spool(queue_directory: &str, config_directory: Option<PathBuf>) -> Selection {
    Selection::QueueDirectory {
        queue_directory: queue_directory.into(),
        config_directory,
    }
}

fn names(names: &[&str]) -> Selection {
    Selection::Named(None, names.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn selections_that_find() {
    let etc = three();
    for (selection, lines) in [
        (Selection::Default, &["postfix /var/spool/postfix"][..]),
        (
            Selection::All(None),
            &[
                "postfix /var/spool/postfix",
                "postfix-in /srv/postfix-in",
                "postfix-out ROOT/postfix-out/spool",
            ],
        ),
        (
            names(&["postfix-out", "postfix-in"]),
            &[
                "postfix-in /srv/postfix-in",
                "postfix-out ROOT/postfix-out/spool",
            ],
        ),
        (
            Selection::ConfigDirectory(etc.path("postfix-in")),
            &["postfix-in /srv/postfix-in"],
        ),
        (spool("/no/such/spool", None), &["postfix /no/such/spool"]),
    ] {
        assert_eq!(etc.lines(&selection), lines, "{selection:?}");
    }
}

#[test]
fn what_an_instance_carries() {
    let etc = three();
    let all = etc.find(&Selection::All(None)).unwrap();
    let enabled: Vec<bool> = all
        .iter()
        .map(|found| found.as_ref().unwrap().settings.multi_instance_enable)
        .collect();
    assert_eq!(enabled, [false, true, false]);
    let second = all[1].as_ref().unwrap();
    assert_eq!(second.config_directory, Some(etc.path("postfix-in")));
    assert_eq!(second.warnings, [""; 0]);

    let lone = Etc::new(&[("postfix", "queue_run_delay = x\na = 1\na = 2\n")]);
    let found = lone.find(&Selection::Default).unwrap().remove(0).unwrap();
    assert!(found.settings.multi_instance_enable);
    let place = lone.path("postfix/main.cf");
    assert_eq!(
        found.warnings,
        [
            format!(
                "{}: line 3: a overrides its value of line 2",
                place.display()
            ),
            format!(
                "{}: queue_run_delay: expected a time such as 300s, 5m, 4h, 5d or 2w, found \"x\"; \
                 Postfix's default 300s is assumed",
                place.display()
            ),
        ]
    );

    let spool = find(&spool("/spool", None), None).unwrap();
    let spool = spool.into_iter().next().unwrap().unwrap();
    assert_eq!(spool.config_directory, None);
    assert_eq!(spool.settings, Settings::default());
}

#[test]
fn selections_that_find_nothing_at_all() {
    let etc = three();
    assert_eq!(
        etc.lines(&names(&["postfix", "postfix-x"])),
        ["none: no instance is named postfix-x: known are postfix, postfix-in, postfix-out"]
    );
    assert_eq!(
        etc.find(&names(&[])).unwrap_err().kind(),
        ErrorKind::Invalid
    );
    let error = etc.find(&names(&["x"])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);

    let empty = Etc::new(&[]);
    let missing = "none: cannot open ROOT/postfix/main.cf: no such file or directory (ENOENT); name \
                   the configuration directory (\"config-directory\") or the spool (\"queue-directory\")";
    for selection in [
        Selection::Default,
        Selection::All(None),
        names(&["postfix"]),
    ] {
        assert_eq!(empty.lines(&selection), [missing]);
    }

    let bad = Etc::new(&[("postfix", "queue_directory\n")]);
    assert_eq!(
        bad.lines(&Selection::All(None)),
        [
            "none: ROOT/postfix/main.cf: line 1: expected name = value, found \
          \"queue_directory\"; Postfix refuses the whole file for this: correct the line"
        ]
    );

    let odd = Etc::new(&[]);
    fs::create_dir_all(odd.path("postfix/main.cf")).unwrap();
    assert_eq!(
        odd.lines(&Selection::Default),
        ["none: ROOT/postfix/main.cf is not a regular file"]
    );

    let huge = Etc::new(&[("postfix", "")]);
    fs::write(huge.path("postfix/main.cf"), vec![b'\n'; MAX_BYTES + 1]).unwrap();
    assert_eq!(
        huge.lines(&Selection::Default),
        ["none: ROOT/postfix/main.cf: larger than 4194304 bytes: no main.cf"]
    );
}

#[test]
fn one_broken_instance_hides_no_other() {
    let etc = Etc::new(&[
        (
            "postfix",
            "multi_instance_directories = ROOT/gone ROOT/syntax relative\n  ROOT/version ROOT/twin \
             ROOT/dot ROOT/fine\nqueue_directory = /srv/$mail_version\n",
        ),
        ("syntax", "queue_directory\n"),
        (
            "version",
            "multi_instance_name = postfix-v\nqueue_directory = /srv/${mail_version?x}\n",
        ),
        (
            "twin",
            "multi_instance_name = postfix-t\nqueue_directory = /srv/fine\n",
        ),
        ("dot", "queue_directory = spool\n"),
        (
            "fine",
            "multi_instance_name = postfix-f\nqueue_directory = /srv/fine\n",
        ),
    ]);
    let unknown = "cannot expand $mail_version: main.cf does not set it, and its default depends on \
                   how Postfix was built, on this host or on the process; correct main.cf, or name \
                   the spool itself (\"queue-directory\")";
    assert_eq!(
        etc.lines(&Selection::All(None)),
        [
            format!("ROOT/postfix/main.cf: queue_directory: {unknown}"),
            "cannot open ROOT/gone/main.cf: no such file or directory (ENOENT); name the \
             configuration directory (\"config-directory\") or the spool (\"queue-directory\")"
                .to_owned(),
            "ROOT/syntax/main.cf: line 1: expected name = value, found \"queue_directory\"; Postfix \
             refuses the whole file for this: correct the line"
                .to_owned(),
            "ROOT/postfix/main.cf: multi_instance_directories: expected absolute paths, found \
             \"relative\""
                .to_owned(),
            format!("ROOT/version/main.cf: queue_directory: {unknown}"),
            "postfix-t /srv/fine".to_owned(),
            "ROOT/dot/main.cf: queue_directory: expected an absolute path, found \"spool\"; correct \
             main.cf, or name the spool itself (\"queue-directory\")"
                .to_owned(),
            "ROOT/fine/main.cf: queue_directory /srv/fine is already that of ROOT/twin/main.cf; give \
             each instance its own queue_directory"
                .to_owned(),
        ]
    );
    // A known name with a broken instance gives that instance's error, not an unknown name.
    assert_eq!(
        etc.lines(&names(&["postfix-v", "postfix-t"])),
        [
            format!("ROOT/version/main.cf: queue_directory: {unknown}"),
            "postfix-t /srv/fine".to_owned()
        ]
    );
    let lines = etc.lines(&names(&["nobody"]));
    assert!(
        lines[0].starts_with(
            "none: no instance is named nobody: known are postfix, postfix-v, postfix-t, \
             postfix-f; one more could not be read: cannot open ROOT/gone/main.cf"
        ),
        "{lines:?}"
    );
}

#[test]
fn instances_of_one_name_make_a_warning() {
    let etc = Etc::new(&[
        ("postfix", "multi_instance_directories = ROOT/second\n"),
        ("second", "queue_directory = /srv/second\n"),
    ]);
    let all = etc.find(&Selection::All(None)).unwrap();
    let second = all[1].as_ref().unwrap();
    assert_eq!(second.name, escape::path(&etc.path("second")));
    assert_eq!(second.warnings.len(), 1);
    assert!(second.warnings[0].contains("its name postfix is also that of"));
}
