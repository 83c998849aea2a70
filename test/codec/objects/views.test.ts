import assert from 'node:assert';
import { inspect, isDeepStrictEqual } from 'node:util';
import { describe, expect, expectTypeOf, test } from 'vitest';
import {
  column,
  createObjectsCodec,
  forEachInColumn,
  toPlain,
  type View,
  validate,
} from '../../../src/codec/objects/index.ts';
import { encode, MemorySource, records, view } from './support.ts';

const wide = Object.fromEntries(
  Array.from({ length: 5_000 }, (_, i) => [`key ${i}`, { i, text: `value ${i}` }]),
);
const source = {
  name: 'lazy',
  small: { list: [1, 2, 3], text: 'a' },
  rows: records(3_000),
  many: records(40_000),
  wide,
  bytes: new Float64Array([1, 2, 3]),
  text: 'x'.repeat(2_000),
};

const encoded = encode(source);

function opened(freeze = true): { seen: typeof source; at: MemorySource } {
  const at = new MemorySource(encoded);
  return { seen: createObjectsCodec().decode(at, { freeze }) as typeof source, at };
}

describe('a view behaves as the object that was published', () => {
  const { seen } = opened();
  const pairs: [string, (value: typeof source) => unknown][] = [
    ['keys', (v) => [Object.keys(v), Object.keys(v.rows), Object.keys(v.wide)]],
    ['own names', (v) => [Object.getOwnPropertyNames(v), Object.getOwnPropertyNames(v.rows)]],
    ['entries', (v) => Object.entries(v.small)],
    ['spread', (v) => ({ ...v, ...v.wide, rows: [...v.rows] })],
    ['rest', ({ name, ...rest }) => [name, Object.keys(rest)]],
    [
      'in',
      (v) => [
        'name' in v,
        'nothing' in v,
        17 in v.rows,
        3_000 in v.rows,
        '-1' in v.rows,
        'key 17' in v.wide,
        'toString' in v.wide,
      ],
    ],
    [
      'hasOwn',
      (v) => [
        Object.hasOwn(v, 'rows'),
        Object.hasOwn(v.rows, 17),
        Object.hasOwn(v.wide, 'key 9'),
        Object.hasOwn(v.wide, 'toString'),
      ],
    ],
    [
      'for in',
      (v) => {
        const keys = [];
        for (const key in v) keys.push(key);
        for (const key in v.rows) keys.push(key);
        return keys;
      },
    ],
    [
      'for of',
      (v) => {
        const ids = [];
        for (const { id } of v.rows) ids.push(id);
        return ids;
      },
    ],
    ['JSON', (v) => JSON.stringify(v)],
    [
      'isArray',
      (v) => [
        Array.isArray(v.rows),
        Array.isArray(v.wide),
        Reflect.apply(Function.prototype[Symbol.hasInstance], Array, [v.rows]),
      ],
    ],
    [
      'prototypes',
      (v) => [v, v.rows, v.wide, v.small].map((part) => Object.getPrototypeOf(part) === Object.prototype),
    ],
    ['toString', (v) => [Object.prototype.toString.call(v.rows), String(v.wide), String(v.small.list)]],
    [
      'odd indices',
      (v) => [
        v.rows[-1],
        v.rows['01' as never],
        v.rows['1e2' as never],
        v.rows['1.0' as never],
        v.rows[3_000],
      ],
    ],
    ['slice', (v) => v.rows.slice(10, 12)],
    ['at', (v) => [v.rows.at(-1), v.rows.at(3_000), v.rows.at(2.7)]],
    ['map', (v) => v.rows.map((row, index, all) => [row.id, index, all === v.rows])],
    ['filter', (v) => v.rows.filter((row) => row.id % 7 === 0)],
    [
      'find',
      (v) => [
        v.rows.find((row) => row.id === 99),
        v.rows.find(() => false),
        v.rows.find((row) => row.id > 9),
      ],
    ],
    ['findIndex', (v) => [v.rows.findIndex((row) => row.id === 99), v.rows.findIndex(() => false)]],
    ['some', (v) => [v.rows.some((row) => row.id === 2_999), v.rows.some(() => false)]],
    ['every', (v) => [v.rows.every((row) => row.id < 99), v.rows.every(() => true)]],
    [
      'reduce',
      (v) => [
        v.rows.reduce((sum, row) => sum + row.id, 5),
        v.rows.reduceRight((sum, row) => sum * 0.5 + row.id, 1),
      ],
    ],
    [
      'reduce without a start',
      (v) =>
        (v.rows as unknown[]).reduce((sum, row) =>
          sum === v.rows[0] ? 1 : Number(sum) + Number(row !== null),
        ),
    ],
    ['flatMap', (v) => v.rows.flatMap((row) => [row.id, [row.name]])],
    [
      'includes',
      (v) => [
        v.rows.includes(v.rows[17] as never),
        v.rows.indexOf(v.rows[17] as never),
        v.rows.lastIndexOf({} as never),
      ],
    ],
    ['join', (v) => v.rows.join().length],
    ['concat', (v) => [v.rows.concat(v.rows).length, ([] as unknown[]).concat(v.rows).length]],
    ['entries of an array', (v) => [...v.rows.entries()]],
    ['keys of an array', (v) => [...v.rows.keys()]],
    [
      'destructuring',
      (v) => {
        const [first, , third] = v.rows;
        return [first, third];
      },
    ],
    [
      'thisArg',
      (v) =>
        v.rows.map(
          function (this: { n: number }) {
            return this.n;
          },
          { n: 5 },
        ),
    ],
    ['Object.entries of a dictionary', (v) => Object.entries(v.wide)],
    ['inspect', (v) => inspect({ ...v, many: 0 })],
    ['inspect deeply', (v) => inspect([v.small, v.wide['key 3'], v.rows], { depth: 9, maxArrayLength: 3 })],
    ['inherited', (v) => (Object.create(v) as typeof source).rows.length],
    ['Reflect.get for another receiver', (v) => Reflect.get(v, 'text', Object.create(v))],
  ];
  test.each(pairs)('%s', (_, look) => {
    // Untouched, and again after everything was touched.
    const fresh = opened().seen;
    assert.deepStrictEqual(look(fresh), look(source));
    assert.deepStrictEqual(look(seen), look(source));
    assert.deepStrictEqual(look(seen), look(source));
  });

  test('equality', () => {
    assert.deepStrictEqual(opened().seen, source);
    assert.deepStrictEqual(source, opened().seen);
    expect(isDeepStrictEqual(opened().seen, source)).toBe(true);
    assert.notDeepStrictEqual(opened().seen, { ...source, name: 'other' });
    expect(opened().seen).toEqual(source);
  });

  test('structuredClone takes what is not a lazy collection, toPlain takes all', () => {
    const { rows, many, wide: _, ...rest } = opened().seen;
    assert.deepStrictEqual(structuredClone(rest.small), source.small);
    assert.deepStrictEqual(structuredClone(view({ text: 'x'.repeat(2_000), a: { b: [1] } })), {
      text: 'x'.repeat(2_000),
      a: { b: [1] },
    });
    assert.deepStrictEqual(structuredClone(toPlain(rows)), source.rows);
    const copy = toPlain(opened().seen);
    (copy.rows[0] as { id: number }).id = 17;
    copy.small.text = 'changed';
    copy.bytes[0] = 99;
    assert.deepStrictEqual(opened().seen, source);
  });
});

