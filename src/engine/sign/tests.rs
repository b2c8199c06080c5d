//! Tests of `sign` against the vectors that other implementations agree on. Must not compute what it compares with.

use super::*;

const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const SECONDS: i64 = 1_614_265_330;
const BODY: &[u8] = br#"{"test": 2432232314}"#;
const A: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const B: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const PAIR: &str = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";

fn signature_of(texts: &[&str], id: &str, seconds: i64, body: &[u8]) -> String {
    let keys: Vec<_> = texts.iter().map(|text| SigningKey::parse(text).unwrap()).collect();
    webhook_signature(&keys.iter().collect::<Vec<_>>(), id, seconds, body).unwrap()
}

fn signature(texts: &[&str], seconds: i64, body: &[u8]) -> String {
    signature_of(texts, ID, seconds, body)
}

fn elements(texts: &[&str], body: &[u8]) -> Option<String> {
    let keys: Vec<_> = texts.iter().map(|text| SigningKey::parse(text).unwrap()).collect();
    elements_signature(&keys.iter().collect::<Vec<_>>(), body)
}

#[test]
fn signatures_are_those_of_standard_webhooks() {
    let longest = format!("whsec_{}", STANDARD.encode((0..64).collect::<Vec<u8>>()));
    let table: [(&[&str], i64, &[u8], &str); 8] = [
        (&[A], SECONDS, BODY, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        (
            &[PAIR],
            SECONDS,
            BODY,
            "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==",
        ),
        (
            &[A, B],
            SECONDS,
            BODY,
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1,78nXHjpFP0tVJQW5D0SBwmVyyW87BV/rL6MgfM/Bw44=",
        ),
        (
            &[A],
            SECONDS + 5,
            BODY,
            "v1,IFrHNvFdSlxTmO/uOkpKdCwyVAkNxveF9T56NbTULfE=",
        ),
        (
            &[A],
            SECONDS,
            r#"{"name":"Zoë 🚀"}"#.as_bytes(),
            "v1,UIIYqyWKzXJf0cc8PHV1DeJyoJm4DEe8IXHdvW7refs=",
        ),
        (&[A], SECONDS, b"", "v1,v48jdbgvh29KJz2Qc+ghw8G6vG3nAKnujWBg8oM/62A="),
        (
            &[A],
            SECONDS,
            br#"{"test":2432232314}"#,
            "v1,Vif40peJBP7Iyl0XGmu61n4MwdrcHov5CFREBpE0svs=",
        ),
        (
            &[&longest],
            SECONDS,
            BODY,
            "v1,LZ5zuwHTqQH3VM8ERUusjzVQq1FXzemvpR8Mk7Ivp5c=",
        ),
    ];
    for (texts, seconds, body, expected) in table {
        assert_eq!(signature(texts, seconds, body), expected);
    }
}

#[test]
fn another_id_time_and_secret_give_the_signature_that_svix_gives() {
    let body = br#"{"email":"test@example.com","username":"test_user"}"#;
    let signature = signature_of(&[B], "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553, body);
    assert_eq!(signature, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
}

#[test]
fn a_text_signs_by_its_utf8_bytes_as_a_shared_secret_of_the_same_bytes_does() {
    let text = "a key of my own, Zoë: long enough";
    let encoded = format!("whsec_{}", STANDARD.encode(text));
    assert_eq!(signature(&[text], SECONDS, BODY), signature(&[&encoded], SECONDS, BODY));
}

#[test]
fn without_keys_there_are_no_signatures() {
    assert_eq!(webhook_signature(&[], ID, SECONDS, BODY), None);
    assert_eq!(elements_signature(&[], BODY), None);
}

#[test]
fn the_elements_signature_is_the_one_that_cloud_elements_documents() {
    let table = [
        (
            "MySecretEventSignatureKey",
            "<INSERT_EVENT_NOTIFICATION_RESPONSE_BODY>",
            "sha256=jHdbRx5EZAsOfTwAPJOGkNUzQMVVdu5VJlxcsk+G6jQ=",
        ),
        (
            "tidegate-test-key",
            r#"{"message":{"eventId":"e-1","raw":{"accountName":"Zoë"}}}"#,
            "sha256=twxAEr2mMTBH+tlQ926UkhVzbca10IiZoNzv3LoPOMY=",
        ),
    ];
    for (key, body, expected) in table {
        assert_eq!(elements(&[key], body.as_bytes()).unwrap(), expected);
    }
    assert_ne!(elements(&["key"], b"{}"), elements(&["key"], b"{} "));
}

#[test]
fn the_elements_header_is_signed_by_the_text_of_the_newest_key_and_by_no_pair() {
    // `printf BODY | openssl dgst -sha256 -hmac TEXT -binary | base64`
    let by_text = "sha256=gOyKic480iEzoQZsrstNBP6nRnZXyFFNcX7ELDilyUw=";
    assert_eq!(elements(&[A], BODY).unwrap(), by_text);
    assert_eq!(elements(&[A, B], BODY).unwrap(), by_text);
    assert_eq!(elements(&[PAIR, A], BODY), None);
}

#[test]
fn a_pair_shows_its_public_key_and_a_secret_shows_nothing() {
    let [pair, shared, text] = [PAIR, A, "mine"].map(|text| SigningKey::parse(text).unwrap());
    assert_eq!(
        pair.public_key().unwrap(),
        "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
    );
    assert_eq!((pair.kind(), pair.kind().version()), (KeyKind::Pair, "v1a"));
    assert_eq!((shared.public_key(), text.public_key()), (None, None));
    assert_eq!((shared.kind().version(), text.kind()), ("v1", KeyKind::Shared));
    assert_eq!(format!("{pair:?} {shared:?}"), "v1a ******** v1 ********");
}

#[test]
fn what_looks_like_a_key_and_is_none_is_refused_without_repeating_it() {
    let of = |prefix: &str, bytes: usize| format!("{prefix}{}", STANDARD.encode(vec![7; bytes]));
    let mut halves = PAIR.to_owned();
    halves.replace_range(5..6, "7");
    let table = [
        ("whsec_".to_owned(), KeyError::SharedLength(0)),
        (of("whsec_", 23), KeyError::SharedLength(23)),
        (of("whsec_", 65), KeyError::SharedLength(65)),
        (format!("{A}="), KeyError::NoBase64("whsec_")),
        (format!("{A}\n"), KeyError::NoBase64("whsec_")),
        (
            "whsec_hunter2!hunter2!hunter2!hunter2!".to_owned(),
            KeyError::NoBase64("whsec_"),
        ),
        ("whsk_".to_owned(), KeyError::PrivateLength(0)),
        (of("whsk_", 32), KeyError::PrivateLength(32)),
        (of("whsk_", 65), KeyError::PrivateLength(65)),
        ("whsk_hunter2".to_owned(), KeyError::NoBase64("whsk_")),
        (halves, KeyError::Halves),
        (of("whpk_", 32), KeyError::PublicKey),
        (of("whxx_", 32), KeyError::Prefix),
        (of("WHSEC_", 32), KeyError::Prefix),
        (of("whsig_", 32), KeyError::Prefix),
    ];
    for (text, expected) in table {
        let error = SigningKey::parse(&text).unwrap_err();
        assert_eq!(error, expected, "{text}");
        let said = format!("{error} {error:?}");
        let secret = text.split_once('_').unwrap().1.trim();
        assert!(secret.is_empty() || !said.contains(secret), "{said}");
    }
}

#[test]
fn the_shortest_and_the_longest_secret_and_any_other_text_are_keys() {
    for text in [
        "whsecret",
        "wh_at",
        "whatever_this_is",
        "w",
        "whsec",
        " whsec_",
        "ключ",
        "whale watching",
        "white_rabbit",
        "what_ever_we_said_it_should_be",
    ] {
        assert!(SigningKey::parse(text).is_ok(), "{text}");
    }
    for bytes in [24, 64] {
        assert!(SigningKey::parse(&format!("whsec_{}", STANDARD.encode(vec![7; bytes]))).is_ok());
    }
}

#[test]
fn a_stored_text_that_would_be_refused_today_signs_as_it_did() {
    let stored = |text| elements_signature(&[&SigningKey::stored(text)], BODY).unwrap();
    // As openssl signs with this text.
    assert_eq!(
        stored("whsec_short"),
        "sha256=3xhYqqQ3hUeyTfZmiI9OoEvYj6cMjgcq/qOJC+3d3ME="
    );
    assert_eq!(stored(A), elements(&[A], BODY).unwrap());
}

#[test]
fn made_keys_are_keys_of_their_kind() {
    for (word, kind) in [("generate", KeyKind::Shared), ("generate-ed25519", KeyKind::Pair)] {
        assert_eq!(KeyKind::asked_for(word), Some(kind));
        let made = kind.make([7; 32]);
        assert_eq!(SigningKey::parse(made.expose()).unwrap().kind(), kind);
        assert_ne!(made, kind.make([8; 32]));
    }
    let vector = STANDARD.decode(&PAIR[5..]).unwrap();
    assert_eq!(KeyKind::Pair.make(vector[..32].try_into().unwrap()).expose(), PAIR);
    assert_eq!(KeyKind::asked_for("Generate"), None);
}
