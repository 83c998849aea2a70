import { readFileSync } from 'node:fs';
import { encode } from '@msgpack/msgpack';
import { describe, expect, it } from 'vitest';
import { msgpackCodec } from '../../src/codec/msgpack.ts';
import { native } from '../../src/synchronizer/native.ts';
import { encodeWith } from '../codec/room.ts';
import { failure, freshLocation, read, writeBytes } from '../support/place.ts';
import { CHECKSUM_OFFSET, checksumOf, HEADER_BYTE_LENGTH, hexDump, takeSpecimen } from './specimen.ts';

/** Tables without the spaces and dashes that align their columns. */
const page = readFileSync(new URL('../../docs/format.md', import.meta.url), 'utf8').replace(
  /^\|.*$/gm,
  (row) => row.replace(/ +/g, ' '),
);
const layout = readFileSync(new URL('../../native/layout.hpp', import.meta.url), 'utf8');

interface Field {
  readonly offset: number;
  readonly byteLength: number;
  readonly name: string;
}

/** The rows of the table in the section of this heading. */
function fieldsUnder(heading: string): Field[] {
  const section = page.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  return [...section.matchAll(/^\| (\d+) \| (\d+) \| `(\w+)` \|/gm)].map(([, offset, byteLength, name]) => ({
    offset: Number(offset),
    byteLength: Number(byteLength),
    name: name!,
  }));
}

/** The names of a struct's members, in order. */
function membersOf(struct: string): string[] {
  const body = layout.split(`struct ${struct} {`)[1]?.split('\n};')[0] ?? '';
  return [...body.matchAll(/^ {2}(?:alignas\(\w+\) )?[\w:]+(?:<.*>)? (\w+)(?:\[\w+\])?;/gm)].map(
    ([, name]) => name!,
  );
}

/** The dump that follows this command. */
const dumpOf = (file: string): string => page.split(`$ hexdump -C ${file}\n`)[1]?.split('\n```')[0] ?? '';

describe('docs/format.md', () => {
  for (const [heading, struct, byteLength] of [
    ['The state region', 'StateRegion', 4096],
    ['A data region', 'RegionHeader', HEADER_BYTE_LENGTH],
  ] as const) {
    it(`has every byte of ${struct} in its table, with the names of native/layout.hpp`, () => {
      const fields = fieldsUnder(heading);
      let offset = 0;
      for (const field of fields) {
        expect(field.offset, field.name).toBe(offset);
        offset += field.byteLength;
      }
      expect(offset).toBe(byteLength);
      expect(fields.map(({ name }) => name)).toEqual(membersOf(struct));
    });
  }

  it('shows the bytes of a real store', () => {
    const { state, region } = takeSpecimen(freshLocation());
    expect(hexDump(state)).toBe(dumpOf('store_state'));
    expect(hexDump(region)).toBe(dumpOf('store_data_0'));
  });

  it('defines the checksum, over the payload or without it', () => {
    for (const checksum of [true, false]) {
      const location = freshLocation();
      writeBytes(location, { checksum }).publish(new Uint8Array(5_000).fill(7));
      const region = readFileSync(`${location}_data_0`);
      expect(region.readUInt32LE(20)).toBe(checksum ? 1 : 0);
      expect(region.readBigUInt64LE(CHECKSUM_OFFSET)).toBe(checksumOf(region));
    }
  });

  it('defines the version word and the slot word', () => {
    const location = freshLocation();
    const writer = writeBytes(location);
    const reader = read(location);
    for (const length of [100, 70_000, 70_000]) writer.publish(new Uint8Array(length));
    const [one, two] = [reader.snapshot(), read(location).snapshot()];
    const state = readFileSync(`${location}_state`);
    const version = state.readBigUInt64LE(64);
    const slot = Number(version >> 60n) - 1;
    const region = readFileSync(`${location}_data_${slot}`);
    expect((version >> 27n) & ((1n << 33n) - 1n)).toBe(70_000n);
    expect(version & ((1n << 27n) - 1n)).toBe(region.readBigUInt64LE(56) & ((1n << 27n) - 1n));
    expect(region.readUInt32LE(16)).toBe(slot);
    const slotWord = state.readBigUInt64LE(256 + 64 * slot);
    expect(slotWord >> 24n).toBe(region.readBigUInt64LE(24));
    expect(slotWord & 0xffffffn).toBe(2n);
    expect(state.readBigUInt64LE(8 * 146)).toBe(3n);
    expect([one.version, two.version]).toEqual([3, 3]);
  });

  it('names the limits that the program has', () => {
    const { payloadByteLimit, slotLimit, formatVersion, headerByteLength } = native.layout;
    expect(page).toContain(`payload | ${payloadByteLimit.toLocaleString('en')} bytes`);
    expect(page).toContain(`slots | ${slotLimit} |`);
    expect(page).toContain(`This is format version **${formatVersion}**.`);
    expect(headerByteLength).toBe(HEADER_BYTE_LENGTH);
    expect(page).toContain('name | 200 bytes');
    expect(failure('LOCATION_INVALID', () => read(`/dev/shm/${'x'.repeat(201)}`)).message).toContain(
      '200 bytes',
    );
  });

  it('has the kinds of typed arrays, and what the msgpack codec writes for each value', () => {
    const kinds = [...page.matchAll(/\| (\d+) \| ([A-Z]\w+) (?=\|)/g)];
    const byKind = new Map(kinds.map(([, kind, name]) => [Number(kind), name!]));
    expect(byKind.size).toBe(12);
    const bytes = new ArrayBuffer(8);
    for (const [kind, name] of byKind) {
      const type = (globalThis as unknown as Record<string, new (buffer: ArrayBuffer) => object>)[name]!;
      const value = name === 'ArrayBuffer' ? bytes : new type(bytes);
      expect([...encodeWith(msgpackCodec, value)]).toEqual([0xc7, 9, 3, kind, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
    const wire: [unknown, number[]][] = [
      [-(2 ** 31), [0xd2, 0x80, 0, 0, 0]],
      [2 ** 32 - 1, [0xce, 255, 255, 255, 255]],
      [2 ** 32, [0xcb, 0x41, 0xf0, 0, 0, 0, 0, 0, 0]],
      [5n, [0xcf, 0, 0, 0, 0, 0, 0, 0, 5]],
      [-5n, [0xd3, 255, 255, 255, 255, 255, 255, 255, 251]],
      [undefined, [0xc0]],
      [new Uint8Array([7]), [0xc4, 1, 7]],
      [new Date(1000), [0xd6, 0xff, 0, 0, 0, 1]],
      [new Map([['a', 1]]), [0xd6, 1, ...encode(['a', 1])]],
      [new Set([1]), [0xd5, 2, ...encode([1])]],
    ];
    for (const [value, expected] of wire) expect([...encodeWith(msgpackCodec, value)]).toEqual(expected);
  });
});
