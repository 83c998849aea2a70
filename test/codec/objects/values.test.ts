import assert from 'node:assert';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { createObjectsCodec, toPlain } from '../../../src/codec/objects/index.ts';
import { decode, encode, MemorySource, MemoryTarget, records, view } from './support.ts';

const keys = (count: number): Record<string, number> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`key ${i}`, i]));

const values: Record<string, unknown> = {
  'an integer': 17,
  'the largest int32': 2 ** 31 - 1,
  'one more': 2 ** 31,
  'the smallest int32': -(2 ** 31),
  'minus zero': -0,
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  'a subnormal number': 5e-324,
  'an empty text': '',
  'Latin-1 text': 'ÀÿÆ\0',
  'text beyond Latin-1': 'żółw 文 🐢',
  'a lone surrogate': 'a\ud800b',
  'a long text': 'x'.repeat(70_000),
  'a long text beyond Latin-1': '文'.repeat(70_000),
  null: null,
  undefined: undefined,
  true: true,
  'a large integer': 2n ** 4_000n + 17n,
  'a negative large integer': -(2n ** 64n),
  'zero as a large integer': 0n,
  'an empty array': [],
  'an empty object': {},
  'an array of integers': [1, -2, 3],
  'an array of numbers': [1.5, Number.NaN, -0],
  'an array with holes': Object.assign(new Array<unknown>(5), { 1: 1, 3: undefined }),
  'an array of arrays': [[1], ['a'], [[]]],
  'members that are undefined': { a: undefined, b: 1 },
  'integer-like keys': { b: 1, 10: 2, 9: 3, a: 4, '-1': 5 },
  'hostile keys': {
    ['__proto__']: 1,
    constructor: 2,
    toJSON: 3,
    hasOwnProperty: 4,
    '': 5,
    '0': 6,
    length: 7,
  },
  'keys beyond Latin-1': { 文: 1, ß: 2, '\udc00': 3 },
  'a very long key': { ['k'.repeat(300)]: 1 },
  'a null prototype': Object.assign(Object.create(null), { a: 1, ['__proto__']: { b: 2 } }),
  'an object of many keys': { ...keys(100), ['__proto__']: 1, toString: 2 },
  'a dictionary in the bytes': { ...keys(10_000), ['__proto__']: 1, toString: 2 },
  'an array of many records': records(2_000),
  'an array of more records than are kept': records(40_000),
  'an array of many texts': Array.from({ length: 20_000 }, (_, i) => `text ${i}`),
  'a date': new Date(1_700_000_000_123),
  'a regular expression': /a(?<b>\/)/giu,
  'a Map with objects as keys': new Map<unknown, unknown>([
    [{ a: 1 }, [1]],
    ['x', new Map([[1, 2]])],
    [Number.NaN, -0],
  ]),
  'a Set': new Set<unknown>([1, 'a', { b: 2 }, new Set([3])]),
  'a Buffer': Buffer.from('hello'),
  'an empty Buffer': Buffer.alloc(0),
  'a DataView': new DataView(Uint8Array.of(1, 2, 3, 4, 5).buffer, 1, 3),
  'an ArrayBuffer': Uint8Array.of(1, 2, 3).buffer,
  'typed arrays in Maps': new Map([['a', new Float32Array([1.5])]]),
  'an error': new TypeError('wrong', { cause: { code: 17 } }),
  'an error of errors': new AggregateError([new RangeError('a'), 'b'], 'both'),
  'an error with members': Object.assign(new Error('no such file'), { code: 'ENOENT', errno: -2 }),
};

describe.each([true, false])('with freeze %s', (freeze) => {
  test.each(Object.entries(values))('%s comes back as it was', (_, value) => {
    for (const source of [
      value,
      { member: value, neighbour: 1 },
      [value, value],
      { padding: 'x'.repeat(1_000), value },
    ]) {
      const seen = view(source, { freeze });
      assert.deepStrictEqual(seen, source);
      assert.deepStrictEqual(toPlain(seen), source);
    }
  });
});

test('an invalid date stays one', () => {
  const seen = view(new Date(Number.NaN));
  expect(seen).toBeInstanceOf(Date);
  expect(seen.getTime()).toBeNaN();
});

test('every class of typed array comes back as itself, from any offset', () => {
  for (const Class of [
    Int8Array,
    Uint8Array,
    Uint8ClampedArray,
    Int16Array,
    Uint16Array,
    Int32Array,
    Uint32Array,
    Float32Array,
    Float64Array,
    BigInt64Array,
    BigUint64Array,
  ]) {
    const bytes = Uint8Array.from({ length: 64 }, (_, i) => i);
    const source = new Class(bytes.buffer, 8, 4);
    const seen = view(source);
    assert.deepStrictEqual(seen, source);
    expect(seen.byteOffset % Class.BYTES_PER_ELEMENT).toBe(0);
  }
});