test('the same part is the same object, whatever was done in between', () => {
  const { seen } = opened();
  const { rows, wide: dictionary, small, bytes } = seen;
  const row = rows[17];
  const entry = dictionary['key 17'];
  for (let i = 0; i < 10; i++) {
    for (const index of rows.keys()) rows[index];
    for (const key of Object.keys(dictionary)) dictionary[key];
    JSON.stringify(seen);
    expect(seen.rows).toBe(rows);
    expect(seen.wide).toBe(dictionary);
    expect(seen.small).toBe(small);
    expect(seen.bytes).toBe(bytes);
    expect(rows[17]).toBe(row);
    expect(dictionary['key 17']).toBe(entry);
    expect([...rows][17]).toBe(row);
    expect(rows.find((one) => one.id === 17)).toBe(row);
  }
});

test('an array that is read often becomes a real one once its proxy is gone', async () => {
  const { seen } = opened();
  const read = (): number => seen.rows[17]?.id ?? -1;
  for (let i = 0; i < 4_000; i++) read();
  for (let turn = 0; turn < 20 && isProxy(seen.rows); turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    (globalThis as { gc?: () => void }).gc?.();
  }
  expect(isProxy(seen.rows)).toBe(false);
  expect(Object.isFrozen(seen.rows)).toBe(true);
  assert.deepStrictEqual(seen.rows, source.rows);
  expect(read()).toBe(17);
});

