// One of the processes that read what the writer publishes.
import { setImmediate, setTimeout } from 'node:timers/promises';
import type { CompatData } from '@mdn/browser-compat-data';
import { openReader, type Snapshot, StoreError } from 'vitrine';
import { digest } from './compat-data.ts';
import { nanosecondsPerCall, nowMs } from './measure.ts';
import { questions } from './questions.ts';
import { serve } from './serve.ts';

/** When a version was seen first, and how long the call of `current()` took that brought it. */
export interface Sighting {
  readonly version: number;
  readonly seenMs: number;
  readonly tookMs: number;
}

const [location = ''] = process.argv.slice(2);
const reader = openReader<CompatData>(location);
const sightings = new Map<number, Sighting>();
let isAsking = false;
let wake = (): void => {};
let held: Snapshot<CompatData> | undefined;

/** Asks for the newest version again and again, as a server does with every request. */
async function ask(pauseMs: number): Promise<void> {
  while (isAsking) {
    look();
    await (pauseMs === 0 ? setImmediate() : setTimeout(pauseMs));
  }
}

function look(): void {
  const startMs = nowMs();
  try {
    reader.current();
  } catch (error) {
    if (error instanceof StoreError && error.code === 'NOT_PUBLISHED') return;
    throw error;
  }
  const seenMs = nowMs();
  if (sightings.has(reader.version)) return;
  sightings.set(reader.version, { version: reader.version, seenMs, tookMs: seenMs - startMs });
  wake();
}

const commands = {
  ...questions(() => reader.current()),
  /** The code of the error that is thrown before anything was published. */
  refusal() {
    try {
      reader.current();
      return 'none';
    } catch (error) {
      return error instanceof StoreError ? error.code : String(error);
    }
  },
  startAsking(pauseMs: number) {
    isAsking = true;
    void ask(pauseMs);
  },
  stopAsking() {
    isAsking = false;
  },
  /** Answers when that version has been seen. */
  async sighting(version: number): Promise<Sighting> {
    for (;;) {
      const sighting = sightings.get(version);
      if (sighting !== undefined) return sighting;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  },
  version: () => reader.version,
  currentNs: () => nanosecondsPerCall(() => reader.current(), 1_000_000),
  hold() {
    held = reader.snapshot();
    return commands.heldDigest();
  },
  heldDigest: () => ({ version: held!.version, digest: digest(held!.value) }),
  release() {
    held?.release();
    held = undefined;
  },
};

export type ReaderCommands = typeof commands;
serve(commands, () => reader.close());
