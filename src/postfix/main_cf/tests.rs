//! Tables of values that are read and of values that are refused, each row tried on postconf of Postfix
//! 3.7.11; and hostile bytes.

use super::*;
use proptest::prelude::*;
use std::fmt::Write as _;

fn parse(text: &str) -> MainCf {
    MainCf::parse(text.as_bytes()).unwrap()
}

/// Expands `r = VALUE` along with some other settings.
fn expand(value: &str) -> Result<String> {
    let text = format!(
        "two = 2\nempty =\nalias = $two\nunset = $nope\nmoney = a$$two$${{two}}\nr = {value}\n"
    );
    let main_cf = parse(&text).with_config_directory(Path::new("/etc/postfix-out"));
    main_cf.text("r")
}

#[test]
fn lines_that_are_read() {
    for (text, value) in [
        ("r = a\n", "a"),
        ("r=a", "a"),
        ("r =\n", ""),
        ("r = \ta b\t \n", "a b"),
        ("r = a # b\n", "a # b"),
        ("r = a = b\n", "a = b"),
        ("r = a\n  =b\n", "a  =b"),
        ("# r = x\n  # y\n\n \t\nr = a\n", "a"),
        ("r = 1\n# c\n\n  2\n", "1  2"),
        ("r = 1\n  # c\n\t2\n", "1\t2"),
        ("r = 1\nq = 2\n  3\n", "1"),
        ("r =\n  1\n  2\n", "1  2"),
        ("r = a\r\n# c\r\n\r\nq = b\r\n", "a"),
        ("r = a\r\n  b\r\n", "a\r  b"),
        ("  lost\n  too\nr = a\n", "a"),
        (" # c\nr = a\n", "a"),
        ("r = a\nr = b\n", "b"),
        ("r = a\0b\n", "a"),
        ("R = x\nr = a\n", "a"),
        ("r = a\n\x0c b\n", "a\x0c b"),
    ] {
        assert_eq!(parse(text).get("r"), Some(value.as_bytes()), "{text:?}");
    }
    assert_eq!(parse("").get("r"), None);
    let latin1 = MainCf::parse(b"r = \xff\xfe\n").unwrap();
    assert_eq!(latin1.get("r"), Some(&b"\xff\xfe"[..]));
    assert_eq!(
        latin1.text("r").unwrap_err().to_string(),
        "r: expected UTF-8 text, found \"??\""
    );
}

#[test]
fn lines_that_are_refused() {
    for (text, message, offset) in [
        (
            "a = 1\nrelayhost\n",
            "line 2: expected name = value, found \"relayhost\"",
            6,
        ),
        (
            "= x\n",
            "line 1: expected a name before =, found \"= x\"",
            0,
        ),
        (
            "foo bar = a\n",
            "line 1: expected one name before =, found \"foo bar = a\"",
            0,
        ),
        ("\0a = 1\n", "line 1: expected name = value, found \"\"", 0),
        (
            "a = 1\n\n# c\nb\n  = 2\nc\n",
            "line 6: expected name = value, found \"c\"",
            19,
        ),
        (
            "\u{1b}[2J|",
            "line 1: expected name = value, found \"?[2J?\"",
            0,
        ),
    ] {
        let error = MainCf::parse(text.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Syntax);
        assert_eq!(
            error.to_string(),
            format!("{message}; Postfix refuses the whole file for this: correct the line")
        );
        assert_eq!(error.offset(), Some(offset), "{text:?}");
    }
    assert!(MainCf::parse(&vec![b'\n'; MAX_BYTES]).is_ok());
    assert!(MainCf::parse(&vec![b'\n'; MAX_BYTES + 1]).is_err());
}

