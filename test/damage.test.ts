import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openReader, openWriter, type StoreErrorCode } from '../src/index.ts';
import {
  expectFilled,
  failure,
  filled,
  freshDirectory,
  freshLocation,
  PINNED_BYTE_LENGTH,
  read,
  writeBytes,
} from './support/place.ts';

/** A store that has three versions in two slots, and no writer; the newest one is in slot 0. */
function restingStore(): string {
  const location = freshLocation();
  const writer = writeBytes(location);
  for (const fill of [1, 2, 3]) writer.publish(filled(PINNED_BYTE_LENGTH, fill));
  writer.close();
  return location;
}

/** As text, which compares in one step. */
const filesOf = (location: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(dirname(location))
      .sort()
      .map((name) => [name, readFileSync(join(dirname(location), name), 'latin1')]),
  );

const change = (path: string, edit: (bytes: Buffer) => Buffer | undefined): void => {
  const bytes = readFileSync(path);
  writeFileSync(path, edit(bytes) ?? bytes);
};

const bothSides: [string, (location: string) => unknown][] = [
  ['writer', (location) => openWriter(location, { codec: 'bytes' })],
  ['reader', (location) => openReader(location).current()],
];

const stateFlaws: [string, StoreErrorCode, string, (state: Buffer) => Buffer | undefined][] = [
  ['the wrong magic', 'STATE_INVALID', 'magic', (state) => void state.writeUInt8(0x57, 0)],
  [
    'another format version',
    'FORMAT_UNSUPPORTED',
    'formatVersion',
    (state) => void state.writeUInt32LE(2, 8),
  ],
  [
    'another format version, and another length',
    'FORMAT_UNSUPPORTED',
    'formatVersion',
    (state) => {
      state.writeUInt32LE(2, 8);
      return Buffer.concat([state, state]);
    },
  ],
  ['format version 0', 'FORMAT_UNSUPPORTED', 'formatVersion', (state) => void state.writeUInt32LE(0, 8)],
  ['the other byte order', 'STATE_INVALID', 'byteOrder', (state) => void state.writeUInt32BE(0x01020304, 12)],
  ['no bytes', 'STATE_INVALID', 'byteLength', () => Buffer.alloc(0)],
  ['less than its identity', 'STATE_INVALID', 'byteLength', (state) => state.subarray(0, 20)],
  ['one byte less', 'STATE_INVALID', 'byteLength', (state) => state.subarray(0, 4095)],
  ['one byte more', 'STATE_INVALID', 'byteLength', (state) => Buffer.concat([state, Buffer.alloc(1)])],
  ['a second page', 'STATE_INVALID', 'byteLength', (state) => Buffer.concat([state, state])],
  ['zeros', 'STATE_INVALID', 'magic', () => Buffer.alloc(4096)],
  ['garbage', 'STATE_INVALID', 'magic', () => Buffer.alloc(4096, 0xa5)],
  ['much garbage', 'STATE_INVALID', 'byteLength', () => Buffer.alloc(1_000_000, 0xa5)],
];

