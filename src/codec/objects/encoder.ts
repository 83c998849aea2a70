import { StoreError } from '../../errors.ts';
import type { EncodeTarget } from '../codec.ts';
import { BINARY_ARRAY_BUFFER, binaryNumber, bytesOf, classify, errorNumber } from './classify.ts';
import {
  DICTIONARY_INDEX_SHIFT,
  DICTIONARY_NULL_PROTOTYPE,
  FALSE,
  HEADER_WORDS,
  HOLE,
  hashKey,
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
  LARGE,
  LAZY_COLLECTION_BYTES,
  LAZY_FIELD_BYTES,
  MAGIC,
  MAX_BYTE_LENGTH,
  MAX_DEPTH,
  MAX_PROBES,
  NULL,
  ROOT_SLOT,
  SHAPE_TABLE_WORD,
  TAG_HEAP,
  TAG_OBJECT,
  TRUE,
  UNDEFINED,
} from './layout.ts';
import { explainRefusal, Refusal } from './refusal.ts';
import { Room } from './room.ts';
import { TextWriter } from './text-writer.ts';
import { type Fields, hasKeys, type WriteShape, WriteShapes } from './write-shapes.ts';

const { getPrototypeOf } = Object;
const { isArray } = Array;
const plainPrototype = Object.prototype;
const arrayPrototype = Array.prototype;

/** What a lazy field costs whoever decodes its object in passing. */
const LAZY_FIELD_COST = 32;

/** Record arrays from this length on are worth generated code at once. */
const MANY_RECORDS = 16;

/** Where a value stands in its parent, for `toJSON(key)`. */
type Key = string | number;

/**
 * Writes values into a room in one pass. Each method writes its value into a slot, takes the words that do not fit
 * there, and returns about how many bytes a reader decodes when it decodes this value whole: from these sums it
 * follows which fields and collections are left lazy.
 *
 * A parent takes its words before its children do, so references only go forward; what has no references inside
 * (text, binary data) may lie anywhere.
 */
export class Encoder {
  private readonly room = new Room();
  private readonly text = new TextWriter(this.room);
  private readonly shapes: WriteShapes;
  private depth = 0;
  /** Where binary values were written: one value published twice is stored once. */
  private readonly binaries = new Map<object, number>();

  constructor() {
    const { room, text } = this;
    this.shapes = new WriteShapes({
      room,
      text,
      writeField: (shape, field, value, slot) => this.writeField(shape, field, value, slot),
    });
  }

  encode(value: unknown, target: EncodeTarget): number {
    const { room, text, shapes } = this;
    try {
      room.begin(target, HEADER_WORDS);
      text.begin();
      shapes.begin();
      this.depth = 0;
      this.write(value, ROOT_SLOT, '');
      text.flush();
      this.writeShapeTable();
      return this.writeHeader();
    } catch (error) {
      if (error instanceof Refusal) throw explainRefusal(value);
      // A caller may be deep in its own stack already; the depth limit alone cannot know.
      if (error instanceof RangeError && /call stack/i.test(error.message)) {
        throw new StoreError('VALUE_UNSUPPORTED', 'the stack ended before the value did: nested too deeply', {
          cause: error,
          field: '$',
        });
      }
      throw error;
    } finally {
      text.end();
      room.end();
      this.binaries.clear();
    }
  }

  private writeShapeTable(): void {
    const { room } = this;
    const table = this.shapes.tableBytes();
    const first = room.take(table.length / 8);
    room.bytes.set(table, first * 8);
    room.u32[2 * SHAPE_TABLE_WORD] = first;
    room.u32[2 * SHAPE_TABLE_WORD + 1] = this.shapes.usedCount;
  }

  private writeHeader(): number {
    const { room } = this;
    room.u32[0] = MAGIC;
    room.u32[1] = room.top;
    return room.top * 8;
  }

  private write(value: unknown, slot: number, key: Key): number {
    switch (typeof value) {
      case 'number':
        this.room.putNumber(value, slot);
        return 0;
      case 'string':
        return this.text.put(value, slot);
      case 'boolean':
        this.room.putConstant(value ? TRUE : FALSE, slot);
        return 0;
      case 'undefined':
        this.room.putConstant(UNDEFINED, slot);
        return 0;
      case 'bigint':
        return this.writeBigInt(value, slot);
      case 'object':
        if (value === null) {
          this.room.putConstant(NULL, slot);
          return 0;
        }
        if (getPrototypeOf(value) === plainPrototype) return this.writePlain(value, slot, key);
        return this.writeOther(value, slot, key);
      default:
        throw new Refusal();
    }
  }

