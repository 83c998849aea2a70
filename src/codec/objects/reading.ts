import { StoreError } from '../../errors.ts';
import type { DecodeSource } from '../codec.ts';
import {
  CONSTANT,
  HEADER_WORDS,
  HOLE,
  INT32,
  KIND_BINARY,
  MAGIC,
  MAX_DEPTH,
  SHAPE_TABLE_WORD,
  TAG_CONSTANT,
  TAG_HEAP,
  TAG_INT32,
  TAG_LONG_TEXT,
  TAG_OBJECT,
  TAG_TEXT,
} from './layout.ts';
import type { TextCache } from './text-cache.ts';
import type { Windows } from './windows.ts';

/** How many nested values one touch may meet: an error nests twice for the encoder's once. */
export const MAX_READ_DEPTH: number = 2 * MAX_DEPTH + 8;

/** A text near its record's other texts: one call into native code reads them all. */
const RECORD_WINDOW_BYTES = 192;
/** In scans, where the next texts follow. Small, since a kept substring holds on to its whole window. */
const SCAN_WINDOW_BYTES = 2_048;
export const MAX_WINDOWED_TEXT = 64;

const CONSTANTS = [undefined, null, false, true] as const;

/** What the reading side knows of an object's shape. */
export interface Hydrator {
  /** How many slots an object takes. */
  readonly stride: number;
  readonly keys: readonly string[];
  /** Makes the object whose fields begin at `first`. */
  hydrate(reading: Reading, first: number): object;
  /** Told of an object now and then, so that what was optimised for them lasts. */
  keepSample(object: object): void;
}

/** Finds the hydrator of a shape of one payload. */
export type ShapeLookup = (reading: Reading, number: number) => Hydrator;

/** Reads a heap value whose head is the word `head`; `large` is the flag of its slot. */
export type KindReader = (reading: Reading, head: number, large: boolean) => unknown;

/**
 * The reading of one version: its bytes, and what is needed to go on decoding them. Whatever decodes later holds
 * the reading, and the reading holds the source: that keeps the version pinned.
 *
 * A *touch* is one call from the user into lazy parts. It decodes at most as many slots as the payload has, so
 * that references which hostile bytes let meet again and again cannot multiply.
 */
export class Reading {
  readonly source: DecodeSource;
  readonly freeze: boolean;
  readonly f64: Float64Array;
  readonly i32: Int32Array;
  readonly u32: Uint32Array;
  readonly bytes: Windows['bytes'];
  /** Length of the payload in words and in bytes. */
  readonly words: number;
  readonly byteLength: number;
  readonly shapeCount: number;
  readonly shapeTable: number;
  /** Hydrators by shape number, found when first needed. */
  readonly shapes: (Hydrator | undefined)[];
  readonly lookUp: ShapeLookup;
  readonly kinds: readonly (KindReader | undefined)[];
  /** Binary values that were handed out, by their head: one published twice is one. */
  readonly binaries: Map<number, object> = new Map<number, object>();
  /** The lazy collection made last in this touch; see `lazy-fields.ts`. */
  newest: unknown = null;

  /** Slots that this touch may still decode. */
  budget = 0;
  depth = 0;
  /** Above 0 while many records are read one after the other. */
  scans = 0;
  private window = '';
  private windowStart = 0;
  private windowLength = 0;
  private readonly texts: TextCache;
  private readonly textEpoch: number;

  constructor(
    source: DecodeSource,
    windows: Windows,
    freeze: boolean,
    texts: TextCache,
    tables: (reading: Reading) => (Hydrator | undefined)[],
    lookUp: ShapeLookup,
    kinds: readonly (KindReader | undefined)[],
  ) {
    this.source = source;
    this.freeze = freeze;
    this.f64 = windows.f64;
    this.i32 = windows.i32;
    this.u32 = windows.u32;
    this.bytes = windows.bytes;
    this.texts = texts;
    this.textEpoch = texts.nextEpoch();
    const words = source.byteLength / 8;
    const { u32 } = windows;
    if (!(words >= HEADER_WORDS && words <= windows.f64.length && Number.isInteger(words)))
      invalid('its length');
    if (u32[0] !== MAGIC) invalid('its magic number');
    if (u32[1] !== words) invalid('its word count');
    this.words = words;
    this.byteLength = source.byteLength;
    this.shapeTable = u32[2 * SHAPE_TABLE_WORD] as number;
    this.shapeCount = u32[2 * SHAPE_TABLE_WORD + 1] as number;
    if (!(this.shapeTable >= HEADER_WORDS && this.shapeTable + this.shapeCount / 2 <= words))
      invalid('its shape table');
    this.lookUp = lookUp;
    this.kinds = kinds;
    this.shapes = tables(this);
  }

  /** Begins a touch. @throws {StoreError} `SNAPSHOT_RELEASED` */
  touch(): void {
    if (this.source.released) {
      throw new StoreError(
        'SNAPSHOT_RELEASED',
        'this part of the value was not read before its snapshot was released; read it earlier, or copy it with toPlain()',
      );
    }
    this.budget = this.words;
    this.depth = 0;
    this.scans = 0;
    this.newest = null;
  }