test('an error keeps its class, stack and cause', () => {
  const source = new RangeError('too far', { cause: new Error('below') });
  const seen = view(source);
  expect(seen).toBeInstanceOf(RangeError);
  expect(seen.stack).toBe(source.stack);
  expect((seen.cause as Error).message).toBe('below');
  expect(Object.keys(seen)).toEqual([]);
});

test('a regular expression keeps its last index', () => {
  const source = /a/g;
  source.lastIndex = 3;
  expect(view(source).lastIndex).toBe(3);
});

test('keys come in the order that JavaScript gives them', () => {
  const source = { b: 1, 10: 2, 9: 3, a: 4 };
  expect(Object.keys(view(source))).toEqual(['9', '10', 'b', 'a']);
  expect(JSON.stringify(view({ ...keys(10_000), 5: 0 }))).toBe(JSON.stringify({ ...keys(10_000), 5: 0 }));
});

test('objects of another realm come back as ours', () => {
  const foreign = runInNewContext(
    '({ list: [1, "a"], map: new Map([[1, 2]]), date: new Date(5), bytes: new Uint8Array([1, 2]), error: new TypeError("x") })',
  ) as object;
  const seen = view(foreign) as Record<string, unknown>;
  expect(Object.getPrototypeOf(seen)).toBe(Object.prototype);
  expect(seen['list']).toEqual([1, 'a']);
  expect(seen['map']).toEqual(new Map([[1, 2]]));
  expect(seen['date']).toEqual(new Date(5));
  expect(seen['bytes']).toEqual(new Uint8Array([1, 2]));
  expect(seen['error']).toBeInstanceOf(TypeError);
});

test('toJSON is asked as JSON.stringify asks it', () => {
  class Money {
    readonly cents: number;
    constructor(cents: number) {
      this.cents = cents;
    }
    toJSON(key: string): unknown {
      return { key, cents: this.cents };
    }
  }
  const source = {
    price: new Money(17),
    list: [new Money(1), { toJSON: (key: string) => `at ${key}` }],
    url: new URL('http://a/'),
  };
  expect(view<unknown>(source)).toEqual(JSON.parse(JSON.stringify(source)));
  expect(view<unknown>(new Money(3))).toEqual({ key: '', cents: 3 });
  const itself = {
    a: 1,
    toJSON(): unknown {
      return { a: 2, toJSON: 'data' };
    },
  };
  expect(view<unknown>(itself)).toEqual({ a: 2, toJSON: 'data' });
});

test('a key of a published object never reaches a prototype', () => {
  const source = JSON.parse(
    '{"__proto__":{"polluted":1},"a":{"constructor":{"prototype":{"polluted":1}}}}',
  ) as Record<string, unknown>;
  for (const value of [
    source,
    { padding: 'x'.repeat(1_000), source },
    Array.from({ length: 200 }, () => source),
    { ...keys(10_000), ...source, ['__proto__']: { polluted: 1 } },
  ]) {
    const seen = view(value);
    JSON.stringify(seen);
    assert.deepStrictEqual(toPlain(seen), value);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(Object.getPrototypeOf(seen)).toBe(Object.getPrototypeOf(value));
  }
});

test('a binary value that stands in two places is stored once and stays one', () => {
  const bytes = new Uint8Array(10_000);
  const twice = { a: bytes, b: { c: bytes } };
  expect(encode(twice).length).toBeLessThan(11_000);
  const seen = view(twice);
  expect(seen.a).toBe(seen.b.c);
});

