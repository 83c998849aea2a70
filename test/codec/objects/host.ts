/** Started by `hosts.test.ts` under various flags: the values of every kind, there and back, many times over. */
import assert from 'node:assert';
import { canGenerateCode } from '../../../src/codec/objects/code-generation.ts';
import { column, createObjectsCodec, toPlain, validate } from '../../../src/codec/objects/index.ts';
import { encode, MemorySource, records } from './support.ts';

const source = {
  numbers: [1, 2.5, -0, Number.NaN],
  texts: ['a', 'é', '文', 'x'.repeat(2_000)],
  hostile: { ['__proto__']: 1, constructor: 2, toString: 3, toJSON: 4, hasOwnProperty: 5 },
  lazy: { ['__proto__']: 'x'.repeat(2_000), toString: 'y'.repeat(2_000), constructor: { a: 1 } },
  bare: Object.assign(Object.create(null) as object, { toString: 1, ['__proto__']: 2 }),
  map: new Map<unknown, unknown>([[{ k: 1 }, new Set([1])]]),
  date: new Date(5),
  pattern: /a/g,
  error: Object.assign(new TypeError('wrong', { cause: 'below' }), { code: 'E' }),
  bytes: [new Uint8Array(3), Buffer.from('x'), new ArrayBuffer(2)],
  big: 2n ** 80n,
  rows: records(2_000),
  dictionary: Object.fromEntries(
    Array.from({ length: 3_000 }, (_, i) => [
      i === 7 ? 'toString' : i === 8 ? '__proto__' : `key ${i}`,
      { text: `value number ${i}` },
    ]),
  ),
};

const codec = createObjectsCodec();
for (let version = 0; version < 40; version++) {
  const bytes = encode(source, codec);
  validate(new MemorySource(bytes));
  for (const freeze of [true, false]) {
    const view = codec.decode(new MemorySource(bytes), { freeze }) as typeof source;
    assert.strictEqual(view.lazy, view.lazy);
    assert.strictEqual(view.rows[9], view.rows[9]);
    assert.deepStrictEqual(column(view.rows, 'name'), column(source.rows, 'name'));
    assert.strictEqual(view.dictionary['toString'] === undefined, false);
    if (version % 10 === 0) {
      assert.deepStrictEqual(view, source);
      assert.deepStrictEqual(toPlain(view), source);
    }
    if (freeze) assert.throws(() => Object.assign(view.lazy, { constructor: 1 }), TypeError);
  }
}
assert.throws(() => encode({ a: [() => 1] }), { code: 'VALUE_UNSUPPORTED', field: '$.a[0]' });
console.log(JSON.stringify({ generatesCode: canGenerateCode }));
