/** What Node's Buffer can do beyond its published types: text without the cost of an encoding's name. */
interface TextBuffer extends Buffer {
  latin1Slice(start: number, end: number): string;
  ucs2Slice(start: number, end: number): string;
  latin1Write(text: string, offset: number, length: number): number;
  ucs2Write(text: string, offset: number, length: number): number;
}

/** The typed arrays through which one buffer is read or written. They never leave the codec. */
export class Windows {
  readonly f64: Float64Array;
  readonly i32: Int32Array;
  readonly u32: Uint32Array;
  readonly bytes: TextBuffer;

  constructor(buffer: ArrayBuffer) {
    const words = Math.floor(buffer.byteLength / 8);
    this.f64 = new Float64Array(buffer, 0, words);
    this.i32 = new Int32Array(buffer, 0, words * 2);
    this.u32 = new Uint32Array(buffer, 0, words * 2);
    this.bytes = Buffer.from(buffer, 0, words * 8) as TextBuffer;
  }
}

/**
 * One set of windows a buffer: making them costs more than opening a small value. Held by the buffer, so that
 * they go with it: a strong reference from here would keep its mapping. (One entry a region; the state of views
 * must never live in a WeakMap, where its sheer number makes every collection of young objects slow.)
 */
export class WindowCache {
  readonly #windows = new WeakMap<ArrayBuffer, Windows>();

  of(buffer: ArrayBuffer): Windows {
    let windows = this.#windows.get(buffer);
    if (windows === undefined) {
      windows = new Windows(buffer);
      this.#windows.set(buffer, windows);
    }
    return windows;
  }
}
