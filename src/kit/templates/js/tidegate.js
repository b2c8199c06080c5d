// What an element in JavaScript works with: steps and faults as plain objects, and what every element needs (canonical
// JSON, secrets, addresses, dates, paging). It hides wit/element.wit: bytes, lengths and variants end here.
// Must not know any vendor, and must not be changed in a project: `tidegate element new` puts the newest here.

import { log as line } from 'tidegate:element/log@1.0.0';

/** The longest id that the gateway takes. */
const ID_BYTES = 1024;
/** The most requests that a step may send. */
const REQUESTS_MAX = 16;
const U16_MAX = 0xffff;
const U32_MAX = 0xffff_ffff;
/** 285,000 years: any moment that a vendor could mean. */
const MS_MAX = Number.MAX_SAFE_INTEGER;
const { Date } = globalThis;

/** Lines for the operator's log. Few people read it: a user should get a problem or a fault. */
export const log = Object.fromEntries(
  ['debug', 'info', 'warn', 'error'].map((level) => [level, (message) => line(level, String(message))]),
);

// ---------------------------------------------------------------------------------------------------------- faults

/**
 * How a run fails: `throw Fault.retry('vendor-down', 'Acme answered HTTP 503; it is asked again')`.
 * `code` is stable and in kebab-case, for programs; `message` says to people what was found, what was expected and what
 * to do. `options`: `afterSeconds` (retry and rateLimited only) and `detail`, facts for programs.
 */
export class Fault extends Error {
  constructor(remedy, code, message, { afterSeconds, detail } = {}) {
    super(message);
    Object.assign(this, { name: 'Fault', remedy, code, afterSeconds, detail });
  }
  /** The same run may succeed later, unchanged. */
  static retry(code, message, options) {
    return new Fault('retry', code, message, options);
  }
  /** The account is over its budget: nothing is sent for `afterSeconds`. */
  static rateLimited(code, message, options) {
    return new Fault('rate-limited', code, message, options);
  }
  /** The credentials were refused. */
  static refreshAuth(code, message, options) {
    return new Fault('refresh-auth', code, message, options);
  }
  /** The checkpoint is of no use: start from the watermark. */
  static restart(code, message, options) {
    return new Fault('restart', code, message, options);
  }
  /** The user must change something: `code` is the configuration key where there is one. */
  static badConfiguration(code, message, options) {
    return new Fault('bad-configuration', code, message, options);
  }
  /** The vendor or this element broke a promise. */
  static broken(code, message, options) {
    return new Fault('broken', code, message, options);
  }
}

/**
 * What an answer that is no success usually means, as a fault; null for a success (200 to 299). What your vendor means
 * by 404 or by 400, you know better: look at it before. For `Retry-After`, name `retry-after` in the manifest's
 * `responseHeaders`.
 */
export function faultOf(response, vendor = 'the vendor') {
  const { status } = response;
  if (status >= 200 && status < 300) return null;
  const excerpt = Array.from(response.text().trim().slice(0, 400)).slice(0, 200).join('');
  const said = `${vendor} answered HTTP ${status}${excerpt && `: ${excerpt}`}`;
  const seconds = Number.parseInt(response.headers['retry-after'], 10);
  const afterSeconds = seconds >= 0 ? Math.min(seconds, U32_MAX) : undefined;
  if (status === 0) return Fault.retry('no-answer', `${vendor} did not answer (${excerpt}); it is asked again`);
  if (status === 401 || status === 403) return Fault.refreshAuth('credentials-refused', said);
  if (status === 429) return Fault.rateLimited('rate-limited', said, { afterSeconds: afterSeconds ?? 60 });
  if (status === 408 || status >= 500) return Fault.retry('vendor-down', said, { afterSeconds });
  return Fault.broken('unexpected-status', said);
}

// -------------------------------------------------------------------------------------------------------- requests

/** Stands for a secret property of the manifest in a header's value; the gateway fills it in as the request leaves. */
export const secret = (name) => `{{secret:${name}}}`;

/** The value of a header `Authorization` with user and password, each of which may hold `secret(…)`. */
export const basic = (user, password) => `Basic {{base64:${user}:${password}}}`;

