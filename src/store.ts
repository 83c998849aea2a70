import { bytesCodec } from './codec/bytes.ts';
import type { Codec, DecodeSource } from './codec/codec.ts';
import { msgpackCodec } from './codec/msgpack.ts';
import { createObjectsCodec, type View } from './codec/objects/index.ts';
import { StoreError } from './errors.ts';
import { Loan } from './loan.ts';
import { Snapshot } from './snapshot.ts';
import { Adopter, type AdopterStats, MISSING } from './synchronizer/adopter.ts';
import type { Adoption } from './synchronizer/adoption.ts';
import { native } from './synchronizer/native.ts';
import type { Publisher, PublisherStats } from './synchronizer/publisher.ts';
import { takeOver } from './synchronizer/takeover.ts';

/** The codecs that every reader knows. One that keeps caches is made anew for each writer and reader. */
const BUILT_IN: ReadonlyMap<string, () => Codec> = new Map([
  ['objects', createObjectsCodec],
  ['msgpack', () => msgpackCodec],
  ['bytes', () => bytesCodec as Codec],
]);

const OWNER_MODE = 0o600;

/** Options of {@link openWriter}. */
export interface WriterOptions<T = unknown> {
  /**
   * Mode of the store's files, whatever the umask; always with 0o600. Default 0o600 for a new store, unchanged for an existing one. Readers
   * of other users need 0o666 or a group and 0o660 (they count themselves in), or with `reuse: false` 0o644.
   */
  readonly mode?: number;
  /** How many slots the store may use while readers hold on to old versions: 2 to 14, default 8. */
  readonly slots?: number;
  /**
   * Whether regions that nobody reads are rewritten in place. Default `true`. With `false` every publish replaces a
   * region, which costs more, and readers need no write permission. Fixed for the life of a store.
   */
  readonly reuse?: boolean;
  /** Whether the payload is hashed at every publish. Default `true`. */
  readonly checksum?: boolean;
  /**
   * How values become bytes: `'objects'` (default) for lazy zero-copy views, `'msgpack'` for interchange with other
   * languages, `'bytes'` for a Uint8Array as it is, or one of your own.
   */
  readonly codec?: 'objects' | 'msgpack' | 'bytes' | Codec<T>;
}

/** Options of {@link openReader}. */
export interface ReaderOptions {
  /** Codecs of your own, for stores whose writer uses them. */
  readonly codecs?: readonly Codec[];
  /** Whether lazy views are frozen. Default `true`. */
  readonly freeze?: boolean;
  /**
   * Whether every version's checksum and structure are checked before it is adopted: for stores that one does not trust
   * to be whole. Costs a pass over all bytes. Default `false`.
   */
  readonly verify?: boolean;
}

/** What {@link verify} found to be whole. */
export interface Verified {
  /** The publish number. */
  readonly version: number;
  readonly byteLength: number;
  /** The id of the codec it was written with. */
  readonly codec: string;
}

/** What {@link Writer.stats} tells. */
export interface WriterStats extends PublisherStats {
  /** The number of the newest version, 0 before the first. */
  readonly version: number;
}

/** What {@link Reader.stats} tells. */
export interface ReaderStats extends AdopterStats {
  /** Snapshots taken and not yet released. */
  readonly heldSnapshots: number;
}

/** Publishes values to a store. A store has one writer at a time. */
export class Writer<T> {
  readonly #publisher: Publisher;
  readonly #codec: Codec<T>;

  /** @internal Use {@link openWriter}. */
  constructor(publisher: Publisher, codec: Codec<T>) {
    this.#publisher = publisher;
    this.#codec = codec;
  }

  /** The number of the newest version, 0 before the first. */
  get version(): number {
    return this.#publisher.version;
  }

  /** The path prefix of the store's files; readers may be given it. */
  get location(): string {
    return this.#publisher.location.prefix;
  }

  /**
   * Makes `value` the newest version. Waits for nobody: readers that hold older versions keep them.
   *
   * @returns the publish number: 1 for the first, growing across writers and restarts
   * @throws {StoreError} `VALUE_UNSUPPORTED`, `VALUE_TOO_LARGE`, `NO_SPACE`, `CLOSED`, `STORE_LOST`, `PERMISSION`,
   * `SYSTEM`; nothing is published then and the version before stays current
   */
  publish(value: T): number {
    const draft = this.#publisher.draft();
    let byteLength: number;
    try {
      byteLength = this.#codec.encode(value, draft);
    } catch (error) {
      draft.abort();
      // A getter or toJSON of the value may have closed this writer.
      this.#publisher.ensureOpen();
      throw error;
    }
    return draft.commit(byteLength);
  }

