import { runInNewContext } from 'node:vm';
import { encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { msgpackCodec } from '../../src/codec/msgpack.ts';
import { failure } from '../support/place.ts';
import { decodeBytes, encodeWith } from './room.ts';

const encoded = (value: unknown): Uint8Array => encodeWith(msgpackCodec, value);
const roundTrip = (value: unknown): unknown => decodeBytes(msgpackCodec, encoded(value));

describe('the msgpack codec', () => {
  it('brings JSON back as it was', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
        // Refused, as the library refuses to read it.
        fc.pre(!JSON.stringify(value).includes('"__proto__"'));
        expect(roundTrip(value)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('brings numbers back as they were, but for the sign of zero', () => {
    const numbers = [
      0,
      1,
      -1,
      2 ** 31,
      -(2 ** 31),
      2 ** 32,
      2 ** 53,
      -(2 ** 53),
      2 ** 63,
      0.1,
      5e-324,
      1e308,
    ];
    for (const value of [...numbers, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      expect(roundTrip(value)).toBe(value);
    }
    expect(roundTrip(-0)).toBe(0);
  });

  it('brings bigints of 64 bits back as bigints', () => {
    for (const value of [0n, 5n, -5n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 64n - 1n]) {
      expect(roundTrip(value)).toBe(value);
    }
  });

  it('brings back Date, Map, Set, Uint8Array and the other typed arrays', () => {
    const bytes = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]).buffer;
    const values = [
      new Date(0),
      new Date(-1),
      new Date(8.64e15),
      new Map<unknown, unknown>([
        ['a', 1],
        [2, new Map([[{ b: 1 }, [3]]])],
        [[1], new Set([new Date(5)])],
      ]),
      new Map(),
      new Set(),
      new Set([1, 'a', new Set([2n])]),
      bytes,
      new DataView(bytes, 1, 3),
      ...[Uint8Array, Int8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array].map(
        (type) => new type(bytes),
      ),
      ...[Float32Array, Float64Array, BigInt64Array, BigUint64Array].map((type) => new type(bytes)),
      new Int16Array(bytes, 2, 2),
      new Float64Array(0),
    ];
    for (const value of values) {
      const back = roundTrip({ value }) as { value: object };
      expect(back.value).toEqual(value);
      expect(back.value.constructor).toBe(value.constructor);
    }
  });

  it('gives arrays of its own, which no other version shares', () => {
    const bytes = encoded({ a: new Uint8Array([1]), b: new Int16Array([2]) });
    const one = decodeBytes(msgpackCodec, bytes) as { a: Uint8Array; b: Int16Array };
    one.a[0] = 9;
    one.b[0] = 9;
    expect(decodeBytes(msgpackCodec, bytes)).toEqual({ a: new Uint8Array([1]), b: new Int16Array([2]) });
  });

  it('changes what the format has no word for, as documented', () => {
    expect(roundTrip({ a: undefined })).toEqual({ a: null });
    const holey = [1];
    holey[2] = 2;
    expect(roundTrip(holey)).toEqual([1, null, 2]);
    expect((roundTrip(Buffer.from('a')) as object).constructor).toBe(Uint8Array);
    expect(roundTrip(Object.assign(Object.create(null), { a: 1 }))).toEqual({ a: 1 });
  });

  it('refuses the rest, with its path', () => {
    class Account {}
    const cycle: unknown[] = [];
    cycle.push({ again: cycle });
    let deep: unknown = 1;
    for (let level = 0; level < 513; level += 1) deep = [deep];
    const detached = new Uint8Array(4);
    structuredClone(detached.buffer, { transfer: [detached.buffer] });
    const cases: [unknown, string][] = [
      [() => 1, '$'],
      [Symbol('s'), '$'],
      [{ a: [0, { b: () => 1 }] }, '$.a[1].b'],
      [new Map([['k', Symbol('s')]]), '$.get(k)'],
      [new Map([[Symbol('s'), 1]]), '$.keys()'],
      [new Map([[Object.create(null), () => 1]]), '$.get(…)'],
      [new Set([() => 1]), '$.values()'],
      [{ when: new Date(Number.NaN) }, '$.when'],
      [2n ** 64n, '$'],
      [-(2n ** 63n) - 1n, '$'],
      [{ r: /a/ }, '$.r'],
      [[new Error('e')], '$[0]'],
      [new Account(), '$'],
      [Promise.resolve(), '$'],
      [new WeakMap(), '$'],
      [Object('boxed'), '$'],
      [new SharedArrayBuffer(1), '$'],
      [JSON.parse('{"a":{"__proto__":1}}'), '$.a'],
      [{ s: ['fine \ud83d\ude00', 'half \ud83d'] }, '$.s[1]'],
      [{ k: { '\ude00': 1 } }, '$.k'],
      [{ a: detached }, '$.a'],
      [[detached.buffer], '$[0]'],
      [[runInNewContext('new Int16Array(2)')], '$[0]'],
    ];
    for (const [value, field] of cases) {
      const error = failure('VALUE_UNSUPPORTED', () => encoded(value));
      expect(error.field).toBe(field);
      expect(error.message).toContain(field);
    }
    for (const value of [cycle, deep]) {
      const error = failure('VALUE_UNSUPPORTED', () => encoded(value));
      expect(error.message).toContain('cycle');
      expect(error.message.length).toBeLessThan(300);
    }
  });

  it('takes 512 levels', () => {
    let deep: unknown = 1;
    for (let level = 0; level < 512; level += 1) deep = [deep];
    expect(roundTrip(deep)).toEqual(deep);
  });

  it('lets an exception of a getter pass', () => {
    const value = {
      get a(): never {
        throw new SyntaxError('mine');
      },
    };
    expect(() => encoded(value)).toThrow(new SyntaxError('mine'));
    expect(roundTrip('and goes on')).toBe('and goes on');
  });

  it('says BYTES_INVALID for what it has not written', () => {
    const wrong: Uint8Array[] = [
      new Uint8Array(),
      new Uint8Array([0xc1]),
      new Uint8Array([0x01, 0x02]),
      encode('cut short').subarray(0, 5),
      new Uint8Array([0xc7, 0x00, 0x03]),
      new Uint8Array([0xd4, 0x03, 0x63]),
      new Uint8Array([0xd5, 0x03, 0x04, 0x01]),
      new Uint8Array([0xd4, 0x01, 0x05]),
      new Uint8Array([0xd4, 0x02, 0x05]),
      new Uint8Array([0xd5, 0x01, 0x91, 0x05]),
      new Uint8Array([0xc7, 0x03, 0x01, 0xa2, 0x61, 0x62]),
      new Uint8Array([0xc7, 0x03, 0x02, 0xa2, 0x61, 0x62]),
      encode({ ['__proto__']: 1 }),
    ];
    for (const bytes of wrong) {
      const error = failure('BYTES_INVALID', () => decodeBytes(msgpackCodec, bytes));
      expect(error.cause).toBeInstanceOf(Error);
    }
  });

  it('answers damaged bytes with a value or with BYTES_INVALID', () => {
    const value = {
      a: [1, 'two', 3n, new Map([[1, new Set(['x'])]])],
      b: new Float64Array(3),
      c: new Date(1),
    };
    const bytes = encoded(value);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, byte) => {
        const damaged = bytes.slice();
        damaged[at] = byte;
        try {
          decodeBytes(msgpackCodec, damaged);
        } catch (error) {
          expect(error).toMatchObject({ name: 'StoreError', code: 'BYTES_INVALID' });
        }
      }),
    );
  });

  it('is what other programs read', () => {
    expect(encoded({ a: 1 })).toEqual(new Uint8Array([0x81, 0xa1, 0x61, 0x01]));
  });
});