  /** Charges the touch for `slots` more slots, or as much memory as they take. */
  spend(slots: number): void {
    this.budget -= slots;
    if (!(this.budget >= 0)) invalid('it refers to the same bytes too often');
  }

  hydrator(number: number): Hydrator {
    return this.shapes[number] ?? this.lookUp(this, number);
  }

  /** Latin-1 text of `length` bytes at byte `offset`. */
  text(offset: number, length: number): string {
    const from = offset - this.windowStart;
    if (from >= 0 && from + length <= this.windowLength) return this.window.substring(from, from + length);
    return this.fetchText(offset, length);
  }

  private fetchText(offset: number, length: number): string {
    if (length === 0) return '';
    const { byteLength } = this;
    if (offset + length > byteLength) invalid('a text outside of it');
    if (length > MAX_WINDOWED_TEXT) {
      this.spend(length >>> 3);
      return this.bytes.latin1Slice(offset, offset + length);
    }
    if (this.scans > 0 && offset >= this.windowStart) {
      this.moveWindow(offset, SCAN_WINDOW_BYTES);
      return this.window.substring(0, length);
    }
    const known = this.texts.get(this.textEpoch, offset, length);
    if (known !== undefined) return known;
    this.moveWindow(offset, RECORD_WINDOW_BYTES);
    const text = this.window.substring(0, length);
    this.texts.set(this.textEpoch, offset, text);
    return text;
  }

  private moveWindow(offset: number, byteLength: number): void {
    const end = Math.min(offset + byteLength, this.byteLength);
    this.window = this.bytes.latin1Slice(offset, end);
    this.windowStart = offset;
    this.windowLength = end - offset;
  }

  /** Text with its own length at the word `head`. */
  longText(head: number, utf16: number): string {
    if (head >= this.words || utf16 > 1) invalid('a text outside of it');
    const length = this.u32[2 * head] as number;
    const start = head * 8 + 4;
    const end = start + (utf16 === 1 ? 2 * length : length);
    if (end > this.byteLength) invalid('a text outside of it');
    this.spend(length >>> 3);
    return utf16 === 1 ? this.bytes.ucs2Slice(start, end) : this.bytes.latin1Slice(start, end);
  }
}

/** Reads the value in `slot`. */
export function readSlot(reading: Reading, slot: number): unknown {
  const high = reading.u32[2 * slot + 1] as number;
  if (high < INT32) return reading.f64[slot];
  return high === INT32 ? reading.i32[2 * slot] : readTagged(reading, slot, high);
}

/** Reads the value in `slot`, whose upper half is `high` (`undefined` for a slot outside of the buffer). */
export function readTagged(reading: Reading, slot: number, high: number): unknown {
  const low = reading.u32[2 * slot] as number;
  switch (high >>> 16) {
    case TAG_TEXT:
      return reading.text(low, high & 0xffff);
    case TAG_CONSTANT:
      if (low < HOLE && high === CONSTANT) return CONSTANTS[low];
      break;
    case TAG_OBJECT: {
      if (low <= slot) break;
      if (++reading.depth > MAX_READ_DEPTH) break;
      const object = reading.hydrator(high & 0x7fff).hydrate(reading, low);
      reading.depth--;
      return object;
    }
    case TAG_HEAP: {
      const read = reading.kinds[high & 0x7fff];
      if (read === undefined || low >= reading.words) break;
      if (low <= slot && !isLeaf(high & 0x7fff)) break;
      if (++reading.depth > MAX_READ_DEPTH) break;
      const value = read(reading, low, (high & 0x8000) !== 0);
      reading.depth--;
      return value;
    }
    case TAG_LONG_TEXT:
      return reading.longText(low, high & 0xffff);
    case TAG_INT32:
      if (high === INT32) return low | 0;
      break;
    default:
      if (high < INT32) return reading.f64[slot];
  }
  return invalid('a slot');
}

/** Reads a slot that must hold text. */
export function readTextSlot(reading: Reading, slot: number): string {
  const high = reading.u32[2 * slot + 1] as number;
  const low = reading.u32[2 * slot] as number;
  const tag = high >>> 16;
  if (tag === TAG_TEXT) return reading.text(low, high & 0xffff);
  if (tag === TAG_LONG_TEXT) return reading.longText(low, high & 0xffff);
  return invalid('a key');
}

/** Reads the value in `slot` as a touch of its own. */
export function readTouched(reading: Reading, slot: number): unknown {
  reading.touch();
  try {
    return readSlot(reading, slot);
  } catch (error) {
    throw asStoreError(error);
  }
}

/** What decoding threw, as what a reader may throw. */
export function asStoreError(error: unknown): unknown {
  if (error instanceof StoreError) return error;
  // The caller's own recursion may leave too little stack: not the bytes' fault.
  if (error instanceof RangeError && /call stack/i.test(error.message)) return error;
  return new StoreError('BYTES_INVALID', 'the payload is damaged: a value in it cannot be made', {
    cause: error,
  });
}

export function invalid(what: string): never {
  throw new StoreError('BYTES_INVALID', `the payload is damaged or was not written by this codec: ${what}`);
}

/** Binary values refer to nothing, so that several slots may share one. */
function isLeaf(kind: number): boolean {
  return kind === KIND_BINARY;
}
