//! Queue files with defer logs that no Postfix would write, but that its showq(8) reads and lists all the same.
//!
//! Out: fixed ones, each odd in one way, and random ones from a seed. None has two senders, or recipients without a
//! sender: showq of most releases crashes on these. It fits Postfix of every release that a byte which is not UTF-8
//! follows no such sequence directly: before 3.9 it would have passed for a part of it.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Arrival of files without a time of their own.
const MODIFIED: u64 = 1_795_460_000;
const ARRIVAL: &[u8] = b"1795460309         123456";

/// Recipients with quotes in them, as SMTP takes them.
pub(crate) const ODD_RECIPIENTS: [&str; 12] = [
    r#""a@b"@odd.example"#,
    r#""a b"@odd.example"#,
    r#""quo\"te"@odd.example"#,
    r#""back\\slash"@odd.example"#,
    r#"".dot"@odd.example"#,
    r#""dot."@odd.example"#,
    r#""d..ot"@odd.example"#,
    r#""<angle>,(round);[square]:"@odd.example"#,
    "user%percent@odd.example",
    "o'brien{}|~!#$&*@odd.example",
    "user@[192.0.2.1]",
    r#""plain"@ODD.example"#,
];

/// A queue file in hold, and its defer log.
pub(crate) struct Handmade {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) log: Option<Vec<u8>>,
    mode: u32,
}

impl Handmade {
    fn new(name: impl Into<String>, bytes: Vec<u8>) -> Self {
        Handmade {
            name: name.into(),
            bytes,
            log: None,
            mode: 0o700,
        }
    }

    fn with_log(mut self, log: impl Into<Vec<u8>>) -> Self {
        self.log = Some(log.into());
        self
    }

    fn with_mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// Writes it below the queue directory, owned as that directory's `hold` is.
    pub(crate) fn write(&self, queue_directory: &Path) {
        let hold = queue_directory.join("hold");
        let owner = fs::metadata(&hold).expect("a queue directory").uid();
        put(&hold.join(&self.name), &self.bytes, owner, self.mode);
        if let Some(log) = &self.log {
            let bucket = queue_directory.join("defer").join(bucket(&self.name));
            if !bucket.exists() {
                fs::create_dir(&bucket).expect("a directory in our own spool");
                give(&bucket, owner, 0o700);
            }
            put(&bucket.join(&self.name), log, owner, 0o600);
        }
    }
}

/// Copies a queue file with its owner, mode and time.
pub(crate) fn copy(from: &Path, to: &Path) {
    let metadata = fs::metadata(from).expect("a queue file");
    let bytes = fs::read(from).expect("a queue file");
    put(to, &bytes, metadata.uid(), metadata.mode() & 0o7777);
}

fn put(path: &Path, bytes: &[u8], owner: u32, mode: u32) {
    if mode == 0 {
        symlink("/dev/null", path).expect("a link in our own spool");
        return;
    }
    fs::write(path, bytes).expect("a file in our own spool");
    let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(MODIFIED);
    let file = fs::File::options().write(true).open(path);
    let file = file.expect("a file in our own spool");
    file.set_modified(modified).expect("our own file");
    give(path, owner, mode);
}

fn give(path: &Path, owner: u32, mode: u32) {
    chown(path, Some(owner), None).expect("root may");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("root may");
}

/// The directory of a log, one level deep: short queue IDs begin with it, long ones hide it in their microseconds.
fn bucket(name: &str) -> String {
    match LONG_NAMES.iter().find(|(long, _)| *long == name) {
        Some((_, bucket)) => (*bucket).to_owned(),
        None => name[..1].to_owned(),
    }
}

/// Names of the long form with the bucket of each; microseconds that are none count as 0.
const LONG_NAMES: [(&str, &str); 5] = [
    ("4jYFx90B5Nz1SjH2", "0"),
    ("4jYFx94ysXz1SjH2", "A"),
    ("4jYFx9HR7Kz1SjH2", "2"),
    ("4jYFx9AEIOz1SjH2", "0"),
    ("abcdefghijz", "0"),
];

