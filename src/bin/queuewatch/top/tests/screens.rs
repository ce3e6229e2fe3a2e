//! What is drawn, and what keys do to it.

use super::*;

#[test]
fn the_first_screen_of_a_sick_and_of_a_healthy_queue() {
    let color = Look {
        color: true,
        ..LOOK
    };
    for (state, seen) in [("sick", Seen::sick()), ("healthy", Seen::healthy())] {
        let mut model = seen.model();
        for (width, height) in [(80, 24), (200, 60)] {
            let plain = drawn(&mut model, LOOK, width, height);
            let name = format!("{state}-{width}x{height}");
            compare(&name, &(text(&plain) + &styles(&plain)));
            let colored = drawn(&mut model, color, width, height);
            assert_eq!(text(&plain), text(&colored), "a colour changes no text");
            compare(&format!("{name}-color"), &styles(&colored));
        }
        let ascii = Look {
            utf8: false,
            ..LOOK
        };
        let shown = text(&drawn(&mut model, ascii, 80, 24));
        assert!(shown.is_ascii(), "{shown}");
    }
}

#[test]
fn pages_lie_over_the_first_screen() {
    let seen = Seen::sick();
    let mut model = seen.model();
    let screen = |model: &mut Model| text(&drawn(model, LOOK, 80, 24));
    let first = screen(&mut model);
    seen.press(&mut model, &[Key::Tab, Key::Down, Key::Enter]);
    compare("list-80x24", &screen(&mut model));
    compare("list-200x60", &text(&drawn(&mut model, LOOK, 200, 60)));
    seen.press(&mut model, &[Key::Char('y')]);
    compare("commands-80x24", &screen(&mut model));
    seen.press(&mut model, &[Key::Escape, Key::Enter]);
    assert!(screen(&mut model).contains("4B00000000 in deferred"));
    seen.press(
        &mut model,
        &[Key::Escape, Key::Backspace, Key::Up, Key::BackTab],
    );
    assert_eq!(screen(&mut model), first);
    seen.press(&mut model, &[Key::Char('?')]);
    compare("help-80x24", &screen(&mut model));
    seen.press(&mut model, &[Key::Escape, Key::Char('w')]);
    compare("why-80x24", &screen(&mut model));
    seen.press(&mut model, &[Key::Escape]);
    assert_eq!(screen(&mut model), first);
}

#[test]
fn before_the_first_look_progress_is_shown() {
    let mut model = Model::new(Where::default());
    assert!(model.is_reading());
    model.reached = 12_345;
    let shown = text(&drawn(&mut model, LOOK, 80, 24));
    assert!(
        shown.contains("reading the queues: 12345 files so far"),
        "{shown}"
    );
    // There is nothing to open, and nothing breaks.
    for key in "\tsyzfw/"
        .chars()
        .map(Key::Char)
        .chain([Key::Enter, Key::Tab])
    {
        model.press(key);
        drawn(&mut model, LOOK, 80, 24);
    }
}

