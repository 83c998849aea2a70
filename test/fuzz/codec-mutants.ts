/**
 * Damages the bytes of real payloads and reads them: only values or `BYTES_INVALID` may come out, and a payload that
 * `validate` accepts must read without an error. Runs in a process of its own, which is what a crash would end.
 *
 *     node --import tsx test/fuzz/codec-mutants.ts <seed> <mutants>
 */
import { column, createObjectsCodec, validate } from '../../src/codec/objects/index.ts';
import { StoreError } from '../../src/errors.ts';
import { encode, MemorySource, records } from '../codec/objects/support.ts';

/** What a reader looks at in one mutant, at most. */
const MAX_STEPS = 3_000;

const seed = Number(process.argv[2] ?? 1);
const mutants = Number(process.argv[3] ?? 10_000);

const keys = (count: number): Record<string, unknown> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`key ${i}`, { i, text: `value ${i}` }]));

const everything = {
  numbers: [1, 2.5, -0, Number.NaN, 2 ** 40],
  integers: [1, 2, 3],
  doubles: [0.5, 1.5],
  texts: ['', 'short', 'é', '文', 'x'.repeat(5_000), '文'.repeat(300)],
  holes: Object.assign(new Array<unknown>(4), { 1: undefined, 2: null }),
  list: [
    { a: 1, b: 'x' },
    { a: 2, b: 'y' },
    { a: 3, b: null },
  ],
  mixed: [1, 'a', { x: [{ y: {} }] }, [[[]]]],
  map: new Map<unknown, unknown>([
    [{ k: 1 }, 'v'],
    ['text', new Set([1, 'b'])],
  ]),
  date: new Date(5),
  pattern: /a(b|c)*/gi,
  big: [2n ** 200n, -1n, 0n],
  bytes: [
    new Uint8Array(20),
    new Float64Array(3),
    Buffer.from('hello'),
    new ArrayBuffer(9),
    new DataView(new ArrayBuffer(5)),
  ],
  error: Object.assign(new TypeError('wrong', { cause: [1] }), { code: 17 }),
  bare: Object.assign(Object.create(null) as object, { z: 1 }),
  lazy: { text: 'y'.repeat(600), inner: { text: 'z'.repeat(600), list: [1, 'b', {}] } },
  many: keys(70),
};

const payloads: Uint8Array[] = [
  everything,
  { small: 1, b: 'two', c: { d: [true, false, null, undefined] } },
  records(20),
  records(1_200),
  { dictionary: keys(1_500), list: Array.from({ length: 9_000 }, (_, i) => `text ${i}`) },
  [[[[[[[[{ deep: [[[[1]]]] }]]]]]]]],
].map((value) => encode(value));

/** mulberry32: small, and the same everywhere. */
let state = seed >>> 0;
function random(below: number): number {
  state = (state + 0x6d2b_79f5) >>> 0;
  let mixed = Math.imul(state ^ (state >>> 15), state | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
}

const extremes = [
  0, 1, 2, 3, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0xfff9_0000, 0xfffa_0004, 0xfffd_0000, 0xfffe_8002,
  0xfffc_0001,
];

function mutate(original: Uint8Array): Uint8Array {
  let bytes = original.slice();
  for (let edits = 1 + random(4); edits > 0; edits--) {
    const words = new Uint32Array(bytes.buffer, 0, bytes.length >> 2);
    if (words.length < 8) return bytes;
    const word = random(words.length);
    switch (random(8)) {
      case 0:
        bytes[random(bytes.length)] = random(256);
        break;
      case 1:
        bytes[random(bytes.length)] = (bytes[random(bytes.length)] as number) ^ (1 << random(8));
        break;
      case 2:
        words[word] = extremes[random(extremes.length)] as number;
        break;
      case 3:
        words[word] = random(words.length);
        break;
      case 4:
        // The kind of a slot, near where slots are.
        words[word | 1] = 0xfff9_0000 + (random(6) << 16) + (random(2) << 15) + random(14);
        break;
      case 5: {
        const from = random(words.length) & ~1;
        const count = Math.min(2 * (1 + random(16)), words.length - Math.max(from, word));
        words.copyWithin(word & ~1, from, from + count);
        break;
      }
      case 6:
        words[word] = (words[word] as number) + random(9) - 4;
        break;
      default: {
        // Cut, with a header that agrees or not.
        const length = random(20) === 0 ? random(bytes.length) : random(bytes.length) & ~7;
        bytes = bytes.slice(0, length);
        if (random(2) === 0 && length > 8) new DataView(bytes.buffer).setUint32(4, length / 8, true);
      }
    }
  }
  return bytes;
}

let steps = 0;

function look(value: unknown): void {
  if (++steps > MAX_STEPS || typeof value !== 'object' || value === null) return;
  if (value instanceof Map || value instanceof Set) {
    for (const item of value) look(item);
  } else if (Array.isArray(value)) {
    if (value.length > 0) look(value.at(-1));
    for (const item of value) {
      if (steps > MAX_STEPS) return;
      look(item);
    }
    look(value[0]);
  } else if (ArrayBuffer.isView(value)) {
    if (value.byteLength > 0) new Uint8Array(value.buffer, value.byteOffset, value.byteLength).at(-1);
  } else {
    look((value as Record<string, unknown>)['key 17']);
    for (const key of Reflect.ownKeys(value)) {
      if (steps > MAX_STEPS) return;
      look((value as Record<PropertyKey, unknown>)[key]);
    }
  }
}

/** Whether `run` got through; anything but `BYTES_INVALID` ends the process. */
let refusal: unknown;
function survives(run: () => void): boolean {
  try {
    run();
    return true;
  } catch (error) {
    if (error instanceof StoreError && error.code === 'BYTES_INVALID') {
      refusal = error;
      return false;
    }
    throw error;
  }
}

const codec = createObjectsCodec();
const counts = { read: 0, refused: 0, valid: 0 };
for (let mutant = 0; mutant < mutants; mutant++) {
  const before = state;
  const bytes = mutate(payloads[random(payloads.length)] as Uint8Array);
  try {
    const valid = survives(() => validate(new MemorySource(bytes)));
    steps = 0;
    const read = survives(() => {
      const value = codec.decode(new MemorySource(bytes), { freeze: mutant % 2 === 0 });
      look(value);
      if (Array.isArray(value)) column(value as { name: string }[], 'name');
    });
    if (valid && !read) throw new Error('valid bytes could not be read', { cause: refusal });
    counts.valid += Number(valid);
    counts[read ? 'read' : 'refused']++;
  } catch (error) {
    console.error(`mutant ${mutant} of seed ${seed} (state ${before}, ${bytes.length} bytes)`);
    throw error;
  }
}
console.log(JSON.stringify({ mutants, ...counts }));
