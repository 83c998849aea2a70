import type { DecodeSource } from '../codec.ts';
import { BINARY_CLASSES, ERROR_CLASSES } from './classify.ts';
import { kindReaders } from './kinds.ts';
import {
  CONSTANT,
  DICTIONARY_INDEX_SHIFT,
  DICTIONARY_NULL_PROTOTYPE,
  HOLE,
  INT32,
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
  ROOT_SLOT,
  TAG_HEAP,
  TAG_LONG_TEXT,
  TAG_OBJECT,
  TAG_TEXT,
} from './layout.ts';
import { lookUpShape } from './read-shapes.ts';
import { asStoreError, invalid, MAX_READ_DEPTH, MAX_WINDOWED_TEXT, Reading } from './reading.ts';
import { TextCache } from './text-cache.ts';
import { Windows } from './windows.ts';

/** Slots that are still to be checked: `count` of them from `first` on. */
interface Run {
  readonly first: number;
  readonly count: number;
  readonly holes: boolean;
  readonly depth: number;
}

/**
 * Checks the whole structure of a payload by the rules of docs/format-objects.md: every slot, reference, length
 * and shape. A payload that passes reads without `BYTES_INVALID`. For stores whose publisher is not trusted;
 * views check what they touch in any case.
 *
 * Takes time and memory in proportion to the payload, whatever is in it.
 *
 * @throws {StoreError} `BYTES_INVALID` saying what is wrong.
 */
export function validate(source: DecodeSource): void {
  new Validator(source).run();
}

class Validator {
  private readonly reading: Reading;
  private readonly runs: Run[] = [];
  /** Nothing but short texts and binary data has two parents: all together is no longer than the payload. */
  private wordsLeft: number;

  constructor(source: DecodeSource) {
    this.reading = new Reading(
      source,
      new Windows(source.buffer),
      true,
      new TextCache(),
      () => [],
      lookUpShape,
      kindReaders,
    );
    this.wordsLeft = this.reading.words;
    this.reading.touch();
  }

  run(): void {
    for (let number = 0; number < this.reading.shapeCount; number++) this.reading.hydrator(number);
    this.push(ROOT_SLOT, 1, 0);
    for (let run = this.runs.pop(); run !== undefined; run = this.runs.pop()) {
      for (let slot = run.first; slot < run.first + run.count; slot++) this.checkSlot(slot, run);
    }
  }

  private push(first: number, count: number, depth: number, holes = false): void {
    if (!(first + count <= this.reading.words)) invalid('slots outside of it');
    this.spend(count);
    if (depth > MAX_READ_DEPTH) invalid('values that are nested too deeply');
    if (count > 0) this.runs.push({ first, count, holes, depth });
  }

  /** Charges what the reader charges a touch for, so that no touch of a valid payload runs out. */
  private spend(words: number): void {
    this.wordsLeft -= words;
    if (this.wordsLeft < 0) invalid('values that overlap');
  }

  private checkSlot(slot: number, run: Run): void {
    const { u32, words, byteLength } = this.reading;
    const high = u32[2 * slot + 1] as number;
    const low = u32[2 * slot] as number;
    if (high <= INT32) return;
    const aux = high & 0xffff;
    switch (high >>> 16) {
      case CONSTANT >>> 16:
        if (high !== CONSTANT || low > HOLE || (low === HOLE && !run.holes)) invalid('a constant');
        return;
      case TAG_TEXT:
        if (low + aux > byteLength) invalid('a text outside of it');
        if (aux > MAX_WINDOWED_TEXT) this.spend(aux >>> 3);
        return;
      case TAG_LONG_TEXT: {
        if (low >= words || aux > 1) invalid('a text');
        const length = u32[2 * low] as number;
        if (low * 8 + 4 + length * (1 + aux) > byteLength) invalid('a text outside of it');
        this.spend(length >>> 3);
        return;
      }
      case TAG_OBJECT:
        if (low <= slot) invalid('a reference that goes back');
        this.push(low, this.reading.hydrator(aux & ~LARGE).stride, run.depth + 1);
        return;
      case TAG_HEAP:
        if (low >= words) invalid('a value outside of it');
        if (low <= slot && (aux & ~LARGE) !== KIND_BINARY) invalid('a reference that goes back');
        this.checkHeap(aux & ~LARGE, (aux & LARGE) !== 0, low, run.depth + 1);
        return;
      default:
        invalid('a slot');
    }
  }