  /**
   * Lends bytes of the store to be filled in place, with the `bytes` codec: `await file.read(loan); loan.commit()`.
   *
   * @param byteLength The length of what will be published.
   * @throws {StoreError} `OPTION_CONFLICT` with another codec; `OPTION_INVALID`; and what `publish` throws
   */
  loan(byteLength: number): Loan {
    if (this.#codec.id !== bytesCodec.id) {
      throw new StoreError(
        'OPTION_CONFLICT',
        `a loan takes the bytes codec, and this writer has ${this.#codec.id}: open it with \`codec: 'bytes'\``,
        { field: 'codec' },
      );
    }
    checkRange('byteLength', byteLength, 0, Number.MAX_SAFE_INTEGER);
    const draft = this.#publisher.draft();
    return Loan.over(draft.lend(byteLength), draft);
  }

  stats(): WriterStats {
    return { version: this.version, ...this.#publisher.stats() };
  }

  /** Lets go of the store; what was published stays, for readers and for the next writer. Twice is fine. */
  close(): void {
    this.#publisher.close();
  }

  /**
   * Ends the store: its files are removed. Readers keep the last version they have adopted and look for a new store at
   * the location.
   *
   * @throws {StoreError} `CLOSED`, `STORE_LOST`: the files at the location are another writer's
   */
  destroy(): void {
    this.#publisher.destroy();
  }

  /** Closes. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/** Reads the newest version of a store, which may appear later. */
export class Reader<T> {
  readonly #adopter: Adopter<View<T>>;
  // What `current()` compares and answers with: copies of the adopter's, one property away.
  #words: Int32Array;
  #seen = 0;
  #value: View<T> | undefined;
  #heldSnapshots = 0;

  /** @internal Use {@link openReader}. */
  constructor(location: string, options: ReaderOptions) {
    const { verify = false } = options;
    checkBoolean('verify', verify);
    this.#adopter = new Adopter<View<T>>(location, verify, decoderFor<View<T>>(options));
    this.#words = this.#adopter.words;
  }

  /** The number of the version that this reader has adopted last, 0 before the first. */
  get version(): number {
    return this.#adopter.version;
  }

  /** The path prefix of the store's files. */
  get location(): string {
    return this.#adopter.location.prefix;
  }

  /**
   * The newest value; the same object until a newer version is there. One 32-bit load when nothing is new.
   *
   * When the store was destroyed, or its files were deleted under a living writer, this is the last value adopted, until a
   * new store is there. (Files deleted when no writer lived are not noticed: docs/limitations.md.)
   *
   * @throws {StoreError} `NOT_PUBLISHED` before the first publish, `CLOSED`, `PERMISSION`, `STATE_INVALID`,
   * `FORMAT_UNSUPPORTED`, `REGION_INVALID`, `CODEC_UNKNOWN`, `BYTES_INVALID`, `CONTENDED`, `FILE_SYSTEM_UNSUPPORTED`,
   * `LOCATION_INVALID`, `SYSTEM`
   */
  current(): View<T> {
    if (this.#words[0] === this.#seen) return this.#value as View<T>;
    return this.#refresh();
  }

  /**
   * A handle on the newest version, for as long as one needs it unchanged: a request across its awaits.
   *
   * @throws {StoreError} as `current`
   */
  snapshot(): Snapshot<T> {
    const snapshot = new Snapshot<T>(this.#adopter.newest(), () => {
      this.#heldSnapshots -= 1;
    });
    this.#heldSnapshots += 1;
    return snapshot;
  }

  stats(): ReaderStats {
    return { ...this.#adopter.stats(), heldSnapshots: this.#heldSnapshots };
  }

  /** Lets go of the store. Snapshots and values stay as they are. Twice is fine. */
  close(): void {
    this.#words = MISSING;
    this.#seen = 0;
    this.#value = undefined;
    this.#adopter.close();
  }

  /** Closes. */
  [Symbol.dispose](): void {
    this.close();
  }

  #refresh(): View<T> {
    const adoption = this.#adopter.newest();
    adoption.giveOut();
    this.#words = this.#adopter.words;
    this.#seen = this.#adopter.seen;
    this.#value = adoption.content;
    return adoption.content;
  }
}

/**
 * Opens a store for publishing: creates it if it is missing, takes it over if its writer is gone.
 *
 * @param location A bare name (in the private directory of this user, in memory), or a path prefix with a `/`.
 * @throws {StoreError} `WRITER_EXISTS` with the holder's pid, `LOCATION_INVALID`, `OPTION_INVALID`, `OPTION_CONFLICT`,
 * `PERMISSION`, `NO_SPACE`, `STATE_INVALID`, `FORMAT_UNSUPPORTED`, `FILE_SYSTEM_UNSUPPORTED`, `SYSTEM`
 */
export function openWriter<T = unknown>(location: string, options: WriterOptions<T> = {}): Writer<T> {
  const { mode, slots = 8, reuse = true, checksum = true, codec = 'objects' } = options;
  if (mode !== undefined) {
    checkRange('mode', mode, 0, 0o777);
    if ((mode & OWNER_MODE) !== OWNER_MODE) {
      throw new StoreError(
        'OPTION_INVALID',
        `mode must let the owner read and write (0o600), else nobody could take the store over; it is 0o${mode.toString(8)}`,
        { field: 'mode' },
      );
    }
  }
  checkRange('slots', slots, 2, native.layout.slotLimit);
  checkBoolean('reuse', reuse);
  checkBoolean('checksum', checksum);
  const chosen = typeof codec === 'string' ? BUILT_IN.get(codec)?.() : checkedCodec(codec as Codec);
  if (chosen === undefined) {
    throw new StoreError(
      'OPTION_INVALID',
      `there is no codec ${JSON.stringify(codec)}: use one of ${[...BUILT_IN.keys()].join(', ')}, or give your own`,
      {
        field: 'codec',
      },
    );
  }
  const publisher = takeOver(location, { mode, slots, reuse, checksum, codecId: chosen.id });
  return new Writer<T>(publisher, chosen as Codec<T>);
}

/**
 * Opens a store for reading. Creates nothing: the store and its writer may appear later.
 *
 * @param location As the writer gave it, or `writer.location`.
 * @throws {StoreError} `LOCATION_INVALID`, `OPTION_INVALID`
 */
export function openReader<T = unknown>(location: string, options: ReaderOptions = {}): Reader<T> {
  return new Reader<T>(location, options);
}

/**
 * Checks the newest version of a store: its header, its checksum (if it was published with one), its structure.
 *
 * @throws {StoreError} `BYTES_INVALID` where it is damaged, `NOT_PUBLISHED`, and what {@link Reader.current} throws
 */
export function verify(location: string, options: Pick<ReaderOptions, 'codecs'> = {}): Verified {
  using reader = openReader(location, { ...options, verify: true });
  using snapshot = reader.snapshot();
  const { version, byteLength, codec } = snapshot;
  return { version, byteLength, codec };
}

/** Decodes what is adopted with the codec that its header names. */
function decoderFor<V>({
  codecs = [],
  freeze = true,
  verify = false,
}: ReaderOptions): (adoption: Adoption<V>) => V {
  checkBoolean('freeze', freeze);
  if (!Array.isArray(codecs)) {
    throw new StoreError('OPTION_INVALID', 'codecs must be an array: `{ codecs: [own] }`', {
      field: 'codecs',
    });
  }
  const own = new Map(codecs.map((codec) => [checkedCodec(codec).id, codec]));
  const options = { freeze };
  const made = new Map<string, Codec>();
  const builtIn = (id: string): Codec | undefined => {
    const codec = made.get(id) ?? BUILT_IN.get(id)?.();
    if (codec !== undefined) made.set(id, codec);
    return codec;
  };
  return (adoption) => {
    const ownCodec = own.get(adoption.codecId);
    const codec = ownCodec ?? builtIn(adoption.codecId);
    if (codec === undefined) {
      throw new StoreError(
        'CODEC_UNKNOWN',
        `it was written with the codec ${JSON.stringify(adoption.codecId)}, which is not known here: give it to ` +
          '`openReader(location, { codecs: [...] })`',
        { field: 'codecs' },
      );
    }
    const source = ownCodec === undefined ? adoption : new OwnSource(adoption);
    if (verify) codec.validate?.(source);
    const value = codec.decode(source, options) as V;
    if (!codec.keepsBytes) adoption.finishBytes();
    return value;
  };
}

/**
 * What a codec that is not ours reads from: bytes that it may write to by mistake, or hand out, without harm. (The
 * inner buffer is a read-only mapping: a write would end the process.)
 */
class OwnSource implements DecodeSource {
  readonly #adoption: Adoption<unknown>;

  constructor(adoption: Adoption<unknown>) {
    this.#adoption = adoption;
  }

  get buffer(): ArrayBuffer {
    return this.#adoption.handOut();
  }

  get byteLength(): number {
    return this.#adoption.byteLength;
  }

  get released(): boolean {
    return this.#adoption.released;
  }

  handOut(): ArrayBuffer {
    return this.#adoption.handOut();
  }
}

function checkedCodec(codec: Codec): Codec {
  const isCodec =
    typeof codec?.encode === 'function' &&
    typeof codec.decode === 'function' &&
    typeof codec.keepsBytes === 'boolean';
  if (!isCodec || typeof codec.id !== 'string' || !/^[a-z0-9._-]{1,16}$/.test(codec.id)) {
    throw new StoreError(
      'OPTION_INVALID',
      'a codec must have an `id` of 1 to 16 characters of [a-z0-9._-], `keepsBytes`, `encode` and `decode`: complete it',
      { field: 'codec' },
    );
  }
  return codec;
}

function checkRange(field: string, value: unknown, least: number, most: number): void {
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return;
  throw new StoreError(
    'OPTION_INVALID',
    `${field} must be an integer from ${least} to ${most}, not ${shown(value)}: correct it, or leave it out`,
    { field },
  );
}

function checkBoolean(field: string, value: unknown): void {
  if (typeof value === 'boolean') return;
  throw new StoreError(
    'OPTION_INVALID',
    `${field} must be true or false, not ${shown(value)}: correct it, or leave it out`,
    { field },
  );
}

function shown(value: unknown): string {
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
