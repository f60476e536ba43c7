//! Cabinets that are broken or hostile, through the whole engine: each is quarantined with its reason, and the others
//! are stored.

use std::io::{Cursor, Write};

use weir::protocol::cabinet::encode_mszip;
use weir::protocol::server_sync::{UpdateBlob, UpdateData};
use weir::protocol::soap::Method;
use weir::sync::owed;
use weir::sync::runs::RunState;

use crate::support::bench::Bench;
use crate::support::documents::{self, Doc, PRODUCT};
use crate::support::upstream::Trouble;

/// A cabinet with these bytes as its only file.
fn cabinet(bytes: &[u8]) -> Vec<u8> {
    let mut builder = cab::CabinetBuilder::new();
    builder.add_folder(cab::CompressionType::MsZip).add_file("blob");
    let mut writer = builder.build(Cursor::new(Vec::new())).unwrap();
    while let Some(mut file) = writer.next_file().unwrap() {
        file.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// What is wrong with the cabinet of update `number`, and the words that name it.
const WRONG: [(u128, &str); 10] = [
    (0, "cut off"),
    (2, "is not a cabinet"),
    (4, "2 folders"),
    (6, "2 files"),
    (8, "compressed in a way we do not know"),
    (10, "cannot be unpacked"),
    (12, "declares 4294967295"),
    (14, "not UTF-16"), // half a pair
    (16, "not UTF-16"), // half a character
    (18, "cannot be unpacked"),
];

fn spoil(number: u128, good: Vec<u8>) -> Vec<u8> {
    let mut bytes = good;
    match number {
        0 => bytes.truncate(bytes.len() / 2),
        2 => bytes = b"<upd:Update/>".to_vec(),
        4 => bytes[26] = 2,
        6 => bytes[28] = 2,
        8 => bytes[42] = 2,     // Quantum
        10 => bytes[0x41] ^= 1, // the checksum does not fit any more
        12 => bytes[44..48].copy_from_slice(&u32::MAX.to_le_bytes()),
        14 => bytes = cabinet(&[0x3c, 0, 0x00, 0xd8, 0x3e, 0]),
        16 => bytes = cabinet(b"<\0a"),
        18 => bytes[42..44].copy_from_slice(&0x1f03_u16.to_le_bytes()), // a window of 2 GiB
        // What follows the end is ignored.
        20 => bytes.extend_from_slice(b"junk after the end"),
        _ => {}
    }
    bytes
}

fn spoil_all(items: &mut [UpdateData]) {
    for number in 0..30 {
        let doc = Doc::update(PRODUCT, number, 100);
        for item in items.iter_mut().filter(|item| item.key == doc.key) {
            item.blob = UpdateBlob::Compressed(spoil(number, encode_mszip(&doc.xml()).unwrap()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r100_r062_each_broken_cabinet_is_quarantined_with_its_reason_and_the_others_are_stored() {
    let bench = Bench::start().await;
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, 30));
    bench.upstream.trouble(Method::GetUpdateData, 1_000, Trouble::Documents(|items| spoil_all(items)));
    let run = bench.synchronize().await;
    let expected = (RunState::SucceededWithProblems, 30 - WRONG.len() as i64, WRONG.len() as i64);
    assert_eq!((run.state(), run.new, run.failed), expected, "{:?}", run.error());
    let owed = owed::of_run(&mut *bench.db.conn().await, run.id, 100).await.unwrap();
    assert_eq!(owed.len(), WRONG.len(), "{owed:?}");
    for (number, words) in WRONG {
        let id = Doc::update(PRODUCT, number, 100).key.update_id;
        let one = owed.iter().find(|one| one.update_id == id).unwrap_or_else(|| panic!("{number}: {owed:?}"));
        assert!(one.reason.contains(words), "{number}: {one:?}");
    }
    bench.upstream.no_more_trouble();
    assert_eq!(bench.succeed().await.new, WRONG.len() as i64, "once they are well they come");
    assert_eq!(bench.stored().await, bench.upstream.keys());
}
