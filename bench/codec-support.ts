import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { DecodeSource, EncodeTarget } from '../src/codec/codec.ts';
import { createObjectsCodec } from '../src/codec/objects/index.ts';

/** A target in ordinary memory that keeps its buffer, as a store keeps its regions. */
export class BenchTarget implements EncodeTarget {
  lastByteLength = 0;
  buffer = new ArrayBuffer(4_096);

  reserve(byteLength: number, keptByteLength = 0): ArrayBuffer {
    if (byteLength > this.buffer.byteLength) {
      const grown = new Uint8Array(byteLength);
      grown.set(new Uint8Array(this.buffer, 0, keptByteLength));
      this.buffer = grown.buffer;
    }
    return this.buffer;
  }
}

/** A version whose buffer other versions have, too. */
export class BenchSource implements DecodeSource {
  readonly buffer: ArrayBuffer;
  readonly byteLength: number;
  readonly released = false;

  constructor(buffer: ArrayBuffer, byteLength: number) {
    this.buffer = buffer;
    this.byteLength = byteLength;
  }

  handOut(): ArrayBuffer {
    return this.buffer;
  }
}

/** `value` as a store would publish it. */
export function publish(value: unknown): { buffer: ArrayBuffer; byteLength: number } {
  const target = new BenchTarget();
  const byteLength = createObjectsCodec().encode(value, target);
  return { buffer: target.buffer, byteLength };
}

export interface Rec {
  id: number;
  name: string;
  weight: number;
  active: boolean;
  region: string;
  score: number;
  parent: number;
  sku: string;
}

/** 500,000 records of 8 fields and the like. */
export function records(count: number): Rec[] {
  const regions = ['eu-west', 'eu-north', 'us-east', 'ap-south'];
  return Array.from({ length: count }, (_, i) => ({
    id: i,
    name: `item number ${i}`,
    weight: i * 0.37 + 0.01,
    active: i % 3 === 0,
    region: regions[i % 4] as string,
    score: (i * 7919) % 1000,
    parent: i >> 1,
    sku: `SKU-${(i * 2_654_435_761) % 1_000_000}`,
  }));
}

/** About 1 KB of JSON: what a service reads at start. */
export function smallConfig(): Record<string, unknown> {
  return {
    name: 'checkout',
    version: 412,
    debug: false,
    timeouts: { connectMs: 250, readMs: 1500, totalMs: 4000 },
    limits: { requestsPerSecond: 1200, burst: 300, bodyBytes: 1_048_576 },
    hosts: ['checkout-1.internal', 'checkout-2.internal', 'checkout-3.internal'],
    flags: { newCart: true, fastPath: false, giftCards: true, splitPayments: false, darkMode: true },
    retry: { attempts: 3, backoffMs: [50, 200, 800], jitter: 0.25 },
    routes: [
      { path: '/cart', upstream: 'cart', weight: 0.75, methods: ['GET', 'POST'] },
      { path: '/pay', upstream: 'payments', weight: 1, methods: ['POST'] },
      { path: '/health', upstream: 'self', weight: 0, methods: ['GET'] },
    ],
    database: {
      primary: { host: 'db-primary.internal', port: 5432, pool: { min: 4, max: 32 } },
      replica: { host: 'db-replica.internal', port: 5433, pool: { min: 2, max: 64 } },
    },
    logging: { level: 'info', sample: 0.01, redact: ['password', 'token', 'card'] },
    owner: { team: 'payments', contact: 'payments@example.com', pager: null },
  };
}

/** About 1 MB of JSON: services, routes, flags and a table of texts. */
export function largeConfig(): Record<string, unknown> {
  const services: Record<string, unknown> = {};
  for (let i = 0; i < 400; i++) services[`service-${i}`] = smallConfigLike(i);
  return {
    version: 7,
    environment: {
      name: 'production',
      region: 'eu-west-1',
      limits: { cpu: 64, memoryBytes: 2 ** 37, network: { mbps: 10_000 } },
    },
    services,
    routes: Array.from({ length: 2_500 }, (_, i) => ({
      id: i,
      path: `/api/v2/resource-${i}/:id`,
      upstream: `service-${i % 400}`,
      weight: (i % 10) / 10,
      methods: i % 2 === 0 ? ['GET'] : ['GET', 'POST'],
      cache: { ttlMs: i * 10, shared: i % 5 === 0 },
    })),
    flags: Object.fromEntries(Array.from({ length: 3_000 }, (_, i) => [`flag.${i}`, i % 3 === 0])),
    texts: Object.fromEntries(
      Array.from({ length: 2_000 }, (_, i) => [
        `text.${i}`,
        `Some message with number ${i} for the reader of the page`,
      ]),
    ),
  };
}

function smallConfigLike(i: number): Record<string, unknown> {
  return {
    name: `service-${i}`,
    replicas: i % 7,
    image: `registry.internal/service-${i}:${i * 31}`,
    ports: [8000 + i, 9000 + i],
    env: { LOG_LEVEL: 'info', REGION: 'eu-west-1', SHARD: i % 16 },
    resources: { cpu: 0.5 + (i % 4), memoryBytes: 2 ** 28 },
    healthy: i % 50 !== 0,
  };
}

export function mdn(): Record<string, unknown> {
  const require = createRequire(import.meta.url);
  return JSON.parse(readFileSync(require.resolve('@mdn/browser-compat-data'), 'utf8')) as Record<
    string,
    unknown
  >;
}

export const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[numbers.length >> 1] as number;

/**
 * The median processor time of each way in nanoseconds, collector included: unlike the clock it does not count what
 * else the machine does. The ways take turns; each runs for `msPerWay` and at least eight times before it counts,
 * since our code is JavaScript and has to be compiled. With `--expose-gc` a long one does not
 * pay for another's garbage.
 */
export function compare(ways: Record<string, () => unknown>, msPerWay = 1_000): Record<string, number> {
  const entries = Object.entries(ways).map(([name, run]) => ({ name, run, batch: 1, times: [] as number[] }));
  for (const entry of entries) {
    const begin = performance.now();
    let runs = 0;
    do {
      sink = entry.run();
      runs++;
    } while (runs < 8 || performance.now() - begin < msPerWay);
    entry.batch = Math.max(1, Math.floor((msPerWay / 40 / (performance.now() - begin)) * runs));
  }
  for (let round = 0; round < 15; round++) {
    for (const entry of entries) {
      if (entry.batch === 1) globalThis.gc?.();
      const begin = process.cpuUsage();
      for (let i = 0; i < entry.batch; i++) sink = entry.run();
      const { user, system } = process.cpuUsage(begin);
      entry.times.push(((user + system) * 1_000) / entry.batch);
    }
  }
  return Object.fromEntries(entries.map(({ name, times }) => [name, median(times)]));
}

/** Keeps results alive, so that no way is optimised away. */
export let sink: unknown;

export function show(title: string, results: Record<string, number>, own: string): void {
  const ns = (time: number): string =>
    time < 1e3
      ? `${time.toFixed(1)} ns`
      : time < 1e6
        ? `${(time / 1e3).toFixed(2)} µs`
        : `${(time / 1e6).toFixed(2)} ms`;
  const base = results[own] as number;
  console.log(`\n${title}`);
  for (const [name, time] of Object.entries(results)) {
    const ratio = name === own ? '' : `  vitrine takes ${(base / time).toPrecision(3)} ×`;
    console.log(`  ${name.padEnd(28)} ${ns(time).padStart(12)}${ratio}`);
  }
}