/** Percent-encoded: only letters, digits and `-._~` stay, so that every language writes the same. */
export const encode = (value) =>
  encodeURIComponent(String(value).toWellFormed()).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

/** An address: `url('https://acme.example/', 'v1/notes', { limit: 50, cursor: null })`. What is null is left out. */
export function url(base, path, query = {}) {
  const pairs = Object.entries(query).filter(([, value]) => value !== null && value !== undefined);
  const tail = pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&');
  return `${base.replace(/\/+$/, '')}/${path.replace(/^\/+/, '')}${tail && `?${tail}`}`;
}

// ---------------------------------------------------------------------------------------------------------- paging

/** How many records to ask for: what is wanted, at most `max`. */
export const pageSize = (run, max) => Math.max(1, Math.min(run.args.pageSize, max));

/** Characters of a cursor or an address that are carried from step to step. No vendor comes near. */
const PLACE_MAX = 8 * 1024;

/**
 * Where a walk through pages begins: `firstPage()` for cursors, `firstPage(url)` for addresses, `firstPage(0)` for offsets.
 * A place rides along in `state`; ask for its `at`. The three functions below say where the next page is: null at the end,
 * and a fault where a vendor leads in circles, however long they are (one place is remembered, after 1, 2, 4, 8 … pages).
 */
export const firstPage = (at = null) => ({ at, mark: at, taken: 0, until: 1 });

/** `cursor` is what the page just read names for the next: null, missing or empty at the end. */
export function nextPage(place, cursor) {
  if (isNothing(cursor)) return null;
  const at = placeOf(cursor, 'token');
  return goTo(place, at, at, 'the page names for its next page a token that was asked for before');
}

/** `address` is what the page just read names for the next: a whole one, `/path…` or `?query`, at the same host. */
export function nextUrl(place, address) {
  if (isNothing(address)) return null;
  const given = placeOf(address, 'address').trim();
  const [origin, path] = originAndPath(place.at) ?? ['', ''];
  const at = resolve(origin, path, given);
  if (at === null) {
    const words = `the page names for its next page ${bare(given)}; expected an address at ${origin}, since credentials are sent along`;
    throw Fault.broken('next-page-elsewhere', words);
  }
  return goTo(place, at, at, `the page names for its next page ${bare(at)}, which was asked for before`);
}

/**
 * `ids` are those of all records of the page just read; `more` says whether another follows (a vendor that says nothing has
 * more where the page was full). Ask for the oldest first, or a record that goes meanwhile hides another one.
 */
export function nextOffset(place, ids, more) {
  const mark = `${ids[0]} to ${ids.at(-1)}`;
  const same = `the page after ${place.at} records has the same ${ids.length} records as one before it`;
  const next = ids.length > 0 ? goTo(place, place.at + ids.length, mark, same) : place;
  if (!more) return null;
  if (ids.length === 0) throw noProgress(`the page after ${place.at} records is empty, and says that another follows`);
  return next;
}

/** The address named `next` in a `Link` header; null where there is none. The manifest's `responseHeaders` must have `link`. */
export function nextLink(header = '') {
  const links = header.matchAll(/<([^>]*)>([^<]*)/g);
  for (const [, address, parameters] of links) {
    if (/\brel\s*=\s*"?[^";,]*\bnext\b/i.test(parameters)) return address;
  }
  return null;
}

function goTo(place, at, mark, found) {
  if (mark === place.mark) throw noProgress(found);
  const taken = place.taken + 1;
  return taken >= place.until ? { at, mark, taken: 0, until: place.until * 2 } : { ...place, at, taken };
}

const noProgress = (found) =>
  Fault.broken(
    'no-progress',
    `${found}: the walk would go in circles, so it ends here; expected every page to lead on to pages that were not read yet`,
  );

const isNothing = (value) => value === null || value === undefined || value === '';

function placeOf(value, what) {
  if (!['string', 'number', 'bigint'].includes(typeof value)) {
    throw Fault.broken('next-page-unreadable', `the ${what} of the next page is a ${typeof value}; expected a text`);
  }
  const text = String(value);
  if (text.length <= PLACE_MAX) return text;
  throw Fault.broken('next-page-too-long', `the ${what} of the next page has ${text.length} characters; expected at most ${PLACE_MAX}`);
}

