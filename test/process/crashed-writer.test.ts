import { writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { openReader, openWriter, StoreError } from '../../src/index.ts';
import { inspect } from '../support/inspect.ts';
import { isPayload, payload } from '../support/payload.ts';
import { compilePreload, DIE_AT_STEP } from '../support/preload.ts';
import { it, scratch, until } from '../support/processes.ts';

interface Watched {
  readonly version: number;
  readonly versions: number;
  readonly faults: readonly string[];
}

describe('a writer that is killed while it publishes', () => {
  it('leaves the last version to readers, and the store to the next writer', async ({ place, start }) => {
    const reader = start('puppet');
    await reader.ask('openReader');
    await reader.ask('watch');
    let last = 0;
    let next = start('crash-writer');
    for (let round = 1; round <= 10; round += 1) {
      const writer = next;
      next = start('crash-writer');
      await writer.next('ready');
      // As its predecessor is gone this returns: it neither waits nor throws.
      const opened = await writer.ask<{ version: number }>('open');
      expect(opened.version).toBeGreaterThanOrEqual(last);
      expect(place.files().filter((name) => name.includes('tmp'))).toEqual([]);
      expect(inspect(place.prefix)).toMatchObject({ epoch: BigInt(round), pid: writer.pid });
      writer.tell('run');
      const goal = BigInt(opened.version) + BigInt(1 + Math.floor(Math.random() * 400));
      await until(() => inspect(place.prefix).publishNumber >= goal);
      await writer.kill();

      // What was the newest is what readers go on to have, whole.
      const watched = await reader.ask<Watched>('watched');
      expect(watched.faults).toEqual([]);
      expect(watched.version).toBeGreaterThanOrEqual(Number(goal));
      last = watched.version;
      expect(await reader.ask('watched')).toMatchObject({ version: last, faults: [] });
      // A newcomer finds it too.
      using newcomer = openReader<Uint8Array>(place.prefix);
      newcomer.current();
      expect(newcomer.version).toBe(last);
    }
  });

  it('leaves files that the next writer removes', async ({ place }) => {
    for (const suffix of ['_data_tmp_4711_15', '_state_tmp_4711'])
      writeFileSync(place.prefix + suffix, 'half');
    // Not ours: another store whose name begins alike, and a file of somebody else.
    for (const suffix of ['2_state', '_data_tmp_notes', '_backup'])
      writeFileSync(place.prefix + suffix, 'theirs');
    using writer = openWriter<Uint8Array>(place.prefix, { codec: 'bytes' });
    writer.publish(payload(1, 10));
    expect(place.files()).toEqual([
      'store2_state',
      'store_backup',
      'store_data_0',
      'store_data_tmp_notes',
      'store_lock',
      'store_state',
    ]);
  });
});

describe('a writer that dies before any one of its system calls', () => {
  let library: string;
  const shared = scratch();
  beforeAll(() => {
    library = compilePreload(shared.open(), DIE_AT_STEP);
  });
  afterAll(() => shared.close());

  it('leaves a store that can be read and taken over, from creation to destruction', async ({
    place,
    start,
  }) => {
    const live = (prefix: string, dieAt: number) =>
      start(
        'life',
        { prefix },
        {
          env: {
            LD_PRELOAD: library,
            VITRINE_TEST_PLACE: `${place.directory}/`,
            VITRINE_TEST_DIE_AT: `${dieAt}`,
          },
        },
      );
    const whole = live(place.prefix, 0);
    await whole.ended;
    const steps = whole.stderr.split('\n').filter((line) => line.startsWith('step '));
    expect(whole.count('destroyed'), whole.stderr).toBe(1);
    expect(steps.length).toBeGreaterThan(20);
    expect(place.files()).toEqual([]);
    // What is removed before it is created was not there: dying before the one is dying before the other.
    const isDistinct = (step: number) =>
      !/unlink \S+_tmp_/.test(steps[step - 1]!) || /link/.test(steps[step - 2] ?? '');
    const remaining = steps.map((_, i) => i + 1).filter(isDistinct);

    const cutShort = async (prefix: string, dieAt: number) => {
      const where = `died before ${steps[dieAt - 1]}`;
      const life = live(prefix, dieAt);
      expect((await life.ended).signal, where).toBe('SIGKILL');
      const published = life.count('published');

      using reader = openReader<Uint8Array>(prefix);
      const before = read(reader);
      // A publish is told after it is done: at most one more is there. Nothing at all once destroy() has begun.
      if (before !== 0) expect([published, published + 1], where).toContain(before);
      else expect([0, 7], where).toContain(published);

      using writer = openWriter<Uint8Array>(prefix, { codec: 'bytes' });
      expect(writer.version, where).toBe(before);
      expect(
        place.files().filter((name) => name.startsWith(`${basename(prefix)}_`) && name.includes('tmp')),
        where,
      ).toEqual([]);
      for (const byteLength of [70_000, 10, 3_000_000, 20]) {
        const expected = payload(byteLength, byteLength);
        const number = writer.publish(expected);
        expect(number, where).toBeGreaterThan(before);
        // The reader of before goes on with the store, or with the new one after a destroy().
        expect(Buffer.compare(reader.current(), expected), where).toBe(0);
        expect(reader.version, where).toBe(number);
      }
      writer.destroy();
    };
    const lane = async (prefix: string) => {
      for (let dieAt = remaining.shift(); dieAt !== undefined; dieAt = remaining.shift()) {
        await cutShort(prefix, dieAt);
      }
    };
    await Promise.all(['a', 'b', 'c'].map((name) => lane(join(place.directory, name))));
    expect(place.files()).toEqual([]);
  });
});

/** The version that there is, proven; 0 if nothing is published. */
function read(reader: ReturnType<typeof openReader<Uint8Array>>): number {
  try {
    const bytes = reader.current();
    expect(isPayload(bytes, reader.version)).toBe(true);
    return reader.version;
  } catch (error) {
    if (error instanceof StoreError && error.code === 'NOT_PUBLISHED') return 0;
    throw error;
  }
}
