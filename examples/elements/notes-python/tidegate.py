"""What an element in Python works with: steps and faults as plain objects, and what every element needs (canonical JSON,
secrets, addresses, dates, paging). It hides wit/element.wit: bytes, lengths and variants end here.
Must not know any vendor, and must not be changed in a project: `tidegate element new` puts the newest here."""

import _strptime  # noqa: F401 (`datetime.strptime` imports it when it is first called, which is too late)
import importlib.machinery
import json
import re
import sys
import time
from datetime import datetime, timedelta
from itertools import accumulate
from types import SimpleNamespace
from urllib.parse import quote

from componentize_py_types import Err
from wit_world.imports import log as host
from wit_world.imports import types as wit

# An encoding is imported when it is first used, which is too late in a component.
for encoding in ("ascii", "cp1252", "latin-1", "utf-8", "utf-8-sig", "utf-16"):
    "".encode(encoding)

# The longest id that the gateway takes.
ID_BYTES = 1024
# The most requests that a step may send.
REQUESTS_MAX = 16
U16_MAX, U32_MAX = 0xFFFF, 0xFFFF_FFFF
# 285,000 years: any moment that a vendor could mean.
MS_MAX = 2**53 - 1

class log:
    """Lines for the operator's log. Few people read it: a user should get a problem or a fault."""

    @staticmethod
    def debug(message):
        host.log(host.Level.DEBUG, text_out(message))

    @staticmethod
    def info(message):
        host.log(host.Level.INFO, text_out(message))

    @staticmethod
    def warn(message):
        host.log(host.Level.WARN, text_out(message))

    @staticmethod
    def error(message):
        host.log(host.Level.ERROR, text_out(message))


# ---------------------------------------------------------------------------------------------------------- faults


class Fault(Exception):
    """How a run fails: `raise Fault.retry("vendor-down", "Acme answered HTTP 503; it is asked again")`.

    `code` is stable and in kebab-case, for programs; `message` says to people what was found, what was expected and what
    to do. `after_seconds` is for retry and rate_limited only; `detail` holds facts for programs."""

    def __init__(self, remedy, code, message, after_seconds=None, detail=None):
        super().__init__(message)
        self.remedy, self.code, self.message = remedy, code, message
        self.after_seconds, self.detail = after_seconds, detail

    @classmethod
    def retry(cls, code, message, **options):
        """The same run may succeed later, unchanged."""
        return cls("retry", code, message, **options)

    @classmethod
    def rate_limited(cls, code, message, **options):
        """The account is over its budget: nothing is sent for `after_seconds`."""
        return cls("rate-limited", code, message, **options)

    @classmethod
    def refresh_auth(cls, code, message, **options):
        """The credentials were refused."""
        return cls("refresh-auth", code, message, **options)

    @classmethod
    def restart(cls, code, message, **options):
        """The checkpoint is of no use: start from the watermark."""
        return cls("restart", code, message, **options)

    @classmethod
    def bad_configuration(cls, code, message, **options):
        """The user must change something: `code` is the configuration key where there is one."""
        return cls("bad-configuration", code, message, **options)

    @classmethod
    def broken(cls, code, message, **options):
        """The vendor or this element broke a promise."""
        return cls("broken", code, message, **options)


def fault_of(response, vendor="the vendor"):
    """What an answer that is no success usually means, as a fault; None for a success (200 to 299). What your vendor means
    by 404 or by 400, you know better: look at it before. For `Retry-After`, name `retry-after` in the manifest's
    `responseHeaders`."""
    status = response.status
    if 200 <= status < 300:
        return None
    excerpt = response.text().strip()[:200]
    said = f"{vendor} answered HTTP {status}" + (f": {excerpt}" if excerpt else "")
    found = re.match(r"\s*(\d{1,9})", response.headers.get("retry-after", ""), re.ASCII)
    after_seconds = int(found[1]) if found else None
    if status == 0:
        return Fault.retry("no-answer", f"{vendor} did not answer ({excerpt}); it is asked again")
    if status in (401, 403):
        return Fault.refresh_auth("credentials-refused", said)
    if status == 429:
        return Fault.rate_limited("rate-limited", said, after_seconds=60 if after_seconds is None else after_seconds)
    if status == 408 or status >= 500:
        return Fault.retry("vendor-down", said, after_seconds=after_seconds)
    return Fault.broken("unexpected-status", said)


# -------------------------------------------------------------------------------------------------------- requests


