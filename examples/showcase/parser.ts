// The usual way, for comparison: a process with a copy of its own, from the same data as a JSON file.
import type { CompatData } from '@mdn/browser-compat-data';
import { parseFile } from './compat-data.ts';
import { durationMs } from './measure.ts';
import { questions } from './questions.ts';
import { serve } from './serve.ts';

const [file = ''] = process.argv.slice(2);
let data: CompatData;

const commands = {
  ...questions(() => data),
  parse: () =>
    durationMs(() => {
      data = parseFile(file);
    }),
};

export type ParserCommands = typeof commands;
serve(commands, () => {});
