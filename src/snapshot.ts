import type { View } from './codec/objects/index.ts';
import { StoreError } from './errors.ts';
import type { Adoption } from './synchronizer/adoption.ts';

/** A counted handle on one version: its value stays as it is until the handle is released. */
export class Snapshot<T> {
  readonly #adoption: Adoption<View<T>>;
  readonly #onRelease: () => void;
  #isReleased = false;

  /** @internal Use {@link Reader.snapshot}. */
  constructor(adoption: Adoption<View<T>>, onRelease: () => void) {
    adoption.addSnapshot();
    this.#adoption = adoption;
    this.#onRelease = onRelease;
  }

  /**
   * The value of this version.
   *
   * @throws {StoreError} `SNAPSHOT_RELEASED`
   */
  get value(): View<T> {
    if (this.#isReleased) {
      throw new StoreError(
        'SNAPSHOT_RELEASED',
        `this snapshot of version ${this.version} was released: take another one`,
      );
    }
    return this.#adoption.content;
  }

  /** The publish number. */
  get version(): number {
    return this.#adoption.version;
  }

  /** When it was published, by the writer's clock, in milliseconds since 1970 (with microseconds as the fraction). */
  get publishedAt(): number {
    return this.#adoption.publishedAt;
  }

  /** The length of the encoded value. */
  get byteLength(): number {
    return this.#adoption.byteLength;
  }

  /** The id of the codec it was written with. */
  get codec(): string {
    return this.#adoption.codecId;
  }

  /**
   * Ends this handle; others on the same version, and what `current()` gave out, go on. When the last has ended the
   * version is unpinned at once, unless a raw window (typed array, Buffer, DataView) was handed out: then it stays
   * pinned until that is garbage collected, since a socket may still be reading from it. Twice is fine.
   *
   * @param options `detach: true` promises that nothing is reading a raw window any more. If every handle says so, the
   * windows are detached (their length becomes 0) and the version is unpinned with the last.
   */
  release({ detach = false }: { readonly detach?: boolean } = {}): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#onRelease();
    this.#adoption.releaseSnapshot(detach);
  }

  /** Releases. */
  [Symbol.dispose](): void {
    this.release();
  }
}
