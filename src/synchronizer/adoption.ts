import { StoreError } from '../errors.ts';
import type { ReaderHandle } from './native.ts';

const COPIED = 0;

/** Unpins versions of which nobody can reach any part any more. */
const forgotten = new FinalizationRegistry<{ handle: ReaderHandle; heldId: number }>(({ handle, heldId }) => {
  handle.release(heldId);
});

/**
 * One version that a reader has adopted: its bytes, and who still needs them. Kept by
 *
 * - the reader, while it is the newest version it knows;
 * - every snapshot of it that is not released;
 * - whoever got its content from `current()`: that ends with garbage collection only;
 * - whoever holds a raw window: that ends with garbage collection only, because a socket or a thread of libuv may
 *   be reading from it when JavaScript has long forgotten it.
 */
export class Adoption<V> {
  /** The publish number. */
  readonly version: number;
  readonly publishedAt: number;
  readonly byteLength: number;
  readonly codecId: string;
  /** What the bytes were decoded to; set by the adopter. */
  content!: V;
  released = false;

  readonly #handle: ReaderHandle;
  readonly #heldId: number;
  #buffer: ArrayBuffer | undefined;
  #handedOut: ArrayBuffer | undefined;
  #snapshots = 0;
  #isNewest = true;
  #isGivenOut = false;
  /** Whether everybody who let go promised that nothing is reading a raw window any more. */
  #mayDetach = true;

  /** @param copied The payload, if it was copied out; else it is the one that `handle` holds under `heldId`. */
  constructor(
    handle: ReaderHandle,
    facts: { version: number; publishedAt: number; byteLength: number; codecId: string },
    copied: ArrayBuffer | undefined,
    heldId: number,
  ) {
    this.version = facts.version;
    this.publishedAt = facts.publishedAt;
    this.byteLength = facts.byteLength;
    this.codecId = facts.codecId;
    this.#handle = handle;
    this.#buffer = copied;
    this.#handedOut = copied;
    this.#heldId = copied === undefined ? heldId : COPIED;
    if (this.#heldId !== COPIED) forgotten.register(this, { handle, heldId }, this);
  }

  /** See `DecodeSource.buffer` in src/codec/codec.ts. */
  get buffer(): ArrayBuffer {
    this.#ensureNotReleased();
    this.#buffer ??= this.#handle.buffer(this.#heldId);
    return this.#buffer;
  }

  /** See `DecodeSource.handOut` in src/codec/codec.ts. */
  handOut(): ArrayBuffer {
    this.#ensureNotReleased();
    // Where the kernel has no more memory for a mapping that may be written to, a copy serves.
    this.#handedOut ??= this.#handle.handOut(this.#heldId) ?? this.buffer.slice(0, this.byteLength);
    return this.#handedOut;
  }

  /** The content does not need the bytes any more. */
  finishBytes(): void {
    this.#letGoOfBytes();
  }

  /** Somebody has got the content from whom nothing will tell when he has done with it. */
  giveOut(): void {
    this.#isGivenOut = true;
  }

  addSnapshot(): void {
    this.#snapshots += 1;
  }

  releaseSnapshot(mayDetach: boolean): void {
    this.#snapshots -= 1;
    this.#mayDetach &&= mayDetach;
    this.#settle();
  }

  /** The reader has adopted a newer version, or was closed. */
  supersede(): void {
    this.#isNewest = false;
    this.#settle();
  }

  #settle(): void {
    if (this.#isNewest || this.#snapshots > 0 || this.#isGivenOut) return;
    this.#letGoOfBytes();
  }

  #letGoOfBytes(): void {
    if (this.released) return;
    this.released = true;
    if (this.#heldId !== COPIED) {
      forgotten.unregister(this);
      // A buffer that was handed out goes on pinning the version, unless it is given back here.
      this.#handle.release(this.#heldId, this.#mayDetach ? this.#handedOut : undefined);
    }
    this.#buffer = undefined;
    this.#handedOut = undefined;
  }

  #ensureNotReleased(): void {
    if (this.released) {
      throw new StoreError(
        'SNAPSHOT_RELEASED',
        `version ${this.version} was released: read what you need before, or hold a snapshot for as long as you need it`,
      );
    }
  }
}