describe('a state region with', () => {
  for (const [what, code, field, edit] of stateFlaws) {
    for (const [side, open] of bothSides) {
      it(`${what} is refused by a ${side} and left as it is`, () => {
        const location = restingStore();
        const whole = filesOf(location);
        change(`${location}_state`, edit);
        const damaged = filesOf(location);
        const error = failure(code, () => open(location));
        expect(error).toMatchObject({ path: `${location}_state`, field });
        expect(filesOf(location)).toEqual(damaged);
        // Nothing is lost: with its bytes back the store goes on, and nobody holds the lock.
        writeFileSync(`${location}_state`, whole['store_state']!, 'latin1');
        expectFilled(read(location).current(), PINNED_BYTE_LENGTH, 3);
        expect(writeBytes(location).publish(filled(1, 4))).toBe(4);
      });
    }
  }

  it('a version word that no writer stores is refused by readers, and repaired by the next writer', () => {
    const location = restingStore();
    change(`${location}_state`, (state) => void state.writeBigUInt64LE(0xf000_0000_0000_0001n, 64));
    const error = failure('STATE_INVALID', () => read(location).current());
    expect(error).toMatchObject({ path: `${location}_state`, field: 'version' });
    const writer = writeBytes(location);
    failure('NOT_PUBLISHED', () => read(location).current());
    expect(writer.publish(filled(10, 4))).toBe(4);
    expectFilled(read(location).current(), 10, 4);
  });

  it('a tombstone is the end of that store: the next writer makes another one', () => {
    const location = restingStore();
    change(`${location}_state`, (state) => void state.fill(0xff, 64, 72));
    failure('NOT_PUBLISHED', () => read(location).current());
    const writer = writeBytes(location);
    expect(writer.publish(filled(10, 9))).toBe(1);
    expectFilled(read(location).current(), 10, 9);
  });

  it('the words of another boot is believed where the checksum agrees, and unpublished where it does not', () => {
    for (const isWhole of [true, false]) {
      const location = restingStore();
      change(`${location}_state`, (state) => void state.writeBigUInt64LE(1n, 1152));
      if (!isWhole) change(`${location}_data_0`, (region) => void region.writeUInt8(9, 128 + 77));
      if (isWhole) expectFilled(read(location).current(), PINNED_BYTE_LENGTH, 3);
      else failure('NOT_PUBLISHED', () => read(location).current());
      const writer = writeBytes(location);
      expect(writer.version).toBe(isWhole ? 3 : 0);
      if (isWhole) expectFilled(read(location).current(), PINNED_BYTE_LENGTH, 3);
      else failure('NOT_PUBLISHED', () => read(location).current());
      expect(writer.publish(filled(1, 4))).toBe(4);
      expectFilled(read(location).current(), 1, 4);
    }
  });
});

const regionFlaws: [string, (region: Buffer) => Buffer | undefined][] = [
  ['no bytes', () => Buffer.alloc(0)],
  ['half a header', (region) => region.subarray(0, 64)],
  ['a header only', (region) => region.subarray(0, 128)],
  ['half the payload', (region) => region.subarray(0, 10_000)],
  ['all of the payload but a byte', (region) => region.subarray(0, 128 + PINNED_BYTE_LENGTH - 1)],
  ['zeros', (region) => Buffer.alloc(region.length)],
  ['garbage', (region) => Buffer.alloc(region.length, 0xa5)],
  ['the wrong magic', (region) => void region.writeUInt8(0, 0)],
  ['the id of another store', (region) => void region.writeBigUInt64LE(7n, 8)],
  ['another slot', (region) => void region.writeUInt32LE(1, 16)],
  ['an incarnation before', (region) => void region.writeBigUInt64LE(0n, 24)],
  ['an incarnation after', (region) => void region.writeBigUInt64LE(2n, 24)],
  ['another payload size', (region) => void region.writeBigUInt64LE(5n, 48)],
  ['another checksum', (region) => void region.writeUInt8(region.readUInt8(56) ^ 1, 56)],
];