/// A queue file record by record.
#[derive(Clone, Default)]
struct File(Vec<u8>);

impl File {
    /// With a size, a time and a sender; recipients come next.
    fn started() -> Self {
        File::default()
            .size(
                b"            410             700               1               0             410",
            )
            .add(b'T', ARRIVAL)
            .add(b'S', b"sender@send.example")
    }

    fn size(self, fields: &[u8]) -> Self {
        self.add(b'C', fields)
    }

    fn add(mut self, kind: u8, data: &[u8]) -> Self {
        self.0.push(kind);
        let mut rest = data.len();
        while rest > 0x7f {
            self.0.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.0.push(rest as u8);
        self.0.extend_from_slice(data);
        self
    }

    fn to(self, address: &[u8]) -> Self {
        self.add(b'R', address)
    }

    /// The raw bytes follow as they are.
    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn end(self) -> Vec<u8> {
        self.add(b'E', b"").0
    }
}

/// Every oddity by itself.
pub(crate) fn odd_files() -> Vec<Handmade> {
    let mut all = odd_times();
    all.extend(odd_sizes());
    all.extend(odd_records());
    all.extend(odd_modes());
    all.extend(odd_addresses());
    all.extend(odd_logs());
    let early = File::default()
        .add(b'T', ARRIVAL)
        .add(b'O', b"list@a.example");
    let early = early.add(b'S', b"sender@send.example").to(b"a@a.example");
    all.push(Handmade::new("ORIGINALFIRST", early.end()));
    for (name, _) in LONG_NAMES {
        let file = Handmade::new(name, File::started().to(b"a@alpha.example").end());
        all.push(file.with_log("recipient=a@alpha.example\nreason=long\n\n"));
    }
    all
}

fn odd_times() -> Vec<Handmade> {
    let times: [(&str, &[&[u8]]); 15] = [
        ("TNONE", &[]),
        ("TEMPTY", &[b""]),
        ("TZERO", &[b"0"]),
        ("TNEGATIVE", &[b"-5 1"]),
        ("TTEXT", &[b"soon"]),
        ("TPLUS", &[b"+1795460309"]),
        ("TBLANKS", &[b" \t 1795460309 5"]),
        ("TVT", &[b"\x0b\x0c\r\n1795460309"]),
        ("TTAIL", &[b"1795460309x"]),
        ("TNUL", &[b"17\x0095460309"]),
        ("TZEROFIRST", &[b"0", b"1795460309"]),
        ("TNEGFIRST", &[b"-1", b"1795460309"]),
        ("TTWICE", &[b"1795460308", b"1795460309"]),
        ("THUGE", &[b"99999999999999999999"]),
        ("TFAR", &[b"253402300800"]),
    ];
    let mut all = Vec::new();
    for (name, times) in times {
        let mut file = File::default().size(b"            410");
        for time in times {
            file = file.add(b'T', time);
        }
        let file = file.add(b'S', b"t@send.example").to(b"a@alpha.example");
        all.push(Handmade::new(name, file.end()));
    }
    let late = File::default().add(b'S', b"t@send.example");
    let late = late.add(b'T', ARRIVAL).to(b"a@alpha.example");
    all.push(Handmade::new("TLATE", late.end()));
    all
}

fn odd_sizes() -> Vec<Handmade> {
    let sizes: [(&str, &[&[u8]]); 14] = [
        ("CNONE", &[]),
        ("CEMPTY", &[b""]),
        ("CBLANK", &[b"      "]),
        ("CBAD", &[b"            41x"]),
        ("CNEGATIVE", &[b"             -1             700"]),
        ("CTAB", &[b"\t410"]),
        ("CNUL", &[b"  4\x00x"]),
        ("CONE", &[b"410"]),
        ("CBADGOOD", &[b"x", b"            12"]),
        ("CGOODBAD", &[b"            12", b"x"]),
        ("CTWICE", &[b"            12", b"            13"]),
        ("CLARGE", &[b"  5000000000000"]),
        ("CLEADZERO", &[b"000000000000000000000000000000000012"]),
        ("CPLUS", &[b"+12"]),
    ];
    let mut all = Vec::new();
    for (name, sizes) in sizes {
        let mut file = File::default();
        for size in sizes {
            file = file.size(size);
        }
        file = file.add(b'T', ARRIVAL).add(b'S', b"c@send.example");
        file = file.to(b"before@alpha.example").add(b'M', b"");
        file = file.add(b'N', b"content").add(b'L', b"more").add(b'X', b"");
        all.push(Handmade::new(name, file.to(b"after@alpha.example").end()));
    }
    let late = File::default().add(b'T', ARRIVAL);
    let late = late.add(b'S', b"c@send.example").size(b"            11");
    let late = late
        .to(b"a@alpha.example")
        .add(b'M', b"")
        .add(b'N', b"content");
    let late = late.add(b'X', b"").to(b"skipped@alpha.example");
    all.push(Handmade::new("CLATE", late.end()));
    all
}

fn odd_records() -> Vec<Handmade> {
    let one = || File::started().to(b"one@alpha.example");
    let many = one().to(b"two@alpha.example").to(b"three@alpha.example");
    let many = many.to(b"four@alpha.example").end();
    let started = File::started().0.len();
    let mut all = Vec::new();
    // In the middle of a type, a length and data.
    for cut in 0..14 {
        let name = format!("CUT{cut:02}");
        let to = if cut < 7 {
            started - cut
        } else {
            many.len() - 3 * cut
        };
        all.push(Handmade::new(name, many[..to].to_vec()));
    }
    let to_second = |file: File| file.to(b"two@alpha.example").end();
    let after = |file: File| format!("p\x0f{:>15}", file.0.len() + 17 + 19);
    let forward = one().raw(after(one()).as_bytes()).to(b"skipped@a.example");
    let here = one().0.len();
    for (name, bytes) in [
        ("EMPTY", Vec::new()),
        (
            "NOSENDER",
            File::default().size(b" 1").add(b'T', ARRIVAL).end(),
        ),
        ("NOEND", one().0),
        ("BAREEND", one().raw(b"E").0),
        ("AFTEREND", one().add(b'E', b"").to(b"heap@alpha.example").0),
        ("NORCPT", File::started().end()),
        (
            "DONE",
            File::started()
                .add(b'D', b"done@a.example")
                .add(b'/', b"gone@a.example")
                .end(),
        ),
        ("SOMEDONE", to_second(one().add(b'D', b"done@a.example"))),
        ("ORIGINAL", to_second(one().add(b'O', b"list@a.example"))),
        (
            "TWICE",
            one()
                .to(b"one@alpha.example")
                .to(b"ONE@alpha.example")
                .end(),
        ),
        (
            "UNKNOWN",
            to_second(
                one()
                    .add(b'Z', b"x")
                    .add(0x7f, b"")
                    .add(0xff, b"y")
                    .add(b'0', b""),
            ),
        ),
        ("TYPEZERO", to_second(one().add(0, b"stops here"))),
        ("LONGLENGTH", one().raw(b"R\x85\x80\x00a@b.c").end()),
        (
            "LONGESTLENGTH",
            one().raw(b"R\x85\x80\x80\x80\x00a@b.c").end(),
        ),
        (
            "TOOLONGLENGTH",
            one().raw(b"R\x85\x80\x80\x80\x80\x00a@b.c").end(),
        ),
        (
            "NEGATIVELENGTH",
            to_second(one().raw(b"R\x80\x80\x80\x80\x08")),
        ),
        ("BEYOND", one().raw(b"R\xff\x7fa@b.c").end()),
        ("PADDING", to_second(one().add(b'w', b"padding"))),
        (
            "POINTERZERO",
            to_second(one().add(b'p', b"              0")),
        ),
        ("POINTERTEXT", to_second(one().add(b'p', b"x"))),
        ("POINTERNEGATIVE", to_second(one().add(b'p', b"-5"))),
        ("POINTEREMPTY", to_second(one().add(b'p', b""))),
        (
            "POINTERBEYOND",
            to_second(one().add(b'p', b"         999999")),
        ),
        (
            "POINTERBLANKS",
            to_second(one().add(b'p', b"             0 ")),
        ),
        ("POINTERFORWARD", to_second(forward)),
        ("POINTERBACK", pointing_back(here)),
        ("ZEROBYTES", one().raw(&[0; 64]).end()),
    ] {
        all.push(Handmade::new(name, bytes));
    }
    all
}

/// Recipients that a pointer reaches only by going back over them once.
fn pointing_back(here: usize) -> Vec<u8> {
    let heap = here + 17 + 2;
    let file = File::started().to(b"one@alpha.example");
    let file = file
        .add(b'p', format!("{heap:>15}").as_bytes())
        .add(b'E', b"");
    let file = file.to(b"heap@alpha.example");
    let back = here + 17;
    file.add(b'p', format!("{back:>15}").as_bytes()).0
}

/// None of one letter: a file so named stops showq, which takes it for a directory.
const ODD_NAMES: [&str; 9] = [
    "ab",
    "_9",
    "UNDER_SCORE",
    "lower",
    "0123456789",
    "bad-name",
    ".hidden",
    "A1B2C3D4#FIX",
    "A.B",
];

/// The mode 0 stands for a symbolic link.
const ODD_MODES: [u32; 10] = [
    0o700, 0o710, 0o740, 0o750, 0o777, 0o600, 0o400, 0o500, 0o1700, 0,
];

fn odd_modes() -> Vec<Handmade> {
    let file = || File::started().to(b"a@alpha.example").end();
    ODD_MODES
        .map(|mode| Handmade::new(format!("MODE{mode:o}"), file()).with_mode(mode))
        .into_iter()
        .chain(ODD_NAMES.map(|name| Handmade::new(name, file())))
        .collect()
}

const ADDRESSES: [&[u8]; 50] = [
    b"",
    b"@",
    b"user@",
    b"@x.example",
    b"user",
    b"a@b@x.example",
    b"a b@x.example",
    b" lead@x.example",
    b"trail @x.example",
    b".lead@x.example",
    b"trail.@x.example",
    b"dou..ble@x.example",
    b".",
    b"..",
    b"quo\"te@x.example",
    b"\"quoted\"@x.example",
    b"back\\slash@x.example",
    b"par(en)@x.example",
    b"com,ma@x.example",
    b"semi;co:lon@x.example",
    b"an<gl>e@x.example",
    b"[sq]@x.example",
    b"user@[1.2.3.4]",
    b"user@(par)",
    b"user@b c",
    b"user@qu\"ote",
    b"user@back\\slash",
    b"@a.example,@b.example:user@c.example",
    b"@a.example:u s@c.example",
    b"@a.example:",
    b"@:",
    b"@no-colon@x.example",
    b"tab\there@x.example",
    b"new\nline@x.example",
    b"cr\rcr@x.example",
    b"cr\r@x.example",
    b"bell\x07@x.example",
    b"del\x7f@x.example",
    b"esc\x1b[31m@x.example",
    b"nul\0hidden@x.example",
    b"\0",
    "jörg@bücher.example".as_bytes(),
    "用户@例子.广告".as_bytes(),
    "emoji😀@x.example".as_bytes(),
    "c1\u{85}x@x.example".as_bytes(),
    "zero\u{200b}width\u{202e}x@x.example".as_bytes(),
    b"bad\xff@x.example",
    b"bad\x80@x.example",
    b"bad\xc0.\xc1.\xe2.\xf0@x.example",
    b"user@b\xfccher.example",
];

fn odd_addresses() -> Vec<Handmade> {
    let mut all = Vec::new();
    let mut together = File::started();
    for (n, address) in ADDRESSES.into_iter().enumerate() {
        together = together.to(address);
        let file = File::default().add(b'T', ARRIVAL).add(b'S', address);
        all.push(Handmade::new(
            format!("SENDER{n:02}"),
            file.to(address).end(),
        ));
    }
    all.push(Handmade::new("ADDRESSES", together.end()));
    // A surrogate, and a code point beyond the last: shaped like UTF-8, and none.
    let illformed = File::started()
        .to(b"\xed\xa0\x80@x.example")
        .to(b"\xf4\x90\x80\x80@x.example");
    all.push(Handmade::new("ILLFORMED", illformed.end()));
    let long = [&b"l".repeat(100_000)[..], b" @x.example"].concat();
    let file = File::default().add(b'T', ARRIVAL).add(b'S', &long);
    all.push(Handmade::new("LONGADDRESS", file.to(&long).end()));
    all
}

const LOGS: [&[u8]; 53] = [
    b"",
    b"\n",
    b"\n\n\n",
    b"<a@alpha.example>: old style\n\n",
    b"\n<a@alpha.example>: old style\n\n<b@alpha.example>: another\n\n",
    b"<a@alpha.example>: no blank line at the end\n",
    b"<a@alpha.example>: no newline at the end",
    b"recipient=a@alpha.example\nreason=no blank line at the end\n",
    b"recipient=a@alpha.example\nreason=one\n\nrecipient=b@alpha.example\nreason=cut",
    b"recipient=a@alpha.example\n\n",
    b"recipient=a@alpha.example\nreason=\n\n",
    b"reason=whose?\n\n",
    b"status=4.0.0\n\n",
    b"recipient=\nreason=empty\n\n",
    b"recipient=<>\nreason=null\n\n",
    b"<>: null, old style\n\n",
    b"<a@alpha.example>:no blank\n\n",
    b"<a@alpha.example>: \n\n",
    b"<a@alpha.example>:    many blanks  \n\n",
    b"<a@alpha.example>: one>: two\n\n",
    b"<a@alpha.example: never closed\n\n",
    b"<a@alpha.example>: old\nrecipient=b@alpha.example\nreason=new\n\n",
    b"recipient=b@alpha.example\nreason=new\n<a@alpha.example>: old\n\n",
    b"recipient=a@alpha.example\nrecipient=b@alpha.example\nreason=one\nreason=two\n\n",
    b"recipient=a@alpha.example\nreason=set\nreason=\n\n",
    b"recipient=a@alpha.example\nreason=one\n\nrecipient=a@alpha.example\nreason=two\n\n",
    b"recipient = a@alpha.example\n reason = not at the start\nreason\t=\t blanks \t\n\n",
    b"recipient=a@alpha.example\nreason=a = b\n\n",
    b"recipient=a@alpha.example\nnonsense\nreason=after nonsense\n\n",
    b"recipient=a@alpha.example\nunknown=1\n9=2\nReason=case\nreason=after unknown\n\n",
    b"nonsense\n\n",
    b"*star\n\n",
    b"=x\n\n",
    b"recipient=a@alpha.example\r\nreason=carriage\r\n\r\nreason=return\r\n\r\n",
    b"recipient=a@alpha.example\nreason=tab\there bell\x07 esc\x1b[31m del\x7f\n\n",
    b"recipient=a@alpha.example\nreason=lead\n \nreason=blank is no blank line\n\n",
    b"recipient=a@alpha.example\nreason=nul\0hidden\n\0\nreason=after\n\n",
    b"recipient=a@alpha.example\n\0x\nreason=after nul\n\n",
    b"recipient=a@alpha.example\nreason=\"quoted\" \\back\\slash <&> / %s %n {}\n\n",
    b"recipient=\"a b\"@alpha.example\nreason=quoted\n\n",
    b"recipient=a b@alpha.example\nreason=unquoted\n\n",
    b"recipient=A@ALPHA.example\nreason=other case\n\n",
    b"recipient=stranger@x.example\noriginal_recipient=a@alpha.example\nreason=stranger\n\n",
    b"recipient=a@alpha.example\noriginal_recipient=list@x.example\noffset=1\ndsn_orig_rcpt=rfc822;x\nnotify_flags=4\n\
      status=4.4.1\naction=delayed\ndiag_type=smtp\ndiag_text=450\nmta_type=dns\nmta_mname=mx\nreason=all\n\n",
    b"recipient=a@alpha.example\nreason=bad \xff and \x80 and \xc0\n\n",
    b"recipient=b\xfccher@alpha.example\nreason=latin\n\n",
    b"\xffrecipient=a@alpha.example\nreason=first byte\n\n",
    "recipient=jörg@alpha.example\nreason=für später…\n\n".as_bytes(),
    "é=1\nrecipient=a@alpha.example\nreason=not a letter\n\n".as_bytes(),
    b"recipient=a@alpha.example\nreason=same\n\nrecipient=b@alpha.example\nreason=same\n\n",
    b"recipient=a@alpha.example\nreason=reason unavailable\n\n",
    b"recipient=(weird)\nreason=)\n\nrecipient=a@alpha.example\nreason=(\n\n",
    b"recipient=a@alpha.example\nreason=12345678901234567890123456789012345678901234567890123456789012345678901234567\n\n",
];

fn odd_logs() -> Vec<Handmade> {
    let file = || {
        let file = File::started().to(b"a@alpha.example");
        let file = file.to(b"b@alpha.example").add(b'D', b"done@alpha.example");
        file.to(b"a b@alpha.example").end()
    };
    let all = (0..)
        .zip(LOGS)
        .map(|(n, log)| Handmade::new(format!("LOG{n:02}"), file()).with_log(log));
    let mut all = all.collect::<Vec<_>>();
    let long = [
        &b"recipient=a@alpha.example\nreason="[..],
        &b"very \"long\" ".repeat(20_000),
        b"\n\n",
    ]
    .concat();
    all.push(Handmade::new("LOGLONG", file()).with_log(long));
    let many = (0..1000).map(|n| format!("recipient=u{n}@alpha.example\nreason={}\n\n", n / 10));
    let to = (0..1000).fold(File::started(), |file, n| {
        file.to(format!("u{n}@alpha.example").as_bytes())
    });
    all.push(
        Handmade::new("LOGFULL", to.to(b"last@alpha.example").end())
            .with_log(many.collect::<String>()),
    );
    all.push(Handmade::new("LOGALONE", Vec::new()).with_log(LOGS[3]));
    all
}

/// Numbers that are the same for the same seed (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick(&mut self, items: &[&'static [u8]]) -> &'static [u8] {
        items[self.below(items.len())]
    }
}

