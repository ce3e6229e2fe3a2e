//! Any bytes as a file name, and any figures as a queue ID: what decodes encodes to the same name,
//! and every name has a hash directory.
#![no_main]
#![allow(missing_docs)] // Of what the macro makes.

use libfuzzer_sys::fuzz_target;
use queuewatch::postfix::queue_id::{
    MAX_HASH_DEPTH, MAX_LENGTH, QueueId, encode_long, encode_short, hash_path, is_valid,
};

fn name(name: &[u8]) {
    let words = name
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let valid = words && !name.is_empty() && name.len() <= MAX_LENGTH;
    assert_eq!(is_valid(name), valid);

    let id = QueueId::decode(name);
    if let Some(id) = id {
        assert!(valid);
        assert_eq!(id.to_string().as_bytes(), name);
        assert!(id.usec() < 1_000_000);
    }

    for depth in [0, 1, 2, 5, 9, 300] {
        let path = hash_path(name, depth);
        assert_eq!(path.len(), 2 * depth);
        for level in path.as_bytes().chunks(2) {
            assert!(level[0].is_ascii_alphanumeric() || level[0] == b'_');
            assert_eq!(level[1], b'/');
        }
        // One path is the beginning of every deeper one.
        assert!(hash_path(name, depth.saturating_add(1)).starts_with(&path));
    }
    assert_eq!(hash_path(name, usize::MAX).len(), 2 * MAX_HASH_DEPTH);
    match id {
        Some(QueueId::Long { usec, .. }) => {
            let digits = format!("{usec:05X}");
            assert_eq!(hash_path(name, 5).replace('/', ""), digits);
        }
        Some(QueueId::Short { .. }) => {
            let digits = String::from_utf8_lossy(&name[..5]);
            assert_eq!(hash_path(name, 5).replace('/', ""), digits);
        }
        None => {}
    }
}

fn figures(sec: u64, usec: u32, inode: u64) {
    let usec = usec % 1_000_000;
    let short = encode_short(usec, inode);
    let long = encode_long(sec, usec, inode);
    let decoded = QueueId::decode(short.as_bytes());
    assert_eq!(decoded, Some(QueueId::Short { usec, inode }));
    let decoded = QueueId::decode(long.as_bytes());
    assert_eq!(decoded, Some(QueueId::Long { sec, usec, inode }));
    for depth in 0..=5 {
        assert_eq!(
            hash_path(short.as_bytes(), depth),
            hash_path(long.as_bytes(), depth)
        );
    }
}

fuzz_target!(|bytes: &[u8]| {
    name(bytes);
    if let Some((head, _)) = bytes.split_first_chunk::<20>() {
        let sec = u64::from_le_bytes(head[..8].try_into().expect("8 bytes"));
        let usec = u32::from_le_bytes(head[8..12].try_into().expect("4 bytes"));
        let inode = u64::from_le_bytes(head[12..].try_into().expect("8 bytes"));
        figures(sec, usec, inode);
        // Figures as they come: seconds and inodes of today.
        figures(sec >> 32, usec, inode >> 32);
    }
});