  /** A field that holds neither a number nor short text. */
  private writeField(shape: WriteShape, field: number, value: unknown, slot: number): number {
    if (value === true || value === false) {
      this.room.putConstant(value ? TRUE : FALSE, slot);
      return 0;
    }
    let size: number;
    if (typeof value === 'object' && value !== null && getPrototypeOf(value) === plainPrototype) {
      const inner = this.shapes.of(value, shape.hints[field] as WriteShape | null);
      if (inner === null) {
        size = this.writeDictionary(value as Fields, slot, shape.keys[field] as string, false);
      } else {
        shape.hints[field] = inner;
        size = this.writeObject(value as Fields, slot, inner, shape.keys[field] as string);
      }
    } else {
      size = this.write(value, slot, shape.keys[field] as string);
    }
    if (size <= LAZY_FIELD_BYTES) return size;
    this.shapes.markLazy(shape, field);
    return LAZY_FIELD_COST;
  }

  private writePlain(value: object, slot: number, key: Key): number {
    const shape = this.shapes.find(value, false);
    return shape === null
      ? this.writeDictionary(value as Fields, slot, key, false)
      : this.writeObject(value as Fields, slot, shape, key);
  }

  private writeObject(fields: Fields, slot: number, shape: WriteShape, key: Key): number {
    if (shape.mayTransform && typeof fields['toJSON'] === 'function')
      return this.transform(fields, slot, key);
    return this.writeShaped(fields, slot, shape);
  }

  private writeShaped(fields: Fields, slot: number, shape: WriteShape): number {
    this.descend();
    const first = this.room.take(shape.keys.length);
    this.room.putReference(TAG_OBJECT, shape.number, first, slot);
    const size = shape.write(fields, first);
    this.depth--;
    return size + 16;
  }

  private writeOther(value: object, slot: number, key: Key): number {
    if (isArray(value) && getPrototypeOf(value) === arrayPrototype) return this.writeArray(value, slot, key);
    switch (classify(value)) {
      case 'plain':
        return this.writePlain(value, slot, key);
      case 'null-prototype':
        return this.writeNullPrototype(value as Fields, slot, key);
      case 'array':
        return this.writeArray(value as unknown[], slot, key);
      case 'date':
        return this.writeDate(value as Date, slot);
      case 'map':
        return this.writeMap(value as Map<unknown, unknown>, slot);
      case 'set':
        return this.writeSet(value as Set<unknown>, slot);
      case 'regexp':
        return this.writeRegExp(value as RegExp, slot);
      case 'binary':
        return this.writeBinary(value as ArrayBufferView | ArrayBuffer, slot);
      case 'error':
        return this.writeError(value as Error, slot);
      case 'other':
        if (typeof (value as Fields)['toJSON'] !== 'function') throw new Refusal();
        return this.transform(value as Fields, slot, key);
    }
  }

  private writeNullPrototype(value: Fields, slot: number, key: Key): number {
    const shape = this.shapes.find(value, true);
    return shape === null
      ? this.writeDictionary(value, slot, key, true)
      : this.writeObject(value, slot, shape, key);
  }

  /** What `toJSON` answers takes the place of `value`, and is not asked again: as JSON.stringify does it. */
  private transform(value: Fields, slot: number, key: Key): number {
    const result = (value['toJSON'] as (key: string) => unknown).call(value, String(key));
    if (typeof result !== 'object' || result === null) return this.write(result, slot, key);
    if (isArray(result)) return this.writeElements(result, slot);
    const kind = classify(result);
    if (kind !== 'plain' && kind !== 'null-prototype' && kind !== 'other')
      return this.writeOther(result, slot, key);
    if (kind === 'other' && Object.prototype.toString.call(result) !== '[object Object]') throw new Refusal();
    // Its own members count, whatever its class: it chose this form of itself.
    const shape = this.shapes.find(result, kind === 'null-prototype');
    return shape === null
      ? this.writeEntries(result as Fields, slot, kind === 'null-prototype')
      : this.writeShaped(result as Fields, slot, shape);
  }

  private writeArray(array: readonly unknown[], slot: number, key: Key): number {
    if (typeof (array as unknown as Fields)['toJSON'] === 'function') {
      return this.transform(array as unknown as Fields, slot, key);
    }
    return this.writeElements(array, slot);
  }