/// `count` files from `seed`.
pub(crate) fn random_files(seed: u64, count: usize) -> Vec<Handmade> {
    let mut random = Random(seed);
    (0..count)
        .map(|n| {
            let addresses = (0..=random.below(6))
                .map(|_| random_address(&mut random))
                .collect::<Vec<_>>();
            let name = format!("{:X}{n:03}{:04X}", random.below(16), random.below(0x1_0000));
            let mut file = Handmade::new(name, random_file(&mut random, &addresses));
            if !random.one_in(4) {
                file = file.with_log(random_log(&mut random, &addresses));
            }
            if random.one_in(8) {
                file.with_mode(0o710)
            } else {
                file
            }
        })
        .collect()
}

fn random_address(random: &mut Random) -> Vec<u8> {
    const PIECES: [&[u8]; 30] = [
        b"user",
        b"user",
        b"u",
        b"x.example",
        b"x.example",
        b"@",
        b"@",
        b"@",
        b".",
        b"..",
        b" ",
        b"\"",
        b"\\",
        b"\t",
        b"\x01",
        b"\x7f",
        b"\r",
        b"\n",
        b"\0",
        b"<",
        b">: ",
        b"(",
        b":",
        b"@a,@b:",
        b"[1.2.3.4]",
        b"=",
        "é.".as_bytes(),
        "✓x".as_bytes(),
        b"\xffx",
        b"\xc0x",
    ];
    let pieces = random.below(7);
    (0..pieces)
        .flat_map(|_| random.pick(&PIECES).to_vec())
        .collect()
}

