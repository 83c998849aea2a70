import { readFileSync } from 'node:fs';

/** What the state region of a store says: the offsets of native/layout.hpp, read as anybody could. */
export interface StateWords {
  readonly storeId: bigint;
  readonly reuse: boolean;
  /** `undefined` where nothing is published; `'destroyed'` for the tombstone. */
  readonly active: { readonly slot: number; readonly byteLength: number } | 'destroyed' | undefined;
  readonly sequence: bigint;
  readonly slots: readonly { readonly incarnation: bigint; readonly count: number }[];
  readonly epoch: bigint;
  readonly publishNumber: bigint;
  readonly pid: number;
}

const SLOT_LIMIT = 14;
const COUNT_BITS = 24n;

/** Reads the state region of the store at `prefix`, through the file and not through a mapping. */
export function inspect(prefix: string): StateWords {
  const bytes = readFileSync(`${prefix}_state`);
  const version = bytes.readBigUInt64LE(64);
  return {
    storeId: bytes.readBigUInt64LE(16),
    reuse: bytes.readUInt32LE(32) !== 0,
    active: activeOf(version),
    sequence: bytes.readBigUInt64LE(128),
    slots: Array.from({ length: SLOT_LIMIT }, (_, slot) => {
      const word = bytes.readBigUInt64LE(256 + 64 * slot);
      return { incarnation: word >> COUNT_BITS, count: Number(word & ((1n << COUNT_BITS) - 1n)) };
    }),
    epoch: bytes.readBigUInt64LE(1160),
    publishNumber: bytes.readBigUInt64LE(1168),
    pid: bytes.readUInt32LE(1184),
  };
}

/** How many readers are counted in on the store, on whatever slot. */
export function pinCount(prefix: string): number {
  return inspect(prefix).slots.reduce((sum, { count }) => sum + count, 0);
}

function activeOf(version: bigint): StateWords['active'] {
  if (version === 0n) return undefined;
  if (version === (1n << 64n) - 1n) return 'destroyed';
  return { slot: Number(version >> 60n) - 1, byteLength: Number((version >> 27n) & ((1n << 33n) - 1n)) };
}