#[test]
fn what_postfix_warns_of_is_kept() {
    for (text, warnings) in [
        ("a = 1\na = 1\n", &[][..]),
        (
            "a = 1\nb = 2\na = 3\n",
            &["line 3: a overrides its value of line 1"],
        ),
        (
            "  x\n  y\na = 1\n",
            &["line 1: \"  x  y\" continues no line and is ignored"],
        ),
        ("a = 1\0x\n", &["line 1: text after a null byte is ignored"]),
    ] {
        assert_eq!(parse(text).warnings(), warnings, "{text:?}");
    }
    let many = "a = 1\na = 2\n".repeat(50);
    assert_eq!(parse(&many).warnings().len(), MAX_WARNINGS + 1);
}

#[test]
fn values_that_expand() {
    for (value, expanded) in [
        ("", ""),
        ("plain", "plain"),
        ("$two ${two} $(two)", "2 2 2"),
        ("$two-1", "2-1"),
        ("$twofold|", "|"),
        ("$$two", "$two"),
        ("$money|${money}", "a$two${two}|a$two${two}"),
        ("$alias", "2"),
        ("${ two }", "2"),
        ("$nope|${nope}|${ }", "||"),
        ("${two?yes}${two:no}", "yes"),
        ("${empty?yes}${empty:no}", "no"),
        ("${nope?yes}${nope:no}", "no"),
        ("${unset?yes}${unset:no}", "yes"),
        ("${two??foo:{b}ar}", "?foo:{b}ar"),
        ("${two? x }z", " x z"),
        ("<${two?{ x } : { y }}>", "< x >"),
        ("${two ? {a} : {b} }x", "ax"),
        ("${empty?{a}:{b}}${empty?{a}}|", "b|"),
        ("${two?{a}:b}${nope?{a}:b}", "ab"),
        ("${two?$two$(two)}", "22"),
        ("${nope:{${two?{in}}}}", "in"),
        ("$(two?{a}:{b})", "a"),
        ("$(nope?})x", "x"),
        ("${nope:)}x${nope:$$}y", ")x$y"),
        ("${{$two} == {02}?{yes}:{no}}", "yes"),
        ("${{$two} == {02x}?{yes}:{no}}", "no"),
        (
            "${{10} > {9}?{num}:{text}}${{10a} > {9}?{num}:{text}}",
            "numtext",
        ),
        ("${{abc} < {abd}}|${{b} < {a}}|", "true||"),
        ("${{a } == {a}?{same}:{diff}}", "diff"),
        ("${{} == {}?{same}:{diff}}", "same"),
        ("${{1} < {2}:x}|${{2} < {1}:x}", "|x"),
        ("${ {1} != {1} ? {a} : {b} }", "b"),
        ("${{1} >= {1}}${{1} <= {1}}", "truetrue"),
        ("${{3.9} <level {3.10}?{lt}:{ge}}", "lt"),
        ("${{3.6} ==level {3.6.0}?{eq}:{ne}}", "eq"),
        ("$config_directory/x", "/etc/postfix-out/x"),
        ("$queue_directory", "/var/spool/postfix"),
        ("$syslog_name $smtputf8_enable", "postfix no"),
    ] {
        assert_eq!(expand(value).unwrap(), expanded, "{value}");
    }
}

#[test]
fn values_that_are_refused() {
    for (value, message) in [
        ("x$", "r: expected a name after $ in \"x$\""),
        ("x$-y", "r: expected a name after $ in \"x$-y\""),
        ("${}", "r: expected a name after $ in \"${}\""),
        ("${two", "r: unfinished name in \"${two\""),
        ("$(two}", "r: unfinished name in \"$(two}\""),
        ("${two?${x}", "r: unfinished name in \"${two?${x}\""),
        ("${two-x}", "r: expected a name, ? or : at \"two-x\""),
        ("${a b}", "r: expected a name, ? or : at \"a b\""),
        ("$((two))", "r: expected a name, ? or : at \"(two)\""),
        ("${two?{x}y}", "r: expected : at \"y\""),
        (
            "${two:{a}:{b}}",
            "r: expected the end of the expression at \":{b}\"",
        ),
        (
            "${nope:{a}{b}}",
            "r: expected the end of the expression at \"{b}\"",
        ),
        ("${{1} < {2} x}", "r: expected ? or : at \"x\""),
        ("${{1} < 2}", "r: expected {text} at \"2\""),
        ("${{1}={2}}", "r: expected == != < <= >= or > at \"={2}\""),
        ("${{1}}", "r: expected == != < <= >= or > at \"\""),
        ("${{1} <foo {2}}", "r: unknown operator \"?foo {2}\""),
        (
            "${{99999999999999999999} == {1}}",
            "r: number out of range \"99999999999999999999\"",
        ),
        (
            "${{3.x} <level {1}}",
            "r: expected a compatibility level, found \"3.x\"",
        ),
        (
            "$r",
            "r: names are nested deeper than 100 (one refers to itself?) at \"$r\"",
        ),
        (
            "${{$r} == {x}}",
            "r: names are nested deeper than 100 (one refers to itself?) at \"$r\"",
        ),
    ] {
        let error = expand(value).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Syntax, "{value}");
        assert_eq!(error.to_string(), message, "{value}");
    }
}

