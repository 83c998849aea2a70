import { BINARY_ARRAY_BUFFER, BINARY_CLASSES, bareError, ERROR_CLASSES } from './classify.ts';
import {
  CONSTANT,
  DICTIONARY_NULL_PROTOTYPE,
  HOLE,
  KIND_ARRAY,
  KIND_BIGINT,
  KIND_BINARY,
  KIND_DATE,
  KIND_DICTIONARY,
  KIND_DOUBLES,
  KIND_ERROR,
  KIND_INT32S,
  KIND_MAP,
  KIND_RECORDS,
  KIND_REGEXP,
  KIND_SET,
} from './layout.ts';
import { LazyArray } from './lazy-array.ts';
import { LazyDictionary } from './lazy-dictionary.ts';
import { invalid, type KindReader, type Reading, readSlot, readTextSlot } from './reading.ts';

/** Checks that `slots` slots from `first` on are in the payload, and charges the touch for them. */
function enter(reading: Reading, first: number, slots: number): void {
  if (!(first + slots <= reading.words)) invalid('a value outside of it');
  reading.spend(slots + 1);
}

function finish<T extends object>(reading: Reading, value: T): T {
  return reading.freeze ? Object.freeze(value) : value;
}

function readArray(reading: Reading, head: number, large: boolean): unknown {
  const length = reading.u32[2 * head] as number;
  if (large) return newest(reading, new LazyArray(reading, KIND_ARRAY, head, length));
  enter(reading, head + 1, length);
  const array = new Array<unknown>(length);
  const { u32 } = reading;
  for (let i = 0, slot = head + 1; i < length; i++, slot++) {
    if (u32[2 * slot + 1] === CONSTANT && u32[2 * slot] === HOLE) continue;
    array[i] = readSlot(reading, slot);
  }
  return finish(reading, array);
}

function readRecords(reading: Reading, head: number, large: boolean): unknown {
  const length = reading.u32[2 * head] as number;
  if (large) return newest(reading, new LazyArray(reading, KIND_RECORDS, head, length));
  const shape = reading.hydrator(reading.u32[2 * head + 1] as number);
  const { stride } = shape;
  if (stride === 0) invalid('records without fields');
  if (!(head + 1 + length * stride <= reading.words)) invalid('a value outside of it');
  // The rows are charged one by one: no word of an honest payload is charged twice.
  reading.spend(1);
  const array = new Array<unknown>(length);
  reading.scans++;
  for (let i = 0, first = head + 1; i < length; i++, first += stride)
    array[i] = shape.hydrate(reading, first);
  reading.scans--;
  return finish(reading, array);
}

function readInt32s(reading: Reading, head: number): unknown {
  const length = reading.u32[2 * head] as number;
  enter(reading, head + 1, Math.ceil(length / 2));
  const array = new Array<number>(length);
  const { i32 } = reading;
  for (let i = 0, low = 2 * head + 2; i < length; i++) array[i] = i32[low + i] as number;
  return finish(reading, array);
}

function readDoubles(reading: Reading, head: number): unknown {
  const length = reading.u32[2 * head] as number;
  enter(reading, head + 1, length);
  const array = new Array<number>(length);
  const { f64 } = reading;
  for (let i = 0, slot = head + 1; i < length; i++) array[i] = f64[slot + i] as number;
  return finish(reading, array);
}

function readDictionary(reading: Reading, head: number, large: boolean): unknown {
  if (large) return newest(reading, new LazyDictionary(reading, head));
  const size = reading.u32[2 * head] as number;
  enter(reading, head + 2, 2 * size);
  const nullPrototype = ((reading.u32[2 * head + 1] as number) & DICTIONARY_NULL_PROTOTYPE) !== 0;
  const object = (nullPrototype ? Object.create(null) : {}) as Record<string, unknown>;
  for (let entry = 0, slot = head + 2; entry < size; entry++, slot += 2) {
    const key = readTextSlot(reading, slot);
    const value = readSlot(reading, slot + 1);
    if (key in object) {
      Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
    } else {
      object[key] = value;
    }
  }
  return finish(reading, object);
}

/** Lets the field that is being read know of its lazy collection. */
function newest(reading: Reading, collection: LazyArray | LazyDictionary): object {
  reading.newest = collection;
  return collection.proxy;
}

function refuseWrite(): never {
  throw new TypeError('a published value is read-only');
}
const refusal: PropertyDescriptor = { value: refuseWrite };

/** Freezing does not keep a Map or Set from changing: its own methods stand before those of its class. */
function guardMap(map: Map<unknown, unknown>): Map<unknown, unknown> {
  return Object.freeze(Object.defineProperties(map, { set: refusal, delete: refusal, clear: refusal }));
}