  private writeElements(array: readonly unknown[], slot: number): number {
    if (array.length === 0) return this.writeMixed(array, slot);
    const first = array[0];
    if (typeof first === 'number') {
      const kind = numbersKind(array);
      if (kind !== 0) return this.writeNumbers(array as readonly number[], slot, kind);
    } else if (typeof first === 'object' && first !== null && array.length > 1) {
      if (getPrototypeOf(first) === plainPrototype) {
        const shape = this.shapes.find(first, false);
        if (shape !== null && shape.keys.length > 0 && !shape.mayTransform && allRecords(array, shape.keys)) {
          return this.writeRecords(array as readonly Fields[], slot, shape);
        }
      }
    }
    return this.writeMixed(array, slot);
  }

  /** Numbers only: int32 or doubles without tags. A reader always makes a real array of them. */
  private writeNumbers(array: readonly number[], slot: number, kind: number): number {
    const { room } = this;
    const { length } = array;
    if (kind === KIND_INT32S) {
      const head = room.take(1 + Math.ceil(length / 2));
      const { u32 } = room;
      const low = 2 * head;
      u32[low] = length;
      u32[low + 1] = 0;
      for (let i = 0; i < length; i++) u32[low + 2 + i] = array[i] as number;
      if (length % 2 === 1) u32[low + 2 + length] = 0;
      room.putReference(TAG_HEAP, KIND_INT32S, head, slot);
      return 16 + 4 * length;
    }
    const head = room.take(1 + length);
    const { f64, u32 } = room;
    u32[2 * head] = length;
    u32[2 * head + 1] = 0;
    for (let i = 0; i < length; i++) {
      const value = array[i] as number;
      f64[head + 1 + i] = Number.isNaN(value) ? Number.NaN : value;
    }
    room.putReference(TAG_HEAP, KIND_DOUBLES, head, slot);
    return 16 + 8 * length;
  }

  /** Objects of one shape: their fields follow one another, row by row. */
  private writeRecords(array: readonly Fields[], slot: number, shape: WriteShape): number {
    this.descend();
    const { length } = array;
    const stride = shape.keys.length;
    const head = this.room.take(1 + length * stride);
    this.room.u32[2 * head] = length;
    this.room.u32[2 * head + 1] = shape.number;
    if (length >= MANY_RECORDS) shape.prepare();
    const { write } = shape;
    let size = 32;
    for (let i = 0, row = head + 1; i < length; i++, row += stride) size += write(array[i] as Fields, row);
    this.depth--;
    const aux = size > LAZY_COLLECTION_BYTES ? KIND_RECORDS | LARGE : KIND_RECORDS;
    this.room.putReference(TAG_HEAP, aux, head, slot);
    return size;
  }

  private writeMixed(array: readonly unknown[], slot: number): number {
    this.descend();
    const { room } = this;
    const { length } = array;
    const head = room.take(1 + length);
    room.u32[2 * head] = length;
    room.u32[2 * head + 1] = 0;
    let size = 16 + 8 * length;
    let hint: WriteShape | null = null;
    let holes = false;
    for (let i = 0; i < length; i++) {
      const value = array[i];
      const element = head + 1 + i;
      if (typeof value === 'string') {
        size += this.text.put(value, element);
      } else if (value === undefined && !Object.hasOwn(array, i)) {
        room.putConstant(HOLE, element);
        holes = true;
      } else if (typeof value === 'object' && value !== null && getPrototypeOf(value) === plainPrototype) {
        const shape = this.shapes.of(value, hint);
        if (shape === null) {
          size += this.writeDictionary(value as Fields, element, i, false);
        } else {
          hint = shape;
          size += this.writeObject(value as Fields, element, shape, i);
        }
      } else {
        size += this.write(value, element, i);
      }
    }
    this.depth--;
    // A lazy array has no holes: its iterations need not look for them.
    const aux = size > LAZY_COLLECTION_BYTES && !holes ? KIND_ARRAY | LARGE : KIND_ARRAY;
    room.putReference(TAG_HEAP, aux, head, slot);
    return size;
  }

  private writeDictionary(fields: Fields, slot: number, key: Key, nullPrototype: boolean): number {
    if (Object.hasOwn(fields, 'toJSON') && typeof fields['toJSON'] === 'function') {
      return this.transform(fields, slot, key);
    }
    return this.writeEntries(fields, slot, nullPrototype);
  }

