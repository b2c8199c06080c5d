"""The element `my-element`: reads the notes of a made-up vendor, whose API is described in README.md. Make it yours.
An element sends nothing itself: it says what it wants sent, gets the answers, and has no clock but `run.now_ms`."""

from tidegate import Fault, encode, fault_of, format_iso, next_page, page_size, record, secret, url

# The vendor's limit.
PAGE_MAX = 100


def begin(run):
    """The first step of an operation."""
    match run.operation:
        case "check":
            return {"send": [ask(run, "me")], "state": {}}
        case "list":
            return {"send": [page(run, None)], "state": {"cursor": None}}
        case "get":
            return {"send": [ask(run, f"notes/{encode(run.args.id)}")], "state": {}}
    raise Fault.broken("operation-unknown", f"this element does not know the operation `{run.operation}`")


def advance(run, state, responses):
    """The next step: `state` is what the last one left, `responses` are the answers to what it sent."""
    [response] = responses
    if run.operation == "get" and response.status == 404:
        return {}
    fault = fault_of(response, "Acme")
    if fault:
        raise fault
    answer = response.json()
    if run.operation == "check":
        return {}
    if run.operation == "get":
        return {"records": [record(run, answer)]}

    if not isinstance(answer, dict) or not isinstance(answer.get("notes"), list):
        raise Fault.retry("answer-unreadable", "Acme sent a page without a list of `notes`")
    records = [record(run, note) for note in answer["notes"]]
    cursor = next_page(state["cursor"], answer.get("nextCursor"))
    if cursor is None:
        return {"records": records}
    return {"records": records, "send": [page(run, cursor)], "state": {"cursor": cursor}}


def page(run, cursor):
    if run.args.filter:
        raise Fault.bad_configuration("where", "Acme cannot filter notes: leave out the where clause")
    window = run.args.window
    return ask(
        run,
        "notes",
        {
            "updated_since": window and format_iso(window.from_ms),
            "limit": page_size(run, PAGE_MAX),
            "cursor": cursor,
        },
    )


def ask(run, path, query=None):
    return {
        "url": url(run.configuration["my-element.url"], f"v1/{path}", query),
        "headers": {"Authorization": f"Bearer {secret('my-element.token')}"},
        "lane": "notes",
    }
