import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createObjectsCodec, validate } from '../../../src/codec/objects/index.ts';
import { decode, encode, MemorySource } from './support.ts';

const page = readFileSync(new URL('../../../docs/format-objects.md', import.meta.url), 'utf8');
const rows = page.slice(page.indexOf('<!-- golden -->')).matchAll(/^\| \d+ +\| `([0-9a-f ]{23})` \|/gm);
const documented = [...rows].map(([, word]) => word as string);
const value = { id: 7, tags: ['a', 'ż'], at: 1.5 };

test('the value worked in hex in docs/format-objects.md is what is written', () => {
  const bytes = Buffer.from(encode(value));
  const words = Array.from({ length: bytes.length / 8 }, (_, word) =>
    bytes.toString('hex', word * 8, word * 8 + 8).replace(/..(?=.)/g, '$& '),
  );
  expect(words).toEqual(documented);
});

test('the value worked in hex is read', () => {
  const bytes = Buffer.from(documented.join('').replaceAll(' ', ''), 'hex');
  expect(() => validate(new MemorySource(bytes))).not.toThrow();
  expect(decode(bytes)).toEqual(value);
});

test('the codec has the name that headers of regions carry', () => {
  expect(createObjectsCodec()).toMatchObject({ id: 'objects', keepsBytes: true });
});

test('a payload that another language wrote in the simplest way is read', () => {
  // No shapes, no index, all texts on their own.
  const bytes = Buffer.alloc(8 * 9);
  bytes.write('OBJ1', 'latin1');
  bytes.writeUInt32LE(9, 4);
  bytes.writeUInt32LE(9, 8);
  const slot = (word: number, high: number, low: number): void => {
    bytes.writeUInt32LE(low, word * 8);
    bytes.writeUInt32LE(high, word * 8 + 4);
  };
  slot(2, 0xfffe_0005, 3);
  slot(3, 0, 1);
  slot(4, 0, 0);
  slot(5, 0xfffc_0000, 7);
  slot(6, 0xfff9_0000, 42);
  slot(7, 0, 3);
  bytes.write('key', 7 * 8 + 4, 'latin1');
  expect(() => validate(new MemorySource(bytes))).not.toThrow();
  expect(decode(bytes)).toEqual({ key: 42 });
});