#[test]
fn what_cannot_be_known_is_named_and_not_guessed() {
    for (value, name) in [
        ("/spool/$mail_version", "mail_version"),
        ("$daemon_directory", "daemon_directory"),
        ("${myhostname?x}", "myhostname"),
        ("${{$process_id} == {1}}", "process_id"),
        (
            "$slow_destination_rate_delay",
            "slow_destination_rate_delay",
        ),
    ] {
        let error = expand(value).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(
            error.to_string(),
            format!(
                "r: cannot expand ${name}: main.cf does not set it, and its default depends on how \
                 Postfix was built, on this host or on the process; set {name} in main.cf, or do \
                 without it there"
            )
        );
    }
    let error = parse("").expand("config_directory").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(
        expand("${tolower{X}}").unwrap_err().kind(),
        ErrorKind::Unsupported
    );
    assert!(parse("").expand("spool_root").unwrap().is_none());
    assert_eq!(
        parse("").text("spool_root").unwrap_err().kind(),
        ErrorKind::NotFound
    );
    // A setting in the file makes it known.
    let main_cf =
        parse("mail_version = 3\nconfig_directory = /x\nr = $mail_version$config_directory\n")
            .with_config_directory(Path::new("/y"));
    assert_eq!(main_cf.text("r").unwrap(), "3/x");
}

#[test]
fn nesting_reaches_as_deep_as_in_postfix_and_no_deeper() {
    let chain = |length: usize| {
        let mut text = format!("u{length} = end\n");
        for n in 0..length {
            writeln!(text, "u{n} = $u{}", n + 1).unwrap();
        }
        parse(&text).text("u0")
    };
    assert_eq!(chain(100).unwrap(), "end");
    assert!(chain(101).is_err());
}

#[test]
fn a_short_file_cannot_make_long_work() {
    // Each line doubles the one before: 2^60 bytes, or 2^60 empty steps.
    for leaf in ["x", ""] {
        let mut text = format!("u60 = {leaf}\n");
        for n in 0..60 {
            writeln!(text, "u{n} = $u{0}$u{0}", n + 1).unwrap();
        }
        assert_eq!(
            parse(&text).expand("u0").unwrap_err().kind(),
            ErrorKind::Syntax
        );
    }
}

#[test]
fn typed_values_that_are_read() {
    let main_cf = parse(
        "queue_run_delay = 5\nmaximal_queue_lifetime = 2\nd = 1h\ndelay_warning_time = $d\n\
         hash_queue_depth = 2\nmessage_size_limit = 0\nenable_long_queue_ids = YES\n\
         hash_queue_names = , deferred,\n  hold,, defer\n",
    );
    assert_eq!(main_cf.seconds("queue_run_delay").unwrap(), 5);
    assert_eq!(main_cf.seconds("maximal_queue_lifetime").unwrap(), 172_800);
    assert_eq!(main_cf.seconds("delay_warning_time").unwrap(), 3_600);
    assert_eq!(main_cf.seconds("maximal_backoff_time").unwrap(), 4_000);
    assert_eq!(main_cf.integer("hash_queue_depth").unwrap(), 2);
    assert_eq!(main_cf.integer("message_size_limit").unwrap(), 0);
    assert_eq!(
        main_cf.integer("qmgr_message_active_limit").unwrap(),
        20_000
    );
    assert!(main_cf.boolean("enable_long_queue_ids").unwrap());
    assert!(!main_cf.boolean("multi_instance_enable").unwrap());
    assert_eq!(
        main_cf.list("hash_queue_names").unwrap(),
        [&b"deferred"[..], b"hold", b"defer"]
    );
    assert_eq!(
        main_cf.path("queue_directory").unwrap(),
        Path::new("/var/spool/postfix")
    );
}