test('what is not data is refused, by its path', () => {
  const cycle: Record<string, unknown> = { a: [{}] };
  (cycle['a'] as unknown[])[0] = { back: cycle };
  class Point {
    x = 1;
  }
  class Dated extends Map {}
  const refused: [unknown, string, RegExp][] = [
    [() => 1, '$', /function/],
    [{ routes: [1, 2, 3, { handler() {} }] }, '$.routes[3].handler', /function/],
    [{ 'a-b': Symbol('x') }, '$["a-b"]', /symbol/],
    [cycle, '$.a[0].back', /cycle/],
    [[new Point()], '$[0]', /Point/],
    [{ a: new Dated() }, '$.a', /Dated/],
    [{ a: new Map([['k', new WeakMap()]]) }, '$.a.get("k")', /WeakMap/],
    [new Set([Promise.resolve()]), '$.values()[0]', /Promise/],
    [{ n: Object(1) }, '$.n', /Number/],
    [Object.assign(new Error('x'), { f() {} }), '$.f', /function/],
    [new SharedArrayBuffer(4), '$', /SharedArrayBuffer/],
  ];
  const codec = createObjectsCodec();
  const target = new MemoryTarget();
  for (const [value, field, reason] of refused) {
    expect(() => codec.encode(value, target), field).toThrow(
      expect.objectContaining({ code: 'VALUE_UNSUPPORTED', field, message: expect.stringMatching(reason) }),
    );
  }
  // The writer stays usable.
  const length = codec.encode({ fine: true }, target);
  expect(decode(new Uint8Array(target.buffer.slice(0, length)))).toEqual({ fine: true });
});

test('deep nesting is refused, never a crash; as deep as is allowed is read', () => {
  const nest = (depth: number, wrap: (inner: unknown) => unknown): unknown => {
    let value: unknown = 1;
    for (let i = 0; i < depth; i++) value = wrap(value);
    return value;
  };
  const wraps: ((inner: unknown) => unknown)[] = [
    (inner) => [inner],
    (inner) => ({ inner }),
    (inner) => new Map([[1, inner]]),
    (inner) => new Map([[inner, 1]]),
    (inner) => new Set([inner]),
    (inner) => new Error('x', { cause: inner }),
    (inner) => ({ ...keys(70), inner }),
  ];
  for (const wrap of wraps) {
    expect(() => encode(nest(100_000, wrap))).toThrow(expect.objectContaining({ code: 'VALUE_UNSUPPORTED' }));
    const deepest = nest(250, wrap);
    expect(() => toPlain(view(deepest))).not.toThrow();
  }
});

test('what a getter or toJSON throws passes unchanged', () => {
  const error = new Error('mine');
  const throwing = {
    toJSON() {
      throw error;
    },
  };
  expect(() => encode({ a: throwing })).toThrow(error);
});

test('a payload that is too large is refused before it is written', () => {
  const sparse: unknown[] = [];
  sparse.length = 2 ** 31;
  expect(() => encode(sparse)).toThrow(expect.objectContaining({ code: 'VALUE_TOO_LARGE' }));
});

test('a room grows without starting again, and is asked for in doubling steps', () => {
  const target = new MemoryTarget();
  const nested = Array.from({ length: 5_000 }, (_, i) => ({ a: { b: i } }));
  const source = { list: records(3_000), nested, text: '文'.repeat(9_000), bytes: new Uint8Array(100_000) };
  let reads = 0;
  const counted = new Proxy(source, {
    get: (on, key) => {
      reads++;
      return Reflect.get(on, key);
    },
  });
  const length = createObjectsCodec().encode(counted, target);
  expect(target.asked.length).toBeGreaterThan(2);
  expect(target.asked.length).toBeLessThan(12);
  expect(reads).toBeLessThan(10);
  assert.deepStrictEqual(decode(new Uint8Array(target.buffer.slice(0, length))), source);
});

test('a target without space stops the encoder and leaves it usable', () => {
  const codec = createObjectsCodec();
  expect(() => codec.encode(records(5_000), new MemoryTarget(100_000))).toThrow(
    expect.objectContaining({ code: 'NO_SPACE' }),
  );
  assert.deepStrictEqual(decode(encode({ a: 'b' }, codec)), { a: 'b' });
});

test('every byte is written: what the room held before never shows', () => {
  const source = [
    'abc',
    'ä',
    '文',
    2n ** 70n,
    Uint8Array.of(1),
    [1, 2, 3],
    { é: 1 },
    'x'.repeat(5_001),
    new Map([[1, 2]]),
  ];
  const [one, other] = [0x00, 0xff].map((filler) => {
    const target = new MemoryTarget(2 ** 32, filler);
    const length = createObjectsCodec().encode({ source, keys: keys(5_000) }, target);
    return new Uint8Array(target.buffer.slice(0, length));
  });
  assert.deepStrictEqual(one, other);
});

test('two versions with different shapes of one object are read at once', () => {
  const codec = createObjectsCodec();
  const first = codec.decode(new MemorySource(encode({ a: 1, b: { x: 1 } })), { freeze: true });
  const second = codec.decode(new MemorySource(encode({ b: 'two', c: [{ y: 2 }] })), { freeze: true });
  expect(first).toEqual({ a: 1, b: { x: 1 } });
  expect(second).toEqual({ b: 'two', c: [{ y: 2 }] });
});
