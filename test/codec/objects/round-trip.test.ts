import assert from 'node:assert';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createObjectsCodec, toPlain } from '../../../src/codec/objects/index.ts';
import { decode, encode, MemorySource } from './support.ts';

/** Runs of each property; `VITRINE_RUNS=1000000` for a campaign by hand. */
const numRuns = Number(process.env['VITRINE_RUNS'] ?? 10_000);

const hostileKey = fc.constantFrom(
  '__proto__',
  'constructor',
  'toJSON',
  'hasOwnProperty',
  '',
  '0',
  '17',
  '-1',
  'length',
);
const key = fc.oneof({ weight: 4, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) }, hostileKey);

const bytes = fc.uint8Array({ maxLength: 40 });
const binary = fc.tuple(bytes, fc.nat(9)).map(([data, choice]) => {
  const whole = data.slice(0, data.length & ~7);
  switch (choice) {
    case 0:
      return Buffer.from(data);
    case 1:
      return new DataView(data.buffer, data.length >> 1);
    case 2:
      return data.slice().buffer;
    case 3:
      return data.subarray(1);
    case 4:
      return new Float64Array(whole.buffer);
    case 5:
      return new BigInt64Array(whole.buffer);
    case 6:
      return new Int16Array(whole.buffer, 0, whole.length >> 2);
    case 7:
      return new Uint8ClampedArray(data);
    case 8:
      return new Float32Array(whole.buffer);
    default:
      return new Uint32Array(whole.buffer);
  }
});

const error = fc
  .tuple(fc.constantFrom(Error, TypeError, RangeError, SyntaxError), fc.string(), fc.option(fc.string()))
  .map(([Class, message, cause]) => (cause === null ? new Class(message) : new Class(message, { cause })));

const leaf = fc.oneof(
  { weight: 20, arbitrary: fc.integer() },
  { weight: 10, arbitrary: fc.double() },
  { weight: 20, arbitrary: fc.string({ unit: 'binary', maxLength: 30 }) },
  { weight: 6, arbitrary: fc.constantFrom(undefined, null, true, false, -0, Number.NaN, '', '\ud800') },
  { weight: 1, arbitrary: fc.constantFrom('é'.repeat(5_000), '文'.repeat(5_000), 'x'.repeat(70_000)) },
  { weight: 6, arbitrary: fc.bigInt() },
  { weight: 6, arbitrary: fc.date({ noInvalidDate: true }) },
  { weight: 6, arbitrary: fc.constantFrom(/a+(b)/gi, /\//, /\p{L}/u) },
  { weight: 6, arbitrary: binary },
  { weight: 6, arbitrary: error },
);

/** Any value, with parts that stand in several places. */
const value: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    { weight: 4, arbitrary: leaf },
    { weight: 1, arbitrary: tie('array') },
    { weight: 1, arbitrary: tie('records') },
    { weight: 1, arbitrary: tie('object') },
    { weight: 1, arbitrary: tie('bare') },
    { weight: 1, arbitrary: tie('wide') },
    { weight: 1, arbitrary: tie('map') },
    { weight: 1, arbitrary: tie('set') },
    { weight: 1, arbitrary: tie('shared') },
  ),
  array: fc.oneof(
    fc.array(tie('any'), { maxLength: 5 }),
    fc.array(fc.integer()),
    fc.array(fc.double()),
    fc.sparseArray(tie('any'), { maxLength: 20, maxNumElements: 6 }),
  ),
  records: fc
    .tuple(
      fc.uniqueArray(key, { minLength: 1, maxLength: 5 }),
      fc.array(fc.array(tie('any'), { minLength: 5, maxLength: 5 }), { maxLength: 4 }),
    )
    .map(([keys, rows]) => rows.map((row) => Object.fromEntries(keys.map((name, i) => [name, row[i]])))),
  object: fc.dictionary(key, tie('any'), { noNullPrototype: true, maxKeys: 6 }),
  bare: fc.dictionary(key, tie('any'), { maxKeys: 4 }),
  wide: fc
    .array(fc.tuple(key, leaf), { minLength: 66, maxLength: 80 })
    .map((entries) => Object.fromEntries(entries)),
  map: fc.array(fc.tuple(tie('any'), tie('any')), { maxLength: 4 }).map((entries) => new Map(entries)),
  set: fc.array(tie('any'), { maxLength: 4 }).map((elements) => new Set(elements)),
  shared: tie('any').map((part) => ({ one: part, other: [part, { part }] })),
})).any;

const json = (data: unknown): string | undefined =>
  JSON.stringify(data, (_, member: unknown) => (typeof member === 'bigint' ? `${member}n` : member));

test('a view is deep-equal to its source, and so is a plain copy of it', () => {
  const codec = createObjectsCodec();
  fc.assert(
    fc.property(value, (source) => {
      const bytes = encode(source, codec);
      const view = codec.decode(new MemorySource(bytes), { freeze: true });
      // Before and after everything was decoded.
      expect(json(view)).toBe(json(source));
      assert.deepStrictEqual(view, source);
      expect(json(view)).toBe(json(source));
      assert.deepStrictEqual(toPlain(view), source);
      assert.deepStrictEqual(toPlain(source), source);
    }),
    { numRuns },
  );
});

test('a field reads the same before and after its neighbours were decoded', () => {
  fc.assert(
    fc.property(fc.dictionary(key, value, { maxKeys: 10, noNullPrototype: true }), (source) => {
      const bytes = encode(source);
      for (const name of Object.keys(source)) {
        const alone = decode(bytes) as Record<string, unknown>;
        const early = alone[name];
        assert.deepStrictEqual(early, source[name]);
        assert.deepStrictEqual(alone, source);
        expect(alone[name]).toBe(early);
      }
    }),
    { numRuns: numRuns / 10 },
  );
});

test('the same codec gives the same bytes for the same value again', () => {
  const codec = createObjectsCodec();
  fc.assert(
    fc.property(value, (source) => {
      encode(source, codec);
      assert.deepStrictEqual(encode(source, codec), encode(source, codec));
    }),
    { numRuns: numRuns / 10 },
  );
});
