//! The API's JSON is frozen: a change here is a change for everybody's programs.

use super::*;

fn check<T: Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T, expect: &str) {
    assert_eq!(serde_json::to_string(value).unwrap(), expect);
    assert_eq!(&serde_json::from_str::<T>(expect).unwrap(), value);
}

#[test]
fn a_submission_reads_as_documented() {
    let tool = ToolShape {
        module: "ab".into(),
        args: vec!["{}".into()],
        stdin: false,
        uncut: false,
        real_time: false,
        caps: CapsShape { memory_bytes: Some(1), ..CapsShape::default() },
    };
    let submit = Submit {
        v: V,
        id: "0000000000001".into(),
        name: "n".into(),
        tool,
        source: SourceShape::Inputs(vec![
            InputShape::Text("a".into()),
            InputShape::Bytes { base64: "/w==".into() },
            InputShape::Blob { blob: "cd".into() },
        ]),
        chunk: ChunkShape::Items(1),
        check: Some(CheckShape::Spot { per_mille: 30 }),
        merge: false,
        open: false,
        budget: Some(Big(u64::MAX)),
        fails_max: None,
    };
    check(
        &submit,
        r#"{"v":1,"id":"0000000000001","name":"n","tool":{"module":"ab","args":["{}"],"stdin":false,"real_time":false,"caps":{"memory_bytes":1}},"source":{"inputs":["a",{"base64":"/w=="},{"blob":"cd"}]},"chunk":{"items":1},"check":{"spot":{"per_mille":30}},"merge":false,"open":false,"budget":"18446744073709551615"}"#,
    );
    let short = r#"{"v":1,"id":"x","name":"","tool":{"module":"ab"},"source":{"numbers":{"from":7,"count":2}}}"#;
    let read: Submit = serde_json::from_str(short).unwrap();
    assert_eq!((read.source, read.check), (SourceShape::Numbers { from: Big(7), count: 2 }, None));
}

#[test]
fn results_and_events_read_as_documented() {
    let result = ResultShape {
        item: 3,
        count: 1,
        outcome: "right".into(),
        stdout: Content::Text("x\n".into()),
        fuel: Big(5),
        micros: 7,
        by: "00".into(),
        ..ResultShape::default()
    };
    check(&result, r#"{"item":3,"outcome":"right","stdout":"x\n","fuel":"5","micros":7,"by":"00"}"#);
    let event = Event { v: V, at_ms: 9, kind: EventKind::Paid { job: "j".into(), to: "t".into(), amount: Big(2) } };
    check(&event, r#"{"v":1,"at_ms":9,"type":"paid","job":"j","to":"t","amount":"2"}"#);
    let unknown: Event = serde_json::from_str(r#"{"v":1,"at_ms":9,"type":"danced"}"#).unwrap();
    assert_eq!(unknown.kind, EventKind::Unknown);
}

#[test]
fn numbers_are_read_either_way_and_bounded() {
    assert_eq!(serde_json::from_str::<Big>("12").unwrap(), Big(12));
    assert_eq!(serde_json::from_str::<Big>("\"12\"").unwrap(), Big(12));
    assert_eq!(serde_json::from_str::<Signed>("\"-12\"").unwrap(), Signed(-12));
    for wrong in ["-1", "1.5", "\"\"", "\"1e3\"", "\"18446744073709551616\"", "null"] {
        assert!(serde_json::from_str::<Big>(wrong).is_err(), "{wrong}");
    }
}
