import { StoreError } from '../errors.ts';
import { calling, native, type WriterHandle } from './native.ts';
import type { Publisher } from './publisher.ts';
import type { Slots } from './slots.ts';

/** Places below are slots; the others are regions without a name. */
export const SLOT_LIMIT: number = native.layout.slotLimit;

const NOWHERE = -1;

/** Lengths that come from a codec of the user's own: a wrong one would be read or written outside of the region. */
function checkCodecLength(what: string, value: unknown, most: number): void {
  if (Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= most) return;
  const shown = typeof value === 'number' ? String(value) : typeof value;
  throw new StoreError(
    'OPTION_INVALID',
    `the codec is wrong: ${what} must be an integer from 0 to ${most}, not ${shown}; correct it`,
    { field: 'codec' },
  );
}

/** One publish on its way: the room that a value is being encoded into. */
export class Draft {
  readonly #publisher: Publisher;
  readonly #native: WriterHandle;
  readonly #slots: Slots;
  /** A claimed slot, or a region without a name. */
  #place = NOWHERE;
  #buffer: ArrayBuffer | undefined;
  #isLent = false;
  #lentByteLength = 0;
  #hasEnded = false;

  constructor(publisher: Publisher, handle: WriterHandle, slots: Slots) {
    this.#publisher = publisher;
    this.#native = handle;
    this.#slots = slots;
  }

  get lastByteLength(): number {
    return this.#publisher.lastByteLength;
  }

  /** See `EncodeTarget.reserve` in src/codec/codec.ts. */
  reserve(byteLength: number, keptByteLength = 0): ArrayBuffer {
    this.#ensureOpen();
    checkCodecLength('byteLength', byteLength, Number.MAX_SAFE_INTEGER);
    checkCodecLength('keptByteLength', keptByteLength, Math.min(byteLength, this.#roomByteLength));
    if (this.#buffer === undefined || byteLength > this.#buffer.byteLength) {
      this.#place = this.#roomFor(byteLength, keptByteLength);
      this.#buffer = this.#bufferAt(this.#place);
    }
    return this.#buffer;
  }

  /** Like `reserve`, for a user to fill. */
  lend(byteLength: number): ArrayBuffer {
    this.#place = this.#roomFor(byteLength, 0);
    try {
      const buffer = calling(() => this.#native.loan(this.#place, byteLength));
      this.#isLent = true;
      this.#lentByteLength = byteLength;
      return buffer;
    } catch (error) {
      this.abort();
      throw error;
    }
  }

  /** Publishes what was lent: all of it, though its array may have been transferred meanwhile and say 0. */
  commitLent(): number {
    return this.#commit(this.#lentByteLength);
  }

  /** @param byteLength What a codec's `encode` has answered. */
  commit(byteLength: number): number {
    try {
      this.#ensureOpen();
      checkCodecLength('what `encode` returns', byteLength, this.#roomByteLength);
      // A codec that wrote nothing asked for nothing.
      if (this.#place === NOWHERE) this.reserve(0);
    } catch (error) {
      this.abort();
      throw error;
    }
    return this.#commit(byteLength);
  }

  #commit(byteLength: number): number {
    try {
      this.#ensureOpen();
      if (this.#isLent) this.#endLoan();
      const publishNumber = this.#publisher.commit(this.#place, byteLength);
      this.#hasEnded = true;
      return publishNumber;
    } catch (error) {
      this.abort();
      throw error;
    }
  }

  abort(): void {
    this.#hasEnded = true;
    if (this.#place === NOWHERE || this.#publisher.isClosed) return;
    if (this.#isLent) this.#endLoan();
    if (this.#place < SLOT_LIMIT) this.#slots.unclaim(this.#place);
    else this.#native.discard(this.#place);
    this.#place = NOWHERE;
    this.#buffer = undefined;
  }

  get #roomByteLength(): number {
    return this.#buffer?.byteLength ?? 0;
  }

  /** A codec may close the writer, and may keep its target: neither the writer's regions nor its room are ours then. */
  #ensureOpen(): void {
    this.#publisher.ensureOpen();
    if (!this.#hasEnded) return;
    throw new StoreError(
      'CLOSED',
      `a publish to ${this.#publisher.location.given} has ended: its target gives room during \`encode\` only`,
      { path: this.#publisher.location.prefix },
    );
  }

  #endLoan(): void {
    this.#isLent = false;
    calling(() => this.#native.endLoan(this.#place));
  }

  #roomFor(byteLength: number, keptByteLength: number): number {
    // What a value runs while it is being encoded, a getter say, may close the writer.
    this.#publisher.ensureOpen();
    const { payloadByteLimit } = native.layout;
    if (byteLength > payloadByteLimit) {
      throw new StoreError(
        'VALUE_TOO_LARGE',
        `the value takes at least ${byteLength} bytes; one publish holds at most ${payloadByteLimit}: split it into several stores`,
        {
          path: this.#publisher.location.prefix,
          askedByteLength: byteLength,
          availableByteLength: payloadByteLimit,
        },
      );
    }
    if (this.#place === NOWHERE) {
      const slot = this.#slots.claim(byteLength);
      return slot >= 0 ? slot : this.#publisher.allocate(byteLength);
    }
    if (this.#place >= SLOT_LIMIT) {
      this.#publisher.enlarge(this.#place, byteLength);
      return this.#place;
    }
    // The claimed region is too small after all: go on in one that has no name, and can grow.
    const place = this.#publisher.allocate(byteLength);
    const kept = new Uint8Array(this.#bufferAt(this.#place)).subarray(0, keptByteLength);
    new Uint8Array(this.#bufferAt(place)).set(kept);
    this.#slots.unclaim(this.#place);
    return place;
  }

  #bufferAt(place: number): ArrayBuffer {
    return place < SLOT_LIMIT ? this.#slots.buffer(place) : this.#native.buffer(place);
  }
}