def secret(name):
    """Stands for a secret property of the manifest in a header's value; the gateway fills it in as the request leaves."""
    return f"{{{{secret:{name}}}}}"


def basic(user, password):
    """The value of a header `Authorization` with user and password, each of which may hold `secret(…)`."""
    return f"Basic {{{{base64:{user}:{password}}}}}"


def encode(value):
    """Percent-encoded: only letters, digits and `-._~` stay, so that every language writes the same."""
    return quote(str(value), safe="", errors="replace")


def url(base, path, query=None):
    """An address: `url("https://acme.example/", "v1/notes", {"limit": 50, "cursor": None})`. What is None is left out."""
    pairs = [f"{encode(name)}={encode(value)}" for name, value in (query or {}).items() if value is not None]
    return f"{base.rstrip('/')}/{path.lstrip('/')}" + (f"?{'&'.join(pairs)}" if pairs else "")


# ---------------------------------------------------------------------------------------------------------- paging


def page_size(run, most):
    """How many records to ask for: what is wanted, at most `most`."""
    return max(1, min(run.args.page_size, most))


# Characters of a cursor or an address that are carried from step to step. No vendor comes near.
PLACE_MAX = 8 * 1024


def first_page(at=None):
    """Where a walk through pages begins: `first_page()` for cursors, `first_page(url)` for addresses, `first_page(0)` for
    offsets. A place rides along in `state`; ask for its `at`. The three functions below say where the next page is: None at
    the end, and a fault where a vendor leads in circles, however long they are (one place is remembered, after 1, 2, 4, 8 …
    pages)."""
    return {"at": at, "mark": at, "taken": 0, "until": 1}


def next_page(place, cursor):
    """`cursor` is what the page just read names for the next: None or empty at the end."""
    if cursor is None or cursor == "":
        return None
    at = place_of(cursor, "token")
    return go_to(place, at, at, "the page names for its next page a token that was asked for before")


def next_url(place, address):
    """`address` is what the page just read names for the next: a whole one, `/path…` or `?query`, at the same host."""
    if address is None or address == "":
        return None
    given = place_of(address, "address").strip()
    origin, path = origin_and_path(place["at"]) or ("", "")
    at = resolve(origin, path, given)
    if at is None:
        words = f"the page names for its next page {bare(given)}; expected an address at {origin}"
        raise Fault.broken("next-page-elsewhere", f"{words}, since credentials are sent along")
    return go_to(place, at, at, f"the page names for its next page {bare(at)}, which was asked for before")


def next_offset(place, ids, more):
    """`ids` are those of all records of the page just read; `more` says whether another follows (a vendor that says nothing
    has more where the page was full). Ask for the oldest first, or a record that goes meanwhile hides another one."""
    following = place
    if ids:
        same = f"the page after {place['at']} records has the same {len(ids)} records as one before it"
        following = go_to(place, place["at"] + len(ids), f"{ids[0]} to {ids[-1]}", same)
    if not more:
        return None
    if not ids:
        raise no_progress(f"the page after {place['at']} records is empty, and says that another follows")
    return following


def next_link(header=""):
    """The address named `next` in a `Link` header, or None. The manifest's `responseHeaders` must have `link`."""
    for address, parameters in re.findall(r"<([^>]*)>([^<]*)", header):
        if re.search(r"\brel\s*=\s*\"?[^\";,]*\bnext\b", parameters, re.IGNORECASE):
            return address
    return None


def go_to(place, at, mark, found):
    if mark == place["mark"]:
        raise no_progress(found)
    taken = place["taken"] + 1
    if taken >= place["until"]:
        return {"at": at, "mark": mark, "taken": 0, "until": place["until"] * 2}
    return place | {"at": at, "taken": taken}


def no_progress(found):
    expected = "expected every page to lead on to pages that were not read yet"
    return Fault.broken("no-progress", f"{found}: the walk would go in circles, so it ends here; {expected}")


def place_of(value, what):
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        kind = type(value).__name__
        raise Fault.broken("next-page-unreadable", f"the {what} of the next page is a {kind}; expected a text")
    text = text_out(value)
    if len(text) > PLACE_MAX:
        words = f"the {what} of the next page has {len(text)} characters; expected at most {PLACE_MAX}"
        raise Fault.broken("next-page-too-long", words)
    return text


def resolve(origin, path, address):
    """The whole address, if it stays where the page is."""
    if not re.fullmatch(r"[\x21-\x5b\x5d-\x7e]+", address):
        return None
    if address.startswith("?"):
        return origin + re.split("[?#]", path)[0] + address
    if re.match("/(?!/)", address):
        return origin + address
    theirs = origin_and_path(address)
    return address if theirs and normal(theirs[0]) and normal(theirs[0]) == normal(origin) else None


