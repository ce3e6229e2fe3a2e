//! Causes of delay reasons against lists that were written apart from the table.
//!
//! A list contains the enhanced status code, the right cause, and the delay reason, with tabs between them.

use queuewatch::cause::classify::Classifier;

/// The rows that are judged wrongly, and how many rows there are.
fn wrong(list: &str) -> (Vec<String>, usize) {
    let classifier = Classifier::default();
    let mut rows = 0;
    let mut wrong = Vec::new();
    for line in list.lines().filter(|line| !line.starts_with('#')) {
        let mut parts = line.splitn(3, '\t');
        let mut part = || parts.next().expect("three columns");
        let (status, cause, reason) = (part(), part(), part());
        rows += 1;
        let judged = classifier.judge(status.as_bytes(), reason.as_bytes());
        if judged.cause.name() != cause {
            wrong.push(format!(
                "{} instead of {cause}: {status} {reason}",
                judged.cause.name()
            ));
        }
    }
    (wrong, rows)
}

#[test]
fn all_examples_have_the_right_cause() {
    let (wrong, rows) = wrong(include_str!("../corpus/causes/reasons.tsv"));
    assert!(rows >= 38, "{rows}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn all_further_examples_have_the_right_cause() {
    let (wrong, rows) = wrong(include_str!("../corpus/causes/more.tsv"));
    assert!(rows >= 600, "{rows}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Checks a list of at least `least` reasons, which was made without a look at the table.
fn at_least_95_in_100(list: &str, least: usize) {
    let (wrong, rows) = wrong(list);
    assert!(rows >= least, "{rows}");
    println!("{wrong:#?}");
    assert!(wrong.len() * 100 <= rows * 5, "{wrong:#?}");
}

#[test]
fn of_other_reasons_at_least_95_in_100_have_the_right_cause() {
    at_least_95_in_100(include_str!("../corpus/causes/holdout.tsv"), 150);
}

#[test]
fn of_a_second_list_at_least_95_in_100_have_the_right_cause() {
    at_least_95_in_100(include_str!("../corpus/causes/holdout-2.tsv"), 300);
}

#[test]
fn of_a_third_list_at_least_95_in_100_have_the_right_cause() {
    at_least_95_in_100(include_str!("../corpus/causes/holdout-3.tsv"), 500);
}