  /** An object by its entries: for those with too many keys or too rare a shape. */
  private writeEntries(fields: Fields, slot: number, nullPrototype: boolean): number {
    this.descend();
    const { room } = this;
    const keys = this.shapes.keysOf(fields);
    const head = room.take(2 + 2 * keys.length);
    let size = 32 + 16 * keys.length;
    let hint: WriteShape | null = null;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as string;
      const entry = head + 2 + 2 * i;
      size += this.text.put(key, entry);
      const value = fields[key];
      if (typeof value === 'object' && value !== null && getPrototypeOf(value) === plainPrototype) {
        const shape = this.shapes.of(value, hint);
        if (shape === null) {
          size += this.writeDictionary(value as Fields, entry + 1, key, false);
        } else {
          hint = shape;
          size += this.writeObject(value as Fields, entry + 1, shape, key);
        }
      } else {
        size += this.write(value, entry + 1, key);
      }
    }
    this.depth--;
    const lazy = size > LAZY_COLLECTION_BYTES;
    const index = lazy ? this.writeIndex(keys) : NO_INDEX;
    const { u32 } = room;
    u32[2 * head] = keys.length;
    u32[2 * head + 1] =
      (nullPrototype ? DICTIONARY_NULL_PROTOTYPE : 0) | (index.bits << DICTIONARY_INDEX_SHIFT);
    u32[2 * head + 2] = index.first;
    u32[2 * head + 3] = 0;
    const aux = index.bits > 0 ? KIND_DICTIONARY | LARGE : KIND_DICTIONARY;
    room.putReference(TAG_HEAP, aux, head, slot);
    return size;
  }

  /**
   * A hash table with linear probing, each entry the key's hash and one more than its place among the entries; at
   * most half full. There is none when keys crowd: a publisher's keys may be made to collide.
   */
  private writeIndex(keys: readonly string[]): { bits: number; first: number } {
    const bits = 32 - Math.clz32(keys.length * 2);
    const length = 2 ** bits;
    const table = new Uint32Array(2 * length);
    for (let i = 0; i < keys.length; i++) {
      const hash = hashKey(keys[i] as string);
      let place = hash & (length - 1);
      for (let probes = 0; table[2 * place + 1] !== 0; probes++) {
        if (probes === MAX_PROBES) return NO_INDEX;
        place = (place + 1) & (length - 1);
      }
      table[2 * place] = hash;
      table[2 * place + 1] = i + 1;
    }
    const first = this.room.take(length);
    this.room.u32.set(table, 2 * first);
    return { bits, first };
  }

  private writeDate(date: Date, slot: number): number {
    const { room } = this;
    const head = room.take(1);
    const time = Date.prototype.getTime.call(date);
    room.f64[head] = Number.isNaN(time) ? Number.NaN : time;
    room.putReference(TAG_HEAP, KIND_DATE, head, slot);
    return 16;
  }

  private writeMap(map: Map<unknown, unknown>, slot: number): number {
    this.descend();
    const { room } = this;
    const entries = [...map];
    const head = room.take(1 + 2 * entries.length);
    room.u32[2 * head] = entries.length;
    room.u32[2 * head + 1] = 0;
    let size = 64 + 32 * entries.length;
    for (const [index, [key, value]] of entries.entries()) {
      size += this.write(key, head + 1 + 2 * index, '');
      size += this.write(value, head + 2 + 2 * index, '');
    }
    room.putReference(TAG_HEAP, KIND_MAP, head, slot);
    this.depth--;
    return size;
  }

  private writeSet(set: Set<unknown>, slot: number): number {
    this.descend();
    const { room } = this;
    const elements = [...set];
    const head = room.take(1 + elements.length);
    room.u32[2 * head] = elements.length;
    room.u32[2 * head + 1] = 0;
    let size = 64 + 24 * elements.length;
    for (const [index, element] of elements.entries()) size += this.write(element, head + 1 + index, '');
    room.putReference(TAG_HEAP, KIND_SET, head, slot);
    this.depth--;
    return size;
  }

  private writeRegExp(regexp: RegExp, slot: number): number {
    const head = this.room.take(3);
    const size = this.text.put(regexp.source, head) + this.text.put(regexp.flags, head + 1);
    this.write(regexp.lastIndex, head + 2, '');
    this.room.putReference(TAG_HEAP, KIND_REGEXP, head, slot);
    return size + 256;
  }

  /** Its class and two objects: the own members that enumerate, and those that do not (message, stack, cause). */
  private writeError(error: Error, slot: number): number {
    const { room } = this;
    const hidden: Fields = Object.create(null) as Fields;
    const shown: Fields = Object.create(null) as Fields;
    for (const key of Object.getOwnPropertyNames(error)) {
      const members = Object.prototype.propertyIsEnumerable.call(error, key) ? shown : hidden;
      members[key] = (error as unknown as Fields)[key];
    }
    const head = room.take(3);
    room.u32[2 * head] = errorNumber(error);
    room.u32[2 * head + 1] = 0;
    const size =
      this.writeEntries(hidden, head + 1, true) + this.writeEntries(shown, head + 2, true) + LAZY_FIELD_BYTES;
    room.putReference(TAG_HEAP, KIND_ERROR, head, slot);
    return size;
  }

  private writeBigInt(value: bigint, slot: number): number {
    const { room } = this;
    const digits = (value < 0n ? -value : value).toString(16);
    const words = Math.ceil(digits.length / 16);
    const head = room.take(1 + words);
    const { u32 } = room;
    u32[2 * head] = words;
    u32[2 * head + 1] = value < 0n ? 1 : 0;
    for (let i = 0, end = digits.length; i < 2 * words; i++, end -= 8) {
      u32[2 * head + 2 + i] = end > 0 ? Number.parseInt(digits.slice(Math.max(0, end - 8), end), 16) : 0;
    }
    room.putReference(TAG_HEAP, KIND_BIGINT, head, slot);
    return 32 + 8 * words;
  }

  /**
   * The bytes themselves, to be read where they lie. Counts as more than a field decodes in passing, whatever its
   * length: handing out a window pins the version, and only a reader who wants the window is to do so.
   */
  private writeBinary(value: ArrayBufferView | ArrayBuffer, slot: number): number {
    const { room } = this;
    let head = this.binaries.get(value);
    if (head === undefined) {
      const bytes = presentBytes(value);
      const words = Math.ceil(bytes.length / 8);
      if (bytes.length > MAX_BYTE_LENGTH) {
        throw new StoreError(
          'VALUE_TOO_LARGE',
          `a ${value.constructor.name} takes more than a payload can hold`,
          {
            askedByteLength: bytes.length,
            availableByteLength: MAX_BYTE_LENGTH,
          },
        );
      }
      head = room.take(1 + words);
      room.u32[2 * head] = binaryNumber(value);
      room.u32[2 * head + 1] = bytes.length;
      if (words > 0) room.f64[head + words] = 0;
      room.bytes.set(bytes, (head + 1) * 8);
      this.binaries.set(value, head);
    }
    room.putReference(TAG_HEAP, KIND_BINARY, head, slot);
    return binaryNumber(value) === BINARY_ARRAY_BUFFER
      ? bytesSize(room.u32[2 * head + 1] as number)
      : LAZY_FIELD_BYTES + 1;
  }

  private descend(): void {
    if (++this.depth > MAX_DEPTH) throw new Refusal();
  }
}

