// `npm start`: what vitrine does with 20 MB of real data, measured here and now.
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { constants, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Child, endAll } from './children.ts';
import { DATA_FILE, featurePaths, type Path, parseFile, walk } from './compat-data.ts';
import { type Memory, median } from './measure.ts';
import type { ParserCommands } from './parser.ts';
import { comparison, count, megabytes, say, table, time, title } from './print.ts';
import type { Questions } from './questions.ts';
import type { ReaderCommands } from './reader.ts';
import type { WriterCommands } from './writer.ts';

type Writer = Child<WriterCommands>;
type Reader = Child<ReaderCommands>;
type Parser = Child<ParserCommands>;

/** What one group of processes needed for the same work; figures of each process. */
interface Use {
  /** How long a newer version kept the process from doing anything else. */
  readonly updateMs: readonly number[];
  readonly nestedFieldNs: readonly number[];
  readonly firstLookUpNs: readonly number[];
  readonly nextLookUpNs: readonly number[];
  readonly visitMs: readonly number[];
  readonly idle: readonly Memory[];
  /** After one field was read, after the lookups, after the visit. */
  readonly stages: readonly (readonly Memory[])[];
}

const READERS = 4;
const NEWER_VERSIONS = 5;
const VERSIONS_WHILE_HELD = 3;
const PARSE_ROUNDS = 2;
const LOOKUPS = 1_000;
const DEADLINE_MS = 180_000;

/** What this program says has happened, and whether it has. */
const claims: { readonly text: string; readonly isTrue: boolean }[] = [];
const claim = (text: string, isTrue: boolean): number => claims.push({ text, isTrue });