function isProxy(value: object): boolean {
  return inspect(value, { showProxy: true, depth: 0 }).startsWith('Proxy');
}

describe('a view is read-only', () => {
  const writes: [string, (value: typeof source) => unknown][] = [
    [
      'a field',
      (v) => {
        v.name = 'x';
      },
    ],
    [
      'a lazy field',
      (v) => {
        v.text = 'x';
      },
    ],
    [
      'a new field',
      (v) => {
        (v as Record<string, unknown>)['more'] = 1;
      },
    ],
    [
      'delete',
      (v) => {
        delete (v as Partial<typeof source>).name;
      },
    ],
    [
      'a nested field',
      (v) => {
        v.small.text = 'x';
      },
    ],
    [
      'an element',
      (v) => {
        v.small.list[0] = 9;
      },
    ],
    ['push', (v) => v.small.list.push(1)],
    [
      'an element of a lazy array',
      (v) => {
        v.rows[0] = null as never;
      },
    ],
    ['push to a lazy array', (v) => v.rows.push(null as never)],
    ['sort of a lazy array', (v) => v.rows.sort()],
    [
      'length',
      (v) => {
        v.rows.length = 0;
      },
    ],
    [
      'a row',
      (v) => {
        (v.rows[3] as { id: number }).id = 9;
      },
    ],
    [
      'a dictionary',
      (v) => {
        v.wide['x'] = null as never;
      },
    ],
    [
      'a key of a dictionary',
      (v) => {
        delete v.wide['key 1'];
      },
    ],
    ['a prototype', (v) => Object.setPrototypeOf(v.rows, null)],
  ];
  test.each(writes)('%s', (_, write) => {
    const { seen } = opened();
    expect(() => write(seen)).toThrow(TypeError);
    JSON.stringify([seen.rows, seen.wide]);
    expect(() => write(seen)).toThrow(TypeError);
    assert.deepStrictEqual(seen, source);
  });

  test('Map and Set', () => {
    const seen = view({ map: new Map([['a', 1]]), set: new Set([1]) });
    expect(() => seen.map.set('b', 2)).toThrow(TypeError);
    expect(() => seen.map.clear()).toThrow(TypeError);
    expect(() => seen.set.add(2)).toThrow(TypeError);
    assert.deepStrictEqual(seen, { map: new Map([['a', 1]]), set: new Set([1]) });
  });

  test('frozen, unless the reader chose otherwise', () => {
    expect(
      [opened().seen, opened().seen.small, opened().seen.rows, opened().seen.wide].map(Object.isFrozen),
    ).toEqual([true, true, true, true]);
    const loose = opened(false).seen;
    loose.small.text = 'mine';
    expect(loose.small.text).toBe('mine');
  });
});

describe('the life of a snapshot', () => {
  test('what was read stays usable after it is released, what was not throws', () => {
    const { seen, at } = opened();
    const { small, rows, wide: dictionary, bytes } = seen;
    const row = rows[17];
    const entry = dictionary['key 17'];
    at.release();
    const released = expect.objectContaining({ code: 'SNAPSHOT_RELEASED' });
    expect(seen.name).toBe('lazy');
    expect(small).toEqual(source.small);
    expect(rows[17]).toBe(row);
    expect(row).toEqual(source.rows[17]);
    expect(dictionary['key 17']).toBe(entry);
    expect(bytes).toEqual(source.bytes);
    for (const touch of [
      () => seen.many,
      () => seen.text,
      () => rows[2_000],
      () => [...rows],
      () => rows.map((one) => one),
      () => dictionary['key 18'],
      () => 'key 18' in dictionary,
      () => Object.keys(dictionary),
      () => JSON.stringify(seen),
      () => column(rows, 'id'),
      () => toPlain(seen),
    ]) {
      expect(touch, String(touch)).toThrow(released);
    }
    expect(rows).toHaveLength(3_000);
  });

  test('a callback may release it', () => {
    for (const scan of [
      (rows: typeof source.rows, end: () => void) => rows.forEach(end),
      (rows: typeof source.rows, end: () => void) => forEachInColumn(rows, 'name', end),
    ]) {
      const { seen, at } = opened();
      const ends = (): void => at.release();
      expect(() => scan(seen.rows, ends)).toThrow(expect.objectContaining({ code: 'SNAPSHOT_RELEASED' }));
    }
  });

  test('raw windows are only asked for when one is read, and lie in what was handed out', () => {
    const { seen, at } = opened();
    JSON.stringify([seen.name, seen.small, seen.rows, seen.text]);
    expect(at.handOuts).toBe(0);
    expect(seen.bytes.buffer).toBe(at.handOut());
    expect(seen.bytes.buffer).not.toBe(at.buffer);
    at.release();
    expect([...seen.bytes]).toEqual([1, 2, 3]);
  });
});