def origin_and_path(address):
    found = re.fullmatch(r"([^/?#]*://[^/?#]+)(.*)", address, re.DOTALL)
    return found and found.groups()


def normal(origin):
    """None for what hides a host: user information."""
    found = re.fullmatch(r"(https?)://([^@]+)", origin.lower())
    return found and f"{found[1]}://{found[2].removesuffix(':443' if found[1] == 'https' else ':80')}"


def bare(address):
    """An address for a message: its query may hold anything."""
    return f"`{re.split('[?#]', address)[0][:200]}`"


# ---------------------------------------------------------------------------------------------------- where clauses


def terms(where):
    """The terms of a where clause that must all hold; none where there is no clause. `or` is a term like any other."""
    if not where:
        return []
    is_list = where["op"] == "and" or (where["op"] == "or" and len(where["terms"]) == 1)
    return [term for part in where["terms"] for term in terms(part)] if is_list else [where]


def query_of(where, vendor, known, joined=""):
    """A where clause as query parameters, or a fault that says what the vendor cannot do and what it can. `known` has field
    and operator of the clause and the parameter that asks for them: `{"updatedAt >=": "updated_since"}`. `joined` stands
    between the values of an `in` for a field known with `=`; without it the vendor takes one value."""
    names = ", ".join(f"`{name}`" for name in known)
    can = f"{vendor} takes {names}" if known else f"{vendor} takes no conditions on this resource"
    parameters = {}
    for term in terms(where):
        if term["op"] == "or":
            only = f"{vendor} takes conditions joined by AND only: poll the parts one by one"
            raise refused(f"the where clause has an OR, and {only}")
        name = known.get(f"{term['field']} {'=' if term['op'] == 'in' else term['op']}")
        value = value_of(term, joined)
        if name is None or value is None:
            raise refused(f"`{words(term)}` cannot be asked for: {can}")
        if name in parameters:
            two = f"the where clause has two conditions that {vendor} takes as `{name}`, and it takes one"
            raise refused(f"{two}: `{words(term)}` is the second")
        parameters[name] = value
    return parameters


def refused(message):
    return Fault.bad_configuration("where", message)


def value_of(term, joined):
    """None for what has no plain text, or cannot be told from one value."""
    values = term.get("values", [term.get("value")])
    if not all(isinstance(value, (str, int, float)) for value in values):
        return None
    texts = [value if isinstance(value, str) else canonical(value) for value in values]
    is_list = joined and texts and not any(joined in text for text in texts)
    return joined.join(texts) if len(texts) == 1 or is_list else None


def words(term):
    """As a where clause writes it."""

    def literal(value):
        return f"'{value}'" if isinstance(value, str) else canonical(value)

    field, op = term["field"], term["op"]
    if op == "is-null":
        return f"{field} is null"
    if op == "in":
        return f"{field} in ({', '.join(map(literal, term['values']))})"
    return f"{field} {op} {literal(term['value'])}"


# ----------------------------------------------------------------------------------------------------------- dates

EPOCH = datetime(1970, 1, 1)
ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:[Zz]|([+-])(\d\d)(?::?(\d\d))?)?)?",
    re.ASCII,
)


def parse_iso(text):
    """ISO 8601 as vendors write it, in milliseconds of Unix time (without a zone: UTC); None for everything else."""
    found = ISO.fullmatch(text)
    if not found:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    zone_hours, zone_minutes = int(found[9] or 0), int(found[10] or 0)
    if hour > 23 or minute > 59 or second > 60 or zone_hours > 23 or zone_minutes > 59:
        return None
    try:
        days = (datetime(year, month, day) - EPOCH).days
    except ValueError:
        return None
    offset = (zone_hours * 60 + zone_minutes) * (-60_000 if found[8] == "-" else 60_000)
    fraction = int(((found[7] or "") + "000")[:3])
    return days * 86_400_000 + ((hour * 60 + minute) * 60 + second) * 1000 + fraction - offset


def format_iso(milliseconds):
    """`yyyy-MM-ddTHH:mm:ss.SSSZ`. Years beyond 0001 to 9999 are taken for the nearest of them."""
    milliseconds = max(-62_135_596_800_000, min(milliseconds, 253_402_300_799_999))
    return (EPOCH + timedelta(milliseconds=milliseconds)).isoformat(timespec="milliseconds") + "Z"


