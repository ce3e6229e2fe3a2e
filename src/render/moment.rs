//! Moments for a person: `14:02` for one of today, `Nov 24 14:02` for any other.

use crate::sys;

/// The second `at` of the epoch as local time, seen from the second `now`.
pub fn moment(at: i64, now: i64) -> String {
    let (Some(text), Some(today)) = (sys::local_time(at), sys::local_time(now)) else {
        return at.to_string();
    };
    // asctime(3): `Tue Nov 24 02:00:00 2026`
    let part =
        |text: &str, from: usize, to: usize| text.get(from..to).unwrap_or_default().to_owned();
    let day = |text: &str| (part(text, 4, 10), part(text, 20, 24));
    let clock = part(&text, 11, 16);
    match day(&text) == day(&today) {
        true => clock,
        false => format!("{} {clock}", part(&text, 4, 10)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn today_needs_no_day() {
        let now = 1_795_461_304;
        let today = moment(now, now);
        assert_eq!(today.len(), 5, "{today}");
        let earlier = moment(now - 3 * 86_400, now);
        assert_eq!(earlier.len(), 12, "{earlier}");
        assert!(earlier.ends_with(&today), "{earlier} {today}");
        assert_eq!(moment(i64::MAX, now), i64::MAX.to_string());
    }
}
