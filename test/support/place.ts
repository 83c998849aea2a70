import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import {
  type Codec,
  openReader,
  openWriter,
  type Reader,
  type ReaderOptions,
  StoreError,
  type StoreErrorCode,
  type Writer,
  type WriterOptions,
} from '../../src/index.ts';

/** A directory of this test's own, in memory, removed when it has finished. */
export function freshDirectory(): string {
  const directory = mkdtempSync('/dev/shm/vitrine-unit-');
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A location of this test's own, where nothing is yet. */
export function freshLocation(): string {
  return join(freshDirectory(), 'store');
}

/** Closed when the test has finished, whatever came of it. The codec is the one that answers with plain objects. */
export function write<T = unknown>(location: string, options: WriterOptions<T> = {}): Writer<T> {
  const writer = openWriter<T>(location, { codec: 'msgpack', ...options });
  onTestFinished(() => writer.close());
  return writer;
}

export function writeBytes(location: string, options: WriterOptions<Uint8Array> = {}): Writer<Uint8Array> {
  return write<Uint8Array>(location, { codec: 'bytes', ...options });
}

export function read<T = unknown>(location: string, options: ReaderOptions = {}): Reader<T> {
  const reader = openReader<T>(location, options);
  onTestFinished(() => reader.close());
  return reader;
}

/** Bytes that tell which version they belong to: `length` times `fill`. */
export function filled(length: number, fill: number): Uint8Array {
  return new Uint8Array(length).fill(fill);
}

/** Compares as one: `toEqual` looks at each byte by itself, which takes a tenth of a second for 20 kB. */
export function expectFilled(value: unknown, length: number, fill: number): void {
  expect(value).toBeInstanceOf(Uint8Array);
  const bytes = value as Uint8Array;
  expect(bytes.byteLength).toBe(length);
  if (Buffer.compare(bytes, filled(length, fill)) !== 0) expect(new Set(bytes)).toEqual(new Set([fill]));
}

/** Above what is copied out at adoption, so that readers pin it. */
export const PINNED_BYTE_LENGTH = 20_000;

/** The error that `run` throws, which must be a StoreError with this code whose message a person can act on. */
export function failure(code: StoreErrorCode, run: () => unknown): StoreError {
  const error = thrownBy(run);
  if (!(error instanceof StoreError)) throw error ?? new Error(`expected ${code}, and nothing was thrown`);
  expect(error.code, error.message).toBe(code);
  // What happened, then what to do about it.
  expect(error.message).toMatch(/\S.+[:;.,] .+/);
  // A message about a file or a location says which one.
  const { path } = error;
  if (path !== undefined) expect(error.message).toContain(path.slice(path.lastIndexOf('/') + 1));
  return error;
}

export function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** Collects garbage and lets finalizers run until `isDone`. A test that never gets there ends with the run's own limit. */
export async function collectUntil(isDone: () => boolean): Promise<void> {
  while (!isDone()) {
    globalThis.gc?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A codec for strings which writes one byte a step and asks for room each time. */
export const steppingCodec: Codec<string, string> = {
  id: 'stepping',
  keepsBytes: false,
  encode(value, target) {
    const bytes = new TextEncoder().encode(value);
    for (const [index, byte] of bytes.entries()) {
      new Uint8Array(target.reserve(index + 1, index))[index] = byte;
    }
    return bytes.byteLength;
  },
  decode(source) {
    return new TextDecoder().decode(new Uint8Array(source.buffer, 0, source.byteLength));
  },
};

/** Answers with the length of what was published, and keeps nothing of it. */
export const lengthCodec: Codec<string, number> = {
  ...steppingCodec,
  id: 'length',
  encode(value, target) {
    return new TextEncoder().encodeInto(value, new Uint8Array(target.reserve(value.length))).written;
  },
  decode: (source) => source.byteLength,
};

/** The same, as a view that may go on reading the bytes, and hands out none. */
export const lengthViewCodec: Codec<string, number> = { ...lengthCodec, id: 'length-view', keepsBytes: true };

/** How many readers are counted in on each slot that has a region, as docs/format.md says. */
export function readerCounts(location: string): number[] {
  const state = readFileSync(`${location}_state`);
  return Array.from({ length: 14 }, (_, slot) => slot)
    .filter((slot) => existsSync(`${location}_data_${slot}`))
    .map((slot) => Number(state.readBigUInt64LE(256 + 64 * slot) & 0xffffffn));
}
