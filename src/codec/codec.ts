/**
 * How values become bytes and come back. A codec knows no slots, files, locks or native code: it writes into
 * the room that an {@link EncodeTarget} gives it and reads from the {@link DecodeSource} it is handed.
 */
export interface Codec<In = unknown, Out = unknown> {
  /**
   * Names the codec in the header of every region, so that a reader finds the one to decode with: 1 to 16
   * characters of `[a-z0-9._-]`. Change it when the bytes change their meaning.
   */
  readonly id: string;

  /**
   * Whether decoded values go on reading the snapshot's bytes: lazy views and raw windows do, an eager decoder
   * does not. With `false` the version is unpinned as soon as `decode` has returned.
   */
  readonly keepsBytes: boolean;

  /**
   * Writes `value` into the target and returns how many bytes it took, counted from the start of the room.
   * Throwing publishes nothing and leaves the writer usable.
   *
   * @throws {StoreError} `VALUE_UNSUPPORTED` naming the path of what cannot be encoded.
   */
  encode(value: In, target: EncodeTarget): number;

  /**
   * Turns the bytes of one adopted version into a value. Called once a version and reader.
   *
   * @throws {StoreError} `BYTES_INVALID` where the bytes are not what `encode` writes.
   */
  decode(source: DecodeSource, options: DecodeOptions): Out;

  /**
   * Checks the structure of all bytes, for stores that one does not trust; called before `decode` when the reader was
   * opened with `verify: true`. Without it, decoding is the check.
   *
   * @throws {StoreError} `BYTES_INVALID`
   */
  validate?(source: DecodeSource): void;
}

/** Options of `openReader` that concern the codec. */
export interface DecodeOptions {
  /** Whether lazy views are frozen (read-only in strict mode). Default `true`. */
  readonly freeze: boolean;
}

/** Where a codec writes: the payload of a region that nobody else can see yet, and that can grow. */
export interface EncodeTarget {
  /** The length in bytes of the payload that was published last, 0 at first: a hint for the first `reserve`. */
  readonly lastByteLength: number;

  /**
   * Makes room for at least `byteLength` bytes and keeps the first `keptByteLength` bytes written so far
   * (default 0). Returns the room, which begins at offset 0 of the buffer, is 64-byte aligned, and may be longer
   * than was asked for; all of it may be used. Its bytes are not zeroed. A buffer given earlier is no longer valid (it may be
   * detached); the same buffer comes back in later publishes while its region is reused, so that windows over
   * it can be kept by identity.
   *
   * Must be called before the first byte is written. Growing is cheap to ask for in doubling steps.
   *
   * @throws {StoreError} `NO_SPACE` or `VALUE_TOO_LARGE`; let it pass.
   */
  reserve(byteLength: number, keptByteLength?: number): ArrayBuffer;
}

/** The bytes of one adopted version, and what a lazy view must know of them. */
export interface DecodeSource {
  /**
   * The payload, at offset 0; may be longer than `byteLength`. For the codec's own reading only: a window over
   * it must never reach the user, because it is detached or reused when the version is let go. The same buffer
   * comes back in later versions while its region is reused, so that windows over it can be kept by identity
   * (weakly).
   */
  readonly buffer: ArrayBuffer;

  /** Length of the payload in bytes. */
  readonly byteLength: number;

  /**
   * Whether the bytes have been let go. A lazy view checks this before each touch of `buffer` and throws
   * `SNAPSHOT_RELEASED` when it is set. It can only change between two calls into the view, never during one.
   * A view keeps its version pinned by keeping this object reachable.
   */
  readonly released: boolean;

  /**
   * The same bytes as a buffer of exactly `byteLength` that may be given to the user (typed arrays, Buffer,
   * DataView). From the first call on the version stays pinned until that buffer is garbage collected. Always
   * the same buffer. Writes into it stay local to this reader.
   *
   * @throws {StoreError} `SNAPSHOT_RELEASED`
   */
  handOut(): ArrayBuffer;
}
