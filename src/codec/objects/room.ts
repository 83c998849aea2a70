import { StoreError } from '../../errors.ts';
import type { EncodeTarget } from '../codec.ts';
import { CONSTANT, INT32, MAX_BYTE_LENGTH } from './layout.ts';
import { WindowCache, type Windows } from './windows.ts';

const MIN_BYTE_LENGTH = 4_096;

const NO_F64 = new Float64Array(0);
const NO_U32 = new Uint32Array(0);

/**
 * The room of one payload while it is written: words are taken from its beginning to its end, and it grows when
 * they run out.
 *
 * Growing replaces the windows. So nobody may keep one in a local across a call that can take words; the fields
 * are read anew at each use.
 */
export class Room {
  f64: Float64Array = NO_F64;
  u32: Uint32Array = NO_U32;
  bytes!: Windows['bytes'];
  /** The first free word. */
  top = 0;

  private limit = 0;
  private target: EncodeTarget | null = null;
  private readonly windows = new WindowCache();

  /** Begins a payload; `words` are taken at once. */
  begin(target: EncodeTarget, words: number): void {
    this.target = target;
    this.top = 0;
    // One eighth more than last time, so that a value that grows slowly does not grow its room every time.
    const hint = target.lastByteLength + (target.lastByteLength >>> 3);
    this.attach(target.reserve(Math.min(Math.max(hint, MIN_BYTE_LENGTH), MAX_BYTE_LENGTH)));
    this.take(words);
  }

  /** Lets go of the target and its buffer. */
  end(): void {
    this.target = null;
    this.f64 = NO_F64;
    this.u32 = NO_U32;
    this.limit = 0;
  }

  /** Takes `words` words and returns the first. Their bytes are not zeroed. */
  take(words: number): number {
    const first = this.top;
    const end = first + words;
    if (end > this.limit) this.grow(end);
    this.top = end;
    return first;
  }

  putNumber(value: number, slot: number): void {
    const integer = value | 0;
    // -0 and NaN are doubles; NaN is written as this one, since others are tags.
    if (integer === value && (integer !== 0 || 1 / value > 0)) {
      this.u32[2 * slot] = integer;
      this.u32[2 * slot + 1] = INT32;
    } else {
      this.f64[slot] = Number.isNaN(value) ? Number.NaN : value;
    }
  }

  putConstant(constant: number, slot: number): void {
    this.u32[2 * slot] = constant;
    this.u32[2 * slot + 1] = CONSTANT;
  }

  /** Writes a slot that refers to `word`; `tag` is one of the tags, `aux` the 16 bits below it. */
  putReference(tag: number, aux: number, word: number, slot: number): void {
    this.u32[2 * slot] = word;
    this.u32[2 * slot + 1] = (tag << 16) | aux;
  }

  private grow(words: number): void {
    const asked = words * 8;
    if (asked > MAX_BYTE_LENGTH) {
      throw new StoreError('VALUE_TOO_LARGE', `the value takes more than ${MAX_BYTE_LENGTH} bytes`, {
        askedByteLength: asked,
        availableByteLength: MAX_BYTE_LENGTH,
      });
    }
    const doubled = Math.min(Math.max(asked, this.limit * 16), MAX_BYTE_LENGTH);
    this.attach((this.target as EncodeTarget).reserve(doubled, this.top * 8));
  }

  private attach(buffer: ArrayBuffer): void {
    const { f64, u32, bytes } = this.windows.of(buffer);
    this.f64 = f64;
    this.u32 = u32;
    this.bytes = bytes;
    this.limit = Math.min(f64.length, MAX_BYTE_LENGTH / 8);
  }
}
