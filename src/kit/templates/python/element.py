"""The element `my-element`: reads the notes of a made-up vendor, whose API is described in README.md. Make it yours.
An element sends nothing itself: it says what it wants sent, gets the answers, and has no clock but `run.now_ms`."""

from tidegate import Fault, encode, fault_of, first_page, format_iso, next_page, page_size, query_of, record, secret, url

# The vendor's limit.
PAGE_MAX = 100
# What a where clause may ask for, and the parameter that does. A poll's clause asks for what changed since the last one.
CONDITIONS = {"updatedAt >=": "updated_since"}


def begin(run):
    """The first step of an operation."""
    match run.operation:
        case "check":
            return {"send": [ask(run, "me")]}
        case "list":
            return page(run, first_page())
        case "get":
            return {"send": [ask(run, f"notes/{encode(run.args.id)}")]}
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
    if run.operation == "get":
        return {"records": [record(run, answer)]}
    answer = answer if isinstance(answer, dict) else {}
    if run.operation == "check" and "id" in answer:
        return {}
    # Whatever else an answer is (a page of HTML, an error with status 200), it must not be taken for the end of the notes.
    if not isinstance(answer.get("notes"), list):
        raise Fault.retry("answer-unreadable", "Acme sent a page without a list of `notes`")

    records = [record(run, note) for note in answer["notes"]]
    place = next_page(state["place"], answer.get("nextCursor"))
    return {"records": records} | (page(run, place) if place else {})


def page(run, place):
    window = run.args.window
    query = {"updated_since": window and format_iso(window.from_ms)}
    # It says more than the window. What the vendor cannot be asked for is refused in words.
    query |= query_of(run.args.filter, "Acme", CONDITIONS)
    query |= {"limit": page_size(run, PAGE_MAX), "cursor": place["at"]}
    return {"send": [ask(run, "notes", query)], "state": {"place": place}}


def ask(run, path, query=None):
    return {
        "url": url(run.configuration["my-element.url"], f"v1/{path}", query),
        "headers": {"Authorization": f"Bearer {secret('my-element.token')}"},
        "lane": "notes",
    }
