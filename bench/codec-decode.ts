/**
 * How long until a reader has what it wants of a new version: one nested field, or everything? Against JSON.parse
 * and msgpackr.
 *
 *     node --expose-gc --import tsx bench/codec-decode.ts
 */
import { Packr } from 'msgpackr';
import { createObjectsCodec } from '../src/codec/objects/index.ts';
import {
  BenchSource,
  compare,
  largeConfig,
  mdn,
  publish,
  records,
  show,
  smallConfig,
} from './codec-support.ts';

// biome-ignore lint/suspicious/noExplicitAny: paths into data of any form
type Any = any;

const data: Record<string, [() => unknown, (value: Any) => unknown]> = {
  '1 KB config': [smallConfig, (value) => value.database.replica.pool.max],
  '1 MB config': [largeConfig, (value) => value.routes[1_717].cache.ttlMs],
  'MDN browser-compat-data': [mdn, (value) => value.css.properties.color.__compat.status.standard_track],
  '500,000 records of 8 fields': [() => records(500_000), (value) => value[377_123].weight],
};

function touchAll(value: Any): number {
  let count = 1;
  if (Array.isArray(value)) for (const item of value) count += typeof item === 'object' ? touchAll(item) : 1;
  else if (typeof value === 'object' && value !== null) {
    for (const key in value) {
      const item = value[key];
      count += typeof item === 'object' ? touchAll(item) : 1;
    }
  }
  return count;
}

for (const [title, [make, read]] of Object.entries(data)) {
  const value = make();
  const { buffer, byteLength } = publish(value);
  const json = JSON.stringify(value);
  const packr = new Packr();
  const packed = packr.pack(value);
  const frozen = createObjectsCodec();
  const open = createObjectsCodec();
  const opened = (codec: typeof frozen, freeze: boolean): unknown =>
    codec.decode(new BenchSource(buffer, byteLength), { freeze });
  // A reader has a view at any time; its hidden classes stay.
  const current = [opened(frozen, true), opened(open, false)];
  if (current.some((view) => read(view) !== read(value))) throw new Error('not what was published');
  show(
    `open ${title} and read one nested field`,
    compare({
      vitrine: () => read(opened(frozen, true)),
      'vitrine, not frozen': () => read(opened(open, false)),
      'JSON.parse': () => read(JSON.parse(json)),
      msgpackr: () => read(packr.unpack(packed)),
    }),
    'vitrine',
  );
  show(
    `open ${title} and touch everything`,
    compare({
      vitrine: () => touchAll(opened(frozen, true)),
      'vitrine, not frozen': () => touchAll(opened(open, false)),
      'JSON.parse': () => touchAll(JSON.parse(json)),
      msgpackr: () => touchAll(packr.unpack(packed)),
    }),
    'vitrine',
  );
  if (current.length !== 2) throw new Error('unreachable: keeps the views');
}
