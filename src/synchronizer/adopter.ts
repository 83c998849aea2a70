import { StoreError } from '../errors.ts';
import { Adoption } from './adoption.ts';
import { checkDirectory, type Location, resolveLocation } from './location.ts';
import { Adopt, calling, flawError, native, type ReaderHandle, Result } from './native.ts';

/**
 * Up to here a payload is copied out at adoption and its slot let go at once: copying costs 20 ns a KiB, an
 * ArrayBuffer over a mapping 1.1 µs and its finalizer (shared design, handshake.md, "Lifetime of a snapshot").
 */
const COPY_BYTE_LENGTH = 16 * 1024;

/**
 * With so many versions kept, by snapshots, views or raw windows, later ones are copied: finalizers run on turns of the
 * event loop only, and a loop that never yields would gather mappings until the kernel refuses more (65,530 by default).
 */
const KEPT_LIMIT = 64;

/**
 * Words that never hold what was `seen`, 0 at first: the fast path misses. (A `seen` of NaN would do as well, but make
 * every comparison one of floating-point numbers from then on.)
 */
export const MISSING: Int32Array = Int32Array.of(-1);

/** What a reader did, counted since it was opened. */
export interface AdopterStats {
  /** The number of the newest version this reader has adopted, 0 before the first. */
  readonly version: number;
  /** Versions adopted, how many of these were copied out, and how many were published in between and not adopted. */
  readonly adoptions: number;
  readonly copies: number;
  readonly skippedVersions: number;
  /** How often the reader has come to a store at this location: 1 after the first, more after a store was created anew. */
  readonly attachments: number;
}

/** A reader's side of a store: finds it, adopts its newest version. Knows no values. */
export class Adopter<V> {
  readonly location: Location;
  /**
   * The fast path: while `words[0] === seen` nothing newer has been published. A plain 32-bit load of `sequence`; V8 does
   * not hoist it out of loops (test/process/hot-loop.test.ts would notice).
   */
  words: Int32Array = MISSING;
  seen = 0;

  readonly #results = new Float64Array(Result.count);
  readonly #native: ReaderHandle;
  readonly #verify: boolean;
  readonly #decode: (adoption: Adoption<V>) => V;
  #newest: Adoption<V> | undefined;
  /** The state region's, if we are attached to one. */
  #sequenceWords: Int32Array = MISSING;
  #isAttached = false;
  /** Whether nothing has been adopted yet from the store we are attached to. */
  #isNewStore = true;
  #isClosed = false;
  #version = 0;
  #codecId = '';
  #codecCount = 0;
  #adoptions = 0;
  #copies = 0;
  #skippedVersions = 0;
  #attachments = 0;

  /**
   * Touches nothing: the store may appear later.
   *
   * @param verify Whether checksums are compared before a version is decoded.
   * @param decode Called once for every version adopted; what it throws leaves the version before in place.
   * @throws {StoreError} `LOCATION_INVALID`
   */
  constructor(given: string, verify: boolean, decode: (adoption: Adoption<V>) => V) {
    this.location = resolveLocation(given);
    this.#native = new native.ReaderHandle(this.location.prefix, this.#results);
    this.#verify = verify;
    this.#decode = decode;
  }

  get version(): number {
    return this.#version;
  }

  stats(): AdopterStats {
    return {
      version: this.version,
      adoptions: this.#adoptions,
      copies: this.#copies,
      skippedVersions: this.#skippedVersions,
      attachments: this.#attachments,
    };
  }

