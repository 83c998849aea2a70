import type { DecodeSource, EncodeTarget } from '../../../src/codec/codec.ts';
import { createObjectsCodec } from '../../../src/codec/objects/index.ts';
import { StoreError } from '../../../src/errors.ts';

/** A target in ordinary memory. Starts as small as it may, to have every payload grow. */
export class MemoryTarget implements EncodeTarget {
  lastByteLength = 0;
  buffer = new ArrayBuffer(0);
  /** How many bytes each `reserve` asked for. */
  readonly asked: number[] = [];
  readonly maxByteLength: number;

  private readonly filler: number;

  constructor(maxByteLength = 2 ** 32, filler = 0xab) {
    this.maxByteLength = maxByteLength;
    this.filler = filler;
  }

  reserve(byteLength: number, keptByteLength = 0): ArrayBuffer {
    this.asked.push(byteLength);
    if (byteLength > this.maxByteLength) throw new StoreError('NO_SPACE', 'the test target is full');
    if (byteLength > this.buffer.byteLength) {
      // As a region does: new bytes are not zeros, and a buffer given earlier is gone.
      const grown = new Uint8Array(byteLength).fill(this.filler);
      grown.set(new Uint8Array(this.buffer, 0, keptByteLength));
      structuredClone(this.buffer, { transfer: [this.buffer] });
      this.buffer = grown.buffer;
    }
    return this.buffer;
  }
}

/** A version in ordinary memory, which a test can release. */
export class MemorySource implements DecodeSource {
  readonly buffer: ArrayBuffer;
  readonly byteLength: number;
  released = false;
  /** How often raw windows were asked for. */
  handOuts = 0;
  private handedOut: ArrayBuffer | null = null;

  /** Takes a copy of `bytes`; what follows them in the buffer is not part of the payload. */
  constructor(bytes: Uint8Array, slack = 64) {
    const room = new Uint8Array(bytes.length + slack).fill(0xcd);
    room.set(bytes);
    this.buffer = room.buffer;
    this.byteLength = bytes.length;
  }

  handOut(): ArrayBuffer {
    if (this.released) throw new StoreError('SNAPSHOT_RELEASED', 'released');
    this.handOuts++;
    this.handedOut ??= this.buffer.slice(0, this.byteLength);
    return this.handedOut;
  }

  /** Lets the bytes go as a store does: they become another version's. */
  release(): void {
    this.released = true;
    new Uint8Array(this.buffer).fill(0xee);
  }
}

/** The bytes of `value`. */
export function encode(value: unknown, codec = createObjectsCodec()): Uint8Array {
  const target = new MemoryTarget();
  const byteLength = codec.encode(value, target);
  return new Uint8Array(target.buffer.slice(0, byteLength));
}

export function decode(bytes: Uint8Array, options = { freeze: true }): unknown {
  return createObjectsCodec().decode(new MemorySource(bytes), options);
}

/** What a reader sees of `value`. */
export function view<T>(value: T, options = { freeze: true }): T {
  return decode(encode(value), options) as T;
}

/** `count` records of 8 fields. */
export function records(count: number): {
  id: number;
  name: string;
  weight: number;
  active: boolean;
  tag: string;
  score: number;
  parent: number | null;
  note: string;
}[] {
  return Array.from({ length: count }, (_, i) => ({
    id: i,
    name: `record ${i}`,
    weight: i * 0.37,
    active: i % 3 === 0,
    tag: ['red', 'green', 'blue'][i % 3] as string,
    score: i % 1000,
    parent: i === 0 ? null : i - 1,
    note: `note of ${i % 100}`,
  }));
}
