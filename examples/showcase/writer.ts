// The one process that publishes.
import { renameSync, writeFileSync } from 'node:fs';
import type { CompatData } from '@mdn/browser-compat-data';
import { openWriter, type Writer } from 'vitrine';
import { digest, Evolution } from './compat-data.ts';
import { durationMs, nowMs } from './measure.ts';
import { serve } from './serve.ts';

const [location = ''] = process.argv.slice(2);
const evolution = new Evolution();
let writer: Writer<CompatData> | undefined;

const commands = {
  open() {
    writer = openWriter<CompatData>(location);
  },
  /** Publishes the data as it is now. */
  publish() {
    const startMs = nowMs();
    const version = writer!.publish(evolution.data);
    return { version, startMs, endMs: nowMs() };
  },
  /** Brings the data a step further. Returns how many features have changed. */
  advance: () => evolution.advance(),
  /** How the same is done without a store: a file that everybody reads. */
  writeJson(path: string) {
    return durationMs(() => {
      writeFileSync(`${path}.new`, JSON.stringify(evolution.data));
      renameSync(`${path}.new`, path);
    });
  },
  /** What readers of the newest version should see. */
  digest: () => ({ version: writer!.version, digest: digest(evolution.data) }),
  stats: () => writer!.stats(),
  /** Removes the files of the store. */
  destroy() {
    writer?.destroy();
    writer = undefined;
  },
};

export type WriterCommands = typeof commands;
serve(commands, commands.destroy);
