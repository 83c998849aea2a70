import { StoreError } from '../errors.ts';
import { Draft, SLOT_LIMIT } from './draft.ts';
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
    const isRewrite = place < SLOT_LIMIT;
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
    try {
      // What is at the location now may belong to another writer.
      this.#ensureNotLost();
      this.#native.bury();
      // The lock's file goes last: a writer that starts meanwhile waits for it, or finds nothing of ours.
      removeFiles(this.location, (suffix) => suffix === '_state' || isRegion(suffix));
      removeFiles(this.location, (suffix) => suffix === '_lock');
    } finally {
      this.close();
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