describe('the newest region with', () => {
  for (const [what, edit] of regionFlaws) {
    it(`${what} is REGION_INVALID for readers until the next publish`, () => {
      const location = restingStore();
      change(`${location}_data_0`, edit);
      const damaged = filesOf(location);
      const reader = read(location);
      for (const call of [() => reader.current(), () => reader.snapshot()]) {
        expect(failure('REGION_INVALID', call).path).toBe(`${location}_data_0`);
      }
      // The reader counted itself out again, and changed nothing.
      expect(filesOf(location)).toEqual(damaged);
      const writer = writeBytes(location);
      for (const fill of [4, 5, 6]) {
        expect(writer.publish(filled(PINNED_BYTE_LENGTH, fill))).toBe(fill);
        expectFilled(reader.current(), PINNED_BYTE_LENGTH, fill);
        expectFilled(read(location).current(), PINNED_BYTE_LENGTH, fill);
      }
    });
  }

  it('no file at all is REGION_INVALID for readers until the next publish', () => {
    const location = restingStore();
    rmSync(`${location}_data_0`);
    const reader = read(location);
    expect(failure('REGION_INVALID', () => reader.current()).path).toBe(`${location}_data_0`);
    const writer = writeBytes(location);
    expect(writer.publish(filled(10, 4))).toBe(4);
    expectFilled(reader.current(), 10, 4);
  });

  it('the region of another store in its place is REGION_INVALID, and is not adopted by a writer either', () => {
    const location = restingStore();
    const other = restingStore();
    cpSync(`${other}_data_0`, `${location}_data_0`);
    failure('REGION_INVALID', () => read(location).current());
    const writer = writeBytes(location);
    expect(writer.version).toBe(0);
    expect(writer.publish(filled(PINNED_BYTE_LENGTH, 4))).toBe(4);
    expectFilled(read(location).current(), PINNED_BYTE_LENGTH, 4);
  });

  it('another region renamed over it leaves what readers have, and is repaired by the writer that lives', () => {
    const location = freshLocation();
    const writer = writeBytes(location);
    const reader = read(location);
    for (const fill of [1, 2, 3]) writer.publish(filled(PINNED_BYTE_LENGTH, fill));
    const held = reader.snapshot();
    const garbage = join(freshDirectory(), 'garbage');
    writeFileSync(garbage, Buffer.alloc(50_000, 0xa5));
    renameSync(garbage, `${location}_data_0`);
    failure('REGION_INVALID', () => read(location).current());
    expectFilled(held.value, PINNED_BYTE_LENGTH, 3);
    expectFilled(reader.current(), PINNED_BYTE_LENGTH, 3);
    writer.publish(filled(PINNED_BYTE_LENGTH, 4));
    expectFilled(read(location).current(), PINNED_BYTE_LENGTH, 4);
  });
});

describe('an inactive region', () => {
  for (const [what, edit] of regionFlaws) {
    it(`with ${what} troubles nobody`, () => {
      const location = restingStore();
      change(`${location}_data_1`, edit);
      const reader = read(location);
      expectFilled(reader.current(), PINNED_BYTE_LENGTH, 3);
      const writer = writeBytes(location);
      expect(writer.version).toBe(3);
      for (const fill of [4, 5, 6]) {
        expect(writer.publish(filled(PINNED_BYTE_LENGTH, fill))).toBe(fill);
        expectFilled(reader.current(), PINNED_BYTE_LENGTH, fill);
        expectFilled(read(location).current(), PINNED_BYTE_LENGTH, fill);
      }
    });
  }
});

describe('something else in place of a file', () => {
  const kinds: [string, (path: string) => void][] = [
    ['a directory', (path) => mkdirSync(join(path, 'kept'), { recursive: true })],
    ['a FIFO', (path) => expect(spawnSync('mkfifo', [path]).status).toBe(0)],
    ['a link that leads nowhere', (path) => symlinkSync('nowhere', path)],
    [
      'a link to the file itself',
      (path) => {
        const elsewhere = join(freshDirectory(), basename(path));
        writeFileSync(elsewhere, readFileSync(`${path}.bak`));
        symlinkSync(elsewhere, path);
      },
    ],
  ];
  for (const [kind, put] of kinds) {
    for (const file of ['_lock', '_state', '_data_0', '_data_1']) {
      it(`${kind} at ${file} is refused by its path, left alone, and the store goes on without it`, () => {
        const location = restingStore();
        const path = `${location}${file}`;
        renameSync(path, `${path}.bak`);
        put(path);
        const names = readdirSync(dirname(location)).sort();
        const isRead = file === '_state' || file === '_data_0';
        if (isRead) expect(failure('STATE_INVALID', () => read(location).current()).path).toBe(path);
        else expectFilled(read(location).current(), PINNED_BYTE_LENGTH, 3);
        const error = failure('STATE_INVALID', () => writeBytes(location));
        expect(error.path).toBe(path);
        expect(error.message).toContain('not a regular file');
        expect(readdirSync(dirname(location)).sort()).toEqual(names);
        rmSync(path, { recursive: true });
        renameSync(`${path}.bak`, path);
        expectFilled(read(location).current(), PINNED_BYTE_LENGTH, 3);
        expect(writeBytes(location).publish(filled(1, 4))).toBe(4);
      });
    }
  }

  it('a directory that comes to a slot under a living writer fails that publish alone', () => {
    const location = freshLocation();
    const writer = writeBytes(location);
    writer.publish(filled(10, 1));
    mkdirSync(`${location}_data_1`);
    const error = failure('STATE_INVALID', () => writer.publish(filled(10, 2)));
    expect(error.path).toBe(`${location}_data_1`);
    expectFilled(read(location).current(), 10, 1);
    expect(readdirSync(dirname(location)).filter((name) => name.includes('_tmp_'))).toEqual([]);
    rmSync(`${location}_data_1`, { recursive: true });
    expect(writer.publish(filled(10, 3))).toBe(2);
    expectFilled(read(location).current(), 10, 3);
  });
});

