/**
 * How long does publishing take, and how large is it? Against JSON, msgpackr with records and v8.serialize.
 *
 *     node --expose-gc --import tsx bench/codec-encode.ts
 */
import { serialize } from 'node:v8';
import { Packr } from 'msgpackr';
import { createObjectsCodec } from '../src/codec/objects/index.ts';
import { BenchTarget, compare, largeConfig, mdn, records, show, smallConfig } from './codec-support.ts';

const data: Record<string, () => unknown> = {
  '1 KB config': smallConfig,
  '1 MB config': largeConfig,
  'MDN browser-compat-data': mdn,
  '500,000 records of 8 fields': () => records(500_000),
};

for (const [title, make] of Object.entries(data)) {
  const value = make();
  const codec = createObjectsCodec();
  const target = new BenchTarget();
  const packr = new Packr();
  const encode = (): number => {
    target.lastByteLength = codec.encode(value, target);
    return target.lastByteLength;
  };
  const results = compare({
    vitrine: encode,
    'JSON.stringify': () => JSON.stringify(value),
    msgpackr: () => packr.pack(value),
    'v8.serialize': () => serialize(value),
  });
  show(`encode ${title}`, results, 'vitrine');
  const json = Buffer.byteLength(JSON.stringify(value));
  console.log(
    `  size ${encode()} bytes, ${(encode() / json).toFixed(2)} × JSON (${json}), msgpackr ${packr.pack(value).length}`,
  );
}