fn random_file(random: &mut Random, addresses: &[Vec<u8>]) -> Vec<u8> {
    let content = (0..random.below(4)).fold(File::default(), |file, n| {
        file.add(b"NLNw"[n], b"some text")
    });
    let content = content.add(b'X', b"").0;
    let mut file = File::default();
    match random.below(6) {
        0 => {}
        1 => file = file.size(b"  nonsense"),
        2 => file = file.size(b"        9000000"),
        _ => file = file.size(format!("{:>15} {:>15}", content.len(), 700).as_bytes()),
    }
    if !random.one_in(6) {
        file = file.add(
            b'T',
            random.pick(&[ARRIVAL, b"0", b"-1", b"1795460311", b" 17954603x"]),
        );
    }
    let sender = random_address(random);
    file = file.add(b'A', b"log_ident=X").add(b'S', &sender);
    let sure = file.0.len();
    let split = random.below(addresses.len() + 1);
    file = random_recipients(random, file, &addresses[..split]);
    file = file.add(b'M', b"").raw(&content);
    file = random_recipients(random, file, &addresses[split..]);
    if !random.one_in(5) {
        file = file.add(b'E', b"").raw(random.pick(&[
            &b""[..],
            b"R\x01x",
            b"\xff\xff\xff\xff\xff\xff",
        ]));
    }
    if random.one_in(5) {
        let keep = sure + random.below(file.0.len() - sure);
        file.0.truncate(keep);
    }
    file.0
}