#[test]
fn a_row_opens_its_messages_with_the_words_of_list() {
    let seen = Seen::sick();
    let mut model = seen.model();
    let opens = |model: &mut Model, keys: &[Key]| {
        seen.press(model, keys);
        let asked = model.press(Key::Enter);
        model.press(Key::Escape);
        match asked {
            Some(Ask::List(filter, _)) => filter.text(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(opens(&mut model, &[]), seen.sums.queues[0].name());
    assert_eq!(opens(&mut model, &[Key::End]), "");
    assert_eq!(
        opens(&mut model, &[Key::Char('2')]),
        format!("--domain {}", seen.tables.domains[0].text)
    );
    assert_eq!(
        opens(&mut model, &[Key::Char('3'), Key::Down]),
        format!(
            "--cause {} --next-hop {}",
            seen.tables.causes[1].cause.name(),
            seen.tables.causes[1].hop
        )
    );
    let origin = &seen.tables.origins[0];
    assert_eq!(
        opens(&mut model, &[Key::Char('4')]),
        format!("--{} {}", origin.filter, origin.text)
    );
}

/// A message may wait for several reasons: the line is about the one that the filter names.
#[test]
fn a_line_is_about_the_recipient_that_the_filter_names() {
    let seen = Seen::sick();
    let sort = queuewatch::listing::Sort::Arrival;
    for row in seen.tables.causes.iter().take(20) {
        let cause = row.cause.name();
        let filter = Filter::of(&[b"--cause", cause.as_bytes()]);
        let found = reader::messages(&seen.options, &filter, sort).unwrap();
        assert!(!found.lines.is_empty(), "{cause}");
        for line in &found.lines {
            assert_eq!(line.cells[6], cause, "{line:?}");
        }
    }
}

/// What a filter of the first screen lists is what the row counts.
#[test]
fn a_list_has_the_messages_that_the_row_counts() {
    let seen = Seen::sick();
    for (place, row) in seen.sums.queues.iter().enumerate().take(3) {
        let filter = Filter::of(&[row.name().as_bytes()]);
        let sort = queuewatch::listing::Sort::Arrival;
        let found = reader::messages(&seen.options, &filter, sort).unwrap();
        let listed = found.lines.len() as u64;
        assert_eq!(listed, row.messages, "row {place}");
        let ids: std::collections::HashSet<_> =
            found.lines.iter().map(MessageLine::queue_id).collect();
        assert_eq!(ids.len() as u64, listed);
    }
    let id = reader::messages(
        &seen.options,
        &Filter::parse("deferred").unwrap(),
        queuewatch::listing::Sort::Size,
    )
    .unwrap();
    let mut message = id.lines[0].message();
    let id = id.lines[0].queue_id().to_owned();
    let story = reader::story(&seen.options, &message).unwrap();
    assert_eq!(story[0], format!("{id} in deferred"));
    message.queue_id = b"0000000000".to_vec();
    let gone = reader::story(&seen.options, &message).unwrap();
    assert!(gone[0].contains("in no queue any more"), "{gone:?}");
}

#[test]
fn the_choice_stays_with_its_name_and_a_frozen_screen_stays() {
    let seen = Seen::sick();
    let mut model = seen.model();
    seen.press(&mut model, &[Key::Tab, Key::Down, Key::Down]);
    let chosen = seen.tables.domains[2].clone();
    let mut grown = seen.tables.clone();
    grown.domains[2].cells[0] = 1_000_000;
    model.look(seen.sums.clone(), Some(grown.clone()));
    assert_eq!(model.panes[Pane::Domains as usize].chosen, 0);
    assert_eq!(model.tables.as_ref().unwrap().domains[0].name, chosen.name);

    let before = text(&drawn(&mut model, LOOK, 80, 24));
    model.press(Key::Char('f'));
    let mut sums = seen.sums.clone();
    sums.queues[0].cells[0] = "98765".to_owned();
    sums.reason = "something else".to_owned();
    model.look(sums, Some(seen.tables.clone()));
    let frozen = text(&drawn(&mut model, LOOK, 80, 24));
    assert!(frozen.contains("FROZEN at 14:02:31"), "{frozen}");
    let below = |text: &str| text.split_once('\n').unwrap().1.to_owned();
    assert_eq!(below(&frozen), below(&before));
    model.press(Key::Char('f'));
    let thawed = text(&drawn(&mut model, LOOK, 80, 24));
    assert!(
        thawed.contains("98765") && thawed.contains("something else"),
        "{thawed}"
    );
}

#[test]
fn rows_are_sorted_by_count_age_or_name() {
    let seen = Seen::sick();
    let mut model = seen.model();
    model.press(Key::Tab);
    let names = |model: &Model| -> Vec<String> {
        let tables = model.tables.as_ref().unwrap();
        tables.domains.iter().map(|row| row.text.clone()).collect()
    };
    let by_count = names(&model);
    model.press(Key::Char('s'));
    let tables = model.tables.as_ref().unwrap();
    let oldest = |place: usize| tables.domains[place].cells[10];
    assert!((1..tables.domains.len()).all(|place| oldest(place - 1) >= oldest(place)));
    model.press(Key::Char('s'));
    let mut sorted = by_count.clone();
    sorted.sort();
    assert_eq!(names(&model), sorted);
    model.press(Key::Char('s'));
    assert_eq!(names(&model), by_count);
}

#[test]
fn a_filter_is_typed_corrected_and_refused_with_the_words_of_list() {
    let seen = Seen::sick();
    let mut model = seen.model();
    let typed = |text: &str| text.chars().map(Key::Char).collect::<Vec<_>>();
    seen.press(&mut model, &[Key::Char('/')]);
    seen.press(&mut model, &typed("older soon"));
    assert_eq!(model.press(Key::Enter), None);
    let shown = text(&drawn(&mut model, LOOK, 80, 24));
    assert!(shown.contains("--older \"soon\""), "{shown}");
    seen.press(&mut model, &[Key::Control('w')]);
    seen.press(&mut model, &typed("1d q"));
    seen.press(&mut model, &[Key::Backspace, Key::Enter]);
    let Some(Page::List(list)) = model.pages.last() else {
        panic!("no list");
    };
    assert_eq!(list.filter.text(), "--older 1d");
    assert!(!list.lines().is_empty());
    // On a list the filter is edited, and Escape leaves it as it was.
    assert_eq!(model.press(Key::Char('/')), None);
    assert_eq!(model.prompt.as_ref().unwrap().text, "--older 1d");
    assert_eq!(model.press(Key::Escape), None);
    assert_eq!(model.pages.len(), 1);
    // While it is typed, q is a letter, and Ctrl-C still quits.
    seen.press(&mut model, &[Key::Char('/')]);
    assert_eq!(model.press(Key::Char('q')), None);
    assert_eq!(model.press(Key::Control('c')), Some(Ask::Quit));
}

#[test]
fn commands_are_copied_and_kept() {
    let seen = Seen::sick();
    let mut model = seen.model();
    seen.press(&mut model, &[Key::Char('2'), Key::Char('y')]);
    let domain = &seen.tables.domains[0].text;
    let expected = format!("queuewatch list --domain {domain} --ids | postsuper -h -");
    assert_eq!(
        model.press(Key::Char('y')),
        Some(Ask::Copy(expected.clone()))
    );
    assert_eq!(model.copied, [expected]);
    assert!(model.commands.is_none());
    seen.press(&mut model, &[Key::Char('y')]);
    assert_eq!(model.press(Key::Char('9')), None);
    assert_eq!(model.copied.len(), 1);
}

/// What a command does is known before it is pasted: how much mail it is for.
#[test]
fn commands_say_how_far_they_reach() {
    let seen = Seen::sick();
    let mut model = seen.model();
    let mut head = |keys: &[Key]| {
        seen.press(&mut model, keys);
        seen.press(&mut model, &[Key::Char('y')]);
        let shown = text(&drawn(&mut model, LOOK, 80, 24));
        seen.press(&mut model, &[Key::Escape]);
        let head = shown.lines().find(|line| line.contains("The command for "));
        head.unwrap().trim().to_owned()
    };
    let messages = seen.sums.queues[1].messages;
    let expected = format!("The command for {messages} messages");
    assert_eq!(head(&[Key::Down]), expected);
    // The list of the same row has as many; a message is one.
    assert_eq!(head(&[Key::Enter]), expected);
    assert_eq!(head(&[Key::Enter]), "The command for this message");
    let recipients = seen.tables.domains[0].cells[0];
    assert_eq!(
        head(&[Key::Escape, Key::Escape, Key::Char('2')]),
        format!("The command for the mail of {recipients} recipients")
    );
    let recipients = seen.tables.causes[0].recipients;
    assert_eq!(
        head(&[Key::Char('3')]),
        format!("The command for the mail of {recipients} recipients")
    );
    let messages = seen.tables.origins[0].messages;
    assert_eq!(
        head(&[Key::Char('4')]),
        format!("The command for {messages} messages")
    );
    // A list with an end that was not reached has at least so many.
    let mut found = Messages {
        unread: 1,
        ..Messages::default()
    };
    model.press(Key::Enter);
    found.lines = Vec::new();
    model.listed(Ok(found));
    model.press(Key::Char('y'));
    let shown = text(&drawn(&mut model, LOOK, 80, 24));
    assert!(shown.contains("for at least 0 messages"), "{shown}");
}

/// Of several instances each line names its own, also where both have one name.
#[test]
fn a_message_is_one_of_its_instance() {
    use crate::top::messages::Source;
    use queuewatch::instance::{Selection, find};
    let folder = tempfile::tempdir().unwrap();
    let [one, two] = ["etc-1", "etc-2"].map(|name| folder.path().join(name));
    for (directory, more) in [
        (
            &one,
            format!("multi_instance_directories = {}\n", two.display()),
        ),
        (&two, String::new()),
    ] {
        let spool = folder.path().join(directory.with_extension("spool"));
        std::fs::create_dir_all(directory).unwrap();
        let main_cf = format!("queue_directory = {}\n{more}", spool.display());
        std::fs::write(directory.join("main.cf"), main_cf).unwrap();
    }
    let found = find(&Selection::All(Some(one.clone())), None).unwrap();
    let sources = Source::of(&found);
    assert_eq!(sources.len(), 2);
    assert!(sources[1].label.ends_with("etc-2"), "{sources:?}");
    assert!(Source::of(&found[..1]).is_empty());

    let seen = Seen::sick();
    let mut model = seen.model();
    model.place.instances = [&one, &two]
        .map(|directory| Target {
            config: Some(directory.clone()),
            flags: Vec::new(),
            postsuper: Postsuper::Config,
        })
        .into();
    model.press(Key::Enter);
    let sort = queuewatch::listing::Sort::Arrival;
    let mut found = reader::messages(&seen.options, &Filter::default(), sort).unwrap();
    for line in &mut found.lines {
        line.source = Some(Arc::clone(&sources[1]));
    }
    let id = found.lines[0].queue_id().to_owned();
    model.listed(Ok(found));
    let shown = text(&drawn(&mut model, LOOK, 100, 24));
    assert!(shown.contains(" instance "), "{shown}");
    model.press(Key::Char('y'));
    let lines = &model.commands.as_ref().unwrap().lines;
    let expected = format!("postsuper -c {} -h {id}", two.display());
    assert_eq!(lines.last(), Some(&expected));
    model.press(Key::Escape);
    let Some(Ask::Show(message)) = model.press(Key::Enter) else {
        panic!("no message");
    };
    assert_eq!(message.instance, Some(two));
}

/// What is not among the rows is told also while they fill the pane.
#[test]
fn what_is_beyond_a_full_pane_is_told() {
    let seen = Seen::sick();
    let mut model = seen.model();
    let tables = model.tables.as_mut().unwrap();
    let row = tables.domains[0].clone();
    tables.domains.resize(60, row);
    tables.beyond = [
        "and 200 more domains".to_owned(),
        "12 without a reason on record".to_owned(),
        "7 without login or client".to_owned(),
    ];
    for (width, height) in [(80, 24), (60, 20), (200, 60)] {
        let shown = text(&drawn(&mut model, LOOK, width, height));
        for told in [
            "and 200 more domains",
            "12 without a reason",
            "7 without login",
        ] {
            assert!(shown.contains(told), "{told}: {shown}");
        }
    }
}

/// Nothing is left out of a narrow screen without a word.
#[test]
fn what_a_narrow_screen_leaves_out_is_told() {
    let seen = Seen::sick();
    let mut model = seen.model();
    let (width, height) = LEAST;
    let shown = text(&drawn(&mut model, LOOK, width, height));
    assert!(shown.contains(">10 min"), "{shown}");
    let wide = text(&drawn(&mut model, LOOK, 80, 24));
    assert!(wide.contains("Destination, age in minutes"), "{wide}");
    model.place.filters = vec![("exclude-domain", vec![b'x'; 700])];
    model.press(Key::Char('y'));
    let shown = text(&drawn(&mut model, LOOK, width, height));
    assert!(shown.contains("larger terminal shows the rest"), "{shown}");
    let whole = text(&drawn(&mut model, LOOK, 200, 60));
    assert!(!whole.contains("larger terminal"), "{whole}");
}

#[test]
fn an_answer_that_nobody_waits_for_changes_nothing() {
    let seen = Seen::sick();
    let mut model = seen.model();
    assert!(matches!(model.press(Key::Enter), Some(Ask::List(..))));
    assert!(model.is_reading());
    assert_eq!(model.press(Key::Escape), Some(Ask::Forget));
    model.listed(Ok(Messages::default()));
    model.lines(vec!["x".to_owned()]);
    assert!(model.pages.is_empty());
}

#[test]
fn before_the_first_look_there_is_nothing_to_freeze() {
    let seen = Seen::sick();
    let mut model = Model::new(Where::default());
    model.press(Key::Char('f'));
    let shown = text(&drawn(&mut model, LOOK, 80, 24));
    assert!(shown.contains("nothing to freeze"), "{shown}");
    model.look(seen.sums.clone(), Some(seen.tables.clone()));
    assert!(text(&drawn(&mut model, LOOK, 80, 24)).contains("Destination"));
}

#[test]
fn a_small_terminal_is_told_so() {
    let seen = Seen::sick();
    let mut model = seen.model();
    let (width, height) = LEAST;
    for (columns, rows) in [(width - 1, height), (width, height - 1), (20, 5)] {
        let shown = text(&drawn(&mut model, LOOK, columns, rows));
        let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        let size = format!("The terminal has {columns} columns and {rows} rows;");
        assert!(shown.starts_with(&size), "{shown}");
    }
    let shown = text(&drawn(&mut model, LOOK, width, height));
    assert!(
        shown.contains("CRITICAL") && shown.contains("Destination"),
        "{shown}"
    );
    for pane in ["Queue", "Destination", "Cause", "Origin"] {
        assert!(shown.contains(pane), "{pane}: {shown}");
    }
}
