//! The changes of docs/compatibility.md, made for real: to the contract, to a manifest and to a case.
//! Must not say what comes of them: the document does, and the tests find out.

use serde_json::{Map, Value, json};

/// A change by the words of the document, and replacements in wit/element.wit that make it.
pub(crate) type ContractChange = (&'static str, &'static [(&'static str, &'static str)]);

const HEADER: &str = "        name: string,\n        value: string,\n    }\n\n    /// One HTTP request";

pub(crate) const OF_THE_CONTRACT: &[ContractChange] = &[
    ("Text of comments", &[("/// One JSON document in UTF-8.", "/// JSON.")]),
    (
        "A type that nothing uses",
        &[(
            "    record parameter {",
            "    type seconds = u32;\n\n    record parameter {",
        )],
    ),
    (
        "An interface that another world exports, and that the gateway looks for",
        &[(
            "\nworld element {",
            "\ninterface webhook {\n    receive: func(body: list<u8>);\n}\n\nworld element-with-webhook {\n    include \
             element;\n    export webhook;\n}\n\nworld element {",
        )],
    ),
    (
        "A function more in `log`",
        &[(
            "    log: func(",
            "    enabled: func(level: level) -> bool;\n    log: func(",
        )],
    ),
    (
        "An interface more that elements may import",
        &[(
            "\nworld element {\n",
            "\ninterface digest {\n    sha256: func(bytes: list<u8>) -> list<u8>;\n}\n\nworld element {\n    import \
             digest;\n",
        )],
    ),
    (
        "A function less in an interface that elements export",
        &[
            (
                "    advance: func(run: run, state: list<u8>, responses: list<response>) -> result<step, fault>;\n",
                "",
            ),
            ("use types.{run, response, step, fault}", "use types.{run, step, fault}"),
        ],
    ),
    (
        "An interface less that the world `element` exports",
        &[("    export meta;\n", "")],
    ),
    (
        "A field more in a record",
        &[(
            HEADER,
            "        name: string,\n        value: string,\n        secret: bool,\n    }\n\n    /// One HTTP request",
        )],
    ),
    ("A field less in a record", &[("        idempotent: bool,\n", "")]),
    (
        "The fields of a record in another order",
        &[(
            HEADER,
            "        value: string,\n        name: string,\n    }\n\n    /// One HTTP request",
        )],
    ),
    (
        "A case more in a variant",
        &[(
            "        wait-ms(u32),\n",
            "        wait-ms(u32),\n        wait-until(s64),\n",
        )],
    ),
    (
        "A case more in an enum",
        &[("        debug,\n", "        trace,\n        debug,\n")],
    ),
    (
        "Another type of a field, parameter or result",
        &[("cost: u16", "cost: u32")],
    ),
    (
        "A parameter renamed",
        &[(
            "log: func(level: level, message: string)",
            "log: func(level: level, text: string)",
        )],
    ),
    (
        "A type renamed",
        &[
            ("record window {", "record period {"),
            ("option<window>", "option<period>"),
        ],
    ),
    (
        "A function more in an interface that elements export",
        &[(
            "    manifest: func() -> json;\n",
            "    manifest: func() -> json;\n    cases: func() -> json;\n",
        )],
    ),
    (
        "An interface more that the world `element` exports",
        &[(
            "    export operate;\n",
            "    export operate;\n    export cases: interface { all: func() -> list<u8>; }\n",
        )],
    ),
    (
        "A function less in `log`",
        &[("    log: func(level: level, message: string);\n", "")],
    ),
    ("The import of `log` taken away", &[("    import log;\n", "")]),
];

/// The contract's text after the change of this name.
pub(crate) fn contract_after(text: &str, name: &str) -> String {
    let change = OF_THE_CONTRACT.iter().find(|(known, _)| *known == name);
    let (_, replacements) = change.unwrap_or_else(|| panic!("no change is called {name:?}"));
    replacements.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{name}: wit/element.wit has no {from:?} any more");
        text.replace(from, to)
    })
}

/// A change by the words of the document; entries of a document of before that matter to a gateway of after; and entries of
/// a document of after that matter to a gateway of before. Null takes an entry away. This gateway is judged as either.
pub(crate) type DocumentChange = (&'static str, Value, Value);

pub(crate) fn of_the_manifest() -> Vec<DocumentChange> {
    let novel = || json!({"novel": 1});
    let no_hub = || json!({"hub": null});
    let not_a_key = || json!({"key": "Upper Case"});
    let text_for_number = || json!({"projection": "1"});
    vec![
        ("An optional key more", json!({}), novel()),
        (
            "Another value among those that a key may have",
            json!({}),
            json!({"properties": [{"key": "patience", "type": "duration"}]}),
        ),
        ("A check less strict", json!({}), not_a_key()),
        ("Another default of an optional key", json!({}), json!({})),
        ("An optional key less", novel(), json!({"description": null})),
        ("A required key more", no_hub(), novel()),
        ("A required key less", novel(), no_hub()),
        ("A check more strict", not_a_key(), json!({})),
        ("Another type of a key's value", text_for_number(), text_for_number()),
    ]
}

pub(crate) fn of_a_case() -> Vec<DocumentChange> {
    let renamed = || json!({"name": null, "title": "a case"});
    vec![
        ("An optional key more", json!({}), json!({"novel": 1})),
        (
            "Another operation",
            json!({}),
            json!({"run": {"operation": {"stream": {}}, "nowMs": 0}}),
        ),
        (
            "Another meaning of a key, with a new `format`",
            json!({}),
            json!({"format": 2}),
        ),
        ("A format that is not read any more", json!({"format": 0}), json!({})),
        ("A key renamed within a format", renamed(), renamed()),
    ]
}

/// The document with these entries.
pub(crate) fn edited(document: &Value, entries: &Value) -> Vec<u8> {
    let mut edited: Map<String, Value> = document.as_object().unwrap().clone();
    for (key, value) in entries.as_object().unwrap() {
        if value.is_null() {
            edited.remove(key);
        } else {
            edited.insert(key.clone(), value.clone());
        }
    }
    Value::Object(edited).to_string().into_bytes()
}