# --------------------------------------------------------------------------------------------------------- records


def at(value, path):
    """What lies at a path, such as `user.id` or `['User Id']`; None where nothing does."""
    for name in re.findall(r"\['[^']*'\]|[^.\[\]]+", path):
        name = name[2:-2] if name.startswith("['") else name
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def record(run, value, **changes):
    """A record of a step, with its id and dates from where the run says that they are. `changes` replaces members, such
    as `deleted=True, body=None` for the news that a record is gone."""

    def first(paths):
        return next((found for found in (at(value, path) for path in paths) if found is not None), None)

    args = run.args
    whole = {"id": at(value, args.id_field), "body": value}
    dates = getattr(args, "dates", None)
    if dates:
        whole |= {"created": first(dates.created), "updated": first(dates.updated)}
    return whole | changes


# ------------------------------------------------------------------------------------------------------------ JSON


# Levels of arrays and objects. Many more of them, and the parser would run out of stack, which nobody could catch.
DEPTH_MAX = 128
LEVEL = {ord(bracket): 1 if bracket in "[{" else -1 for bracket in "[]{}"}
NO_BRACKETS = bytes(set(range(256)) - LEVEL.keys())


def parse_json(data):
    """JSON. Whole numbers keep all their digits."""
    data = data.encode() if isinstance(data, str) else data
    if depth(data) > DEPTH_MAX:
        raise ValueError(f"more than {DEPTH_MAX} levels of arrays and objects")
    return json.loads(str(data, "utf-8-sig"), parse_constant=no_json)


def depth(data):
    """How many brackets are open at a time, those in texts left out. Nothing here is a loop in Python: a page has thousands."""
    if data.count(b"[") + data.count(b"{") <= DEPTH_MAX:
        return 0
    without_escapes = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    brackets = b"".join(without_escapes.split(b'"')[::2]).translate(None, NO_BRACKETS)
    return max(accumulate(map(LEVEL.__getitem__, brackets)), default=0)


def no_json(name):
    raise ValueError(f"{name} is no JSON")


writer = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))


def canonical(value):
    """Canonical JSON: equal content gives equal text. Names sorted by code point, no white space, null members kept."""
    return writer.encode(value)


def to_bytes(value):
    return canonical(value).encode()


# --------------------------------------------------------------------------------------------------- the component


def component(element, manifest):
    """What the component exports, for a module with `begin` and `advance` and the text of its manifest. Used by build.py."""

    class Meta:
        def manifest(self):
            return manifest.encode()

    class Operate:
        def begin(self, run):
            return answer(lambda: element.begin(run_in(run)))

        def advance(self, run, state, responses):
            def call():
                earlier = state_in(state)
                return element.advance(run_in(run), earlier["own"], in_order(earlier["sent"], responses))

            return answer(call)

    return Meta, Operate


def answer(call):
    """A trap tells nobody anything: whatever is raised becomes a fault."""
    leave_the_world()
    try:
        return step_out(call())
    except Fault as fault:
        found = fault
    except Exception as error:
        found = unexpected(error)
    raise Err(fault_out(found))


def unexpected(error):
    """With the innermost line of the author's."""
    where, trace = "", error.__traceback__
    while trace:
        code = trace.tb_frame.f_code
        if code.co_filename != __file__:
            where = f" ({code.co_name}, {code.co_filename.rpartition('/')[2]}:{trace.tb_lineno})"
        trace = trace.tb_next
    return Fault.broken("exception", f"{type(error).__name__}: {error}{where}")


class NoFiles:
    """Asked for modules that were not imported when the component was built."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        raise ImportError(f"`{name}` is imported too late: import it at the top of a file, for an element has no files")


def nothing(*arguments, **options):
    raise RuntimeError("an element has no clock, no files and no network: `run.now_ms` is the time")


def audit(event, arguments):
    if event == "open" or event.startswith(("os.", "socket.", "subprocess.")):
        nothing()


def leave_the_world():
    """What the gateway does not give to an element would be a trap: here it becomes an exception."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not importlib.machinery.PathFinder] + [NoFiles]
    for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "sleep"):
        setattr(time, name, nothing)
    sys.addaudithook(audit)


