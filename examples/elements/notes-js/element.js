// The element `notes-js`: Acme Notes, a vendor that does not exist (../README.md), in JavaScript.
// Must give the very records that notes-python and notes-rust give: tests/languages.rs compares them.

import { Fault, encode, faultOf, firstPage, formatIso, nextPage, pageSize, queryOf, record, secret, url } from './tidegate.js';

const VENDOR = 'Acme';
/** The vendor's limit. */
const PAGE_MAX = 100;
/** What a where clause may ask for, and the parameter that does. */
const CONDITIONS = { 'updatedAt >=': 'updated_since', 'tag =': 'tag' };

export function begin(run) {
  switch (run.operation) {
    case 'check':
      return { send: [ask(run, 'me')] };
    case 'get':
      return { send: [ask(run, `notes/${encode(run.args.id)}`)] };
    case 'list':
    case 'sweep':
      return page(run, firstPage());
    default:
      throw Fault.broken('operation-unknown', `this element does not know the operation \`${run.operation}\``);
  }
}

export function advance(run, state, [response]) {
  if (run.operation === 'get' && response.status === 404) return {};
  const fault = faultOf(response, VENDOR);
  if (fault) throw fault;
  const answer = response.json();
  switch (run.operation) {
    case 'check':
      if (answer?.id === undefined) throw unreadable('an answer without the `id` of who the token belongs to');
      return {};
    case 'get':
      return { records: [recordOf(run, answer)].filter(({ deleted }) => !deleted) };
    default:
      return readPage(run, state, answer);
  }
}

function readPage(run, state, answer) {
  if (!Array.isArray(answer?.notes)) throw unreadable('a page without a list of `notes`');
  const records = answer.notes.map((note) => recordOf(run, note));
  const place = nextPage(state.place, answer.nextCursor);
  return {
    ...(run.operation === 'sweep' ? { ids: records.map(({ id }) => id) } : { records }),
    ...(place && page(run, place)),
  };
}

function recordOf(run, note) {
  if (note === null || typeof note !== 'object') throw unreadable('a note that is no object');
  const { deleted = false, ...body } = note;
  if (typeof deleted !== 'boolean') throw unreadable('a note whose `deleted` is neither true nor false');
  // When it was created says nothing any more, and the vendor forgets it with the rest.
  return record(run, body, deleted ? { deleted, body: null, created: null } : {});
}

function page(run, place) {
  const { window, filter } = run.args;
  const query = {
    updated_since: window && formatIso(window.fromMs),
    // It says more than the window, which the user may have put into it.
    ...queryOf(filter, VENDOR, CONDITIONS),
    include_deleted: window ? true : null,
    limit: pageSize(run, PAGE_MAX),
    cursor: place.at,
  };
  return { send: [ask(run, 'notes', query)], state: { place } };
}

function ask(run, path, query) {
  return {
    url: url(run.configuration['notes.url'], `v1/${path}`, query),
    headers: { Authorization: `Bearer ${secret('notes.token')}` },
    lane: 'notes',
  };
}

const unreadable = (found) => Fault.retry('answer-unreadable', `${VENDOR} sent ${found}`);