describe('columns', () => {
  test('a column is the field of every row', () => {
    for (const rows of [
      opened().seen.rows,
      opened().seen.many,
      opened().seen.rows.slice(0, 5),
      source.rows,
    ]) {
      for (const key of ['id', 'name', 'weight', 'parent', 'nothing' as 'id'] as const) {
        assert.deepStrictEqual(
          column(rows, key),
          rows.map((row) => row[key]),
        );
      }
    }
    const mixed = view({
      rows: Array.from({ length: 5_000 }, (_, i) => (i % 2 ? { a: i } : { b: 1, a: `text ${i}` })),
    }).rows;
    assert.deepStrictEqual(
      column(mixed, 'a'),
      mixed.map((row) => row.a),
    );
  });

  test('a scan keeps nothing on the heap', () => {
    const at = new MemorySource(encode(records(200_000)));
    const rows = createObjectsCodec().decode(at, { freeze: true }) as ReturnType<typeof records>;
    const gc = (globalThis as { gc?: () => void }).gc as () => void;
    gc();
    const before = process.memoryUsage().heapUsed;
    let sum = 0;
    for (const row of rows) sum += row.weight;
    forEachInColumn(rows, 'weight', (weight) => {
      sum -= weight;
    });
    gc();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(5_000_000);
    expect(Math.abs(sum)).toBeLessThan(1);
    expect(rows).toHaveLength(200_000);
  });
});

test('10,000 distinct shapes do not stay in memory', () => {
  const codec = createObjectsCodec();
  const gc = (globalThis as { gc?: () => void }).gc as () => void;
  const publish = (from: number, to: number): void => {
    for (let i = from; i < to; i++) {
      const value = { [`a${i}`]: 1, [`b${i}`]: { [`c${i}`]: 'x'.repeat(600) } };
      const bytes = encode(value, codec);
      assert.deepStrictEqual(codec.decode(new MemorySource(bytes), { freeze: true }), value);
    }
    gc();
  };
  publish(0, 20_000);
  const before = process.memoryUsage().heapUsed;
  publish(20_000, 40_000);
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(20_000_000);
});

test('validate accepts what was encoded and says what is wrong otherwise', () => {
  const bytes = encode(source);
  expect(() => validate(new MemorySource(bytes))).not.toThrow();
  const damaged = bytes.slice();
  new DataView(damaged.buffer).setUint32(2 * 8 + 4, 0xffff_ffff, true);
  expect(() => validate(new MemorySource(damaged))).toThrow(
    expect.objectContaining({ code: 'BYTES_INVALID' }),
  );
  expect(() => validate(new MemorySource(bytes.slice(0, -8)))).toThrow(
    expect.objectContaining({ code: 'BYTES_INVALID' }),
  );
});

test('the type of a view is read-only all the way down', () => {
  interface Source {
    list: { a: number }[];
    pair: [string, { b: Date }];
    map: Map<string, { c: number[] }>;
    set: Set<{ d: number }>;
    bytes: Float32Array;
    buffer: Buffer;
    at: Date;
    pattern: RegExp;
    maybe?: { e: string } | null;
    big: bigint;
    price: { toJSON(): { cents: number } };
  }
  interface Seen {
    readonly list: readonly { readonly a: number }[];
    readonly pair: readonly [string, { readonly b: Date }];
    readonly map: ReadonlyMap<string, { readonly c: readonly number[] }>;
    readonly set: ReadonlySet<{ readonly d: number }>;
    readonly bytes: Float32Array;
    readonly buffer: Buffer;
    readonly at: Date;
    readonly pattern: RegExp;
    readonly maybe?: { readonly e: string } | null;
    readonly big: bigint;
    readonly price: { readonly cents: number };
  }
  expectTypeOf<View<Source>>().branded.toEqualTypeOf<Seen>();
  expectTypeOf<View<Seen>>().branded.toEqualTypeOf<Seen>();
  expectTypeOf<View<unknown>>().toEqualTypeOf<unknown>();
});