describe('what a writer that died has left behind', () => {
  it('is removed by the next one: temporary files, and nothing else', () => {
    const location = restingStore();
    const leftovers = ['_data_tmp_1_15', '_state_tmp_1'];
    const foreign = ['_data_tmp_', '_data_tmp_1_2_3', '_state_tmp_x', '_other', '2_data_tmp_1_1', '_data_9x'];
    for (const suffix of [...leftovers, ...foreign]) writeFileSync(`${location}${suffix}`, 'left');
    writeBytes(location);
    const names = readdirSync(dirname(location));
    for (const suffix of leftovers) expect(names).not.toContain(`store${suffix}`);
    for (const suffix of foreign) expect(names).toContain(`store${suffix}`);
  });

  it('is a store without a state region: its regions are not taken for ones of the new store', () => {
    const location = restingStore();
    rmSync(`${location}_state`);
    failure('NOT_PUBLISHED', () => read(location).current());
    const writer = writeBytes(location);
    expect(writer.version).toBe(0);
    expect(Object.keys(filesOf(location))).toEqual(['store_lock', 'store_state']);
    expect(writer.publish(filled(1, 1))).toBe(1);
  });

  it('is a region whose header says that it was being written: its number is not given twice', () => {
    const location = restingStore();
    change(`${location}_data_1`, (region) => void region.writeBigUInt64LE(0n, 32));
    change(`${location}_state`, (state) => void state.writeBigUInt64LE(2n, 1168));
    expect(writeBytes(location).publish(filled(1, 4))).toBe(4);
  });

  it('is a file one incarnation ahead of its slot word: that number does not come twice', () => {
    const location = restingStore();
    change(`${location}_data_1`, (region) => void region.writeBigUInt64LE(41n, 24));
    const writer = writeBytes(location);
    writer.publish(filled(PINNED_BYTE_LENGTH, 4));
    const incarnation = readFileSync(`${location}_data_1`).readBigUInt64LE(24);
    expect(incarnation).toBeGreaterThan(41n);
    expect(readFileSync(`${location}_state`).readBigUInt64LE(256 + 64) >> 24n).toBe(incarnation);
  });

  it('does not truncate what readers have mapped', () => {
    const location = restingStore();
    const reader = read<Uint8Array>(location);
    const held = reader.snapshot();
    const writer = writeBytes(location);
    for (const length of [1, 3_000_000, 1, 500_000]) writer.publish(filled(length, 9));
    expectFilled(held.value, PINNED_BYTE_LENGTH, 3);
  });

  it('may be a region that was cut short, of which the present writer does not take the length', () => {
    const location = restingStore();
    truncateSync(`${location}_data_1`, 4096);
    const writer = writeBytes(location);
    for (const fill of [4, 5, 6]) {
      writer.publish(filled(PINNED_BYTE_LENGTH, fill));
      expectFilled(read(location).current(), PINNED_BYTE_LENGTH, fill);
    }
  });
});