def run_in(run):
    """`operation` is `check`, `list`, `get`, `sweep` or the name of another; `args` has what wit/element.wit says."""
    operation, value = run.operation, getattr(run.operation, "value", None)
    match operation:
        case wit.Operation_Check():
            name, args = "check", SimpleNamespace()
        case wit.Operation_List():
            name, args = "list", list_in(value)
        case wit.Operation_Get():
            name, args = "get", value
        case wit.Operation_Sweep():
            name, args = "sweep", value
        case _:
            name, args = value[0], parse_json(value[1])
    return SimpleNamespace(
        operation=name,
        args=args,
        configuration=parse_json(run.configuration),
        memo=memo_in(run.memo),
        now_ms=run.now_ms,
    )


def list_in(args):
    return SimpleNamespace(
        **vars(args)
        | {
            "filter": None if args.filter is None else parse_json(args.filter),
            "checkpoint": None if args.checkpoint is None else from_earlier(args.checkpoint, "checkpoint"),
        }
    )


def memo_in(memo):
    """One that cannot be read is as good as none."""
    try:
        return None if memo is None else parse_json(memo)
    except ValueError:
        return None


def state_in(data):
    """The author's own state, and the ids of the requests that are answered."""
    state = from_earlier(data, "state")
    if not isinstance(state, dict) or not isinstance(state.get("sent"), list):
        raise unreadable("state", "it is no state of this kit")
    return state


def from_earlier(data, what):
    try:
        return parse_json(data)
    except ValueError as error:
        raise unreadable(what, error) from error


def unreadable(what, why):
    """An element that was swapped in the middle of a run starts over."""
    return Fault.restart(f"{what}-unreadable", f"the run's {what} is of another version of this element: {why}")


def in_order(sent, responses):
    """In the order of the requests, whatever order they came in."""
    by_id = {response.id: response for response in responses}
    if len(responses) != len(sent) or by_id.keys() != set(sent):
        came = [response.id for response in responses]
        words = f"answers with the ids {came} came; expected one for each of {sent}"
        raise Fault.broken("answers-unlike-requests", words)
    return [Response(by_id[id]) for id in sent]


class Response:
    """`id`, `status` (0: no answer came, and the body says why), `headers` by their name in lower case, `body`."""

    def __init__(self, response):
        self.id, self.status, self.body = response.id, response.status, response.body
        self.headers = {header.name: header.value for header in reversed(response.headers)}

    def text(self):
        return self.body.decode(errors="replace")

    def json(self):
        try:
            return parse_json(self.body)
        except ValueError as error:
            start = self.body[:100].decode(errors="replace").strip()
            found = f"`{start}`… ({len(self.body)} bytes)" if start else "an empty body"
            said = f"the vendor answered HTTP {self.status} with {found}, which is no JSON that could be read"
            raise Fault.retry("answer-unreadable", said) from error


STEP_KEYS = ["records", "ids", "problems", "checkpoint", "memo", "send", "wait_ms", "state"]


def step_out(step):
    """Checks the form of what an author returned, in words; what it means, the gateway checks."""
    if not isinstance(step, dict):
        raise wrong("a step", step, "a dict; {} ends the run")
    for key in step:
        if key not in STEP_KEYS:
            raise wrong(f"step.{key}", step[key], f"one of {', '.join(STEP_KEYS)}")
    following = next_out(step.get("send"), step.get("wait_ms"))
    sent = [request.id for request in following.value] if isinstance(following, wit.Next_Send) else []
    data, items = records_out(step.get("records", []))
    checkpoint = step.get("checkpoint")
    return wit.Step(
        next=following,
        bytes=data,
        items=items,
        ids=unlike(id_out(id, f"step.ids[{index}]") for index, id in enumerate(step.get("ids", []))),
        problems=[problem_out(problem, f"step.problems[{index}]") for index, problem in enumerate(step.get("problems", []))],
        checkpoint=None if checkpoint is None else to_bytes(checkpoint),
        memo=memo_out(step),
        state=b"" if isinstance(following, wit.Next_Done) else to_bytes({"own": step.get("state"), "sent": sent}),
    )


def unlike(ids):
    seen = set()
    for id in (ids := list(ids)):
        if id in seen:
            raise Fault.broken("same-id", f"two records of one page have the id `{id}`")
        seen.add(id)
    return ids


def wrong(place, found, expected):
    return Fault.broken("bad-step", f"{place}: found `{str(found)[:100]}`; expected {expected}")


def next_out(send, wait_ms):
    if send is not None and wait_ms is not None:
        raise wrong("step.wait_ms", wait_ms, "nothing beside `send`")
    if wait_ms is not None:
        return wit.Next_WaitMs(whole(wait_ms, U32_MAX, "step.wait_ms"))
    if send is None:
        return wit.Next_Done()
    if not isinstance(send, list) or not 1 <= len(send) <= REQUESTS_MAX:
        raise wrong("step.send", send, f"a list of 1 to {REQUESTS_MAX} requests")
    return wit.Next_Send([request_out(request, index) for index, request in enumerate(send)])