#[test]
fn typed_values_that_are_refused() {
    let main_cf = parse(
        "queue_run_delay = 5x\nminimal_backoff_time = 0\nmaximal_queue_lifetime = 101d\n\
         hash_queue_depth = 0\nmessage_size_limit = -1\nqueue_minfree = 10k\n\
         enable_long_queue_ids = 1\nqmgr_message_active_limit = 2147483648\n",
    );
    let time = |name| main_cf.seconds(name).unwrap_err().to_string();
    let integer = |name| main_cf.integer(name).unwrap_err().to_string();
    for (message, expected) in [
        (
            time("queue_run_delay"),
            "queue_run_delay: expected a time such as 300s, 5m, 4h, 5d or 2w, found \"5x\"",
        ),
        (
            time("minimal_backoff_time"),
            "minimal_backoff_time: 0 seconds is less than 1, which Postfix refuses",
        ),
        (
            time("maximal_queue_lifetime"),
            "maximal_queue_lifetime: 8726400 seconds is more than 8640000, which Postfix refuses",
        ),
        (time("mail_owner"), "mail_owner is not known to be a time"),
        (
            integer("hash_queue_depth"),
            "hash_queue_depth: 0 is less than 1, which Postfix refuses",
        ),
        (
            integer("message_size_limit"),
            "message_size_limit: -1 is less than 0, which Postfix refuses",
        ),
        (
            integer("queue_minfree"),
            "queue_minfree: expected a number, found \"10k\"",
        ),
        (
            integer("qmgr_message_active_limit"),
            "qmgr_message_active_limit: 2147483648 is more than 2147483647, which Postfix refuses",
        ),
        (
            main_cf
                .boolean("enable_long_queue_ids")
                .unwrap_err()
                .to_string(),
            "enable_long_queue_ids: expected yes or no, found \"1\"",
        ),
    ] {
        assert_eq!(message, expected);
    }
}

/// Text that resembles main.cf more often than random bytes do.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let token = prop::sample::select(vec![
        "a",
        "b",
        "c",
        "$",
        "$$",
        "${",
        "$(",
        "{",
        "}",
        "(",
        ")",
        "?",
        ":",
        " ",
        "\n",
        "\n ",
        "=",
        "==",
        "<",
        ">=",
        "level",
        "1",
        "99999999999999999999",
        "#",
        "\r\n",
        "\0",
        "\u{fc}",
        "\na=",
        "\nb=",
        "\nc=",
        "mail_version",
        "queue_directory",
    ]);
    let token = prop_oneof![
        8 => token.prop_map(|text| text.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..4),
    ];
    proptest::collection::vec(token, 0..80).prop_map(|tokens| tokens.concat())
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in soup()) {
        let mut bytes = bytes;
        bytes.splice(..0, *b"a = ");
        if let Ok(main_cf) = MainCf::parse(&bytes) {
            for name in ["a", "b", "c", "queue_directory", ""] {
                if let Ok(Some(value)) = main_cf.expand(name) {
                    prop_assert!(value.len() <= MAX_EXPANDED);
                }
            }
            let _ = (main_cf.seconds("queue_run_delay"), main_cf.list("a"), main_cf.text("b"));
        }
    }

    #[test]
    fn numbers_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..30), unit: u8) {
        let _ = (value::seconds(&bytes, unit), value::integer(&bytes), value::boolean(&bytes));
    }
}
