//! The modes of the misbehaving element: one list, that the guest and the tests of the host and of the gateway all compile,
//! each with a `match` over every mode, so that a mode without a test does not compile.
//! Must not have a dependency, nor say what a mode does (`modes` does) or what comes of it (the tests do).

/// Writes the enum, the list of all and the names out of one table.
macro_rules! modes {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Mode {
            $($(#[doc = $doc])* $variant,)*
        }

        impl Mode {
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// What the configuration says.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

modes! {
    /// Not forbidden: one request, whose answer becomes a record.
    Echo = "echo",
    /// Not forbidden: one record of each kind, and everything else that a step can hold.
    Records = "records",
    /// Not forbidden: the state says how many calls this guest had.
    Count = "count",
    /// Not forbidden: the state says whether memory held anything before it was written.
    Leftovers = "leftovers",
    /// Not forbidden: ids alone.
    Sweep = "sweep",
    /// Not forbidden: the vendor asks for a pause.
    Fault = "fault",

    Panic = "panic",
    PanicInAdvance = "panic_in_advance",
    Recurse = "recurse",

    Spin = "spin",
    SpinAfterLog = "spin_after_log",
    SpinInAdvance = "spin_in_advance",
    HogMemory = "hog_memory",
    FloodOutput = "flood_output",
    FloodItems = "flood_items",
    FloodLog = "flood_log",
    LogALineBreak = "log_a_line_break",

    BytesLeftOver = "bytes_left_over",
    BytesMissing = "bytes_missing",
    GarbageLengths = "garbage_lengths",
    EmptyId = "empty_id",
    LongId = "long_id",
    IdNotUtf8 = "id_not_utf8",
    IdTwice = "id_twice",
    EmptyBody = "empty_body",
    BodyNotAnObject = "body_not_an_object",
    /// Braces at both ends, and no JSON between them.
    GarbageBody = "garbage_body",

    NoRequest = "no_request",
    TooManyRequests = "too_many_requests",
    RequestIdTwice = "request_id_twice",
    UnknownNext = "unknown_next",
    SweepEmptyId = "sweep_empty_id",
    SweepIdTwice = "sweep_id_twice",
    SweepLongId = "sweep_long_id",
    StateOverCap = "state_over_cap",
    CheckpointOverCap = "checkpoint_over_cap",
    MemoOverCap = "memo_over_cap",
    GarbledFault = "garbled_fault",

    ForeignHost = "foreign_host",
    /// The manifest's host, but not by https.
    PlainHttp = "plain_http",
    /// A secret that the manifest does not have.
    ForeignSecret = "foreign_secret",
    /// Its own secret where it would be written down: in the URL.
    SecretInUrl = "secret_in_url",
    SecretInBody = "secret_in_body",
    /// A header that would reach another virtual host.
    HostHeader = "host_header",

    /// A new cursor after each page, for ever.
    EndlessPages = "endless_pages",
    /// The same request from the same state, for ever.
    SamePageAgain = "same_page_again",
    /// No request at all: a short pause after each step, for ever.
    EndlessWait = "endless_wait",
}