  private checkHeap(kind: number, large: boolean, head: number, depth: number): void {
    const { u32, words } = this.reading;
    const length = u32[2 * head] as number;
    const second = u32[2 * head + 1] as number;
    if (kind !== KIND_BINARY && kind !== KIND_REGEXP) this.spend(1);
    switch (kind) {
      case KIND_ARRAY:
        this.push(head + 1, length, depth, !large);
        return;
      case KIND_RECORDS: {
        const { stride } = this.reading.hydrator(second);
        if (stride === 0) invalid('records without fields');
        this.push(head + 1, length * stride, depth);
        return;
      }
      case KIND_INT32S:
        if (head + 1 + length / 2 > words) invalid('numbers outside of it');
        this.spend(Math.ceil(length / 2));
        return;
      case KIND_DOUBLES:
        if (head + 1 + length > words) invalid('numbers outside of it');
        this.spend(length);
        return;
      case KIND_DICTIONARY:
        this.checkDictionary(head, length, second, large, depth);
        return;
      case KIND_MAP:
        this.push(head + 1, 2 * length, depth);
        return;
      case KIND_SET:
        this.push(head + 1, length, depth);
        return;
      case KIND_DATE:
        return;
      case KIND_BIGINT:
        if (head + 1 + length > words || second > 1 || length * 64 > 2 ** 30) invalid('a big integer');
        this.spend(length);
        return;
      case KIND_BINARY: {
        const Class = BINARY_CLASSES[length] ?? null;
        // One that this engine lacks cannot be read here, valid as it may be elsewhere.
        if (Class === null || second % Class.elementBytes !== 0) invalid('a class of binary data');
        if ((head + 1) * 8 + second > words * 8) invalid('binary data outside of it');
        return;
      }
      case KIND_REGEXP:
        this.checkRegExp(head, depth);
        return;
      case KIND_ERROR:
        if (length >= ERROR_CLASSES.length || second !== 0) invalid('a class of errors');
        this.push(head + 1, 2, depth);
        for (const slot of [head + 1, head + 2]) {
          if ((u32[2 * slot + 1] as number) !== ((TAG_HEAP << 16) | KIND_DICTIONARY) >>> 0)
            invalid('an error');
        }
        return;
      default:
        invalid('a kind');
    }
  }

  private checkDictionary(head: number, size: number, flags: number, large: boolean, depth: number): void {
    const { u32, words } = this.reading;
    this.push(head + 2, 2 * size, depth);
    for (let entry = 0; entry < size; entry++) {
      const tag = (u32[2 * (head + 2 + 2 * entry) + 1] as number) >>> 16;
      if (tag !== TAG_TEXT && tag !== TAG_LONG_TEXT) invalid('a key that is not text');
    }
    const bits = flags >>> DICTIONARY_INDEX_SHIFT;
    if ((flags & 0xff & ~DICTIONARY_NULL_PROTOTYPE) !== 0 || large !== bits > 0)
      invalid('the flags of a dictionary');
    if (!large) return;
    const index = u32[2 * head + 2] as number;
    const length = 2 ** bits;
    if (bits > 29 || index <= head || index + length > words) invalid('an index outside of it');
    this.spend(length);
    for (let place = 0; place < length; place++) {
      if ((u32[2 * (index + place) + 1] as number) > size) invalid('an index beyond its dictionary');
    }
  }

  private checkRegExp(head: number, depth: number): void {
    this.push(head, 3, depth);
    this.reading.touch();
    try {
      kindReaders[KIND_REGEXP]?.(this.reading, head, false);
    } catch (error) {
      throw asStoreError(error);
    }
  }
}