function guardSet(set: Set<unknown>): Set<unknown> {
  return Object.freeze(Object.defineProperties(set, { add: refusal, delete: refusal, clear: refusal }));
}

function readMap(reading: Reading, head: number): unknown {
  const size = reading.u32[2 * head] as number;
  enter(reading, head + 1, 2 * size);
  const map = new Map<unknown, unknown>();
  for (let i = 0, slot = head + 1; i < size; i++, slot += 2) {
    map.set(readSlot(reading, slot), readSlot(reading, slot + 1));
  }
  return reading.freeze ? guardMap(map) : map;
}

function readSet(reading: Reading, head: number): unknown {
  const size = reading.u32[2 * head] as number;
  enter(reading, head + 1, size);
  const set = new Set<unknown>();
  for (let i = 0, slot = head + 1; i < size; i++, slot++) set.add(readSlot(reading, slot));
  return reading.freeze ? guardSet(set) : set;
}

function readDate(reading: Reading, head: number): unknown {
  return new Date(reading.f64[head] as number);
}

function readBigInt(reading: Reading, head: number): unknown {
  const words = reading.u32[2 * head] as number;
  enter(reading, head + 1, words);
  const { u32 } = reading;
  const negative = u32[2 * head + 1] === 1;
  let digits = '';
  for (let low = 2 * (head + words); low > 2 * head; low -= 2) {
    digits +=
      (u32[low + 1] as number).toString(16).padStart(8, '0') +
      (u32[low] as number).toString(16).padStart(8, '0');
  }
  const magnitude = BigInt(`0x0${digits}`);
  return negative ? -magnitude : magnitude;
}

function readBinary(reading: Reading, head: number): unknown {
  const known = reading.binaries.get(head);
  if (known !== undefined) return known;
  const number = reading.u32[2 * head] as number;
  const byteLength = reading.u32[2 * head + 1] as number;
  const byteOffset = (head + 1) * 8;
  const Class = BINARY_CLASSES[number];
  if (Class === undefined) invalid('a class of binary data');
  if (Class === null) invalid('a class of binary data that this version of Node.js does not have');
  if (byteOffset + byteLength > reading.byteLength || byteLength % Class.elementBytes !== 0) {
    invalid('binary data outside of it');
  }
  if (number === BINARY_ARRAY_BUFFER) reading.spend(Math.ceil(byteLength / 8));
  const value = Class.make(reading.source.handOut(), byteOffset, byteLength);
  reading.binaries.set(head, value);
  return value;
}

function readRegExp(reading: Reading, head: number): unknown {
  if (!(head + 3 <= reading.words)) invalid('a regular expression outside of it');
  reading.spend(3);
  const regexp = new RegExp(readTextSlot(reading, head), readTextSlot(reading, head + 1));
  const lastIndex = readSlot(reading, head + 2);
  if (typeof lastIndex !== 'number') invalid('a regular expression');
  regexp.lastIndex = lastIndex;
  return regexp;
}

function readError(reading: Reading, head: number): unknown {
  enter(reading, head + 1, 2);
  const number = reading.u32[2 * head] as number;
  if (number >= ERROR_CLASSES.length) invalid('a class of errors');
  const error = bareError(number);
  defineMembers(error, readSlot(reading, head + 1), false);
  defineMembers(error, readSlot(reading, head + 2), true);
  return finish(reading, error);
}

function defineMembers(error: Error, members: unknown, enumerable: boolean): void {
  if (typeof members !== 'object' || members === null) invalid('an error');
  for (const key of Object.keys(members)) {
    const value = (members as Record<string, unknown>)[key];
    Object.defineProperty(error, key, { value, writable: true, enumerable, configurable: true });
  }
}

/** The readers of heap values by kind. */
export const kindReaders: readonly (KindReader | undefined)[] = (() => {
  const readers: (KindReader | undefined)[] = [];
  readers[KIND_ARRAY] = readArray;
  readers[KIND_RECORDS] = readRecords;
  readers[KIND_INT32S] = readInt32s;
  readers[KIND_DOUBLES] = readDoubles;
  readers[KIND_DICTIONARY] = readDictionary;
  readers[KIND_MAP] = readMap;
  readers[KIND_SET] = readSet;
  readers[KIND_DATE] = readDate;
  readers[KIND_BIGINT] = readBigInt;
  readers[KIND_BINARY] = readBinary;
  readers[KIND_REGEXP] = readRegExp;
  readers[KIND_ERROR] = readError;
  return readers;
})();
