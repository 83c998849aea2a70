import { StoreError } from '../errors.ts';
import type { Location } from './location.ts';
import { isRegion, removeFiles } from './location.ts';
import { calling, native, type WriterHandle } from './native.ts';
import type { Slots } from './slots.ts';

/** How often a publish looks whether its files are still there. */
const LOST_CHECK_MS = 1000;

const PAGE_BYTE_LENGTH = 4096;

/** A region is allocated with this much room beyond what was asked for, so that a value may grow a little in place. */
const roomFor = (byteLength: number): number => {
  const generous = byteLength + byteLength / 8 + native.layout.headerByteLength;
  const pages = Math.ceil(generous / PAGE_BYTE_LENGTH) * PAGE_BYTE_LENGTH;
  return Math.min(pages - native.layout.headerByteLength, native.layout.payloadByteLimit);
};

/** What a writer did, counted since it was opened. */
export interface PublisherStats {
  /** Publishes, and the sum of their payloads. */
  readonly publishes: number;
  readonly publishedByteLength: number;
  /** Publishes that rewrote a region in place, and those that replaced one or added one. */
  readonly rewrites: number;
  readonly replacements: number;
  /** Regions that slots lead to now, those beyond the double buffer, and the bytes of all. */
  readonly regions: number;
  readonly spareRegions: number;
  readonly heldByteLength: number;
}

/** The writer's side of a store: rooms to write into, and which version is the newest. Knows no values. */
export class Publisher {
  readonly location: Location;
  readonly #native: WriterHandle;
  readonly #slots: Slots;
  #version: number;
  #lastByteLength = 0;
  #checkedAtMs = Date.now();
  #isClosed = false;
  #isLost = false;
  #publishes = 0;
  #publishedByteLength = 0;
  #rewrites = 0;

  constructor(location: Location, handle: WriterHandle, slots: Slots) {
    this.location = location;
    this.#native = handle;
    this.#slots = slots;
    this.#version = handle.version();
  }

  /** The number of the newest version, 0 before the first. */
  get version(): number {
    return this.#version;
  }

  get lastByteLength(): number {
    return this.#lastByteLength;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  stats(): PublisherStats {
    return {
      publishes: this.#publishes,
      publishedByteLength: this.#publishedByteLength,
      rewrites: this.#rewrites,
      replacements: this.#publishes - this.#rewrites,
      regions: this.#isClosed ? 0 : this.#slots.regionCount,
      spareRegions: this.#isClosed ? 0 : this.#slots.spareCount,
      heldByteLength: this.#isClosed ? 0 : this.#native.heldByteLength(),
    };
  }

  /** Begins a publish. A draft ends with `commit` or `abort`; several may be open at a time. */
  draft(): Draft {
    this.ensureOpen();
    this.#checkFiles();
    return new Draft(this, this.#native, this.#slots);
  }

  /** @internal The newest version from now on is the draft at `place`. */
  commit(place: number, byteLength: number): number {
    const isRewrite = place < native.layout.slotLimit;
    this.#checkFiles();
    const slot = isRewrite ? place : this.#slots.replaceable(byteLength);
    this.#version = calling(() => this.#native.commit(place, slot, byteLength));
    if (isRewrite) this.#slots.activate(slot, this.#version);
    else this.#slots.replace(slot, this.#version);
    this.#lastByteLength = byteLength;
    this.#publishes += 1;
    this.#publishedByteLength += byteLength;
    if (isRewrite) this.#rewrites += 1;
    return this.#version;
  }

  /** @internal A region without a name, with room for so many bytes. Returns its place. */
  allocate(byteLength: number): number {
    this.#ensureNotLost();
    this.#slots.giveBackMisfits(byteLength);
    const room = roomFor(byteLength);
    return this.#withSpace(room, () => this.#native.createRegion(room));
  }

  /** @internal */
  enlarge(place: number, byteLength: number): void {
    const room = roomFor(byteLength);
    this.#withSpace(room - this.#native.capacity(place), () => this.#native.growRegion(place, room));
  }

  /** Lets go of everything; the files and what was published stay. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#native.close();
  }

  /** Ends the store: readers keep what they have and look for a new one, the files go. */
  destroy(): void {
    this.ensureOpen();
    // What is at the path after a loss belongs to another writer.
    this.#ensureNotLost();
    this.#isClosed = true;
    this.#native.bury();
    try {
      // The lock's file goes last: a writer that starts meanwhile waits for it, or finds nothing of ours.
      removeFiles(this.location, (suffix) => suffix === '_state' || isRegion(suffix));
      removeFiles(this.location, (suffix) => suffix === '_lock');
    } finally {
      this.#native.close();
    }
  }

  /** @internal */
  ensureOpen(): void {
    if (this.#isClosed) {
      throw new StoreError('CLOSED', `the writer of ${this.location.given} is closed: open another one`, {
        path: this.location.prefix,
      });
    }
  }

  /** Once a second: are the files still there? */
  #checkFiles(): void {
    const nowMs = Date.now();
    // A clock that went backwards counts as time passed.
    if (!this.#isLost && Math.abs(nowMs - this.#checkedAtMs) < LOST_CHECK_MS) return;
    this.#checkedAtMs = nowMs;
    this.#ensureNotLost();
    this.#slots.giveBackLost();
  }

  #ensureNotLost(): void {
    // For ever: a file that came to the path since belongs to another writer.
    this.#isLost ||= this.#native.isLost();
    if (!this.#isLost) return;
    throw new StoreError(
      'STORE_LOST',
      `the files of ${this.location.prefix} were deleted or replaced under this writer: close it and open another one`,
      { path: this.location.prefix },
    );
  }

  #withSpace<R>(askedByteLength: number, allocate: () => R): R {
    try {
      return calling(allocate);
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'NO_SPACE') throw error;
    }
    this.#slots.giveBackAll();
    try {
      return calling(allocate);
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'NO_SPACE') throw error;
      const availableByteLength = this.#native.availableByteLength();
      const heldByteLength = this.#native.heldByteLength();
      throw new StoreError(
        'NO_SPACE',
        `no space for a region of ${this.location.prefix}: asked for ${askedByteLength} bytes, ${availableByteLength} are ` +
          `available, the store holds ${heldByteLength}. The version before stays current. Free space in ` +
          `${this.location.directory}, let readers release old snapshots, or move the store to a larger file system`,
        {
          cause: error,
          path: this.location.prefix,
          askedByteLength,
          availableByteLength,
          heldByteLength,
          ...(error.errno === undefined ? {} : { errno: error.errno }),
        },
      );
    }
  }
}

