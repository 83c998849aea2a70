/**
 * Does a reader that holds a snapshot slow the writer down? `npx tsx bench/hold.ts`
 *
 * Publishes are timed one by one in rounds that alternate between three situations, so that a noisy machine is noisy
 * for all: nobody holds; one reader holds one snapshot for all the time; one reader holds every version (each publish
 * then has to add or replace a region). Read the last column: what holding costs is what replacing a region costs.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Table from 'cli-table3';
import { openReader, openWriter, type Snapshot } from '../src/index.ts';

const ROUNDS = 40;
const PUBLISHES_PER_ROUND = 50;

const directory = mkdtempSync('/dev/shm/vitrine-bench-');
const table = new Table({
  head: ['payload', 'readers', 'median µs', 'p99 µs', 'slowest µs', 'rewritten', 'median ÷ nobody holds'],
  colAligns: ['right', 'left', 'right', 'right', 'right', 'right', 'right'],
});

try {
  for (const byteLength of [65_536, 1 << 20, 16 << 20]) measure(byteLength);
  console.log(table.toString());
} finally {
  rmSync(directory, { recursive: true });
}

function measure(byteLength: number): void {
  const value = new Uint8Array(byteLength).fill(1);
  const situations = ['nobody holds', 'one snapshot held', 'every version held'].map((name, index) => {
    const location = join(directory, `${byteLength}-${index}`);
    const writer = openWriter<Uint8Array>(location, { codec: 'bytes' });
    writer.publish(value);
    const reader = openReader<Uint8Array>(location);
    const held: Snapshot<Uint8Array>[] = index === 1 ? [reader.snapshot()] : [];
    return { name, writer, reader, held, timesUs: [] as number[] };
  });
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const { name, writer, reader, held, timesUs } of situations) {
      for (let i = 0; i < PUBLISHES_PER_ROUND; i += 1) {
        const start = process.hrtime.bigint();
        writer.publish(value);
        timesUs.push(Number(process.hrtime.bigint() - start) / 1000);
        if (name !== 'every version held') continue;
        held.push(reader.snapshot());
        if (held.length > 20) held.shift()?.release({ detach: true });
      }
    }
  }
  let base = 0;
  for (const { name, writer, reader, held, timesUs } of situations) {
    // The first rounds warm the code up.
    const sorted = timesUs.slice(timesUs.length / 10).sort((a, b) => a - b);
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
    base ||= at(0.5);
    const { publishes, rewrites } = writer.stats();
    table.push([
      byteLength.toLocaleString('en'),
      name,
      at(0.5).toFixed(1),
      at(0.99).toFixed(1),
      at(1).toFixed(1),
      `${((100 * rewrites) / publishes).toFixed(0)} %`,
      (at(0.5) / base).toFixed(2),
    ]);
    for (const snapshot of held) snapshot.release({ detach: true });
    reader.close();
    writer.destroy();
  }
}
