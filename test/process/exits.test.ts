import { describe, expect } from 'vitest';
import { inspect, pinCount } from '../support/inspect.ts';
import { type Child, it, type Start } from '../support/processes.ts';

/** A reader that holds three versions in different ways: raw windows, a forgotten snapshot, and what it has as newest. */
async function pinning(start: Start, writer: Child): Promise<Child> {
  const reader = start('puppet');
  await reader.ask('openReader');
  for (let i = 0; i < 3; i += 1) {
    await writer.ask('publish');
    const { id } = await reader.ask<{ id: number }>('hold');
    if (i === 1) await reader.ask('forget', { id });
  }
  return reader;
}

const endings: {
  readonly name: string;
  end(reader: Child): void;
  readonly code: number | null;
  readonly left: number;
}[] = [
  { name: 'process.exit()', end: (reader) => reader.tell('exit', { code: 7 }), code: 7, left: 0 },
  { name: 'an uncaught exception', end: (reader) => reader.tell('throwUncaught'), code: 1, left: 0 },
  { name: 'an unhandled rejection', end: (reader) => reader.tell('rejectUnhandled'), code: 1, left: 0 },
  { name: 'the end of its work', end: (reader) => reader.tell('finish'), code: 0, left: 0 },
  { name: 'SIGTERM that it handles', end: (reader) => reader.tell('terminate'), code: 0, left: 0 },
  // Nobody can count out after these: one count a slot stays, and costs one replacement.
  { name: 'SIGKILL', end: (reader) => reader.signal('SIGKILL'), code: null, left: 3 },
  { name: 'SIGTERM', end: (reader) => reader.signal('SIGTERM'), code: null, left: 3 },
];

describe('a reader with pins', () => {
  for (const { name, end, code, left } of endings) {
    it(`leaves ${left === 0 ? 'no' : 'its'} counts behind at ${name}`, async ({ place, start }) => {
      const writer = start('puppet');
      await writer.ask('openWriter');
      const reader = await pinning(start, writer);
      expect(pinCount(place.prefix)).toBe(3);
      end(reader);
      expect((await reader.ended).code).toBe(code);
      expect(pinCount(place.prefix)).toBe(left);

      const before = await writer.ask<{ replacements: number }>('writerStats');
      await writer.ask('publish', { count: 200 });
      const after = await writer.ask<{ replacements: number }>('writerStats');
      // A count that nobody takes back costs a replacement, once; afterwards everything is rewritten in place.
      expect(after.replacements - before.replacements).toBeLessThanOrEqual(left);
      // In a store that is in use such a slot is given back.
      await writer.ask('publish', { count: 400 });
      expect(inspect(place.prefix).slots.map(({ count }) => count)).toEqual(Array(14).fill(0));
    });
  }
});
