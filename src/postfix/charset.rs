//! From the bytes of an encoded word in its charset to UTF-8.
//!
//! UTF-8, US-ASCII and ISO-8859-1 are always known. The feature `programs` adds every charset of the WHATWG
//! Encoding Standard, by its names there: ISO-8859-2 to 16, windows-125x, KOI8, ISO-2022-JP, Shift_JIS,
//! EUC-JP, EUC-KR, GBK, GB18030, Big5. So the library for C stays small where it is built without the programs.

/// Returns `bytes` of `charset` as UTF-8. `None`: the charset is not known.
///
/// Bytes that are wrong in the charset become U+FFFD; in UTF-8 they stay as they are. The text is at most
/// three times as long as `bytes`.
pub(super) fn to_utf8(charset: &[u8], bytes: Vec<u8>) -> Option<Vec<u8>> {
    let is = |name: &str| charset.eq_ignore_ascii_case(name.as_bytes());
    if is("utf-8") || is("us-ascii") {
        return Some(bytes);
    }
    if is("iso-8859-1") {
        let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
        return Some(text.into_bytes());
    }
    others(charset, &bytes)
}

#[cfg(feature = "programs")]
fn others(charset: &[u8], bytes: &[u8]) -> Option<Vec<u8>> {
    let encoding = encoding_rs::Encoding::for_label_no_replacement(charset)?;
    let (text, _) = encoding.decode_without_bom_handling(bytes);
    Some(text.into_owned().into_bytes())
}

#[cfg(not(feature = "programs"))]
fn others(_charset: &[u8], _bytes: &[u8]) -> Option<Vec<u8>> {
    None
}

#[cfg(all(test, feature = "programs"))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn charsets_of_mail_are_known() {
        let rows: [(&str, &[u8], &str); 12] = [
            ("utf-8", b"caf\xc3\xa9", "caf\u{e9}"),
            ("ISO-8859-1", b"caf\xe9", "caf\u{e9}"),
            ("iso-8859-15", b"\xa4", "\u{20ac}"),
            ("ISO-8859-2", b"\xb1", "\u{105}"),
            ("windows-1252", b"\x80", "\u{20ac}"),
            ("Windows-1251", b"\xcf\xf0\xe8", "\u{41f}\u{440}\u{438}"),
            ("koi8-r", b"\xf0\xd2\xc9", "\u{41f}\u{440}\u{438}"),
            ("iso-2022-jp", b"\x1b$BF|K\\\x1b(B", "\u{65e5}\u{672c}"),
            ("Shift_JIS", b"\x93\xfa\x96\x7b", "\u{65e5}\u{672c}"),
            ("gb2312", b"\xd6\xd0\xce\xc4", "\u{4e2d}\u{6587}"),
            ("big5", b"\xa4\xa4\xa4\xe5", "\u{4e2d}\u{6587}"),
            ("euc-kr", b"\xc7\xd1", "\u{d55c}"),
        ];
        for (charset, bytes, text) in rows {
            let found = to_utf8(charset.as_bytes(), bytes.to_vec()).unwrap();
            assert_eq!(String::from_utf8(found).unwrap(), text, "{charset}");
        }
        // It would make U+FFFD of all text.
        assert_eq!(to_utf8(b"iso-2022-kr", b"x".to_vec()), None);
        assert_eq!(to_utf8(b"x-nobody", b"x".to_vec()), None);
    }

    proptest! {
        #[test]
        fn a_text_grows_little(
            charset in "(iso-2022-jp|big5|gb18030|shift_jis|utf-16|windows-1252|koi8-u)",
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let most = bytes.len() * 3 + 3;
            prop_assert!(to_utf8(charset.as_bytes(), bytes).unwrap().len() <= most);
        }
    }
}