const NO_INDEX = { bits: 0, first: 0 } as const;

/** An ArrayBuffer is copied when it is read. */
function bytesSize(byteLength: number): number {
  return LAZY_FIELD_BYTES + 1 + byteLength;
}

function presentBytes(value: ArrayBufferView | ArrayBuffer): Uint8Array {
  try {
    return bytesOf(value);
  } catch {
    // Detached, or a window beyond the end of a buffer that has shrunk.
    throw new Refusal();
  }
}

/** `KIND_INT32S` or `KIND_DOUBLES` if all elements are numbers, 0 otherwise. */
function numbersKind(array: readonly unknown[]): number {
  let kind = KIND_INT32S;
  for (let i = 0; i < array.length; i++) {
    const value = array[i];
    if (typeof value !== 'number') return 0;
    const integer = value | 0;
    if (integer !== value || (integer === 0 && 1 / value < 0)) kind = KIND_DOUBLES;
  }
  return kind;
}

/** Whether all elements are plain objects with these keys. */
function allRecords(array: readonly unknown[], keys: readonly string[]): boolean {
  for (let i = 0; i < array.length; i++) {
    const value = array[i];
    if (typeof value !== 'object' || value === null || getPrototypeOf(value) !== plainPrototype) return false;
    if (!hasKeys(value, keys)) return false;
  }
  return true;
}
