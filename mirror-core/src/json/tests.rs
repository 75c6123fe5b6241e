use super::*;

fn is_json(text: &str) -> bool {
    Value::parse(text.as_bytes(), 1000).is_ok()
}

#[test]
fn the_end_of_a_text_is_found_wherever_it_is() {
    // The bytes around a quote and an escape, those that differ from them in one bit, and the ends of what a byte may be.
    let others = [
        0, 0x21, 0x23, 0x5b, 0x5d, 0x7f, 0x80, 0xa2, 0xdc, 0xff, b'a',
    ];
    for length in 0..50 {
        for (end, other) in [b'"', b'\\'].into_iter().zip(others.into_iter().cycle()) {
            let mut bytes = vec![other; length];
            assert_eq!(text_len(&bytes), None, "{length} {other:#x}");
            for other in others {
                bytes.truncate(length);
                bytes.fill(other);
                bytes.extend([end, b'"', other, b'\\']);
                assert_eq!(text_len(&bytes), Some(length), "{end:#x} {other:#x}");
            }
        }
    }
}

#[test]
fn what_serde_json_reads_is_read_and_nothing_else() {
    let texts = [
        "[]",
        " { } ",
        "[1,-0,0.5,1e9,1E+9,-1.5e-3]",
        r#"{"a":[true,false,null],"b":{"c":"d"}}"#,
        r#"["\"\\\/\b\f\n\r\té"]"#,
        "[01]",
        "[+1]",
        "[1.]",
        "[.5]",
        "[-]",
        "[1e]",
        "[1,]",
        "[,1]",
        "{\"a\":1,}",
        "{\"a\"}",
        "{a:1}",
        "[1] x",
        "[",
        "[1",
        "{\"a\":",
        "[\"a",
        "[\"\\x\"]",
        "[\"\\u12\"]",
        "[tru]",
        "[nullx]",
        "[NaN]",
        "[1 2]",
        "[[[[1]]]]",
    ];
    for text in texts {
        let theirs = serde_json::from_str::<serde_json::Value>(text).is_ok();
        assert_eq!(is_json(text), theirs, "{text}");
    }
}

#[test]
fn only_arrays_and_objects_are_data() {
    for text in ["1", "\"a\"", "null", "", "  ", "<html>", "\u{0}[1]"] {
        assert!(!is_json(text), "{text}");
    }
    assert!(is_json("\u{feff}[1]"), "a byte order mark");
    assert_eq!(Value::parse(b"[\"\xff\"]", 10), Err(NotRead::NotJson));
}

#[test]
fn values_over_the_limit_end_the_reading() {
    assert!(Value::parse(b"[1,2,3]", 4).is_ok());
    assert_eq!(Value::parse(b"[1,2,3]", 3), Err(NotRead::TooLarge));
}

#[test]
fn a_hundred_thousand_brackets_do_no_harm() {
    let deep = "[".repeat(100_000);
    assert_eq!(
        Value::parse(deep.as_bytes(), 1 << 20),
        Err(NotRead::NotJson)
    );
    let nested = format!("{}{}", "[".repeat(100), "]".repeat(100));
    assert!(is_json(&nested));
}

#[test]
fn what_is_deeper_than_most_is_kept_as_text_where_all_is_wanted() {
    let lenient = |text: &str| Value::parse_leniently(text.as_bytes(), 1 << 20).is_ok();
    let deep = |inner: &str| format!("{}{inner}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(lenient(&deep("")));
    assert!(lenient(&deep("{\"a\":\"]\"}")));
    assert!(!lenient(&deep("}")));
    assert!(!lenient(&"[".repeat(100_000)));
    assert!(!lenient(&deep("\"")));
}

#[test]
fn a_lenient_reader_takes_any_value_and_numbers_that_are_none() {
    let check = |text: &str, expect| {
        let read = Value::parse_leniently(text.as_bytes(), 10);
        assert_eq!(read.ok(), expect, "{text}");
    };
    check("\u{feff} 1 ", Some(Value::Number("1")));
    check("\"a\"", Some(Value::Text("a")));
    check("-Infinity", Some(Value::Number("-Infinity")));
    check("NaN", Some(Value::Number("NaN")));
    check("-1", Some(Value::Number("-1")));
    check("Inf", None);
    check("", None);
    check("1 2", None);
    assert!(!is_json("[NaN]"));
}

#[test]
fn texts_are_equal_by_what_they_mean() {
    let check = |ours, theirs, expect| {
        assert_eq!(same_text(ours, theirs), expect, "{ours} {theirs}");
        assert_eq!(same_text(theirs, ours), expect, "{theirs} {ours}");
    };
    check("é", r"\u00e9", true);
    check("😀", r"\ud83d\uDE00", true);
    check(r"\/", "/", true);
    check(r"a\nb", r"a\u000ab", true);
    check(r"\ud83d", r"\ud83e", false);
    check(r"a\nb", r"a\rb", false);
    check("a", "b", false);
    check(r"\u0061", "ab", false);
}

#[test]
fn names_are_compared_by_what_they_mean() {
    let value = Value::parse(br#"{"\u0061":1}"#, 10).unwrap();
    let expect = Value::Object(vec![("a".into(), Value::Number("1"))]);
    assert_eq!(value, expect);
}

#[test]
fn a_value_is_shown_as_it_was_sent_and_cut() {
    let text = r#"{"a":[1.50,true,null],"b":{"c":"d\n"}}"#;
    let value = Value::parse(text.as_bytes(), 100).unwrap();
    assert_eq!(value.shown(1000), text);
    let long = format!("[{}1]", "1,".repeat(5000));
    let value = Value::parse(long.as_bytes(), 10_000).unwrap();
    assert!(value.shown(200).len() < 500);
}
