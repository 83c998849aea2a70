/**
 * What reading costs once a view is open: a hot nested field against the same plain object, a full scan of large
 * records against parse and scan, one column, one key of a large dictionary.
 *
 *     node --expose-gc --import tsx bench/codec-read.ts
 */
import { createObjectsCodec, forEachInColumn } from '../src/codec/objects/index.ts';
import { BenchSource, compare, largeConfig, publish, type Rec, records, show } from './codec-support.ts';

// biome-ignore lint/suspicious/noExplicitAny: paths into data of any form
type Any = any;

const REPEATS = 10_000;

function open(value: unknown, freeze = true): unknown {
  const { buffer, byteLength } = publish(value);
  return createObjectsCodec().decode(new BenchSource(buffer, byteLength), { freeze });
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(deepFreeze);
  return value;
}

const perRead = (results: Record<string, number>, count: number): Record<string, number> =>
  Object.fromEntries(Object.entries(results).map(([name, time]) => [name, time / count]));

let loops = 0;

/** A loop with a text of its own for each value, so that one's inline caches do not serve another. */
function loop(value: Any, path: string): () => number {
  const body = `/* ${loops++} */ return () => { let sum = 0; for (let i = 0; i < n; i++) sum += value${path}; return sum; }`;
  return new Function('value', 'n', body)(value, REPEATS) as () => number;
}

const config = largeConfig();
for (const path of ['.environment.limits.network.mbps', '.environment.limits.cpu', '.version']) {
  show(
    `hot field config${path}`,
    perRead(
      compare({
        'vitrine, frozen': loop(open(config), path),
        'plain, frozen': loop(deepFreeze(structuredClone(config)), path),
        'vitrine, not frozen': loop(open(config, false), path),
        plain: loop(structuredClone(config), path),
      }),
      REPEATS,
    ),
    'vitrine, frozen',
  );
}

const rows = records(500_000);
const json = JSON.stringify(rows);
const { buffer, byteLength } = publish(rows);
const codec = createObjectsCodec();
const fresh = (): readonly Rec[] =>
  codec.decode(new BenchSource(buffer, byteLength), { freeze: true }) as readonly Rec[];
const scan = (all: readonly Rec[]): number => {
  let sum = 0;
  for (const row of all) sum += row.weight + row.score + row.name.length;
  return sum;
};
const byIndex = (all: readonly Rec[]): number => {
  let sum = 0;
  for (let i = 0; i < all.length; i++) sum += (all[i] as Rec).weight;
  return sum;
};
globalThis.gc?.();
const before = process.memoryUsage().heapUsed;
const kept = fresh();
scan(kept);
globalThis.gc?.();
console.log(
  `heap kept after a scan of 500,000 records: ${((process.memoryUsage().heapUsed - before) / 1e6).toFixed(1)} MB of ${kept.length} rows`,
);
show(
  'scan 500,000 records',
  compare({
    vitrine: () => scan(fresh()),
    'vitrine, by index': () => byIndex(fresh()),
    'vitrine, one column': () => {
      let sum = 0;
      forEachInColumn(fresh(), 'weight', (weight) => {
        sum += weight;
      });
      return sum;
    },
    'JSON.parse and scan': () => scan(JSON.parse(json) as Rec[]),
  }),
  'vitrine',
);

const dictionary = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`user:${i}`, i]));
const text = JSON.stringify(dictionary);
const published = publish(dictionary);
const opened = (): Record<string, number> =>
  codec.decode(new BenchSource(published.buffer, published.byteLength), { freeze: true }) as Record<
    string,
    number
  >;
const names = Array.from({ length: 1_000 }, (_, i) => `user:${(i * 7_919) % 100_000}`);
const lookUp = (all: Record<string, number>): number => {
  let sum = 0;
  for (const name of names) sum += all[name] as number;
  return sum;
};
show(
  '1,000 keys of a dictionary of 100,000, opened for it',
  perRead(compare({ vitrine: () => lookUp(opened()) }), 1_000),
  'vitrine',
);
show(
  'open a dictionary of 100,000 keys and read one',
  compare({
    vitrine: () => opened()['user:77777'],
    'JSON.parse': () => (JSON.parse(text) as Record<string, number>)['user:77777'],
  }),
  'vitrine',
);