/** The whole address, if it stays where the page is. */
function resolve(origin, path, address) {
  if (!/^[\x21-\x5b\x5d-\x7e]+$/.test(address)) return null;
  if (address.startsWith('?')) return origin + path.split(/[?#]/)[0] + address;
  if (/^\/(?!\/)/.test(address)) return origin + address;
  const [theirs] = originAndPath(address) ?? [];
  return theirs !== undefined && normal(theirs) !== null && normal(theirs) === normal(origin) ? address : null;
}

const originAndPath = (address) => /^([^/?#]*:\/\/[^/?#]+)(.*)$/s.exec(address)?.slice(1);

/** None for what hides a host: user information. */
function normal(origin) {
  const [, scheme, host] = /^(https?):\/\/([^@]+)$/i.exec(origin) ?? [];
  return scheme ? `${scheme}://${host.replace(scheme.toLowerCase() === 'https' ? /:443$/ : /:80$/, '')}`.toLowerCase() : null;
}

/** An address for a message: its query may hold anything. */
const bare = (address) => `\`${address.split(/[?#]/)[0].slice(0, 200)}\``;

// ---------------------------------------------------------------------------------------------------- where clauses

/** The terms of a where clause that must all hold; none where there is no clause. `or` is a term like any other. */
export function terms(filter) {
  if (!filter) return [];
  const isList = filter.op === 'and' || (filter.op === 'or' && filter.terms.length === 1);
  return isList ? filter.terms.flatMap(terms) : [filter];
}

/**
 * A where clause as query parameters, or a fault that says what the vendor cannot do and what it can. `known` has field and
 * operator of the clause and the parameter that asks for them: `{ 'updatedAt >=': 'updated_since' }`. `joined` stands between
 * the values of an `in` for a field known with `=`; without it the vendor takes one value.
 */
export function queryOf(filter, vendor, known, joined = '') {
  const names = Object.keys(known).map((name) => `\`${name}\``);
  const can = names.length ? `${vendor} takes ${names.join(', ')}` : `${vendor} takes no conditions on this resource`;
  const parameters = {};
  for (const term of terms(filter)) {
    if (term.op === 'or') {
      throw refused(`the where clause has an OR, and ${vendor} takes conditions joined by AND only: poll the parts one by one`);
    }
    const key = `${term.field} ${term.op === 'in' ? '=' : term.op}`;
    const value = valueOf(term, joined);
    if (!Object.hasOwn(known, key) || value === null) throw refused(`\`${words(term)}\` cannot be asked for: ${can}`);
    if (Object.hasOwn(parameters, known[key])) {
      const two = `the where clause has two conditions that ${vendor} takes as \`${known[key]}\`, and it takes one`;
      throw refused(`${two}: \`${words(term)}\` is the second`);
    }
    parameters[known[key]] = value;
  }
  return parameters;
}

const refused = (message) => Fault.badConfiguration('where', message);

/** Null for what has no plain text, or cannot be told from one value. */
function valueOf({ op, value, values = [value] }, joined) {
  const texts = values.map(String);
  const isPlain = op !== 'is-null' && values.every((value) => value !== null && typeof value !== 'object');
  const isOne = texts.length === 1;
  const isList = joined !== '' && texts.length > 0 && texts.every((text) => !text.includes(joined));
  return isPlain && (isOne || isList) ? texts.join(joined) : null;
}

/** As a where clause writes it. */
function words({ op, field, value, values = [] }) {
  const literal = (value) => (typeof value === 'string' ? `'${value}'` : canonical(value));
  if (op === 'is-null') return `${field} is null`;
  return op === 'in' ? `${field} in (${values.map(literal).join(', ')})` : `${field} ${op} ${literal(value)}`;
}

// ----------------------------------------------------------------------------------------------------------- dates

const ISO = /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:[Zz]|([+-])(\d\d)(?::?(\d\d))?)?)?$/;

/** ISO 8601 as vendors write it, in milliseconds of Unix time (without a zone: UTC); null for everything else. */
export function parseIso(text) {
  const found = ISO.exec(text);
  if (!found) return null;
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map((part) => Number(part ?? 0));
  const [zoneHours, zoneMinutes] = [Number(found[9] ?? 0), Number(found[10] ?? 0)];
  const midnight = new Date(0);
  midnight.setUTCFullYear(year, month - 1, day);
  const isDate = midnight.getUTCMonth() === month - 1 && midnight.getUTCDate() === day;
  if (!isDate || hour > 23 || minute > 59 || second > 60 || zoneHours > 23 || zoneMinutes > 59) return null;
  const offset = (zoneHours * 60 + zoneMinutes) * (found[8] === '-' ? -60_000 : 60_000);
  const fraction = Number((found[7] ?? '').padEnd(3, '0').slice(0, 3));
  return midnight.getTime() + ((hour * 60 + minute) * 60 + second) * 1000 + fraction - offset;
}

/** `yyyy-MM-ddTHH:mm:ss.SSSZ`. Years beyond 0000 to 9999 are taken for the nearest of them. */
export const formatIso = (milliseconds) =>
  new Date(Math.max(-62_167_219_200_000, Math.min(milliseconds, 253_402_300_799_999))).toISOString();

// --------------------------------------------------------------------------------------------------------- records

/** What lies at a path, such as `user.id` or `['User Id']`; undefined where nothing does. */
export function at(object, path) {
  const names = path.match(/\['[^']*'\]|[^.[\]]+/g) ?? [];
  let found = object;
  for (const name of names.map((name) => (name.startsWith("['") ? name.slice(2, -2) : name))) {
    if (found === null || typeof found !== 'object' || !Object.hasOwn(found, name)) return undefined;
    found = found[name];
  }
  return found;
}

/**
 * A record of a step, with its id and dates from where the run says that they are. `changes` replaces members, such as
 * `{ deleted: true, body: null }` for the news that a record is gone.
 */
export function record(run, object, changes = {}) {
  const { idField, dates = {} } = run.args;
  const first = (paths = []) => paths.map((path) => at(object, path)).find((value) => value !== null && value !== undefined);
  return { id: at(object, idField), body: object, created: first(dates.created), updated: first(dates.updated), ...changes };
}

// ------------------------------------------------------------------------------------------------------------ JSON

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });
/** Levels of arrays and objects. More are not read, for whoever walks through them would run out of stack. */
const DEPTH_MAX = 128;

/** JSON, with whole numbers beyond 2^53 as BigInt, so that no digit of an id is lost. */
export function parseJson(bytes) {
  const text = typeof bytes === 'string' ? bytes : decoder.decode(bytes);
  // Few documents hold so long a number, and looking at each is slow.
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  return JSON.parse(text, (_name, value, { source } = {}) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(source) ? BigInt(source) : value,
  );
}

/** Canonical JSON: equal content gives equal text. Names sorted by code point, no white space, null members kept. */
export const canonical = (value) => write(value, 0) ?? 'null';

function write(value, depth) {
  switch (typeof value) {
    case 'string':
      return quoted(value);
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError(`${value} has no form in JSON`);
      return String(value === 0 ? 0 : value);
    case 'boolean':
    case 'bigint':
      return String(value);
    case 'object':
      if (value === null) return 'null';
      if (depth >= DEPTH_MAX) throw new RangeError(`more than ${DEPTH_MAX} levels of arrays and objects`);
      if (typeof value.toJSON === 'function') return write(value.toJSON(), depth + 1);
      if (Array.isArray(value)) return `[${value.map((element) => write(element, depth + 1) ?? 'null').join(',')}]`;
      return members(value, depth + 1);
    case 'undefined':
      return undefined;
    default:
      throw new TypeError(`a ${typeof value} has no form in JSON`);
  }
}

function members(object, depth) {
  const written = [];
  for (const [name, quotedName] of shapeOf(object)) {
    const value = write(object[name], depth);
    if (value !== undefined) written.push(quotedName + value);
  }
  return `{${written.join(',')}}`;
}

/** Records of a page mostly have the same names in the same order: they are sorted and quoted once. */
const shapes = new Map();

function shapeOf(object) {
  const names = Object.keys(object);
  const key = JSON.stringify(names);
  if (!shapes.has(key)) shapes.set(key, sorted(names).map((name) => [name, `${quoted(name)}:`]));
  return shapes.get(key);
}

function quoted(text) {
  const written = JSON.stringify(text);
  // Only half a character is written so, unless the text itself has a backslash before a `ud`.
  if (!written.includes('\\ud') || text.isWellFormed()) return written;
  throw new TypeError('a text with half a character (an unpaired surrogate) has no form in JSON');
}

/** JavaScript sorts by UTF-16 units, which differs from code points where surrogates are. */
function sorted(names) {
  return names.sort(names.some((name) => /[\ud800-\udfff]/.test(name)) ? byCodePoint : undefined);
}

function byCodePoint(left, right) {
  const [a, b] = [left, right].map((text) => Array.from(text, (character) => character.codePointAt(0)));
  const index = a.findIndex((point, index) => point !== b[index]);
  return index < 0 ? a.length - b.length : a[index] - (b[index] ?? -1);
}

const toBytes = (value) => encoder.encode(canonical(value));

// -------------------------------------------------------------------------------------------------- the component

/** What the component exports, for a module with `begin` and `advance` and the text of its manifest. Used by build.js. */
export function component(element, manifest) {
  return {
    meta: { manifest: () => encoder.encode(manifest) },
    operate: {
      begin: (run) => answer(() => element.begin(runIn(run))),
      advance: (run, state, responses) =>
        answer(() => {
          const { sent, own } = stateIn(state);
          return element.advance(runIn(run), own, inOrder(sent, responses));
        }),
    },
  };
}

// What the gateway does not give to an element would be a lie or a trap: here it is an exception.
const nothing = () => {
  throw new Error('an element has no clock, no dice, no timers and no network: `run.nowMs` is the time');
};
for (const [owner, names] of [
  [globalThis, ['setTimeout', 'setInterval', 'fetch']],
  [Date, ['now']],
  [Math, ['random']],
  [performance, ['now']],
  [crypto, ['getRandomValues', 'randomUUID']],
]) {
  for (const name of names) Object.defineProperty(owner, name, { value: nothing });
}
globalThis.Date = new Proxy(Date, {
  apply: nothing,
  construct: (target, values, self) => (values.length ? Reflect.construct(target, values, self) : nothing()),
});

/** A trap tells nobody anything: whatever is thrown becomes a fault. */
function answer(call) {
  try {
    return stepOut(call());
  } catch (error) {
    throw faultOut(error instanceof Fault ? error : unexpected(error));
  }
}

function unexpected(error) {
  const where = String(error?.stack ?? '').split('\n').find((frame) => frame && !frame.includes('tidegate.js'));
  return Fault.broken('exception', `${error}${where ? ` (${where.trim()})` : ''}`);
}

function runIn({ operation: { tag, val }, configuration, memo, nowMs }) {
  const isOther = tag === 'other';
  return {
    operation: isOther ? val[0] : tag,
    args: isOther ? parseJson(val[1]) : argsIn(tag, val),
    configuration: parseJson(configuration),
    memo: memo === undefined ? null : orElse(() => parseJson(memo), () => null),
    nowMs: Number(nowMs),
  };
}

function argsIn(tag, args = {}) {
  if (tag !== 'list') return args;
  const { window, filter, checkpoint } = args;
  return {
    ...args,
    window: window ? { fromMs: Number(window.fromMs), untilMs: window.untilMs === undefined ? null : Number(window.untilMs) } : null,
    filter: filter === undefined ? null : parseJson(filter),
    checkpoint: checkpoint === undefined ? null : fromEarlier(checkpoint, 'checkpoint'),
  };
}

/** In the order of the requests, whatever order they came in. */
function inOrder(sent, responses) {
  const found = sent.map((id) => responses.find((response) => response.id === id));
  if (found.length === responses.length && !found.includes(undefined)) return found.map(responseIn);
  const ids = responses.map(({ id }) => id);
  throw Fault.broken('answers-unlike-requests', `answers with the ids [${ids}] came; expected one for each of [${sent}]`);
}

/** The author's own state, and the ids of the requests that are answered. */
function stateIn(bytes) {
  const state = fromEarlier(bytes, 'state');
  if (!Array.isArray(state?.sent)) throw unreadable('state', 'it is no state of this kit');
  return state;
}

const fromEarlier = (bytes, what) =>
  orElse(() => parseJson(bytes), (error) => {
    throw unreadable(what, error);
  });

/** An element that was swapped in the middle of a run starts over. */
const unreadable = (what, why) =>
  Fault.restart(`${what}-unreadable`, `the run's ${what} is of another version of this element: ${why}`);

function orElse(read, otherwise) {
  try {
    return read();
  } catch (error) {
    return otherwise(error);
  }
}

/** `headers` by their name in lower case; `text()` and `json()` of the body. */
function responseIn({ id, status, headers, body }) {
  return {
    id,
    status,
    headers: Object.fromEntries(headers.map(({ name, value }) => [name, value]).reverse()),
    body,
    text: () => new TextDecoder().decode(body),
    json: () =>
      orElse(() => parseJson(body), () => {
        const start = new TextDecoder().decode(body.subarray(0, 100)).trim();
        const found = start ? `\`${start}\`… (${body.length} bytes)` : 'an empty body';
        throw Fault.retry('answer-unreadable', `the vendor answered HTTP ${status} with ${found}, which is no JSON that could be read`);
      }),
  };
}

const STEP_KEYS = ['records', 'ids', 'problems', 'checkpoint', 'memo', 'send', 'waitMs', 'state'];

/** Checks the form of what an author returned, in words; what it means, the gateway checks. */
function stepOut(step) {
  if (step === null || typeof step !== 'object') throw wrong('a step', step, 'an object; {} ends the run');
  const unknown = Object.keys(step).find((key) => !STEP_KEYS.includes(key));
  if (unknown) throw wrong(`step.${unknown}`, step[unknown], `one of ${STEP_KEYS.join(', ')}`);
  const { records = [], ids = [], problems = [], checkpoint, memo, send, waitMs, state = null } = step;
  const following = nextOut(send, waitMs);
  return {
    next: following,
    ...recordsOut(records),
    ids: unlike(ids.map((id, index) => idOut(id, `step.ids[${index}]`))),
    problems: problems.map((problem, index) => textsOut(problem, ['subject', 'code', 'message'], `step.problems[${index}]`)),
    checkpoint: checkpoint === undefined || checkpoint === null ? undefined : toBytes(checkpoint),
    memo: memo === undefined ? undefined : memo === null ? new Uint8Array() : toBytes(memo),
    state: following.tag === 'done' ? new Uint8Array() : toBytes({ own: state, sent: (following.tag === 'send' ? following.val : []).map(({ id }) => id) }),
  };
}

function unlike(ids) {
  const seen = new Set();
  for (const id of ids) {
    if (seen.has(id)) throw Fault.broken('same-id', `two records of one page have the id \`${id}\``);
    seen.add(id);
  }
  return ids;
}

const wrong = (place, found, expected) => {
  const shown = typeof found === 'object' && found !== null ? orElse(() => canonical(found), () => 'an object') : String(found);
  return Fault.broken('bad-step', `${place}: found \`${shown.slice(0, 100)}\`; expected ${expected}`);
};

function nextOut(send, waitMs) {
  if (send !== undefined && waitMs !== undefined) throw wrong('step.waitMs', waitMs, 'nothing beside `send`');
  if (waitMs !== undefined) return { tag: 'wait-ms', val: whole(waitMs, U32_MAX, 'step.waitMs') };
  if (send === undefined) return { tag: 'done' };
  if (!Array.isArray(send) || send.length === 0 || send.length > REQUESTS_MAX) {
    throw wrong('step.send', send, `a list of 1 to ${REQUESTS_MAX} requests`);
  }
  return { tag: 'send', val: send.map(requestOut) };
}

function requestOut(request, index) {
  const { id = index, method = 'GET', headers = {}, body, cost = 1, lane = '' } = request;
  const { idempotent = method === 'GET' } = request;
  if (typeof request.url !== 'string') throw wrong(`step.send[${index}].url`, request.url, 'a text');
  const isJson = body !== undefined && body !== null && typeof body !== 'string' && !(body instanceof Uint8Array);
  const pairs = Object.entries(headers).map(([name, value]) => ({ name, value: String(value) }));
  if (isJson && !pairs.some(({ name }) => name.toLowerCase() === 'content-type')) {
    pairs.push({ name: 'Content-Type', value: 'application/json' });
  }
  return {
    id: whole(id, U32_MAX, `step.send[${index}].id`),
    method: String(method),
    url: request.url,
    headers: pairs,
    body: bodyOut(body, isJson),
    idempotent: Boolean(idempotent),
    cost: whole(cost, U16_MAX, `step.send[${index}].cost`),
    lane: String(lane),
  };
}

function whole(value, most, place) {
  if (!Number.isInteger(value) || value < 0 || value > most) throw wrong(place, value, `a whole number from 0 to ${most}`);
  return value;
}

function bodyOut(body, isJson) {
  if (isJson) return toBytes(body);
  return typeof body === 'string' ? encoder.encode(body) : (body ?? undefined);
}

/** Ids and bodies one after the other in one list of bytes, and their lengths. */
function recordsOut(records) {
  const texts = [];
  const ids = [];
  for (const [index, { id, body, deleted }] of records.entries()) {
    const place = `step.records[${index}]`;
    const name = idOut(id, `${place}.id`);
    ids.push(name);
    const hasBody = body !== undefined && body !== null;
    if (!hasBody && !deleted) throw wrong(`${place}.body`, body, 'an object, or `deleted: true`');
    if (hasBody && (typeof body !== 'object' || Array.isArray(body))) throw wrong(`${place}.body`, body, 'an object');
    texts.push(name, hasBody ? canonical(body) : '');
  }
  unlike(ids);
  const bytes = encoder.encode(texts.join(''));
  const isAscii = bytes.length === texts.reduce((sum, text) => sum + text.length, 0);
  const length = (text) => (isAscii ? text.length : encoder.encode(text).length);
  const items = records.map(({ created, updated, deleted = false }, index) => ({
    idLength: length(texts[2 * index]),
    bodyLength: length(texts[2 * index + 1]),
    created: momentOut(created),
    updated: momentOut(updated),
    deleted: Boolean(deleted),
  }));
  return { bytes, items };
}

function idOut(id, place) {
  const text = ['number', 'bigint', 'string'].includes(typeof id) ? String(id) : '';
  if (text === '' || text.length > ID_BYTES / 3 && encoder.encode(text).length > ID_BYTES) {
    throw wrong(place, id, `a text or a number, of 1 to ${ID_BYTES} bytes`);
  }
  return text.toWellFormed();
}

/** A number is milliseconds; a text is read if it is ISO 8601, and else left to the pattern that the user configured. */
function momentOut(value) {
  if (value === null || value === undefined) return { tag: 'none' };
  if (typeof value === 'number') return { tag: 'at-ms', val: BigInt(Math.max(-MS_MAX, Math.min(Math.trunc(value), MS_MAX))) };
  const text = String(value).trim();
  if (!text) return { tag: 'none' };
  const milliseconds = parseIso(text);
  return milliseconds === null ? { tag: 'text', val: text } : { tag: 'at-ms', val: BigInt(milliseconds) };
}

function textsOut(object, keys, place) {
  return Object.fromEntries(
    keys.map((key) => {
      if (object?.[key] === undefined) throw wrong(`${place}.${key}`, object?.[key], 'a text');
      return [key, String(object[key])];
    }),
  );
}

function faultOut({ remedy, code, message, afterSeconds, detail }) {
  const isTimed = remedy === 'retry' || remedy === 'rate-limited';
  const seconds = afterSeconds === undefined ? undefined : Math.max(0, Math.min(Math.trunc(afterSeconds), U32_MAX));
  return {
    remedy: isTimed ? { tag: remedy, val: seconds } : { tag: remedy },
    code: String(code),
    message: String(message),
    detail: detail === undefined ? undefined : toBytes(detail),
  };
}