fn random_recipients(random: &mut Random, mut file: File, addresses: &[Vec<u8>]) -> File {
    for address in addresses {
        let kind = b"RRRRRD/OQ"[random.below(9)];
        if random.one_in(5) {
            file = file.add(b'p', b"              0");
        }
        if random.one_in(12) {
            // Over a record that nobody can read.
            let target = file.0.len() + 17 + 3;
            file = file
                .add(b'p', format!("{target:>15}").as_bytes())
                .raw(b"\xff\xff\xff");
        }
        file = file.add(kind, address);
    }
    file
}

fn random_log(random: &mut Random, addresses: &[Vec<u8>]) -> Vec<u8> {
    const REASONS: [&[u8]; 10] = [
        b"",
        b"try later",
        b"try later",
        b" \"quoted\" \\ <x>",
        b"tab\tbell\x07",
        b"nul\0x",
        b"bad\xff.",
        b"a=b",
        "später".as_bytes(),
        b"host said: 450 4.7.1 <a@b>: refused",
    ];
    const OTHER: [&[u8]; 12] = [
        b"status=4.7.1",
        b"action=delayed",
        b"offset=689",
        b"original_recipient=x@y",
        b"junk",
        b" =",
        b"*",
        b"\0",
        b"\r",
        b"unknown = 1",
        b"recipient",
        b"dsn_orig_rcpt=rfc822;x",
    ];
    let mut log = Vec::new();
    for _ in 0..random.below(40) {
        let address = &addresses[random.below(addresses.len())];
        let line = match random.below(9) {
            0 => [b"<", &address[..], b">: ", random.pick(&REASONS)].concat(),
            1 | 2 => [b"recipient=", &address[..]].concat(),
            3 | 4 => [b"reason=", random.pick(&REASONS)].concat(),
            5 => random.pick(&OTHER).to_vec(),
            _ => Vec::new(),
        };
        log.extend(line);
        log.extend(if random.one_in(20) {
            &b"\r\n"[..]
        } else {
            b"\n"
        });
    }
    log
}
