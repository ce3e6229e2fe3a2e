//! Pages while they are read, and whatever is pressed meanwhile.

use proptest::prelude::*;

use super::*;

/// One thing is read at a time: opening another ends the reading of what lies below.
#[test]
fn a_page_whose_reading_was_ended_is_read_again_when_it_is_on_top() {
    let seen = Seen::sick();
    let mut model = seen.model();
    let screen = |model: &mut Model| text(&drawn(model, LOOK, 80, 24));
    seen.press(&mut model, &[Key::Enter]);
    let asked = model.press(Key::Enter);
    assert!(matches!(asked, Some(Ask::Show(_))), "{asked:?}");
    model.press(Key::Char('/'));
    let list = model.press(Key::Enter);
    assert!(matches!(list, Some(Ask::List(..))), "{list:?}");
    // A list under a message that is read, under a list that is read; and back, once with the answer of the
    // upper list and once without.
    for answers in [false, true] {
        if answers {
            model.listed(Ok(Messages::default()));
            assert!(screen(&mut model).contains("No message is picked."));
        }
        assert_eq!(model.press(Key::Escape), asked);
        assert!(screen(&mut model).contains("reading the message"));
        if !answers {
            model.press(Key::Char('/'));
            assert_eq!(model.press(Key::Enter), list);
        }
    }
    model.lines(vec!["the story".to_owned()]);
    let shown = screen(&mut model);
    assert!(
        shown.contains("the story") && !shown.contains("reading"),
        "{shown}"
    );
    // It asks only for what has no answer.
    assert_eq!(model.press(Key::Escape), None);
    assert_eq!(model.pages.len(), 1);
    assert!(!model.is_reading());
}

/// What has no job is no reason to read again: the answer comes while the text lies over the list.
#[test]
fn an_answer_finds_the_page_that_asked_for_it() {
    let seen = Seen::sick();
    let mut model = seen.model();
    assert!(matches!(model.press(Key::Enter), Some(Ask::List(..))));
    assert_eq!(model.press(Key::Char('w')), None);
    assert!(!model.is_reading());
    assert_eq!(model.press(Key::Escape), None);
    assert!(model.is_reading());
    model.press(Key::Char('w'));
    model.listed(Err("no such queue".to_owned()));
    assert_eq!(model.press(Key::Escape), None);
    let shown = text(&drawn(&mut model, LOOK, 80, 24));
    assert!(shown.contains("no such queue"), "{shown}");
    // Other sizes, keys that scroll, and the window of commands change nothing about what is read.
    model.press(Key::Char('r'));
    for key in [
        Key::End,
        Key::PageDown,
        Key::Enter,
        Key::Char('y'),
        Key::Escape,
        Key::Char('f'),
    ] {
        assert_eq!(model.press(key), None, "{key:?}");
        drawn(&mut model, LOOK, 60, 16);
        drawn(&mut model, LOOK, 20, 5);
    }
    assert!(model.is_reading());
    model.listed(Ok(Messages::default()));
    assert!(!model.is_reading());
    // A message that has gone since then is read again, and the page reports that.
    seen.press(&mut model, &[Key::Escape, Key::Enter, Key::Enter]);
    model.lines(vec!["The message is in no queue any more".to_owned()]);
    let asked = model.press(Key::Char('r'));
    assert!(matches!(asked, Some(Ask::Show(_))), "{asked:?}");
}

fn a_key() -> impl Strategy<Value = Key> {
    prop_oneof![
        8 => prop::sample::select("jkhlgGszfwyr/?1234 x9".chars().map(Key::Char).collect::<Vec<_>>()),
        8 => prop::sample::select(vec![
            Key::Enter, Key::Escape, Key::Backspace, Key::Tab, Key::BackTab, Key::Up, Key::Down,
            Key::Left, Key::Right, Key::PageUp, Key::PageDown, Key::Home, Key::End, Key::Delete,
        ]),
        1 => any::<char>().prop_map(Key::Char),
        1 => prop::sample::select(vec![Key::Control('u'), Key::Control('w'), Key::Control('l')]),
    ]
}

/// Whatever is pressed while something is read: what is on top and has no answer will have one.
#[test]
fn no_page_waits_for_ever() {
    let seen = Seen::of(&Plan {
        messages: 20,
        ..Plan::at(NOW)
    });
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(256));
    let steps = prop::collection::vec((a_key(), any::<bool>()), 1..40);
    runner
        .run(&steps, |steps| {
            let mut model = seen.model();
            // What is read: one job, which each new one ends.
            let mut job = None;
            for (key, answers) in steps {
                match model.press(key) {
                    Some(Ask::Forget) => job = None,
                    Some(ask @ (Ask::List(..) | Ask::Show(_))) => job = Some(ask),
                    _ => {}
                }
                if answers {
                    match job.take() {
                        Some(Ask::List(filter, sort)) => {
                            let found = reader::messages(&seen.options, &filter, sort);
                            model.listed(found.map_err(|error| error.to_string()));
                        }
                        Some(Ask::Show(_)) => model.lines(vec!["the story".to_owned()]),
                        _ => {}
                    }
                }
                prop_assert!(!model.is_reading() || job.is_some());
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn no_key_and_no_size_breaks_it() {
    let seen = Seen::of(&Plan {
        messages: 60,
        ..Plan::at(NOW)
    });
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(24));
    let steps = prop::collection::vec((a_key(), 1_u16..170, 1_u16..45), 1..30);
    runner
        .run(&steps, |steps| {
            let mut model = seen.model();
            for (key, width, height) in steps {
                seen.press(&mut model, &[key]);
                let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
                screen::draw(&mut model, LOOK, &mut buffer);
                let mut symbols = buffer.content.iter().map(Cell::symbol);
                let is_plain = |symbol: &str| !symbol.contains(char::is_control);
                prop_assert!(symbols.all(is_plain));
            }
            Ok(())
        })
        .unwrap();
}