const NOWHERE = -1;

/** One publish on its way: the room that a value is being encoded into. */
export class Draft {
  readonly #publisher: Publisher;
  readonly #native: WriterHandle;
  readonly #slots: Slots;
  /** A claimed slot, or a region without a name. */
  #place = NOWHERE;
  #buffer: ArrayBuffer | undefined;
  #isLent = false;

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
    if (this.#buffer === undefined || byteLength > this.#buffer.byteLength) {
      this.#place = this.#roomFor(byteLength, keptByteLength);
      this.#buffer = this.#bufferAt(this.#place);
    }
    return this.#buffer;
  }

  /** Like `reserve`, for a user to fill. */
  lend(byteLength: number): ArrayBuffer {
    this.#place = this.#roomFor(byteLength, 0);
    const buffer = calling(() => this.#native.loan(this.#place, byteLength));
    this.#isLent = true;
    return buffer;
  }

  commit(byteLength: number): number {
    try {
      this.#publisher.ensureOpen();
      if (this.#isLent) this.#endLoan();
      // A codec that wrote nothing asked for nothing.
      if (this.#place === NOWHERE) this.reserve(byteLength);
      this.#checkByteLength(byteLength, this.#native.capacity(this.#place));
      return this.#publisher.commit(this.#place, byteLength);
    } catch (error) {
      this.abort();
      throw error;
    }
  }

  abort(): void {
    if (this.#place === NOWHERE || this.#publisher.isClosed) return;
    if (this.#isLent) this.#endLoan();
    if (this.#place < native.layout.slotLimit) this.#slots.unclaim(this.#place);
    else this.#native.discard(this.#place);
    this.#place = NOWHERE;
    this.#buffer = undefined;
  }

  #endLoan(): void {
    this.#isLent = false;
    calling(() => this.#native.endLoan(this.#place));
  }

  /** Native code takes lengths as they come, and codecs are written by others. */
  #checkByteLength(byteLength: number, most: number): void {
    if (Number.isSafeInteger(byteLength) && byteLength >= 0 && byteLength <= most) return;
    throw new StoreError(
      'OPTION_INVALID',
      `the codec says that its value takes ${String(byteLength)} bytes, of ${most} that it has reserved: it is at fault`,
      { path: this.#publisher.location.prefix, field: 'codec' },
    );
  }

  #roomFor(byteLength: number, keptByteLength: number): number {
    // What a value runs while it is being encoded, a getter say, may close the writer.
    this.#publisher.ensureOpen();
    const { payloadByteLimit, slotLimit } = native.layout;
    this.#checkByteLength(byteLength, Number.POSITIVE_INFINITY);
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
    if (this.#place >= slotLimit) {
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
    return place < native.layout.slotLimit ? this.#slots.buffer(place) : this.#native.buffer(place);
  }
}