def request_out(request, index):
    method, body = request.get("method", "GET"), request.get("body")
    if not isinstance(request.get("url"), str):
        raise wrong(f"step.send[{index}].url", request.get("url"), "a text")
    headers = [wit.Header(text_out(name), text_out(value)) for name, value in request.get("headers", {}).items()]
    is_json = body is not None and not isinstance(body, (str, bytes))
    if is_json and not any(header.name.lower() == "content-type" for header in headers):
        headers.append(wit.Header("Content-Type", "application/json"))
    return wit.Request(
        id=whole(request.get("id", index), U32_MAX, f"step.send[{index}].id"),
        method=text_out(method),
        url=text_out(request["url"]),
        headers=headers,
        body=to_bytes(body) if is_json else body.encode() if isinstance(body, str) else body,
        idempotent=bool(request.get("idempotent", method == "GET")),
        cost=whole(request.get("cost", 1), U16_MAX, f"step.send[{index}].cost"),
        lane=text_out(request.get("lane", "")),
    )


def records_out(records):
    """Ids and bodies one after the other in one piece of bytes, and their lengths."""
    parts, items, ids = [], [], []
    for index, found in enumerate(records):
        place = f"step.records[{index}]"
        id, body, deleted = id_out(found.get("id"), f"{place}.id"), found.get("body"), found.get("deleted", False)
        ids.append(id)
        if not isinstance(body, dict) and not (body is None and deleted):
            raise wrong(f"{place}.body", body, "a dict" if deleted else "a dict, or `deleted`: True")
        pair = [id.encode(), b"" if body is None else to_bytes(body)]
        parts += pair
        created, updated = moment_out(found.get("created")), moment_out(found.get("updated"))
        items.append(wit.Item(len(pair[0]), len(pair[1]), created, updated, bool(deleted)))
    unlike(ids)
    return b"".join(parts), items


def text_out(value):
    """Half a character (an unpaired surrogate) has no form in UTF-8: a question mark stands for it."""
    return str(value).encode(errors="replace").decode()


def whole(value, most, place):
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise wrong(place, value, f"a whole number from 0 to {most}")
    return value


def id_out(id, place):
    if isinstance(id, bool) or not isinstance(id, (int, str)) or not 1 <= len(text_out(id).encode()) <= ID_BYTES:
        raise wrong(place, id, f"a text or a whole number, of 1 to {ID_BYTES} bytes")
    return text_out(id)


def moment_out(value):
    """A number is milliseconds; a text is read if it is ISO 8601, and else left to the pattern that the user configured."""
    if value is None:
        return wit.Moment_None_()
    if isinstance(value, (int, float)):
        return wit.Moment_AtMs(max(-MS_MAX, min(int(value), MS_MAX)))
    text = text_out(value).strip()
    if not text:
        return wit.Moment_None_()
    milliseconds = parse_iso(text)
    return wit.Moment_Text(text) if milliseconds is None else wit.Moment_AtMs(milliseconds)


def memo_out(step):
    """None clears it; where a step says nothing, it stays."""
    if "memo" not in step:
        return None
    return b"" if step["memo"] is None else to_bytes(step["memo"])


def problem_out(problem, place):
    for key in ("subject", "code", "message"):
        if problem.get(key) is None:
            raise wrong(f"{place}.{key}", problem.get(key), "a text")
    return wit.Problem(*(text_out(problem[key]) for key in ("subject", "code", "message")))


REMEDIES = {
    "refresh-auth": wit.Remedy_RefreshAuth,
    "restart": wit.Remedy_Restart,
    "bad-configuration": wit.Remedy_BadConfiguration,
    "broken": wit.Remedy_Broken,
}


def fault_out(fault):
    seconds = fault.after_seconds
    if seconds is not None:
        seconds = max(0, min(int(seconds), U32_MAX))
    if fault.remedy == "retry":
        remedy = wit.Remedy_Retry(seconds)
    elif fault.remedy == "rate-limited":
        remedy = wit.Remedy_RateLimited(seconds)
    else:
        remedy = REMEDIES[fault.remedy]()
    detail = None if fault.detail is None else to_bytes(fault.detail)
    return wit.Fault(remedy, text_out(fault.code), text_out(fault.message), detail)