const directory = mkdtempSync(join(parentDirectory(), 'vitrine-showcase-'));
const location = join(directory, 'compat-data');
let isInterrupted = false;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, async () => {
    isInterrupted = true;
    await cleanUp();
    process.exit(128 + constants.signals[signal]);
  });
}
try {
  await withDeadline(tellTheStory());
} catch (error) {
  if (!isInterrupted) say(`\nThis should not happen: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
await cleanUp();

async function tellTheStory(): Promise<void> {
  const startMs = Date.now();
  const paths = introduce();
  const writer: Writer = new Child('the writer', './writer.ts', [location]);
  const readers = Array.from(
    { length: READERS },
    (_, i): Reader => new Child(`reader ${i + 1}`, './reader.ts', [location]),
  );
  const idle = await inAll(readers, (reader) => reader.call('memory'));
  const updateMs = await showPublishing(writer, readers);
  const currentNs = await inTurn(readers, (reader) => reader.call('currentNs'));
  const reading: Use = { idle, updateMs, ...(await useData(readers, paths)) };
  const storeByteLength = sizeOfFiles();
  await checkWhole(writer, readers);
  const publishMs = await showHolding(writer, readers);
  await showKilling(writer, readers, publishMs);
  await inAll(readers, (reader) => reader.end());

  const parsing = await measureParsing(writer, paths);
  showTimes(reading, parsing, median(currentNs));
  showMemory(reading, parsing, storeByteLength);

  await writer.call('destroy');
  await writer.end();
  claim('destroy() has left no file behind', readdirSync(directory).length === 0);
  conclude(startMs);
}

function introduce(): Path[] {
  const data = parseFile(DATA_FILE);
  let objects = 0;
  walk(data, (value) => {
    if (!Array.isArray(value)) objects += 1;
  });
  const paths = featurePaths(data);
  const model = cpus()[0]?.model.trim();
  say('vitrine: one process publishes an object, all others read its newest version from shared memory');
  say();
  say(
    `Data     MDN browser-compat-data ${data.__meta.version}: ${megabytes(statSync(DATA_FILE).size)} of JSON,`,
  );
  say(`         ${count(objects)} objects, ${count(paths.length)} features of the web platform`);
  say(
    `Machine  ${cpus().length} cores (${model}), Node ${process.versions.node}, ${process.platform} ${process.arch}`,
  );
  say(`Cast     1 writer and ${READERS} readers: processes that have nothing in common but a path`);
  return paths.slice(0, LOOKUPS);
}

async function showPublishing(writer: Writer, readers: readonly Reader[]): Promise<number[]> {
  title('1. Publish, and everybody has it');
  const refusals = await inAll(readers, (reader) => reader.call('refusal'));
  claim(
    'readers started before there was a store, and were told NOT_PUBLISHED',
    refusals.every((code) => code === 'NOT_PUBLISHED'),
  );
  await inAll(readers, (reader, i) => reader.call('startAsking', i === 0 ? 0 : 1));
  await writer.call('open');

  const publishMs: number[] = [];
  const delaysMs: number[][] = [];
  const updateMs: number[] = [];
  let changedFeatures = 0;
  for (let version = 1; version <= 1 + NEWER_VERSIONS; version += 1) {
    if (version > 1) changedFeatures = await writer.call('advance');
    const published = await writer.call('publish');
    const sightings = await inAll(readers, (reader) => reader.call('sighting', published.version));
    publishMs.push(published.endMs - published.startMs);
    delaysMs.push(sightings.map(({ seenMs }) => seenMs - published.endMs));
    updateMs.push(...sightings.map(({ tookMs }) => tookMs));
  }
  await inAll(readers, (reader) => reader.call('stopAsking'));
  say('The readers were there first. Each version after the first adds a release of Chrome, and');
  say(
    `${changedFeatures} features that it has gained. Reader 1 asks for the newest version all the time, the`,
  );
  say('others once a millisecond. Their columns: from the return of publish() until current()');
  say('has returned that version (less than 0: a reader had it before publish() returned).');
  say();
  table(
    ['', 'publish() takes', ...readers.map(({ name }) => name)],
    [
      ...publishMs.map((ms, i) => [`version ${i + 1}`, time(ms), ...delaysMs[i]!.map(time)]),
      [
        'median',
        time(median(publishMs)),
        ...readers.map((_, reader) => time(median(delaysMs.map((delays) => delays[reader]!)))),
      ],
    ],
  );
  return updateMs;
}

/** What both groups do with the data; one process at a time, so that none waits for another one. */
async function useData(
  processes: readonly Child<Questions>[],
  paths: readonly Path[],
): Promise<Omit<Use, 'idle' | 'updateMs'>> {
  const memory = (): Promise<Memory[]> => inTurn(processes, (child) => child.call('memory'));
  const nestedFieldNs = await inTurn(processes, (child) => child.call('nestedFieldNs'));
  const afterField = await memory();
  const firstLookUpNs = await inTurn(processes, (child) => child.call('lookUpNs', paths));
  const nextLookUpNs = await inTurn(processes, (child) => child.call('lookUpNs', paths));
  const afterLookUps = await memory();
  const visitMs = await inTurn(processes, (child) => child.call('visitMs'));
  const stages = [afterField, afterLookUps, await memory()];
  return { nestedFieldNs, firstLookUpNs, nextLookUpNs, visitMs, stages };
}

async function showHolding(writer: Writer, readers: readonly Reader[]): Promise<number> {
  title('2. Hold a version while newer ones come');
  const [holder] = readers as [Reader];
  const held = await holder.call('hold');
  const publishMs: number[] = [];
  for (let i = 0; i < VERSIONS_WHILE_HELD; i += 1) {
    await writer.call('advance');
    const { startMs, endMs } = await writer.call('publish');
    publishMs.push(endMs - startMs);
  }
  const { regions, heldByteLength } = await writer.call('stats');
  const newest = await writer.call('digest');
  const heldLater = await holder.call('heldDigest');
  const current = { digest: await holder.call('digest'), version: await holder.call('version') };
  await holder.call('release');
  claim(
    `a snapshot of version ${held.version} was the same after ${VERSIONS_WHILE_HELD} newer ones`,
    heldLater.digest === held.digest && heldLater.version === held.version && newest.version > held.version,
  );
  claim(
    'beside it current() of the same reader had the newest version, whole',
    current.digest === newest.digest && current.version === newest.version && current.digest !== held.digest,
  );
  say(`Reader 1 takes a snapshot of version ${held.version}, as for a request that takes a while.`);
  say();
  table(
    ['reader 1', 'version', 'hash over every key and value'],
    [
      ['snapshot.value at first', String(held.version), held.digest],
      [`snapshot.value ${VERSIONS_WHILE_HELD} versions later`, String(heldLater.version), heldLater.digest],
      ['current() now', String(current.version), current.digest],
    ],
  );
  say();
  say(
    `publish() took ${time(median(publishMs))} meanwhile (median of ${VERSIONS_WHILE_HELD}). The store has ${regions} regions with ${megabytes(heldByteLength)}:`,
  );
  say('two, and one for each older version that a reader holds or has not yet garbage collected.');
  return median(publishMs);
}

async function checkWhole(writer: Writer, processes: readonly Child<Questions>[]): Promise<void> {
  const { digest } = await writer.call('digest');
  const digests = await inAll(processes, (child) => child.call('digest'));
  claim(
    `${processes[0]!.name} to ${processes.length} have exactly what the writer has (hash ${digest})`,
    digests.every((other) => other === digest),
  );
}

async function showKilling(writer: Writer, readers: Reader[], usualMs: number): Promise<void> {
  title('3. Kill a reader');
  const victim = readers.pop()!;
  const { version } = await victim.call('hold');
  const end = await victim.kill();
  await inAll(readers, (reader) => reader.call('startAsking', 1));
  const publishMs: number[] = [];
  let newest = version;
  for (let i = 0; i < 2; i += 1) {
    await writer.call('advance');
    const published = await writer.call('publish');
    publishMs.push(published.endMs - published.startMs);
    newest = published.version;
    await inAll(readers, (reader) => reader.call('sighting', newest));
  }
  await inAll(readers, (reader) => reader.call('stopAsking'));
  claim(
    `${victim.name} was killed while it held version ${version}; versions up to ${newest} followed, and were seen`,
    end === `${victim.name} ended (SIGKILL)` && newest === version + 2,
  );
  await checkWhole(writer, readers);
  say(
    `${victim.name} (process ${victim.pid}) got SIGKILL while it held a snapshot of version ${version}. The next two`,
  );
  say(
    `publish() took ${publishMs.map(time).join(' and ')}; the median above was ${time(usualMs)}. The other readers have both.`,
  );
}

/** The same without a store: a file, and processes that parse it. */
async function measureParsing(writer: Writer, paths: readonly Path[]): Promise<Use & { writeMs: number }> {
  const file = join(directory, 'compat-data.json');
  const writeMs = await writer.call('writeJson', file);
  const parsers = Array.from(
    { length: READERS },
    (_, i): Parser => new Child(`parser ${i + 1}`, './parser.ts', [file]),
  );
  const idle = await inAll(parsers, (parser) => parser.call('memory'));
  const updateMs: number[] = [];
  for (let round = 0; round < PARSE_ROUNDS; round += 1) {
    updateMs.push(...(await inAll(parsers, (parser) => parser.call('parse'))));
  }
  const use = await useData(parsers, paths);
  await checkWhole(writer, parsers);
  await inAll(parsers, (parser) => parser.end());
  rmSync(file);
  return { idle, updateMs, writeMs, ...use };
}

function showTimes(reading: Use, parsing: Use, currentNs: number): void {
  title('4. What it costs a reader, beside JSON.parse in every process');
  say(
    `The same data once more as a JSON file, and ${READERS} processes that parse it as soon as it changes.`,
  );
  say('Medians; the update happens in all processes at once, everything else in one at a time.');
  say();
  const row = (what: string, ms: (use: Use) => number): string[] => [
    what,
    time(ms(reading)),
    time(ms(parsing)),
  ];
  table(
    ['', 'vitrine', 'JSON.parse'],
    [
      row('a newer version: the process does nothing else for', (use) => median(use.updateMs)),
      ['current() when nothing is new', time(currentNs / 1e6), 'a variable'],
      row('current() and one field, 5 levels deep', (use) => median(use.nestedFieldNs) / 1e6),
      row(
        `look up a feature (${count(LOOKUPS)} different ones): first time`,
        (use) => median(use.firstLookUpNs) / 1e6,
      ),
      row('    second time', (use) => median(use.nextLookUpNs) / 1e6),
      row('visit every object there is, once', (use) => median(use.visitMs)),
    ],
  );
}

function showMemory(reading: Use, parsing: Use, storeByteLength: number): void {
  title('5. Memory');
  say('Pss as the kernel counts it: own pages, and of each page that n processes share the nth part.');
  say('Of whole processes, after a garbage collection: without the data, after one field was read,');
  say('after the lookups above, after the visit of everything.');
  say();
  const stages = (use: Use): (readonly Memory[])[] => [use.idle, ...use.stages];
  const ownPages = (use: Use): number[] =>
    stages(use).map((stage) => stage.reduce((sum, { pss, sharedPss }) => sum + pss - sharedPss, 0));
  const own = { reading: ownPages(reading), parsing: ownPages(parsing) };
  const files = own.reading.map((_, stage) => (stage === 0 ? 0 : storeByteLength));
  const processes = (way: string, use: Use): string[][] =>
    use.idle.map((_, i) => [
      `${way}, process ${i + 1}`,
      ...stages(use).map((stage) => megabytes(stage[i]!.pss)),
    ]);
  table(
    ['', 'without', 'one field', `${count(LOOKUPS)} features`, 'everything'],
    [
      ...processes('vitrine', reading),
      ['  files of the store, in full', ...files.map(megabytes)],
      [
        '  own pages of all, and the files',
        ...own.reading.map((bytes, stage) => megabytes(bytes + files[stage]!)),
      ],
      ...processes('JSON.parse', parsing),
      ['  own pages of all', ...own.parsing.map(megabytes)],
    ],
  );
  const added = (stage: number): string => {
    const shared = own.reading[stage]! + files[stage]! - own.reading[0]!;
    const parsed = own.parsing[stage]! - own.parsing[0]!;
    const verdict = comparison(shared, parsed, ['less', 'more']);
    return `${megabytes(shared)} with the store, ${megabytes(parsed)} with a copy each: ${verdict}`;
  };
  say();
  say(`What the data adds to ${READERS} processes`);
  say(`  after one field       ${added(1)}`);
  say(`  after ${count(LOOKUPS)} features  ${added(2)}`);
  say(`  after everything      ${added(3)}`);
}

function conclude(startMs: number): void {
  title('What has happened');
  for (const { text, isTrue } of claims) say(`${isTrue ? 'yes' : 'NO '}  ${text}`);
  say();
  say(`It took ${time(Date.now() - startMs)}. Every figure was measured on this machine just now.`);
  if (claims.some(({ isTrue }) => !isTrue)) process.exitCode = 1;
}

/** All at the same time. */
function inAll<C, R>(children: readonly C[], run: (child: C, index: number) => Promise<R>): Promise<R[]> {
  return Promise.all(children.map(run));
}

async function inTurn<C, R>(children: readonly C[], run: (child: C) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const child of children) results.push(await run(child));
  return results;
}

/** What the file system has given to the files of the store. */
function sizeOfFiles(): number {
  return readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).blocks * 512, 0);
}

/** The directory that holds ours: in memory, where there is one. */
function parentDirectory(): string {
  const inMemory = statSync('/dev/shm', { throwIfNoEntry: false })?.isDirectory() ? '/dev/shm' : tmpdir();
  return process.env['VITRINE_DIRECTORY'] ?? inMemory;
}

async function withDeadline(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it has not ended after ${time(DEADLINE_MS)}`)), DEADLINE_MS);
  });
  await Promise.race([work, tooLate]).finally(() => clearTimeout(timer));
}

async function cleanUp(): Promise<void> {
  await endAll();
  rmSync(directory, { recursive: true, force: true });
}