  /**
   * The newest version. When the store was destroyed, or its files were deleted under a living writer, that is the last one
   * this reader has adopted, until there is another store at the location.
   *
   * @throws {StoreError} `NOT_PUBLISHED`, `CLOSED`, and what is wrong with the store: `PERMISSION`, `STATE_INVALID`,
   * `FORMAT_UNSUPPORTED`, `REGION_INVALID`, `CONTENDED`, `FILE_SYSTEM_UNSUPPORTED`, `SYSTEM`, and what decoding throws
   */
  newest(): Adoption<V> {
    if (this.#newest !== undefined && this.words[0] === this.seen) return this.#newest;
    this.#ensureOpen();
    if (!this.#isAttached && !this.#attach()) return this.#lastKnown('there is no store');
    let outcome = calling(() => this.#native.adopt());
    if (this.#mayHaveMoved(outcome) && this.#reattach()) outcome = calling(() => this.#native.adopt());
    switch (outcome) {
      case Adopt.adopted:
        return this.#take();
      case Adopt.nothing:
        return this.#lastKnown('nothing has been published');
      case Adopt.destroyed:
        return this.#lastKnown('the store was destroyed');
      case Adopt.regionInvalid:
        if (!this.#native.isInPlace()) return this.#lastKnown('the files of the store were deleted');
        throw new StoreError(
          'REGION_INVALID',
          `the newest version of ${this.location.given} is announced, but its region ${this.#regionPath} is missing, ` +
            'truncated or not its own: somebody changed the files; the next publish repairs it',
          { path: this.#regionPath },
        );
      case Adopt.stateInvalid:
        throw flawError(`${this.location.prefix}_state`, 'version', 0);
      default:
        throw new StoreError(
          'CONTENDED',
          `a publish came between every time the newest version of ${this.location.given} was being adopted: try again`,
          { path: this.location.prefix },
        );
    }
  }

  /** Lets go of the store; snapshots stay as they are. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#detach();
    this.#newest?.supersede();
    this.#newest = undefined;
    this.#native.close();
  }

  #ensureOpen(): void {
    if (this.#isClosed) {
      throw new StoreError('CLOSED', `the reader of ${this.location.given} is closed: open another one`, {
        path: this.location.prefix,
      });
    }
  }

  #lastKnown(why: string): Adoption<V> {
    if (this.#newest !== undefined) return this.#newest;
    throw new StoreError(
      'NOT_PUBLISHED',
      `${why} at ${this.location.prefix} yet: start its writer, or look whether both name the same location`,
      { path: this.location.prefix },
    );
  }

  #attach(): boolean {
    if (!checkDirectory(this.location)) return false;
    const outcome = calling(() => this.#native.attach());
    switch (outcome) {
      case 'absent':
        return false;
      case 'attached':
        break;
      case 'needsWrite':
        throw new StoreError(
          'PERMISSION',
          `reading ${this.location.given} takes write permission for ${this.location.prefix}_state, to count the reader in: ` +
            'grant it, or create the store with `reuse: false`',
          { path: `${this.location.prefix}_state` },
        );
      default:
        throw flawError(`${this.location.prefix}_state`, outcome, this.#results[Result.publishNumber]!);
    }
    // The new store counts from 1, and its sequence may happen to be what we have seen of the old one.
    this.#sequenceWords = new Int32Array(this.#native.sequence(), 0, 1);
    this.#isAttached = true;
    this.#isNewStore = true;
    return true;
  }

  #detach(): void {
    this.#remember(MISSING, 0);
    this.#isAttached = false;
  }

  /** Whether there may be another store at the location than the one we are attached to. */
  #mayHaveMoved(outcome: number): boolean {
    return outcome === Adopt.destroyed || (outcome === Adopt.regionInvalid && !this.#native.isInPlace());
  }

  #remember(words: Int32Array, sequence: number): void {
    this.words = words;
    // An integer to V8 too: it comes out of a Float64Array.
    this.seen = sequence | 0;
  }

  #reattach(): boolean {
    this.#detach();
    return this.#attach();
  }

  #take(): Adoption<V> {
    const results = this.#results;
    const sequence = results[Result.sequence]!;
    const version = results[Result.publishNumber]!;
    const before = this.#newest;
    // Numbers of different stores do not compare.
    const follows = before !== undefined && !this.#isNewStore;
    if (follows && before.version === version) {
      // A writer that took over has announced what was there.
      this.#native.letGo();
      this.#remember(this.#sequenceWords, sequence);
      return before;
    }
    const adoption = this.#build(version);
    try {
      adoption.content = this.#decode(adoption);
    } catch (error) {
      adoption.supersede();
      throw error instanceof StoreError && error.path === undefined ? this.#located(error, version) : error;
    }
    if (this.#isClosed) adoption.supersede(); // by the codec
    this.#ensureOpen();
    this.#newest = adoption;
    this.#remember(this.#sequenceWords, sequence);
    this.#version = version;
    this.#adoptions += 1;
    if (follows) this.#skippedVersions += version - before.version - 1;
    if (this.#isNewStore) this.#attachments += 1;
    this.#isNewStore = false;
    before?.supersede();
    return adoption;
  }

  #build(version: number): Adoption<V> {
    const results = this.#results;
    const byteLength = results[Result.payloadByteLength]!;
    if (results[Result.codecCount] !== this.#codecCount) {
      this.#codecCount = results[Result.codecCount]!;
      this.#codecId = this.#native.codecId();
    }
    const facts = {
      version,
      publishedAt: results[Result.publishedAtMs]!,
      byteLength,
      codecId: this.#codecId,
    };
    const mustCopy =
      byteLength <= COPY_BYTE_LENGTH ||
      results[Result.keptCount]! >= KEPT_LIMIT ||
      results[Result.isMapped] === 0;
    if (!mustCopy) {
      this.#verifyChecksum(undefined);
      return new Adoption<V>(this.#native, facts, undefined, this.#native.hold());
    }
    const copied = new ArrayBuffer(byteLength);
    if (!this.#native.copyOut(copied)) {
      throw new StoreError(
        'REGION_INVALID',
        `${this.#regionPath} cannot be read to its end: somebody truncated it; the next publish repairs it`,
        { path: this.#regionPath },
      );
    }
    this.#verifyChecksum(copied);
    this.#copies += 1;
    return new Adoption<V>(this.#native, facts, copied, 0);
  }

  /** Codecs know no files: where the bytes lie that one of them refused. */
  #located(error: StoreError, version: number): StoreError {
    const { code, message, field } = error;
    return new StoreError(code, `version ${version} of ${this.location.prefix}: ${message}`, {
      cause: error,
      path: this.location.prefix,
      ...(field === undefined ? {} : { field }),
    });
  }

  /** Where the version is, or should be, that was announced. */
  get #regionPath(): string {
    return `${this.location.prefix}_data_${this.#results[Result.slot]!}`;
  }

  #verifyChecksum(copied: ArrayBuffer | undefined): void {
    if (!this.#verify || this.#native.isSound(copied)) return;
    this.#native.letGo();
    throw new StoreError(
      'BYTES_INVALID',
      `${this.#regionPath} does not have the checksum it was published with: somebody changed its bytes; the next ` +
        'publish repairs it',
      { path: this.#regionPath, field: 'checksum' },
    );
  }
}
